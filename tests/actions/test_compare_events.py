"""Events and the comparison: their order and repetition change nothing, a late one changes only its user, none is counted twice."""

import json
import random
import sqlite3
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from sop_engine.actions.arm_lives import gather_people
from sop_engine.actions.compare import compare_playbook, found
from sop_engine.actions.ingest import record_events
from sop_engine.core.calendar import midnight
from sop_engine.core.comparison.clock import Outcome, Window
from sop_engine.core.comparison.exported import as_json
from sop_engine.core.records import EventRecord
from sop_engine.store.arms import Trial
from tests.conftest import sqlite_copy
from tests.shop import Shop, keys

pytestmark = pytest.mark.slow

BACK = """
playbook: back
intent: win_back
start: {event: cart}
goal: {event: order, within: 14d}
holdout: 50%
experiment: {planned_per_arm: 20}
steps:
  hello: {at: day 0 20:00, send: hello_push}
"""
MANY = 40


def begun(engine: Engine) -> Shop:
    """40 users have a cart on the first morning; in the evening half of them get a message."""
    shop = Shop(engine, BACK, start="2025-03-01 09:00")
    record_events(shop.app, [shop.record(k, "cart", shop.local(), {}) for k in keys(MANY)], shop.now)
    shop.until("2025-03-08 09:00")
    return shop


def what_happened(shop: Shop) -> list[EventRecord]:
    """Orders, visits and refunds of a week, three orders a user at most; some order numbers come twice with different times."""
    draw, listed = random.Random(11), list[EventRecord]()
    for n, key in enumerate(keys(MANY)):
        for i in range(draw.randint(0, 3)):
            at = f"2025-03-0{draw.randint(2, 7)} {draw.randint(0, 23):02}:{draw.randint(0, 59):02}"
            listed.append(shop.record(key, "order", at, {"id": f"o{n}-{i}", "order_id": f"{n}-{i // 2}", "amount": 5 * (i + 1)}))
            listed.append(shop.record(key, "visit", at, {"id": f"v{n}-{i}"}))
            if draw.random() < 0.3:
                listed.append(shop.record(key, "refund", at, {"id": f"r{n}-{i}", "order_id": f"{n}-{i // 2}", "amount": 5 * (i + 1)}))
    return listed


def read(shop: Shop) -> str:
    """The whole report on 1 April, in JSON."""
    return as_json(compare_playbook(shop.app, "back", shop.at("2025-04-01 09:00")))


def test_the_order_in_which_events_come_and_their_repetition_change_no_byte_of_the_report(migrated_sqlite: sqlite3.Connection) -> None:
    with sqlite_copy(migrated_sqlite) as first:
        shop = begun(first)
        listed = what_happened(shop)
        record_events(shop.app, listed, shop.now)
        shop.until("2025-03-20 09:00")
        expected = read(shop)
    told = json.loads(expected)
    assert all(5 < arm["won_back"] < arm["mature"] for arm in told["arms"]) and told["source"]["about"]["refunded_later"] == 0
    for seed in (1, 2):
        with sqlite_copy(migrated_sqlite) as second:
            shop = begun(second)
            shuffled = [*what_happened(shop)] * 2
            random.Random(seed).shuffle(shuffled)
            for part in range(0, len(shuffled), 25):
                record_events(shop.app, shuffled[part : part + 25], shop.now)
            shop.until("2025-03-20 09:00")
            assert read(shop) == expected


def outcomes(shop: Shop, local: str) -> dict[str, Outcome]:
    """By user, what became of them as it is known at the midnight before."""
    with shop.app.work(shop.at(local)) as work:
        experiment = found(work, "back")
        closed = midnight(work.now.astimezone(work.live.zone).date(), work.live.zone)
        trial = Trial(experiment.name, tuple(f.id for f in experiment.flows), closed)
        people = gather_people(work, trial, experiment, Window(experiment.goal.within, work.live.zone, closed))
        return {p.assigned.key: p.outcome for p in people}


@pytest.mark.parametrize(
    ("kind", "local", "fields", "became"),
    [
        ("order", "2025-03-05 12:00", {"order_id": "late", "amount": 30}, (True, False, 30.0)),
        ("order", "2025-03-01 15:00", {"order_id": "late", "amount": 30}, (False, True, 0.0)),  # before the message was due
        ("order", "2025-03-25 12:00", {"order_id": "late", "amount": 30}, (False, False, 0.0)),  # after the window
        ("visit", "2025-03-05 12:00", {}, (False, False, 0.0)),
        ("refund", "2025-03-06 12:00", {"order_id": "known", "amount": 40}, (False, False, 0.0)),
    ],
)
def test_a_late_event_or_refund_changes_only_its_user(
    engine: Engine, kind: str, local: str, fields: dict[str, str | int], became: tuple[bool, bool, float]
) -> None:
    shop = begun(engine)
    buyers = keys(20, prefix="u") if kind == "refund" else [f"u{n}" for n in range(2, 20)]
    bought = [shop.record(k, "order", "2025-03-05 12:00", {"order_id": "known" if k == "u1" else k, "amount": 40}) for k in buyers]
    record_events(shop.app, bought, shop.now)
    shop.until("2025-03-30 09:00")
    before = outcomes(shop, "2025-03-30 09:00")
    record_events(shop.app, [shop.record("u1", kind, local, fields)], shop.now)
    shop.now += timedelta(days=1)
    after = outcomes(shop, "2025-03-31 09:00")
    assert {k for k in before if before[k] != after[k]} <= {"u1"}
    one = after["u1"]
    assert (one.back, one.ended_before, one.value) == became
    assert before["u1"].back == (kind == "refund")
