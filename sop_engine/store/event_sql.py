"""Decides how stored events are read in SQL: their fields, which of them count for an aggregate, and in which window."""

from datetime import timedelta

from sop_engine.core.conditions import Ref
from sop_engine.core.project import Project
from sop_engine.store.aggregates import Aggregate
from sop_engine.store.dialect import Dialect
from sop_engine.store.expressions import Read, condition_sql

AMOUNT = "amount"


class EventSql:
    """Writes SQL about events `e` of one project. With `fields` what is read out of JSON is collected there, to be read once an event."""

    def __init__(self, to: Dialect, project: Project, *, fields: dict[str, str] | None = None) -> None:
        self.to = to
        self.fields = fields
        self.project = project
        self.today = to.param("today")
        self.built_in = frozenset(e.name for e in project.events.values() if e.built_in)

    def seen(self, kinds: tuple[str, ...], *, by_anybody: bool) -> str:
        """Which events there are at all: counted, happened by today, done by the user (built-in ones by anybody)."""
        doer = "TRUE"
        if not by_anybody and not self.built_in.issuperset(kinds):
            doer = "e.actor = 'user'"
            if anybody := sorted(self.built_in.intersection(kinds)):
                doer = f"({doer} OR e.kind IN {self.to.one_of(anybody)})"
        # The plus keeps the planner from reading the log by day instead of by user.
        return f"e.kind IN {self.to.one_of(kinds)} AND +e.day <= {self.today} AND e.counted IS TRUE AND {doer}"

    def value(self, kinds: tuple[str, ...], name: str, kind: str) -> str:
        """A field of an event; money of an order is what is left of it after refunds."""
        built_in = {"actor": "e.actor", "source": "e.source", "id": "e.message_id", "date": "e.day"}
        match name:
            case "hour":
                return self.to.as_number("e.hour")
            case "weekday":
                return self.to.as_number("e.day - 1 - ((e.day - 1) / 7) * 7 + 1")  # ordinal 1 was a Monday
            case _ if name in built_in:
                return built_in[name]
        sql = self.to.field("e.fields", name, kind)
        if name == AMOUNT and self._can_be_lowered(kinds):
            sql = self.to.rounded(f"{sql} - e.lowered")
        return sql if self.fields is None else f"e.{self.fields.setdefault(sql, f'v{len(self.fields)}')}"

    def filter(self, aggregate: Aggregate) -> str:
        """Which of the seen events this aggregate is about; "" for all."""
        return " AND ".join(part for part in (self.within(aggregate), self._where(aggregate)) if part)

    def within(self, aggregate: Aggregate) -> str:
        """Whether an event is inside the window; "" without one."""
        if aggregate.exact is not None:
            return f"e.at > {self.to.param(exact_param(aggregate.exact))} AND e.at <= {self.to.param('now')}"
        if aggregate.window is None:
            return ""
        return self.days_back(*aggregate.window)

    def days_back(self, oldest: int, newest: int, *, of: str = "e.day") -> str:
        """Whether an event is from so many days back to so many days back (of 0: to today, as all that are seen)."""
        since = f"{of} >= {self.today} - {oldest}"
        return f"{since} AND {of} <= {self.today} - {newest}" if newest else since

    def _where(self, aggregate: Aggregate) -> str:
        def read(ref: Ref) -> str:
            return self.value(aggregate.kinds, ref.name, ref.kind)

        return "" if aggregate.where is None else condition_sql(self.to, aggregate.where, Read(read))

    def _can_be_lowered(self, kinds: tuple[str, ...]) -> bool:
        return any(k in self.project.events and self.project.events[k].undone_by is not None for k in kinds)


def exact_param(length: timedelta) -> str:
    """The parameter that holds the beginning of a window of exact length."""
    return f"since_{int(length.total_seconds())}"
