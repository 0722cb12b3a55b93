"""Decides the query that reads any names of any users: a first layer of what is stored, then each name after those it reads."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime

from sqlalchemy import Connection

from sop_engine.core.calendar import local_day
from sop_engine.core.conditions import Condition, Ref, refs_of
from sop_engine.core.errors import BadInput
from sop_engine.core.models import metric_reads
from sop_engine.core.project import Project
from sop_engine.store.aggregates import Aggregate, aggregates_of
from sop_engine.store.derived import Deriving, derived
from sop_engine.store.dialect import dialect, run
from sop_engine.store.expressions import condition_sql, flag_sql
from sop_engine.store.frozen import valid_fits
from sop_engine.store.metric_values import TABLE
from sop_engine.store.scope import Scope

BUILT_IN = {"id": "u.key", "joined": "u.joined_day", "timezone": "u.timezone", "locale": "u.locale"}
STORED = frozenset({"attribute", "tier", "tier_before", "tier_days"})


class Layers:
    """Collects names to read (`add`); `query` is then a sub-select with user_id and a column for each (`read`)."""

    def __init__(self, tx: Connection, project: Project, scope: Scope, now: datetime, *, metrics: str = TABLE) -> None:
        self.to = dialect(tx)
        self.project = project
        self.scope = scope
        today = local_day(now, project.zone)
        self.params = scope.params(self.to) | {"today": today.toordinal()}
        self.overridden = overridden_names(tx, today)
        self.now = now
        self.aggregates: list[Aggregate] = []  # stored columns that are read
        self.deriving = Deriving(self.to, project, today, self.read, lambda a: a.column, valid_fits(tx, project, now))
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
        return condition_sql(self.to, condition, self.read)

    def override(self, name: str) -> tuple[str, str] | None:
        """The columns that say whether a value was set by hand, and which (as text); None when nobody's was."""
        if name not in self.overridden:
            return None
        return self._stored_override(name)

    def query(self, *, after: int | None = None) -> str:
        """The sub-select: one row a user; with `after` only those with a larger id, in order."""
        users, these = ("users u", "TRUE") if self.scope.is_everybody else self.scope.joined(self.to, "users", "u", "id")
        picked = "".join(f", {sql} AS {column}" for column, sql in self._layers[0].items())
        page = "" if after is None else f" AND u.id > {int(after)} ORDER BY u.id"
        sql = f"SELECT u.id AS user_id{picked} FROM {users} {' '.join(self._joins)} WHERE {these}{page}"
        for layer in self._layers[1:]:
            sql = f"SELECT *{''.join(f', {s} AS {c}' for c, s in layer.items())} FROM ({sql} {self.to.barrier}) f"
        return f"({sql} {self.to.barrier}) f"

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
            for aggregate in aggregates_of(metric, self.project):
                self._stored_metric(aggregate)
            joined = [Ref("attribute", "joined", "date")] if metric.per else []
            return self._derive(ref, [*metric_reads(self.project, metric), *joined], lambda: derived(metric, self.deriving))
        if ref.space == "tag":
            return self._add_tag(ref)
        raise BadInput(f"'{ref.key}' belongs to one event or run: it cannot be asked of many users at once.")

    def _add_tag(self, ref: Ref) -> int:
        tag = self.project.tags[ref.name]
        rule = tag.when
        if rule is None or tag.keeps is not None:
            self._columns["tag", ref.name] = self._stored_tag(ref.name)
            return 0
        return self._derive(ref, list(refs_of(rule)), lambda: flag_sql(self.to, rule, self.read))

    def _derive(self, ref: Ref, reads: Sequence[Ref], write: Callable[[], str]) -> int:
        depth = 1 + max((self._depth(r) for r in reads), default=0)
        sql, override = write(), self.override(ref.name)
        if override is not None:
            sql = f"CASE WHEN {override[0]} THEN {self._typed(override[1], ref.kind)} ELSE {sql} END"
        while len(self._layers) <= depth:
            self._layers.append({})
        column = self._next_column()
        self._layers[depth][column] = sql
        self._columns[ref.space, ref.name] = column
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

    def _next_column(self) -> str:
        return f"c{sum(len(layer) for layer in self._layers)}"

    def _store(self, sql: str) -> str:
        """A column of the first layer."""
        column = self._next_column()
        self._layers[0][column] = sql
        return column

    def _stored(self, ref: Ref) -> str:
        if ref.space == "attribute":
            return self._store(BUILT_IN.get(ref.name) or self.to.field("u.attributes", ref.name, ref.kind))
        p = self._join("placements", lambda j: f"{j}.model = {self.to.quoted(ref.name)}")
        days = f"CASE WHEN {p}.level IS NOT NULL THEN {self.to.as_number(f'{self.deriving.now} - {p}.since_day')} END"
        return self._store({"tier": f"{p}.level", "tier_before": f"{p}.before", "tier_days": days}[ref.space])

    def _stored_metric(self, aggregate: Aggregate) -> None:
        if aggregate.column not in self._layers[0]:
            m = self._join(self.metrics, lambda j: "TRUE")
            self._layers[0][aggregate.column] = f"{m}.{aggregate.column}"
            self.aggregates.append(aggregate)

    def _stored_tag(self, name: str) -> str:
        t = self._join("user_tags", lambda j: f"{j}.tag = {self.to.quoted(name)} AND {self._lasting(j)}")
        return self._store(f"({t}.user_id IS NOT NULL)")

    def _stored_override(self, name: str) -> tuple[str, str]:
        o = self._join("overrides", lambda j: f"{j}.name = {self.to.quoted(name)} AND {self._lasting(j)}")
        return self._store(f"({o}.user_id IS NOT NULL)"), self._store(f"{o}.value")

    def _lasting(self, alias: str) -> str:
        return f"({alias}.until_day IS NULL OR {alias}.until_day >= {self.deriving.now})"

    def _join(self, table: str, on: Callable[[str], str]) -> str:
        """Join a table, once for the same rows; its alias."""
        same = (table, on("j"))
        if same not in self._joined:
            alias = self._joined[same] = f"j{len(self._joins)}"
            self._joins.append(f"LEFT JOIN {table} {alias} ON {alias}.user_id = u.id AND {on(alias)}")
        return self._joined[same]


def overridden_names(tx: Connection, today: date) -> frozenset[str]:
    """What is set by hand today for anybody: usually nothing."""
    sql = f"SELECT DISTINCT name FROM overrides WHERE until_day IS NULL OR until_day >= {today.toordinal()}"
    return frozenset(row[0] for row in run(tx, sql))
