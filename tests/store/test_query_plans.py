"""What is asked all day long is answered along an index, without statistics: nothing reads a whole table for one user."""

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection

from sop_engine.core.models import models_in_order
from sop_engine.store import facts, metric_values, midnight, placements
from sop_engine.store.dialect import run
from sop_engine.store.engine import open_engine, transaction
from sop_engine.store.layers import known
from sop_engine.store.migrate import upgrade
from sop_engine.store.people import SLICE
from sop_engine.store.scope import Scope
from tests.builders import at, example_project

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
