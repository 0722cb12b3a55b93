"""Whatever happens in whatever order, with the engine down for days and workers that die: what must always be so."""

import sqlite3
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from sop_engine.actions.everybody import place_everybody
from sop_engine.actions.intend import intend
from sop_engine.core.run import Run
from sop_engine.store import metric_values, queue
from sop_engine.store.engine import open_engine
from sop_engine.store.levels import current_levels, move_rows
from sop_engine.store.people import all_ids
from sop_engine.store.runs import open_runs, run_of, runs
from sop_engine.store.scope import Scope
from tests.shop import Shop

pytestmark = pytest.mark.slow

BOOKS = """
benefits:
  gift: {pool: G, worth: 20, valid: 5d, limit: 1 per 10d, budget: 60 per 30d}
---
tier: stage
note: x
levels:
  lost: quiet >= 6
  buyer: orders > 0
  fresh: otherwise
ladder: [buyer, fresh, lost]
keep:
  buyer: spent > 0
---
playbook: stages
tier: stage
goal: buys
levels:
  lost:
    intent: win_back
    again: after 5d
    steps:
      gift: {at: day 0 10:00, give: gift, send: coupon}
      more: {at: day 2 20:30, send: hello}
  fresh:
    intent: cultivate
    no_benefit: x
    again: always
    exit: {mad: angry}
    steps:
      hi: {at: now, send: hello}
      chain: {at: day 1 09:30, from: hi, send: again}
  buyer: {none: x}
---
playbook: cart
intent: cultivate
start: {event: cart}
goal: {event: order, within: 2d}
again: always
keep_going: goal
holdout: 20%
late: 6h
steps:
  nudge: {after: 90m, send: hello_push}
  well: {at: goal, send: receipt}
  bye: {at: end, set: {vip: true}}
---
playbook: thanks
intent: serve
start: {event: order}
goal: wakes
again: always
steps:
  thanks: {at: now, send: receipt}
  third: {at: day 1 22:00, when: step.thanks and spent > start.spent, send: third}
---
playbook: visits
intent: maintain
start: {leave: visits7 >= 2}
goal: wakes
again: after 3d
steps:
  daily: {every: day 11:00, send: hello}
"""
CAP, HOURS = 2, (9, 21)

users = st.sampled_from(["u1", "u2", "u3"])
acts = st.one_of(
    st.tuples(st.just("visit"), users),
    st.tuples(st.just("cart"), users),
    st.tuples(st.just("order"), users, st.sampled_from(["a", "b", "c"]), st.sampled_from([0.01, 5, 50])),
    st.tuples(st.just("refund"), users, st.sampled_from(["a", "b", "c"]), st.sampled_from([5, 50])),
    st.tuples(st.just("late"), users, st.sampled_from(["order", "visit", "cart"]), st.integers(1, 100)),
    st.tuples(st.just("angry"), users),
    st.tuples(st.just("refuse"), users, st.sampled_from(["sms", ""])),
    st.tuples(st.just("wait"), st.integers(1, 60)),
    st.tuples(st.just("down"), st.integers(1, 100)),
    st.tuples(st.just("die"), st.booleans()),
)


@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(acts, min_size=5, max_size=30))
def test_what_must_hold_holds_whatever_happens(migrated_sqlite: sqlite3.Connection, told: list[tuple[Any, ...]]) -> None:
    engine = open_engine("sqlite://")
    copy = engine.raw_connection()
    assert isinstance(copy.driver_connection, sqlite3.Connection)
    migrated_sqlite.backup(copy.driver_connection)
    copy.close()
    try:
        live_through(engine, told)
    finally:
        engine.dispose()


def live_through(engine: Engine, told: list[tuple[Any, ...]]) -> None:
    """One history; what must hold is looked at after every act and at the end of time."""
    shop = Shop(engine, BOOKS, start="2025-03-01 08:00", project={"caps": f"[{CAP} per 1d]"})
    for user in ("u1", "u2", "u3"):
        shop.user(user)
    shop.codes("G", "C1", "C2", "C3", "C4")
    for act in told:
        do(shop, act)
        always(shop)
    shop.until((shop.now + timedelta(days=60)).astimezone(shop.zone).strftime("%Y-%m-%d %H:%M"))
    always(shop)
    in_the_end(shop)


def do(shop: Shop, act: tuple[Any, ...]) -> None:
    """One thing happens."""
    match act:
        case ("visit" | "cart" as kind, user):
            shop.event(user, kind)
        case ("order" | "refund" as kind, user, order, amount):
            shop.event(user, kind, order_id=f"{user}{order}", amount=amount)
        case ("late", user, kind, hours):
            when = (shop.now - timedelta(hours=hours)).astimezone(shop.zone).strftime("%Y-%m-%d %H:%M")
            shop.event(user, kind, at=when, **({"order_id": f"{user}{hours}", "amount": 7} if kind == "order" else {}))
        case ("angry", user):
            shop.set(user, angry=True)
        case ("refuse", user, channel):
            shop.event(user, "unsubscribed", **({"channel": channel} if channel else {}))
        case ("wait", hours):
            shop.until((shop.now + timedelta(hours=hours)).astimezone(shop.zone).strftime("%Y-%m-%d %H:%M:%S.%f"))
        case ("down", hours):
            shop.now += timedelta(hours=hours)
            shop.beat()
        case ("die", after_intent):
            shop.now += timedelta(hours=2)
            hints = shop.claim()
            if after_intent and hints:
                with shop.app.work(shop.now) as work:
                    intend(work, queue.queued_for_delivery(work.tx, hints))


def always(shop: Shop) -> None:
    """Caps, hours, allowances, ends, single runs, benefits, moves."""
    rows = shop.touches()
    with shop.app.transaction() as tx:
        known = {row.id: run_of(row) for row in tx.execute(select(runs))}
        moves = list(tx.execute(select(move_rows).order_by(move_rows.c.id)))
    sending = [t for t in rows if t.state in ("sent", "unknown", "sending") and t.purpose is not None]
    marketing = [t for t in sending if t.purpose == "marketing"]
    per_day = Counter((t.user_id, t.intent_at.astimezone(shop.zone).date()) for t in marketing)
    assert max(per_day.values(), default=0) <= CAP
    assert all(HOURS[0] <= t.intent_at.astimezone(shop.zone).hour < HOURS[1] for t in marketing)
    assert all(t.first_due_at <= t.intent_at <= t.late_at for t in sending)
    outlives = {"well", "bye"}
    for t in rows:
        run = known[t.run_id]
        assert run.open or t.state not in ("planned", "queued") or t.step in outlives
        ended_before = run.ended_at is not None and t.intent_at is not None and run.ended_at < t.intent_at
        assert not ended_before or t.step in outlives
        assert not run.held_out or t.state not in ("sent", "sending", "unknown")
    single = Counter((r.user_id, r.flow) for r in known.values() if r.open and r.flow in ("visits", "stages/lost"))
    assert max(single.values(), default=0) <= 1
    codes = Counter(g.code for g in shop.grants() if g.state not in ("released",))
    assert max(codes.values(), default=0) <= 1
    assert sum(g.cost for g in shop.grants() if g.state not in ("released", "voided")) <= 60 or days_of(shop) > 30
    chain: dict[tuple[int, str], str | None] = {}
    for move in moves:
        assert chain.get((move.user_id, move.model)) == move.old
        assert move.old != move.new
        chain[move.user_id, move.model] = move.new


def days_of(shop: Shop) -> int:
    """Days since the first of March."""
    return (shop.now - shop.at("2025-03-01 00:00")).days


def in_the_end(shop: Shop) -> None:
    """Levels and values are what a full computation gives, everything has come to an end, and each message was kept once."""
    with shop.app.work(shop.now) as work:
        ids = all_ids(work.tx)
        before = current_levels(work.tx, ids)
        metric_values.recompute(work.tx, work.project, Scope.everybody(), work.now)
        assert place_everybody(work, "sweep") == 0
        assert current_levels(work.tx, ids) == before
        still: list[Run] = open_runs(work.tx, ["stages/lost", "stages/fresh", "cart", "thanks"], 0, 100)
    assert still == []
    rows = [t for t in shop.touches() if t.flow != "visits"]
    assert {t.state for t in rows} <= {"sent", "skipped", "cancelled", "unknown"}
    assert len(shop.outbox()) == sum(1 for t in shop.touches() if t.state == "sent" and t.template)
    assert all(isinstance(t.done_at, datetime) for t in rows if t.state != "unknown")
