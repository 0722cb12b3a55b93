"""What is counted about a user, over which window: one verb and what it is about."""

from dataclasses import dataclass
from decimal import Decimal

from sop_engine.core.conditions import Condition, Term
from sop_engine.core.forms import Length

EVENT_VERBS = frozenset({"count", "sum", "average", "min", "max", "distinct", "most_common", "first", "last", "streak"})
FITTED_VERBS = frozenset({"rank", "cluster", "score"})  # and grade, when its cuts are not numbers


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. Which keys are set depends on `verb` (see docs/playbooks.md, metrics).

    `events` are leaf kinds (groups expanded); `of` names metrics, attributes or `joined` that the verb reads.
    `kind` is the type of the result: number, text, date or words.
    """

    name: str
    verb: str
    kind: str
    words: tuple[str, ...] = ()  # possible results when kind is words
    events: tuple[str, ...] = ()
    field: str | None = None
    where: Condition | None = None
    within: Length | None = None
    per: int | None = None  # days
    ratio_to_previous: bool = False
    of: tuple[str, ...] = ()
    formula: Term | None = None  # value
    cuts: tuple[Decimal, ...] | str | None = None  # numbers rising; or median, quartiles, quintiles
    best: str = "high"
    names: tuple[str, ...] = ()
    only: Condition | None = None
    refresh: str = "monthly"
    into: tuple[int, int] | None = None  # cluster: least and most
    predicts: tuple[str, bool] | None = None  # score: (event, negated)
    note: str = ""

    @property
    def fitted(self) -> bool:
        """Whether its numbers come from the population and are frozen by a refresh."""
        return self.verb in FITTED_VERBS or (self.verb == "grade" and isinstance(self.cuts, str))


@dataclass(frozen=True, slots=True)
class Fit:
    """The frozen numbers of a fitted metric: cut points (rising), cluster centres with their scales, or coefficients."""

    metric: str
    cuts: tuple[float, ...] = ()
    sizes: tuple[int, ...] = ()  # rank: people strictly better than each cut, and in all
    centres: tuple[tuple[float, ...], ...] = ()
    numbers: tuple[int, ...] = ()  # cluster: the number of each centre, kept at a refit (so with gaps when there are fewer centres)
    means: tuple[float, ...] = ()
    scales: tuple[float, ...] = ()
    coefficients: tuple[float, ...] = ()
    intercept: float = 0.0
    people: int = 0
    degenerate: bool = False
    verdict: str = ""  # score: better, not_better or too_few, as `judge_score` says; empty: it was not tested
    auc: float | None = None  # on days it had not seen, as are the next two
    rule: str = ""  # the number that alone told best
    rule_auc: float | None = None

    @property
    def refused(self) -> bool:
        """Whether a chance must not be used: on later days the best number alone was as good, or it is the same for everybody."""
        return self.verdict == "not_better" or (bool(self.verdict) and self.degenerate)
