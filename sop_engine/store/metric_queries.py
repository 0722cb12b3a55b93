"""Decides the SQL that computes stored columns from the event log, for any set of users: one sub-query for each way of grouping.

Counts and days of whole events are computed once by user and kind of event and then added up into columns; aggregates of fields
share one pass over their kinds of event; what needs an order of events (most_common, first, last, streak) has a pass of its own.
"""

from collections.abc import Iterable, Sequence

from sop_engine.core.project import Project
from sop_engine.store.aggregates import Aggregate
from sop_engine.store.dialect import Dialect
from sop_engine.store.event_sql import EventSql
from sop_engine.store.scope import Scope

Columns = dict[str, str]  # stored column -> the SQL that reads it from its sub-query


class MetricQueries:
    """Collects the sub-queries (`with_`) and where each column comes out (`columns`)."""

    def __init__(self, to: Dialect, project: Project, scope: Scope, days: tuple[int, int] | None = None) -> None:
        self.to = to
        self.days = days  # no aggregate looks at events of other days
        self.sql = EventSql(to, project)
        self.source, self.only = scope.joined(to, "events", "e", "user_id")
        self.with_: list[str] = []
        self.sources: list[str] = []
        self.columns: Columns = {}

    def add(self, aggregates: Iterable[Aggregate]) -> None:
        """Write what computes these."""
        wanted = list(aggregates)
        self._add_plain([a for a in wanted if a.is_plain])
        by_events: dict[tuple[tuple[str, ...], bool], list[Aggregate]] = {}
        for a in wanted:
            if a.what in _ORDERED:
                self._add_ordered(a)
            elif not a.is_plain:
                by_events.setdefault((a.kinds, a.by_anybody), []).append(a)
        for (kinds, by_anybody), members in by_events.items():
            self._add_fields(kinds, by_anybody, members)

    def _events(self, kinds: tuple[str, ...], *, by_anybody: bool = False) -> str:
        seen = f"FROM {self.source} WHERE {self.only} AND {self.sql.seen(kinds, by_anybody=by_anybody)}"
        return f"{seen} AND e.day BETWEEN {self.days[0]} AND {self.days[1]}" if self.days else seen

    def _name(self) -> str:
        name = f"g{len(self.sources)}"
        self.sources.append(name)
        return name

    def _add_plain(self, members: Sequence[Aggregate]) -> None:
        if not members:
            return
        kinds = tuple(sorted({k for a in members for k in a.kinds}))
        shared = {(a.what, self.sql.within(a)): f"p{i}" for i, a in enumerate(members)}
        picked = ", ".join(f"{_over('*' if w == 'count' else 'e.day', w, inside)} AS {alias}" for (w, inside), alias in shared.items())
        self.with_.append(f"by_kind AS (SELECT e.user_id, e.kind, {picked} {self._events(kinds)} GROUP BY e.user_id, e.kind)")
        name = self._name()
        columns = []
        for a in members:
            alias, add = shared[a.what, self.sql.within(a)], {"count": "SUM", "first_day": "MIN", "last_day": "MAX"}[a.what]
            columns.append(f"{add}({alias}) FILTER (WHERE kind IN {self.to.one_of(a.kinds)}) AS {a.column}")
            self.columns[a.column] = f"{name}.{a.column}"
        self.with_.append(f"{name} AS (SELECT user_id, {', '.join(columns)} FROM by_kind GROUP BY user_id)")

    def _add_fields(self, kinds: tuple[str, ...], by_anybody: bool, members: Sequence[Aggregate]) -> None:
        name = self._name()
        picked = []
        for a in members:
            value = "*" if a.field is None else self.sql.value(kinds, a.field, a.field_kind)
            value = "e.day" if a.what in ("first_day", "last_day") else value
            over = _over(value, a.what, self.sql.filter(a))
            picked.append(f"{self.to.rounded(over) if a.what == 'sum' else over} AS {a.column}")
            self.columns[a.column] = f"{name}.{a.column}"
        events = self._events(kinds, by_anybody=by_anybody)
        self.with_.append(f"{name} AS (SELECT e.user_id, {', '.join(picked)} {events} GROUP BY e.user_id)")

    def _add_ordered(self, a: Aggregate) -> None:
        name = self._name()
        events = self._events(a.kinds, by_anybody=a.by_anybody)
        if inside := self.sql.filter(a):
            events = f"{events} AND {inside}"
        write = {"streak": self._streak, "streak_end": self._streak_end, "most_common": self._most_common}.get(a.what, self._first_or_last)
        self.with_.append(f"{name} AS ({write(a, events)})")
        self.columns[a.column] = f"{name}.found"

    def _streak(self, a: Aggregate, events: str) -> str:
        # Days in a row have the same distance from their number in the row, and it never falls: the last row is the greatest.
        days = f"SELECT DISTINCT e.user_id, e.day {events}"
        rows = f"SELECT user_id, day, day - ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY day) AS in_row FROM ({days}) d"
        counted = f"SELECT user_id, in_row, COUNT(*) AS found FROM ({rows}) r GROUP BY user_id, in_row"
        return self._first_of(counted, "in_row DESC")

    def _streak_end(self, a: Aggregate, events: str) -> str:
        return f"SELECT e.user_id, MAX(e.day) AS found {events} GROUP BY e.user_id"

    def _most_common(self, a: Aggregate, events: str) -> str:
        value = self.sql.value(a.kinds, a.field or "", a.field_kind)
        values = f"SELECT e.user_id, {value} AS found, e.at, e.id {events}"
        last = "ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY at, id)"
        placed = f"SELECT user_id, found, {last} AS place FROM ({values}) v WHERE found IS NOT NULL"
        counted = f"SELECT user_id, found, COUNT(*) AS times, MAX(place) AS place FROM ({placed}) p GROUP BY user_id, found"
        return self._first_of(counted, "times DESC, place DESC")

    def _first_or_last(self, a: Aggregate, events: str) -> str:
        value = self.sql.value(a.kinds, a.field or "", a.field_kind)
        order = "at, id" if a.what == "first" else "at DESC, id DESC"
        return self._first_of(f"SELECT * FROM (SELECT e.user_id, {value} AS found, e.at, e.id {events}) v WHERE found IS NOT NULL", order)

    def _first_of(self, rows: str, order: str) -> str:
        """Of each user's rows the first in this order."""
        numbered = f"SELECT user_id, found, ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY {order}) AS number FROM ({rows}) c"
        return f"SELECT user_id, found FROM ({numbered}) n WHERE number = 1"


_ORDERED = frozenset({"streak", "streak_end", "most_common", "first", "last"})
_FUNCTIONS = {"count": "COUNT({})", "sum": "SUM({})", "min": "MIN({})", "max": "MAX({})", "distinct": "COUNT(DISTINCT {})"}


def _over(value: str, what: str, inside: str) -> str:
    function = {"first_day": "MIN({})", "last_day": "MAX({})"}.get(what) or _FUNCTIONS[what]
    return function.format(value) + (f" FILTER (WHERE {inside})" if inside else "")
