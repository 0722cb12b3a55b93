"""Who starts a flow: once per cause, again or not, from where day 0 counts, and what late, repeated or undone events do."""

from datetime import date

import pytest
from sqlalchemy import Engine

from sop_engine.actions.ingest import record_events
from tests.shop import Shop
from tests.shop_project import BENEFIT

pytestmark = pytest.mark.slow

CART = """
playbook: cart
intent: cultivate
start: {event: cart}
goal: joins
AGAIN
steps:
  nudge: {after: 10m, send: hello}
"""

ORDER = f"""
benefits:
  next20: {{pool: NEXT, {BENEFIT}}}
---
playbook: thanks
intent: maintain
start: {{event: order}}
goal: joins
again: always
steps:
  thanks: {{at: now, send: receipt}}
  gift: {{after: 2h, give: next20, send: coupon}}
  later: {{at: day 5 10:00, send: again}}
"""


def cart(again: str = "") -> str:
    """The flow with a line about `again`."""
    return CART.replace("AGAIN", again)


def test_the_same_event_twice_starts_once(engine: Engine) -> None:
    shop = Shop(engine, ORDER, start="2025-03-01 10:00")
    shop.user("u1")
    first = shop.event("u1", "order", id="e1", order_id="o1", amount=88)
    second = shop.event("u1", "order", id="e1", order_id="o1", amount=88)
    assert (first.stored, first.repeated, second.stored, second.repeated) == (1, 0, 0, 1)
    assert len(shop.runs("u1")) == 1
    assert len(shop.outbox()) == 1
    assert shop.facts("u1", "orders", "spent") == [1, 88]


def test_the_same_event_twice_in_one_batch_starts_once_whoever_it_names(engine: Engine) -> None:
    shop = Shop(engine, ORDER, start="2025-03-01 10:00")
    shop.user("u1")
    shop.user("u2")
    one = shop.record("u1", "order", "2025-03-01 10:00", {"id": "e1", "order_id": "o1", "amount": 88})
    other = shop.record("u2", "order", "2025-03-01 10:00", {"id": "e1", "order_id": "o1", "amount": 88})
    done = record_events(shop.app, [one, one, other], shop.now)
    shop.beat()
    assert (done.stored, done.repeated) == (1, 2)
    assert len(shop.outbox()) == 1


def test_a_second_order_with_the_same_order_id_is_the_same_order_and_starts_nothing(engine: Engine) -> None:
    shop = Shop(engine, ORDER, start="2025-03-01 10:00")
    shop.user("u1")
    shop.event("u1", "order", order_id="o1", amount=88)
    shop.event("u1", "order", at="2025-03-01 11:00", order_id="o1", amount=88)
    shop.event("u1", "visit", at="2025-03-01 11:30")
    assert shop.facts("u1", "orders") == [1]
    assert shop.ends("u1") == [None]
    assert [m.template for m in shop.outbox()] == ["receipt"]


def test_a_refund_ends_the_run_its_order_started_and_voids_the_unused_benefit(engine: Engine) -> None:
    shop = Shop(engine, ORDER, start="2025-03-01 10:00")
    shop.user("u1")
    shop.event("u1", "order", order_id="o1", amount=88)
    shop.until("2025-03-01 12:00")
    assert [g.state for g in shop.grants()] == ["issued"]
    shop.event("u1", "refund", at="2025-03-02 12:00", order_id="o1", amount=88)
    assert shop.ends("u1") == ["undone"]
    assert [g.state for g in shop.grants()] == ["voided"]
    assert shop.states("u1") == ["thanks:sent", "gift:sent", "later:cancelled:ended"]
    assert shop.facts("u1", "orders", "spent") == [0, 0]


def test_a_partial_refund_lowers_the_amount_and_the_run_goes_on(engine: Engine) -> None:
    shop = Shop(engine, ORDER, start="2025-03-01 10:00")
    shop.user("u1")
    shop.event("u1", "order", order_id="o1", amount=88)
    shop.event("u1", "refund", at="2025-03-01 12:00", order_id="o1", amount=30)
    assert shop.ends("u1") == [None]
    assert shop.facts("u1", "orders", "spent") == [1, 58]


def test_a_refund_that_arrives_before_its_order_starts_and_sends_nothing(engine: Engine) -> None:
    shop = Shop(engine, ORDER, start="2025-03-01 10:00")
    shop.user("u1")
    shop.event("u1", "refund", at="2025-03-01 12:00", order_id="o1", amount=88)
    shop.event("u1", "order", at="2025-03-01 11:00", order_id="o1", amount=88)
    assert shop.facts("u1", "orders") == [0]
    assert shop.runs("u1") == []
    assert shop.outbox() == []


def test_a_trial_order_starts_nothing(engine: Engine) -> None:
    shop = Shop(engine, ORDER, start="2025-03-01 10:00")
    shop.user("u1")
    shop.event("u1", "order", order_id="o1", amount=0.01)
    assert shop.runs("u1") == []


def test_what_a_colleague_did_starts_nothing_unless_the_flow_names_the_actor(engine: Engine) -> None:
    shop = Shop(
        engine,
        cart(),
        cart("again: always")
        .replace("playbook: cart", "playbook: staffed")
        .replace("{event: cart}", "{event: cart, where: actor = staff}"),
    )
    shop.user("u1")
    shop.event("u1", "cart", actor="staff")
    assert [r.flow for r in shop.runs("u1")] == ["staffed"]


@pytest.mark.parametrize(
    ("again", "starts"),
    [("again: never", 1), ("again: always", 4), ("again: after 10d", 3), ("again: after 48h", 4), ("", 2)],
)
def test_again_says_when_a_flow_may_start_once_more_counted_from_the_last_start(engine: Engine, again: str, starts: int) -> None:
    shop = Shop(engine, cart(again))
    shop.user("u1")
    for local in ("2025-03-01 23:50", "2025-03-04 10:00", "2025-03-11 09:00", "2025-04-01 10:00"):
        shop.event("u1", "cart", at=local)
    assert len(shop.runs("u1")) == starts
    assert len(shop.refused("u1")) == 4 - starts
    assert set(shop.refused("u1")) <= {"again"}


def test_while_a_run_is_open_only_always_starts_another(engine: Engine) -> None:
    shop = Shop(
        engine,
        cart("again: after 10m").replace("10m, send", "48h, send"),
        cart("again: always").replace("playbook: cart", "playbook: more"),
    )
    shop.user("u1")
    shop.event("u1", "cart", at="2025-03-01 10:00")
    shop.event("u1", "cart", at="2025-03-01 10:20")
    assert sorted(r.flow for r in shop.runs("u1")) == ["cart", "more", "more"]
    assert shop.refused("u1") == ["again"]


def test_only_is_asked_once_with_what_was_known_just_before_the_event(engine: Engine) -> None:
    shop = Shop(engine, ORDER.replace("again: always", "again: always\nonly: orders = 0 and event.amount >= 50"), start="2025-03-01 10:00")
    shop.user("u1")
    shop.event("u1", "order", order_id="o1", amount=20)
    shop.user("u2")
    shop.event("u2", "order", order_id="o2", amount=60)
    shop.event("u2", "order", order_id="o3", amount=60)
    assert (shop.runs("u1"), shop.refused("u1")) == ([], ["only"])
    assert (len(shop.runs("u2")), shop.refused("u2")) == (1, ["only"])


def test_an_event_that_comes_later_than_72_hours_starts_no_flow_by_event_but_moves_levels(engine: Engine) -> None:
    stages = "tier: stage\nnote: x\nlevels:\n  buyer: orders > 0\n  other: otherwise\n"
    shop = Shop(engine, ORDER, stages, start="2025-03-10 10:00")
    shop.user("u1", joined="2025-03-01 00:00")
    shop.event("u1", "order", at="2025-03-07 09:59", order_id="o1", amount=88)
    assert shop.runs("u1") == []
    assert shop.facts("u1", "stage", "orders") == ["buyer", 1]
    shop.event("u1", "order", at="2025-03-07 10:00", order_id="o2", amount=88)
    assert len(shop.runs("u1")) == 1


def test_a_late_event_runs_no_goal_step_but_ends_the_run(engine: Engine) -> None:
    flow = cart().replace("goal: joins", "goal: buys").replace("10m, send: hello}", "240h, send: hello}\n  well: {at: goal, send: receipt}")
    shop = Shop(engine, flow)
    shop.user("u1")
    shop.event("u1", "cart", at="2025-03-01 10:00")
    shop.jump("2025-03-06 10:00")
    shop.beat()
    shop.event("u1", "order", at="2025-03-02 10:00", order_id="o1", amount=5)
    assert shop.ends("u1") == ["goal"]
    assert shop.outbox() == []


def test_an_import_of_history_fires_nothing(engine: Engine) -> None:
    welcome = "playbook: welcome\nintent: cultivate\ngoal: joins\nstart: {enter: orders > 0}\nsteps:\n  hi: {at: now, send: hello}\n"
    shop = Shop(engine, ORDER, welcome)
    shop.history(("u1", "order", "2025-02-28 10:00", {"order_id": "h1", "amount": 10}), ("u2", "visit", "2025-02-28 10:00", {}))
    shop.until("2025-03-10 10:00")
    assert shop.runs("u1") == []
    assert shop.facts("u1", "orders", "spent") == [1, 10]
    shop.event("u2", "order", at="2025-03-10 11:00", order_id="o2", amount=10)
    assert [r.flow for r in shop.runs("u2")] == ["thanks", "welcome"]


ANCHORED = """
playbook: birthday
intent: maintain
start: {enter: vip}
goal: joins
anchor: birthday
late: LATE
steps:
  before: {at: day -2 08:00, send: receipt}
  on: {at: day 0 10:00, send: hello}
  after: {at: day 3 10:00, send: again}
"""


def test_days_count_from_the_anchor_and_steps_long_past_are_skipped_as_late(engine: Engine) -> None:
    shop = Shop(engine, ANCHORED.replace("LATE", "24h"), start="2025-03-01 09:00")
    shop.user("u1", birthday=date(2025, 2, 28))
    shop.set("u1", vip=True)
    assert shop.skipped() == ["before:late"]
    assert shop.sent() == ["on@03-01 09:00"]  # 23 hours late, inside 24h
    assert shop.planned() == ["after@03-03 10:00"]


@pytest.mark.parametrize(("born", "reason"), [(None, "no_anchor"), ("2024-12-01", "late")])
def test_a_run_does_not_start_without_its_anchor_or_when_every_step_is_too_late(engine: Engine, born: str | None, reason: str) -> None:
    flow = ANCHORED.replace("LATE", "24h").replace("{enter: vip}", "{event: cart}")
    shop = Shop(engine, flow)
    shop.user("u1", **({"birthday": date.fromisoformat(born)} if born else {}))
    shop.event("u1", "cart")
    assert shop.runs("u1") == []
    assert shop.refused("u1") == [reason]


def test_a_touch_is_late_only_after_its_allowance_and_a_day_counts_to_its_end(engine: Engine) -> None:
    for late, sent in (("1d", True), ("12h", False)):
        book = cart(f"late: {late}").replace("playbook: cart", f"playbook: cart_{late}").replace("10m", "1h")
        if late == "1d":
            shop = Shop(engine, book)
            shop.user("u1")
        else:
            shop.apply(book)
        shop.event("u1", "cart", at="2025-03-01 10:00" if sent else "2025-03-03 10:00")
        shop.jump("2025-03-02 20:59" if sent else "2025-03-04 10:00")
        shop.beat()
        assert (shop.states("u1")[-1] == "nudge:sent") is sent
    assert shop.skipped() == ["nudge:late"]
