"""Rows about everybody at once: levels, the midnight sweep, a rebuild from the log, cut points, the count of an audience."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import duckdb

from benchmarks.activity import TODAY
from benchmarks.by_hand import duck, sql
from benchmarks.measuring import Contestant, Figure, Times, alternate
from benchmarks.stock import NOW, THREADS, Stock, app_of, driver_of, instant_text
from sop_engine.actions.refresh import fit_due
from sop_engine.actions.sweep import sweep_day
from sop_engine.app import App
from sop_engine.core.calendar import midnight
from sop_engine.core.project import Project
from sop_engine.language.conditions import parse_audience
from sop_engine.store import facts, metric_values, placements
from sop_engine.store.aggregates import Aggregate, live_aggregates
from sop_engine.store.fits import latest_fits
from sop_engine.store.layers import known
from sop_engine.store.scope import Scope

ORDINAL = TODAY.toordinal()
MOVING = 50  # one of so many users moves: 2 %
COUNTS = 10  # audiences are counted so often in one run, for a single count takes milliseconds


@dataclass
class Both:
    """The same shop opened by the engine, by the raw SQLite driver and by DuckDB."""

    stock: Stock
    app: App
    lite: sqlite3.Connection
    raw: duckdb.DuckDBPyConnection

    @property
    def project(self) -> Project:
        """The live project."""
        with self.app.transaction() as tx:
            return self.app.live(tx).project

    @property
    def cuts(self) -> tuple[float, ...]:
        """The cut points of `money` that are valid."""
        with self.app.transaction() as tx:
            return latest_fits(tx)["money"].fit.cuts


@contextmanager
def opened(stock: Stock) -> Iterator[Both]:
    """Open all three, and close them."""
    both = Both(stock, app_of(stock), driver_of(stock), duckdb.connect(str(stock.raw), config={"threads": THREADS}))
    try:
        yield both
    finally:
        both.app.engine.dispose()
        both.lite.close()
        both.raw.close()


def levels(stock: Stock, times: int) -> Iterator[Figure]:
    """Levels of everybody from stored values, with 2 % who move."""
    with opened(stock) as both:
        project, cuts = both.project, both.cuts
        duck.place_everybody(both.raw, project, ORDINAL, cuts, every_metric=True)

        def ours() -> int:
            with both.app.work(NOW) as work:
                tier = project.tiers["value"]
                given = known(work.tx, project, NOW)
                return len(placements.place(work.tx, given, tier, Scope.everybody(), NOW, cause="sweep", release=work.live.release))

        def unsettle(number: int, name: str) -> None:
            forget = f"UPDATE placements SET level = NULL WHERE user_id % {MOVING} = {number % MOVING}"
            (both.lite if name in ("ours", "hand") else both.raw).execute(forget)

        found = alternate(
            {
                "ours": ours,
                "hand": lambda: sql.place_everybody(both.lite, project, ORDINAL, instant_text(NOW), cuts),
                "read": lambda: duck.place_everybody(both.raw, project, ORDINAL, cuts, every_metric=False),
                "every": lambda: duck.place_everybody(both.raw, project, ORDINAL, cuts, every_metric=True),
            },
            times,
            before=unsettle,
        )
    movers = {"movers": {name: t.answer for name, t in found.items()}}
    name = "levels of everybody"
    yield _figure(name, stock, found, "hand", "hand-written SQL", "≤ 1.5", movers)
    yield _figure(f"{name} (what they read)", stock, found, "read", "DuckDB, raw events", "–", movers)
    yield _figure(f"{name} (every metric)", stock, found, "every", "DuckDB, raw events", "≤ 0.5", movers)


def _figure(name: str, stock: Stock, found: Mapping[str, Times], other: str, against: str, goal: str, notes: Mapping[str, Any]) -> Figure:
    return Figure(name, stock.users, found["ours"], found[other], against, goal, notes=notes)


def sweep(stock: Stock, times: int) -> Iterator[Figure]:
    """Midnights, one after the other; afterwards every value and level is compared with a full recompute."""
    with opened(stock) as both:
        project, cuts = both.project, both.cuts
        duck.place_everybody(both.raw, project, ORDINAL, cuts, every_metric=True)
        days = {"ours": 0, "DuckDB": 0}

        def next_day(name: str) -> int:
            days[name] += 1
            return days[name]

        def with_duckdb() -> int:
            return duck.place_everybody(both.raw, project, ORDINAL + next_day("DuckDB"), cuts, every_metric=True)

        found = alternate({"ours": lambda: sweep_day(both.app, TODAY + timedelta(days=next_day("ours"))), "DuckDB": with_duckdb}, times)
        last = TODAY + timedelta(days=times)
        notes = {
            "moves": {name: t.answer for name, t in found.items()},
            "values that differ from a full recompute": _differences(both, last.toordinal()),
            "levels that differ from DuckDB's": _other_levels(both),
        }
    yield Figure("midnight sweep", stock.users, found["ours"], found["DuckDB"], "DuckDB, raw events", "≤ 1.0", notes=notes)


def _differences(both: Both, day: int) -> int:
    """Users whose stored values are not what a full recompute gives."""
    with both.app.work(NOW) as work:
        at = midnight(TODAY.fromordinal(day), work.live.zone)
        aggregates, tx = live_aggregates(work.project), work.tx
        # A count or a sum of nothing is stored as 0 or not at all: both are read as 0.
        columns = ", ".join(["user_id", *(_rounded(a) for a in aggregates)])
        empty = f"SELECT user_id, {', '.join(a.column for a in aggregates)} FROM user_metrics WHERE FALSE"
        tx.exec_driver_sql(f"CREATE TEMP TABLE again AS {empty}")
        tx.exec_driver_sql("CREATE UNIQUE INDEX temp.again_user ON again (user_id)")
        metric_values.write_values(tx, work.project, Scope.everybody(), at, aggregates, into="again")
        sql_ = f"SELECT COUNT(*) FROM (SELECT {columns} FROM again EXCEPT SELECT {columns} FROM user_metrics)"
        found = int(tx.exec_driver_sql(sql_).scalar_one())
        tx.exec_driver_sql("DROP TABLE again")
    return found


def _rounded(a: Aggregate) -> str:
    return f"ROUND(COALESCE({a.column}, 0), 4)" if a.what in ("count", "sum") else a.column


def _other_levels(both: Both) -> int:
    mine = dict(both.lite.execute("SELECT user_id, level FROM placements WHERE model = 'value' AND level IS NOT NULL").fetchall())
    theirs = dict(both.raw.execute("SELECT user_id, level FROM placements WHERE level IS NOT NULL").fetchall())
    return sum(1 for user in mine.keys() | theirs.keys() if mine.get(user) != theirs.get(user))


def rebuild(stock: Stock, times: int) -> Iterator[Figure]:
    """Every stored value of everybody, from the log."""
    with opened(stock) as both:
        project = both.project

        def ours() -> None:
            with both.app.work(NOW) as work:
                metric_values.recompute(work.tx, project, Scope.everybody(), NOW)

        found = alternate({"ours": ours, "hand": lambda: sql.rebuild(both.lite, project, ORDINAL)}, times)
        notes = {"values that differ": _differences(both, ORDINAL)}
    yield _figure("full rebuild from the log", stock, found, "hand", "hand-written SQL", "≤ 1.3", notes)


def refresh(stock: Stock, times: int) -> Iterator[Figure]:
    """New cut points of one metric over the population."""
    with opened(stock) as both:
        project = both.project

        def ours() -> tuple[float, ...]:
            with both.app.work(NOW) as work:
                fit_due(work, lambda _metric, _last: True)
            return both.cuts

        found = alternate({"ours": ours, "hand": lambda: sql.quintiles(both.lite, project)}, times)
    notes = {"cuts": {name: t.answer for name, t in found.items()}}
    yield _figure("refresh of cut points", stock, found, "hand", "histogram query", "≤ 2", notes)


def audience(stock: Stock, times: int) -> Iterator[Figure]:
    """The count that is shown while a rule is written."""
    with opened(stock) as both:
        project = both.project

        def ours() -> int:
            with both.app.work(NOW) as work:
                return facts.count_audience(work.tx, project, parse_audience(sql.AUDIENCE, project), NOW)

        found = alternate({"ours": _often(ours), "hand": _often(lambda: sql.count_audience(both.lite, project, ORDINAL))}, times)
    notes = {"users": {name: t.answer for name, t in found.items()}, "counts in a run": COUNTS}
    yield _figure(f"count of an audience, {COUNTS} times", stock, found, "hand", "hand-written SELECT", "≤ 1.2", notes)


def _often(contestant: Callable[[], int]) -> Contestant:
    def run() -> int:
        return [contestant() for _ in range(COUNTS)][-1]

    return run
