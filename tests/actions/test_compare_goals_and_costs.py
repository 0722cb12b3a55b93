"""Goals that are conditions count for the hold-out as for the others; benefits cost what was used of them, where uses are known."""

import pytest
from sqlalchemy import Engine

from sop_engine.actions.compare import compare_playbook
from sop_engine.actions.ingest import record_events
from sop_engine.core.comparison.values import Report
from sop_engine.core.errors import Refused
from tests.shop import Shop, keys

pytestmark = pytest.mark.slow

BACK = """
playbook: back
intent: win_back
start: {event: cart}
goal: {enter: spent >= 100, within: 7d}
holdout: 50%
MORE
steps:
  hello: {at: day 0 20:00, send: hello_push}
"""
MANY = 30


def begun(engine: Engine, text: str) -> Shop:
    """30 users have a cart; the message was due in the evening of 1 March."""
    shop = Shop(engine, text, start="2025-03-01 09:00")
    for key in keys(MANY):
        shop.user(key)
    record_events(shop.app, [shop.record(k, "cart", shop.local(), {}) for k in keys(MANY)], shop.now)
    return shop


def spend(shop: Shop, users: list[str], amount: int) -> None:
    """An order of each of these users now."""
    at = shop.local()
    record_events(shop.app, [shop.record(k, "order", at, {"order_id": f"{k}-{at}", "amount": amount}) for k in users], shop.now)


def lived(shop: Shop) -> Report:
    """Some pass 100 before the message is due, some inside the window (in two orders), some after it, some never."""
    spend(shop, ["u1", "u2"], 150)
    shop.until("2025-03-03 12:00")
    spend(shop, [f"u{n}" for n in range(3, 15)], 60)
    shop.until("2025-03-05 12:00")
    spend(shop, [f"u{n}" for n in range(3, 11)], 60)
    shop.until("2025-03-20 12:00")
    spend(shop, [f"u{n}" for n in range(15, 20)], 150)
    shop.until("2025-04-01 09:00")
    return compare_playbook(shop.app, "back", shop.now)


RICH = "{enter: spent >= 100, within: 7d}"


def measured(more: str) -> str:
    """The flow ends by another goal; `rich` is measured."""
    return f"goals:\n  rich: {RICH}\n---{BACK}".replace(f"goal: {RICH}", "goal: joins").replace(
        "MORE", f"{more}experiment: {{metric: rich}}"
    )


@pytest.mark.parametrize("how", ["own", "counted"])
def test_a_goal_that_is_a_condition_counts_in_every_arm_from_when_it_first_held(engine: Engine, how: str) -> None:
    text = BACK.replace("MORE", "") if how == "own" else measured("counts: rich\n")  # then runs end before it holds
    shop = begun(engine, text)
    report = lived(shop)
    held = {k for k in keys(MANY) if shop.runs(k)[0].held_out}
    back = {f"u{n}" for n in range(3, 11)}
    assert {a.name: a.won_back for a in report.arms} == {"holdout": len(held & back), "back": len(back - held)}
    assert all(a.won_back for a in report.arms)
    assert sum(a.ended_before_clock for a in report.arms) == 2
    assert sum(a.mature for a in report.arms) == MANY - 2


def test_a_condition_nobody_watches_is_refused_with_what_to_write(engine: Engine) -> None:
    shop = begun(engine, measured(""))
    with pytest.raises(Refused, match=r"the goal 'rich' is a condition that back does not watch.*under 'counts'"):
        compare_playbook(shop.app, "back", shop.now)


GIFT = """
benefits:
  gift: {pool: G, worth: 20, cost: 8, valid: 30d, limit: 9 per 1d, budget: 9000 per 30d}
---
""" + BACK.replace("{enter: spent >= 100, within: 7d}", "{event: order, within: 7d}").replace("MORE", "").replace(
    "send: hello_push", "give: gift, send: coupon"
)


def cost(shop: Shop, local: str) -> float:
    """Of all arms, as it was known at the midnight before."""
    return sum(a.funnel["cost"] for a in compare_playbook(shop.app, "back", shop.at(local)).arms if a.funnel)


def test_benefits_cost_what_was_given_until_a_use_is_known_and_then_what_was_used(engine: Engine) -> None:
    shop = begun(engine, GIFT)
    shop.until("2025-03-10 09:00")
    given = [g for g in shop.grants() if g.state == "issued"]
    assert len(given) > 8
    assert cost(shop, "2025-03-10 09:00") == 8 * len(given)
    used = [shop.record(f"u{n + 1}", "benefit_used", "2025-03-10 08:00", {"code": g.code}) for n, g in enumerate(given[:3])]
    record_events(shop.app, used, shop.now)
    shop.until("2025-03-11 09:00")
    assert cost(shop, "2025-03-11 09:00") == 8 * 3
    assert cost(shop, "2025-03-10 00:00") == 8 * len(given)  # as it was known then
