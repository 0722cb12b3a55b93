"""A shop of thirty users with a random past, laid out in slices of four; and what a sweep has to leave behind."""

from datetime import timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import Engine, select, text

from sop_engine.actions.everybody import place_everybody
from sop_engine.core.records import EventRecord, UserRecord
from sop_engine.store import metric_values, slices
from sop_engine.store.aggregates import live_aggregates
from sop_engine.store.columns import table_of
from sop_engine.store.levels import move_rows
from sop_engine.store.levels import placements as placed
from sop_engine.store.run_tables import RunRow, TouchRow
from sop_engine.store.scope import Scope
from tests.shop import Shop
from tests.shop_project import CATALOGUE

SIZE = 4  # divides SLICE
USERS = [f"u{n}" for n in range(30)]
METRICS = """  spent30: {sum: order.amount, within: 30d}
  carts1: {count: cart, within: 24h}
  bands: {grade: spent, cuts: quintiles}
"""
BOOKS = """
tags:
  rare: {when: visits7 = 0, for: 3d}
---
tier: stage
note: x
levels:
  lost: quiet >= 3
  buyer: orders > 0
  awake: otherwise
---
tier: warmth
note: x
levels:
  hot: visits7 >= 3
  warm: visits7 > 0 or carts1 > 0
  cold: otherwise
---
playbook: back
tier: stage
goal: joins
levels:
  lost: {intent: win_back, no_benefit: x, again: always, exit: {warmer: visits7 > 1}, steps: {hi: {at: day 1 10:00, send: hello}}}
  buyer: {none: x}
  awake: {none: x}
---
playbook: cool
intent: maintain
start: {leave: visits7 >= 2}
goal: wakes
again: always
exit: {cold: spent30 = 0 and visits7 = 0}
steps: {hi: {at: day 2 10:00, send: again}}
"""


def shop_on(engine: Engine, *, size: int = SIZE, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """Thirty users with a random past."""
    laid_out = slices.plan
    monkeypatch.setattr(slices, "plan", lambda tx, task, _size=size: laid_out(tx, task, _size))
    shop = Shop(engine, start="2025-03-01 09:00")
    shop.apply(BOOKS, catalogue=CATALOGUE.replace("  visits7:", METRICS + "  visits7:"))
    luck = Random(7)
    told = [(luck.choice(USERS), luck.choice(["visit", "visit", "cart", "order"]), luck.randrange(1, 40 * 24)) for _ in range(260)]
    people = [UserRecord(k, shop.now - timedelta(days=60), {"phone": "13800000000"}) for k in USERS]
    shop.load_history(people, [event(shop, n, *one) for n, one in enumerate(told)])
    return shop


def event(shop: Shop, number: int, user: str, kind: str, hours: int) -> EventRecord:
    when = (shop.now - timedelta(hours=hours)).astimezone(shop.zone).strftime("%Y-%m-%d %H:%M:%S")
    fields: dict[str, Any] = {"order_id": f"o{number}", "amount": number % 9 + 1} if kind == "order" else {}
    return shop.record(user, kind, when, {"id": f"e{number}", **fields})


def everything(shop: Shop) -> dict[str, list[Any]]:
    """All that a sweep may change, in an order that does not depend on who came first."""
    metrics = "SELECT u.key, m.* FROM user_metrics m JOIN users u ON u.id = m.user_id ORDER BY u.id"
    tags = "SELECT user_id, tag, set_at, until_day FROM user_tags ORDER BY user_id, tag"
    run, touch = table_of(RunRow).c, table_of(TouchRow).c
    move = move_rows.c
    asked = {
        "values": text(metrics),
        "tags": text(tags),
        "levels": select(placed).order_by(placed.c.user_id, placed.c.model),
        "moves": select(move.user_id, move.model, move.old, move.new, move.at, move.day, move.cause, move.facts).order_by(
            move.user_id, move.at, move.model
        ),
        "runs": select(
            run.user_id, run.flow, run.start_key, run.state, run.end_reason, run.started_at, run.ended_at, run.close_at
        ).order_by(run.user_id, run.flow, run.start_key),
        "touches": select(touch.user_id, touch.flow, touch.step, touch.occurrence, touch.state, touch.reason, touch.due_at).order_by(
            touch.user_id, touch.flow, touch.step, touch.due_at
        ),
    }
    with shop.app.transaction() as tx:
        return {name: [tuple(map(str, row)) for row in tx.execute(statement)] for name, statement in asked.items()}


def agrees_with_the_log(shop: Shop, *, by_day: bool = False) -> None:
    """Values, levels, and one placement a user and model. `by_day`: without lengths up to now, which go on while nobody looks."""
    wanted = [a for a in live_aggregates(project_of(shop)) if not by_day or a.exact is None]
    columns = ", ".join(f"COALESCE({a.column}, 0)" if a.what in ("count", "sum") else a.column for a in wanted)
    asked = text(f"SELECT user_id, {columns} FROM user_metrics ORDER BY user_id")
    with shop.app.work(shop.now) as work:
        before = [tuple(row) for row in work.tx.execute(asked)]
        metric_values.recompute(work.tx, work.project, Scope.everybody(), shop.now, only={a.column for a in wanted})
        assert [tuple(row) for row in work.tx.execute(asked)] == before
        assert place_everybody(work, "sweep") == 0
        assert work.tx.execute(text("SELECT COUNT(*) FROM placements WHERE model = 'stage'")).scalar() == len(USERS)


def project_of(shop: Shop) -> Any:
    with shop.app.transaction() as tx:
        return shop.app.live(tx).project
