"""A whole simulated shop through the engine: events start runs, messages go, orders come; the report reads what happened."""

import random
from collections import Counter
from datetime import date, timedelta

import pytest
from sqlalchemy import Engine

from sop_engine.actions.compare import compare_playbook
from sop_engine.actions.ingest import record_events
from sop_engine.core.comparison.exported import as_json
from sop_engine.core.comparison.values import Report
from tests.shop import Shop

pytestmark = pytest.mark.slow

FIRST = date(2025, 3, 1)
WINDOW = 7
PLAYBOOK = """
playbook: back
intent: win_back
start: {event: cart}
goal: {event: order, within: 7d}
holdout: 50%
experiment: {planned_per_arm: 200, guardrails: [unsubscribe, refund]}
steps:
  hello: {at: day 0 20:00, send: hello_push}
"""


def lived(engine: Engine, days: int, a_day: int, effect: float) -> Shop:
    """So many users a day have a cart at noon; 10 % of the held-out, and more of the others, buy within the week after."""
    draw = random.Random(5)
    shop = Shop(engine, PLAYBOOK, start="2025-03-01 09:00")
    later: dict[date, list[str]] = {}
    for offset in range(days + WINDOW + 1):
        today = FIRST + timedelta(days=offset)
        shop.until(f"{today} 12:00")
        if offset < days:
            keys = [f"u{offset}_{n}" for n in range(a_day)]
            record_events(shop.app, [shop.record(k, "cart", f"{today} 12:00", {}) for k in keys], shop.now)
            for key in keys:
                held = shop.runs(key)[0].held_out
                if draw.random() < 0.1 + (0 if held else effect):
                    later.setdefault(today + timedelta(days=draw.randint(1, WINDOW)), []).append(key)
        orders = [shop.record(k, "order", f"{today} 12:30", {"order_id": k, "amount": 50}) for k in later.get(today, [])]
        shop.until(f"{today} 12:30")
        record_events(shop.app, orders, shop.now)
    shop.until(f"{FIRST + timedelta(days=days + WINDOW + 1)} 09:00")
    return shop


def read(shop: Shop, day: date) -> Report:
    """As it is read in the morning after a day."""
    return compare_playbook(shop.app, "back", shop.at(f"{day + timedelta(days=1)} 09:00"))


def test_a_large_effect_is_found_by_the_engine_and_every_earlier_day_reads_as_it_read_then(engine: Engine) -> None:
    shop = lived(engine, days=14, a_day=40, effect=0.25)
    end = FIRST + timedelta(days=14 + WINDOW)
    whole = read(shop, end)
    assert whole.answer.verdict == "better"
    assert whole.answer.winner == "back"
    assert whole.health.status in ("green", "amber") and whole.health.contamination["holdout_sent"] == 0
    only = whole.comparisons[0]
    for told_day, n, difference, low, high, _ in (only.path or ())[3::4]:
        then = read(shop, date.fromisoformat(told_day))
        if not then.plan.final:
            one = then.comparisons[0]
            assert sum(a.mature for a in then.arms) == n
            assert (one.difference, one.low, one.high) == pytest.approx((difference, low, high))


def test_the_report_of_a_day_gone_by_is_the_same_to_the_byte_after_more_has_happened(engine: Engine) -> None:
    shop = lived(engine, days=4, a_day=15, effect=0.3)
    day = FIRST + timedelta(days=9)
    before = as_json(read(shop, day))
    keys = [f"u0_{n}" for n in range(15)]
    record_events(shop.app, [shop.record(k, "order", f"{FIRST} 13:00", {"order_id": f"late{k}", "amount": 9}) for k in keys], shop.now)
    assert as_json(read(shop, day)) == before
    today = read(shop, FIRST + timedelta(days=12))
    assert sum(a.ended_before_clock for a in today.arms) >= 15  # known only now: they had bought before the first message was due


def test_the_funnel_and_the_health_of_the_arms_add_up(engine: Engine) -> None:
    shop = lived(engine, days=3, a_day=20, effect=0.0)
    report = read(shop, FIRST + timedelta(days=11))
    held, sent = report.arms
    assert held.assigned + sent.assigned == 60
    assert held.funnel is not None and sent.funnel is not None
    assert (held.funnel["sent"], held.funnel["not_sent"]) == (0, {"holdout": held.started})
    assert sent.funnel["sent"] == sent.funnel["delivered"] == sent.started
    assert Counter(a.immature for a in report.arms) == {0: 2}
    assert report.reached is not None and report.reached.arms[0].mature == held.mature
