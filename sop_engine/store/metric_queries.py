"""Decides the SQL that computes stored columns from the event log, for any set of users: one sub-query for each way of grouping.

Counts and days of whole events are computed once by user and kind of event and then added up into columns; aggregates of fields
share one pass over their kinds of event; what needs an order of events (most_common, first, last, streak) is asked user by user.
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

    def __init__(self, to: Dialect, project: Project, scope: Scope) -> None:
        self.to = to
        self.sql = EventSql(to, project)
        self.source, self.only = scope.joined(to, "events", "e", "user_id")
        self.day = "e.day" if scope.is_many else "+e.day"  # of few users nothing is looked up by its day
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

    def _events(self, members: Sequence[Aggregate], *, by_anybody: bool = False) -> str:
        """The events that some of these look at."""
        kinds = tuple(sorted({k for a in members for k in a.kinds}))
        seen = f"FROM {self.source} WHERE {self.only} AND {self.sql.seen(kinds, by_anybody=by_anybody)}"
        windows = [a.window for a in members if a.window is not None]
        if len(windows) < len(members):
            return seen
        return f"{seen} AND {self.sql.days_back(max(w[0] for w in windows), min(w[1] for w in windows), of=self.day)}"

    def _name(self) -> str:
        name = f"g{len(self.sources)}"
        self.sources.append(name)
        return name

    def _add_plain(self, members: Sequence[Aggregate]) -> None:
        if not members:
            return
        shared = {(a.what, self.sql.within(a)): f"p{i}" for i, a in enumerate(members)}
        picked = ", ".join(f"{_over('*' if w == 'count' else 'e.day', w, inside)} AS {alias}" for (w, inside), alias in shared.items())
        self.with_.append(f"by_kind AS (SELECT e.user_id, e.kind, {picked} {self._events(members)} GROUP BY e.user_id, e.kind)")
        name = self._name()
        columns = []
        for a in members:
            alias, add = shared[a.what, self.sql.within(a)], {"count": "SUM", "first_day": "MIN", "last_day": "MAX"}[a.what]
            columns.append(f"{add}({alias}) FILTER (WHERE kind IN {self.to.one_of(a.kinds)}) AS {a.column}")
            self.columns[a.column] = f"{name}.{a.column}"
        self.with_.append(f"{name} AS (SELECT user_id, {', '.join(columns)} FROM by_kind GROUP BY user_id)")

    def _add_fields(self, kinds: tuple[str, ...], by_anybody: bool, members: Sequence[Aggregate]) -> None:
        name = self._name()
        fields: dict[str, str] = {}
        sql = EventSql(self.to, self.sql.project, fields=fields)
        picked = []
        for a in members:
            value = "*" if a.field is None else sql.value(kinds, a.field, a.field_kind)
            over = _over("e.day" if a.what in ("first_day", "last_day") else value, a.what, sql.filter(a))
            picked.append(f"{self.to.rounded(over) if a.what == 'sum' else over} AS {a.column}")
            self.columns[a.column] = f"{name}.{a.column}"
        read = "".join(f", {s} AS {v}" for s, v in fields.items())
        events = f"SELECT e.user_id, {EVERY_FIELD}{read} {self._events(members, by_anybody=by_anybody)} {self.to.barrier}"
        self.with_.append(f"{name} AS (SELECT e.user_id, {', '.join(picked)} FROM ({events}) e GROUP BY e.user_id)")

    def _add_ordered(self, a: Aggregate) -> None:
        """A sub-select of its own for each user: a few steps along the index."""
        inside = self.sql.filter(a)
        seen = self.sql.seen(a.kinds, by_anybody=a.by_anybody)
        events = f"FROM events e WHERE e.user_id = u.id AND {seen}" + (f" AND {inside}" if inside else "")
        write = {"streak": self._streak, "streak_end": self._streak_end, "most_common": self._most_common}.get(a.what, self._first_or_last)
        self.columns[a.column] = f"({write(a, events)})"

    def _streak(self, a: Aggregate, events: str) -> str:
        # Days in a row have the same distance from their number in the row, and it never falls: the last row is the greatest.
        rows = f"SELECT day - ROW_NUMBER() OVER (ORDER BY day) AS in_row FROM (SELECT DISTINCT e.day {events}) d"
        return f"SELECT COUNT(*) FROM ({rows}) r GROUP BY in_row ORDER BY in_row DESC LIMIT 1"

    def _streak_end(self, a: Aggregate, events: str) -> str:
        return f"SELECT MAX(e.day) {events}"

    def _most_common(self, a: Aggregate, events: str) -> str:
        value = self.sql.value(a.kinds, a.field or "", a.field_kind)
        return f"SELECT {value} {events} AND {value} IS NOT NULL GROUP BY 1 ORDER BY COUNT(*) DESC, MAX(e.at) DESC, MAX(e.id) DESC LIMIT 1"

    def _first_or_last(self, a: Aggregate, events: str) -> str:
        value = self.sql.value(a.kinds, a.field or "", a.field_kind)
        way = "" if a.what == "first" else " DESC"
        return f"SELECT {value} {events} AND {value} IS NOT NULL ORDER BY e.at{way}, e.id{way} LIMIT 1"


EVERY_FIELD = "e.day, e.hour, e.at, e.actor, e.source, e.message_id"
_ORDERED = frozenset({"streak", "streak_end", "most_common", "first", "last"})
_FUNCTIONS = {"count": "COUNT({})", "sum": "SUM({})", "min": "MIN({})", "max": "MAX({})", "distinct": "COUNT(DISTINCT {})"}


def _over(value: str, what: str, inside: str) -> str:
    function = {"first_day": "MIN({})", "last_day": "MAX({})"}.get(what) or _FUNCTIONS[what]
    return function.format(value) + (f" FILTER (WHERE {inside})" if inside else "")
