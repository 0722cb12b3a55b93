"""Decides the query that reads any names of any users: a first layer of what is stored, then each name after those it reads."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from sqlalchemy import Connection

from sop_engine.core.calendar import local_day
from sop_engine.core.conditions import Condition, Ref, refs_of
from sop_engine.core.errors import BadInput
from sop_engine.core.models import metric_reads
from sop_engine.core.project import Project
from sop_engine.store.aggregates import Aggregate
from sop_engine.store.derived import Deriving, day_params, derived, is_always_whole
from sop_engine.store.dialect import Dialect, dialect, run
from sop_engine.store.expressions import Read, condition_sql, flag_sql
from sop_engine.store.frozen import Stored, valid_fits
from sop_engine.store.metric_values import TABLE
from sop_engine.store.scope import Scope

BUILT_IN = {"id": "u.key", "joined": "u.joined_day", "timezone": "u.timezone", "locale": "u.locale"}
STORED = frozenset({"attribute", "tier", "tier_before", "tier_days"})


@dataclass(frozen=True)
class Known:
    """What a query depends on besides the names it reads: equal ones give equal SQL."""

    to: Dialect
    project: Project
    today: date = field(compare=False)  # a parameter of the SQL
    overridden: frozenset[str]  # names set by hand for anybody: usually none
    fits: tuple[Stored, ...]


def known(tx: Connection, project: Project, now: datetime) -> Known:
    """What there is on the local day of `now`."""
    today = local_day(now, project.zone)
    sql = f"SELECT DISTINCT name FROM overrides WHERE until_day IS NULL OR until_day >= {today.toordinal()}"
    overridden = frozenset(row[0] for row in run(tx, sql))
    return Known(dialect(tx), project, today, overridden, tuple(valid_fits(tx, project, now).values()))


class Layers:
    """Collects names to read (`add`); `query` is then a sub-select with user_id and a column for each (`read`)."""

    def __init__(self, given: Known, scope: Scope, *, metrics: str = TABLE) -> None:
        self.to = given.to
        self.project = given.project
        self.scope = scope
        self.params = scope.params(self.to) | day_params(given.today)
        self.overridden = given.overridden
        self.aggregates: list[Aggregate] = []  # stored columns that are read
        self.reader = Read(self.read, lambda ref: is_always_whole(self.project, ref))
        fits = {one.fit.metric: one.fit for one in given.fits}
        self.deriving = Deriving(self.to, self.project, self.reader, self._stored_metric, fits)
        self._deriving_later = replace(self.deriving, stored=self._stored_column)
        self.metrics = metrics
        self._columns: dict[tuple[str, str], str] = {}
        self._depths: dict[tuple[str, str], int] = {}
        self._layers: list[dict[str, str]] = [{}]
        self._joins: list[str] = []
        self._joined: dict[tuple[str, str], str] = {}

    def read(self, ref: Ref) -> str:
        """The column of a name that was added."""
        return self._columns[ref.space, ref.name]

    def add(self, refs: Iterable[Ref]) -> None:
        """Have these names read, and whatever they are computed from."""
        for ref in refs:
            self._depth(ref)

    def condition(self, condition: Condition) -> str:
        """A condition as SQL over the columns, adding what it reads."""
        self.add(refs_of(condition))
        return condition_sql(self.to, condition, self.reader)

    def override(self, name: str) -> tuple[str, str] | None:
        """The columns that say whether a value was set by hand, and which (as text); None when nobody's was."""
        if name not in self.overridden:
            return None
        return self._stored_override(name)

    def query(self, *, ids: tuple[int, int] | None = None) -> str:
        """The sub-select: one row a user; with `ids` only those with a larger id than the first and none larger than the second."""
        users, these = self.scope.joined(self.to, "users", "u", "id")
        picked = "".join(f", {sql} AS {column}" for column, sql in self._layers[0].items())
        page = "" if ids is None else f" AND u.id > {int(ids[0])} AND u.id <= {int(ids[1])}"
        sql = f"SELECT u.id AS user_id{picked} FROM {users} {' '.join(self._joins)} WHERE {these}{page}"
        for layer in self._layers[1:]:
            sql = f"SELECT *{''.join(f', {s} AS {c}' for c, s in layer.items())} FROM ({sql} {self.to.barrier}) f"
        return f"({sql} {self.to.barrier}) f" if len(self._layers) > 1 else f"({sql}) f"

    def _depth(self, ref: Ref) -> int:
        key = (ref.space, ref.name)
        if key not in self._depths:
            self._depths[key] = self._add(ref)
        return self._depths[key]

    def _add(self, ref: Ref) -> int:
        if ref.space in STORED:
            self._columns[ref.space, ref.name] = self._stored(ref)
            return 0
        if ref.space == "metric":
            metric = self.project.metrics[ref.name]
            joined = [Ref("attribute", "joined", "date")] if metric.per else []
            return self._derive(ref, [*metric_reads(self.project, metric), *joined], lambda d: derived(metric, d))
        if ref.space == "tag":
            return self._add_tag(ref)
        raise BadInput(f"'{ref.key}' belongs to one event or run: it cannot be asked of many users at once.")

    def _add_tag(self, ref: Ref) -> int:
        tag = self.project.tags[ref.name]
        rule = tag.when
        if rule is None or tag.keeps is not None:
            self._columns["tag", ref.name] = self._stored_tag(ref.name)
            return 0
        return self._derive(ref, list(refs_of(rule)), lambda d: flag_sql(self.to, rule, d.read))

    def _derive(self, ref: Ref, reads: Sequence[Ref], write: Callable[[Deriving], str]) -> int:
        depth = max((1 + self._depth(r) for r in reads), default=0)
        override = self.override(ref.name)
        if override is not None:
            depth = max(depth, 1)
            sql = write(self._deriving_later)
            sql = f"CASE WHEN {override[0]} THEN {self._typed(override[1], ref.kind)} ELSE {sql} END"
        else:
            # What reads no other name stands in the first layer itself, beside the stored columns.
            sql = write(self._deriving_later if depth else self.deriving)
        self._columns[ref.space, ref.name] = self._put(sql, depth)
        return depth

    def _typed(self, text: str, kind: str) -> str:
        match kind:
            case "number":
                return self.to.as_number(text)
            case "flag":
                return f"({text} = 'true')"
            case "date":
                return self.to.day_of_text(text)
        return text

    def _put(self, sql: str, depth: int) -> str:
        """A column of a layer."""
        while len(self._layers) <= depth:
            self._layers.append({})
        column = f"c{sum(len(layer) for layer in self._layers)}"
        self._layers[depth][column] = sql
        return column

    def _stored(self, ref: Ref) -> str:
        if ref.space == "attribute":
            return self._put(BUILT_IN.get(ref.name) or self.to.field("u.attributes", ref.name, ref.kind), 0)
        value = {
            "tier": lambda j: f"{j}.level",
            "tier_before": lambda j: f"{j}.before",
            "tier_days": lambda j: f"CASE WHEN {j}.level IS NOT NULL THEN {self.to.as_number(f'{self.deriving.now} - {j}.since_day')} END",
        }[ref.space]
        return self._put(self._found("placements", lambda j: f"{j}.model = {self.to.quoted(ref.name)}", value), 0)

    def _stored_metric(self, aggregate: Aggregate) -> str:
        self.aggregates.append(aggregate)
        return f"{self._join(self.metrics, lambda j: 'TRUE')}.{aggregate.column}"

    def _stored_column(self, aggregate: Aggregate) -> str:
        if aggregate.column not in self._layers[0]:
            self._layers[0][aggregate.column] = self._stored_metric(aggregate)
        return aggregate.column

    def _stored_tag(self, name: str) -> str:
        found = self._found("user_tags", self._standing("tag", name), lambda j: f"{j}.user_id")
        return self._put(f"({found} IS NOT NULL)", 0)

    def _stored_override(self, name: str) -> tuple[str, str]:
        same = self._standing("name", name)
        there = self._found("overrides", same, lambda j: f"{j}.user_id")
        return self._put(f"({there} IS NOT NULL)", 0), self._put(self._found("overrides", same, lambda j: f"{j}.value"), 0)

    def _standing(self, column: str, name: str) -> Callable[[str], str]:
        """The row of this name, if its last day is not over."""
        same, today = f"{column} = {self.to.quoted(name)}", self.deriving.now
        return lambda j: f"{j}.{same} AND ({j}.until_day IS NULL OR {j}.until_day >= {today})"

    def _found(self, table: str, on: Callable[[str], str], value: Callable[[str], str]) -> str:
        """A value out of the one row of a user in another table that fits, NULL without one."""
        if self.scope.is_many:
            return value(self._join(table, on))
        # For some users each row is looked up by its key, whatever the planner believes about the table.
        return f"(SELECT {value('j')} FROM {table} j WHERE j.user_id = u.id AND {on('j')})"

    def _join(self, table: str, on: Callable[[str], str]) -> str:
        """Join a table, once for the same rows; its alias."""
        same = (table, on("j"))
        if same not in self._joined:
            alias = self._joined[same] = f"j{len(self._joins)}"
            inside = self.scope.inside(self.to, f"{alias}.user_id")  # said once more, or the planner reads the whole table
            these = f" AND {inside}" if inside else ""
            self._joins.append(f"LEFT JOIN {table} {alias} ON {alias}.user_id = u.id AND {on(alias)}{these}")
        return self._joined[same]
