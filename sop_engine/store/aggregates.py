"""Decides which plain facts of the event log are stored for each metric; what differs from day to day is derived when read.

An aggregate's column is named after its definition, so equal aggregates share one and renaming a metric costs nothing.
"""

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property, lru_cache
from hashlib import sha256

from sop_engine.core.conditions import Condition, refs_of
from sop_engine.core.explain import text_of
from sop_engine.core.metrics import Metric
from sop_engine.core.project import Project

EVERY_EVENT = {"actor": "text", "source": "text", "id": "text", "date": "date", "hour": "number", "weekday": "number"}
ZERO_OF_NOTHING = frozenset({"count", "sum", "distinct", "streak"})
PLAIN = frozenset({"count", "first_day", "last_day"})  # of whole events: computed once by kind of event, then added up


@dataclass(frozen=True)
class Aggregate:
    """One stored column.

    `what`: count, sum, min, max, distinct, most_common, first, last (of a field's known values), first_day, last_day, streak
    (its length up to the last day) or streak_end. `window`: from so many days back to so many days back. `exact`: a length up to now.
    """

    what: str
    kinds: tuple[str, ...]  # sorted
    field: str | None = None
    field_kind: str = ""
    where: Condition | None = None
    window: tuple[int, int] | None = None
    exact: timedelta | None = None

    @cached_property
    def column(self) -> str:
        """Name of the column in user_metrics."""
        where = (text_of(self.where), sorted({(r.key, r.kind) for r in refs_of(self.where)})) if self.where is not None else ""
        said = (self.what, self.kinds, self.field, self.field_kind, where, self.window, self.exact)
        return "m_" + sha256(repr(said).encode()).hexdigest()[:10]

    @property
    def kind(self) -> str:
        """Kind of value: number, text, flag or date."""
        if self.what in ("first_day", "last_day", "streak_end"):
            return "date"
        if self.what in ("most_common", "first", "last"):
            return "text" if self.field_kind == "words" else self.field_kind
        # The least and greatest of dates are dates.
        return "date" if self.what in ("min", "max") and self.field_kind == "date" else "number"

    @property
    def is_plain(self) -> bool:
        """Whether it is about whole events on whole days."""
        return self.what in PLAIN and self.field is None and self.where is None and self.exact is None

    @property
    def by_anybody(self) -> bool:
        """Whether it sees what others did, too: its `where` says who."""
        return any(ref.name == "actor" for ref in refs_of(self.where))


@dataclass(frozen=True, slots=True)
class Parts:
    """The aggregates of one metric, by the part they play. What a verb does not need is None."""

    main: Aggregate
    previous: Aggregate | None = None  # ratio_to
    first_day: Aggregate | None = None  # per, without a window
    number: Aggregate | None = None  # average: how many values
    end: Aggregate | None = None  # streak: its last day

    def all(self) -> tuple[Aggregate, ...]:
        """Those there are."""
        return tuple(a for a in (self.main, self.previous, self.first_day, self.number, self.end) if a is not None)


def parts_of(metric: Metric, project: Project) -> Parts | None:
    """The stored facts a metric is derived from; None when it reads no events."""
    if not metric.events:
        return None
    whole = metric.field is None
    match metric.verb:
        case "average":
            return Parts(_aggregate(metric, project, "sum"), number=_aggregate(metric, project, "count"))
        case "streak":
            return Parts(_aggregate(metric, project, "streak"), end=_aggregate(metric, project, "streak_end"))
        case "days_since":
            return Parts(_aggregate(metric, project, "last_day"))
        case "first" | "last":
            return Parts(_aggregate(metric, project, f"{metric.verb}_day" if whole else metric.verb))
    previous = _aggregate(metric, project, metric.verb, back=1) if metric.ratio_to_previous else None
    first = _aggregate(metric, project, "first_day", whole=True) if metric.per and metric.within is None else None
    return Parts(_aggregate(metric, project, metric.verb), previous=previous, first_day=first)


def aggregates_of(metric: Metric, project: Project) -> tuple[Aggregate, ...]:
    """The columns a metric needs; none when it reads no events."""
    parts = parts_of(metric, project)
    return parts.all() if parts else ()


@lru_cache(maxsize=8)
def live_aggregates(project: Project) -> tuple[Aggregate, ...]:
    """Every column the metrics of a project need, each once."""
    return tuple({a.column: a for m in project.metrics.values() for a in aggregates_of(m, project)}.values())


def field_kind(project: Project, kinds: tuple[str, ...], field: str) -> str:
    """The type of an event field, by its first definition among these kinds of event."""
    if field in EVERY_EVENT:
        return EVERY_EVENT[field]
    found = (project.events[k].fields[field].type for k in kinds if k in project.events and field in project.events[k].fields)
    return next(found, "text")


def _aggregate(metric: Metric, project: Project, what: str, *, back: int = 0, whole: bool = False) -> Aggregate:
    days = metric.within.days if metric.within else None
    field = None if whole else metric.field
    return Aggregate(
        what,
        tuple(sorted(metric.events)),
        field,
        field_kind(project, metric.events, field) if field else "",
        metric.where,
        None if days is None else (days * (back + 1) - 1, days * back),
        metric.within.exact if metric.within else None,
    )
