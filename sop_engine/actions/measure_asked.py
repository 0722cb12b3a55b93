"""What measures are computed from: one moment, a window of whole days, and the names of the live project, looked up when needed."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from sop_engine.app import Work
from sop_engine.core.conditions import Ref, Truth
from sop_engine.core.forms import Length
from sop_engine.core.playbook import Flow
from sop_engine.core.project import Project
from sop_engine.store import cohorts
from sop_engine.store.counting import Span


class Missing(Exception):
    """The project lacks a name a measure reads: `kind` is a word of WHY, `name` the name."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"{kind} {name}")
        self.kind, self.name = kind, name


@dataclass(frozen=True, slots=True)
class Given:
    """What only the shop can say: planned shares (0 to 1) of the cost of benefits by level, and the minutes a task takes."""

    plan: Mapping[str, float] = field(default_factory=dict)
    task_minutes: int = 10


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked: the window of local days, both included, and `closed`, the ordinal of the last complete day."""

    work: Work
    since: date
    until: date
    closed: int
    given: Given

    @property
    def project(self) -> Project:
        """The live project."""
        return self.work.project

    @property
    def span(self) -> Span:
        """The window as instants and ordinals."""
        return Span.of_days(self.since, self.until, self.work.live.zone)

    @property
    def purchase(self) -> tuple[str, str]:
        """(event, field of its money). Raises Missing where the project has no such event."""
        kind, money = self.project.settings.purchase
        self.event(kind)
        return kind, money

    @property
    def active(self) -> tuple[str, ...]:
        """The kinds of event that are activity. Raises Missing where the project says none."""
        named = self.project.settings.activity
        kinds = tuple(leaf for name in named for leaf in self.project.groups.get(name, (name,)))
        if not kinds:
            raise Missing("no_activity", "activity")
        return kinds

    def before(self) -> "Asked":
        """The window of the same length just before."""
        length = self.until - self.since + timedelta(days=1)
        return replace(self, since=self.since - length, until=self.until - length)

    def last(self, days: int) -> "Asked":
        """The last days of the window, so many."""
        return replace(self, since=self.until - timedelta(days=days - 1))

    def event(self, name: str) -> str:
        """An event of the project. Raises Missing."""
        if name not in self.project.events:
            raise Missing("no_event", name)
        return name

    def kinds(self, name: str) -> tuple[str, ...]:
        """The kinds of an event or group. Raises Missing."""
        return self.project.groups[name] if name in self.project.groups else (self.event(name),)

    def level(self, tier: str, level: str) -> tuple[str, str]:
        """A level of the project. Raises Missing."""
        if tier not in self.project.tiers:
            raise Missing("no_tier", tier)
        if level not in self.project.tiers[tier].level_names:
            raise Missing("no_level", f"{tier} = {level}")
        return tier, level

    def primary(self) -> tuple[str, tuple[str, ...]]:
        """The primary tier and its levels, best first. Raises Missing where there is none."""
        tier = self.project.tiers.get(self.project.settings.primary_tier)
        if tier is None:
            raise Missing("no_primary", "primary_tier")
        return tier.name, tier.ladder or tier.level_names

    def tagged(self, tag: str, day: int) -> cohorts.Group:
        """Who has a tag at the end of a local day, by its rule and the log as of that day.

        Raises Missing, also for a tag without a rule on a day gone by: its past is not kept.
        """
        if tag not in self.project.tags:
            raise Missing("no_tag", tag)
        if day < self.closed and self.project.tags[tag].when is None:
            raise Missing("no_past", tag)
        name = f"measured_{day}"
        condition = self.project.tags[tag].when or Truth(Ref("tag", tag, "flag"))
        return cohorts.holding(self.work.tx, self.project, condition, day, name)

    def in_level(self, tier: str, levels: tuple[str, ...], day: int) -> cohorts.Group:
        """Who is in one of these levels at the end of a local day."""
        return cohorts.at_level(tier, levels, day)

    def goal_of(self, flow: Flow) -> tuple[tuple[str, ...], int]:
        """(kinds of the goal's events, days it may take, rounded up); an order within 14 days where the flow has no goal by event."""
        goal = flow.goal
        if goal is None or not goal.events:
            return (self.purchase[0],), days_of(goal.within) if goal else 14
        return goal.events, days_of(goal.within)


def days_of(length: Length) -> int:
    """A length in days, rounded up."""
    if length.days is not None:
        return length.days
    return -(-int((length.exact or timedelta()).total_seconds()) // 86400)
