"""Playbooks, flows and steps, checked and frozen."""

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from sop_engine.core.catalog import Goal
from sop_engine.core.conditions import Condition, Ref, Value
from sop_engine.core.forms import Again, Instant, Length, Limit, Moment, Schedule

PRIORITIES = ("low", "normal", "high", "urgent")


@dataclass(frozen=True, slots=True)
class Choice:
    """What a step sends or gives: options by variant or word, each a list tried in order.

    Without a choice the only key is "". `by` is variant, or the name the words are of; `otherwise` is a key like a word.
    """

    options: tuple[tuple[str, tuple[str, ...]], ...]
    by: str = ""

    def names(self) -> tuple[str, ...]:
        """Every template or benefit named, in order, without repeats."""
        return tuple(dict.fromkeys(n for _, names in self.options for n in names))

    def pick(self, word: str | None) -> tuple[str, ...] | None:
        """The list for this variant or word; None when nothing fits."""
        options = dict(self.options)
        if self.by == "":
            return options.get("")
        return options.get(word or "", options.get("otherwise"))


@dataclass(frozen=True, slots=True)
class Step:
    """One step: exactly one of `at`, `after`, `every`; and what it does."""

    name: str
    at: Moment | None = None
    after: timedelta | None = None
    every: Schedule | None = None
    source: str | None = None  # the earlier step named by `from`
    when: Condition | None = None
    by: Ref | None = None
    send: Choice | None = None
    give: Choice | None = None
    void: str | None = None
    sets: tuple[tuple[str, Value], ...] = ()
    late: Length | None = None
    place: str = field(default="", compare=False)  # file:line
    when_place: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Start:
    """What starts a flow. `kind`: level (form 1), enter, leave, event, every or date."""

    kind: str
    tier: str = ""
    level: str | None = None  # None with kind level: unscored
    condition: Condition | None = None
    events: tuple[str, ...] = ()
    where: Condition | None = None
    schedule: Schedule | None = None
    instant: Instant | None = None


@dataclass(frozen=True, slots=True)
class Experiment:
    """What analysis must know beforehand."""

    name: str = ""
    metric: str = ""
    planned_per_arm: int | None = None
    mode: str = ""
    guardrails: tuple[tuple[str, str], ...] = ()
    revenue_cap: Decimal | None = None
    winner: str = "propose"


@dataclass(frozen=True, slots=True)
class Flow:
    """One flow, all defaults filled in. `id` is 剧本/层级 or 剧本; `order` is its place in the files."""

    id: str
    playbook: str
    intent: str
    start: Start
    steps: tuple[Step, ...]
    order: int = 0
    level: str | None = None
    owner: str = ""
    note: str = ""
    only: Condition | None = None
    goal: Goal | None = None
    counts: tuple[Goal, ...] = ()
    exits: tuple[tuple[str, Condition], ...] = ()
    keep_going: frozenset[str] = frozenset()
    again: Again = field(default_factory=lambda: Again("after", Length(days=30)))
    anchor: str | None = None  # a date attribute or metric, or joined
    late: Length = field(default_factory=lambda: Length(exact=timedelta(hours=24)))
    existing: bool = False
    existing_per_day: int | None = None
    priority: str = "normal"
    holdout: Decimal = Decimal(0)  # a share: 0.1 is 10 %
    variants: tuple[tuple[str, Decimal], ...] = ()
    experiment: Experiment | None = None
    rollout: Decimal = Decimal(1)
    budget: Limit | None = None
    approve_by: str = ""
    no_benefit: str = ""
    place: str = field(default="", compare=False)

    def step(self, name: str) -> Step | None:
        """The step of this name, or None."""
        return next((s for s in self.steps if s.name == name), None)

    @property
    def rank(self) -> int:
        """Priority as a number, 0 low to 3 urgent."""
        return PRIORITIES.index(self.priority)

    @property
    def experiment_name(self) -> str:
        """The name arms are drawn and counted under."""
        return self.experiment.name if self.experiment and self.experiment.name else self.id


@dataclass(frozen=True, slots=True)
class Playbook:
    """One playbook: its flows by level (form 1) or a single flow; `none` holds the reasons for levels left alone."""

    name: str
    flows: tuple[str, ...]  # flow ids
    tier: str = ""
    none: tuple[tuple[str, str], ...] = ()
    note: str = ""
    owner: str = ""
    blueprint: str = ""
    place: str = field(default="", compare=False)
