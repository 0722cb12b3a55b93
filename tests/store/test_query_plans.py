"""What is asked all day long is answered along an index, without statistics: nothing reads a whole table for one user."""

import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event

from sop_engine.core.models import models_in_order
from sop_engine.store import facts, metric_values, midnight, placements
from sop_engine.store.dialect import run
from sop_engine.store.engine import open_engine, transaction
from sop_engine.store.layers import known
from sop_engine.store.migrate import upgrade
from sop_engine.store.people import SLICE
from sop_engine.store.scope import Scope
from tests.builders import at, example_project
from tests.conftest import sqlite_copy
from tests.shop import Shop

NOW = at("2025-06-30 12:00")
PROJECT = example_project()
TIER = models_in_order(PROJECT)[0]

ASKED: dict[str, Callable[[Connection], object]] = {
    "the values of one user": lambda tx: metric_values.recompute(tx, PROJECT, Scope.of([1]), NOW),
    "the values of some users": lambda tx: metric_values.recompute(tx, PROJECT, Scope.of(range(1, 500)), NOW),
    "the facts of one user": lambda tx: facts.read_facts(
        tx, PROJECT, [*PROJECT.metrics, *PROJECT.tags, *PROJECT.tiers], Scope.of([1]), NOW
    ),
    "the level of one user": lambda tx: placements.place(tx, known(tx, PROJECT, NOW), TIER, Scope.of([1]), NOW, cause="event", release="r"),
    "the levels of a slice": lambda tx: placements.place(
        tx, known(tx, PROJECT, NOW), TIER, Scope.between(SLICE, SLICE), NOW, cause="sweep", release="r"
    ),
    "the window edges of a slice": lambda tx: midnight.sweep(
        tx, PROJECT, (NOW + timedelta(days=1)).date(), NOW, Scope.between(SLICE, SLICE)
    ),
    "the window edges of a day": lambda tx: midnight.sweep(tx, PROJECT, (NOW + timedelta(days=1)).date(), NOW),
}
BIG = re.compile(r"SCAN (events|e|users|u|user_metrics|placements|moves|user_tags)\b")


@pytest.mark.parametrize("name", ASKED)
def test_no_big_table_is_read_whole(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = open_engine("sqlite://")
    upgrade(engine)
    plans: list[str] = []

    def explained(tx: Connection, sql: str, params: Mapping[str, Any] | None = None) -> object:
        if sql.startswith(("INSERT", "SELECT", "UPDATE", "DELETE")):
            plans.extend(row[3] for row in run(tx, f"EXPLAIN QUERY PLAN {sql}", params))
        return run(tx, sql, params)

    with transaction(engine) as tx:
        metric_values.prepare(tx, PROJECT)
        for module in (facts, metric_values, midnight, placements):
            monkeypatch.setattr(module, "run", explained)
        ASKED[name](tx)
    engine.dispose()
    assert any("ix_events" in plan or "PRIMARY KEY" in plan for plan in plans)
    # What is collected of some events is read on as `e` once more.
    assert plans.count("SCAN e") == plans.count("CO-ROUTINE e")
    assert [plan for plan in plans if BIG.search(plan) and plan != "SCAN e"] == []
    # Users come first, then their events by user: never the events of a day for one user.
    assert name.startswith("the window edges") or not any("ix_events_edge" in plan for plan in plans)


FLOW = "playbook: p\nintent: cultivate\nstart: {event: cart}\ngoal: buys\nagain: always\nsteps:\n  hi: {at: day 1 10:00, send: hello}\n"
PARTIAL = r"ix_(touches_(lease|due|flow|look)|redemptions_open|asked_look|grants_tied)"
OF_FEW = re.compile(rf"SCAN \w+ USING (COVERING )?INDEX {PARTIAL}:")  # what is done is not in them
FEW_ROWS = re.compile(
    r"SCAN (?!events|e\b|users|u\b|user_metrics|placements|moves|user_tags|runs|touches|attempts|receipts|outbox|grants"
    r"|redemptions|asked_benefits)"
)


@pytest.fixture
def engine_lite(migrated_sqlite: sqlite3.Connection) -> Iterator[Engine]:
    """SQLite in memory."""
    with sqlite_copy(migrated_sqlite) as engine:
        yield engine


def test_a_users_day_reads_no_big_table_whole(engine_lite: Engine) -> None:
    """An event, a start, a midnight, a message and what becomes of it: every statement, as SQLite would carry it out."""
    shop = Shop(engine_lite, FLOW, start="2025-03-01 09:00")
    shop.user("u1")
    whole: set[str] = set()

    @event.listens_for(engine_lite, "before_cursor_execute")
    def explain(connection: Any, _cursor: Any, sql: str, given: Any, _context: Any, many: bool) -> None:
        if sql.startswith(("SELECT", "UPDATE", "WITH")) and not many:
            plan = connection.connection.driver_connection.execute(f"EXPLAIN QUERY PLAN {sql}", given).fetchall()
            whole.update(f"{row[3]}: {sql}" for row in plan if row[3].startswith("SCAN") and not FEW_ROWS.match(row[3]))

    shop.event("u1", "cart")
    shop.until("2025-03-02 10:00")
    shop.event("u1", "order", order_id="o1", amount=5)
    event.remove(engine_lite, "before_cursor_execute", explain)
    assert shop.states("u1") == ["hi:sent"]
    assert [told for told in sorted(whole) if not OF_FEW.search(told)] == []
