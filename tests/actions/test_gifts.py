"""Benefits: one code for one promise, no promise without a code, limits and budgets exact at the edge, and what becomes of them."""

import pytest
from sqlalchemy import Engine

from sop_engine.actions.ingest import record_events
from sop_engine.core.errors import DeliveryError
from tests.shop import Shop, keys
from tests.shop_project import Scripted, text

pytestmark = pytest.mark.slow

FLOW = """
benefits:
  gift: {BENEFIT}
  other: {pool: OTHER, worth: 5, valid: 7d, limit: 9 per 1d, budget: 1000 per 30d, stack: false}
---
playbook: gifts
intent: serve
start: {event: cart}
goal: joins
again: always
MORE
steps:
STEPS
"""


def flow(benefit: str = "pool: G, worth: 20, valid: 7d, limit: 9 per 1d, budget: 1000 per 30d", steps: str = "", more: str = "") -> str:
    """The flow with its benefit and steps."""
    steps = steps or "  give: {at: now, give: gift, send: coupon}"
    return FLOW.replace("BENEFIT", benefit).replace("STEPS", steps).replace("MORE", more)


def carts(shop: Shop, many: int) -> None:
    """So many users, each with a cart, in one batch."""
    for key in keys(many):
        shop.user(key)
    record_events(shop.app, [shop.record(key, "cart", shop.local(), {}) for key in keys(many)], shop.now)
    shop.beat()


def states(shop: Shop, user: str | None = None) -> list[str]:
    """`benefit:state` of the grants."""
    return [f"{g.benefit}:{g.state}" for g in shop.grants(user)]


def test_a_pool_of_ten_serves_ten_users_and_the_eleventh_is_promised_nothing(engine: Engine) -> None:
    shop = Shop(engine, flow(), start="2025-03-01 12:00")
    shop.codes("G", *(f"C{n:02d}" for n in range(10)))
    carts(shop, 11)
    texts = shop.texts_sent()
    assert sorted(t.split()[1] for t in texts) == [f"C{n:02d}" for n in range(10)]
    assert shop.skipped() == ["give:empty"]
    assert len(shop.grants()) == 10


def test_the_benefit_that_stands_in_is_given_when_the_first_runs_out(engine: Engine) -> None:
    shop = Shop(
        engine, flow("pool: G, worth: 20, valid: 7d, limit: 9 per 1d, budget: 1000 per 30d, if_empty: other"), start="2025-03-01 12:00"
    )
    shop.codes("G", "A", "B")
    carts(shop, 3)
    assert [g.benefit for g in shop.grants()] == ["gift", "gift", "other"]
    assert [t.benefit for t in shop.touches()] == ["gift", "gift", "other"]
    assert shop.texts_sent("u3")[0].startswith("5 ")


def test_a_budget_is_used_up_to_the_last_coin_and_not_one_more(engine: Engine) -> None:
    shop = Shop(engine, flow("pool: G, worth: 20, valid: 7d, limit: 9 per 1d, budget: 60 per 30d"), start="2025-03-01 12:00")
    carts(shop, 4)
    assert len(shop.grants()) == 3
    assert shop.skipped() == ["give:budget"]
    shop.until("2025-03-30 12:00")
    shop.event("u4", "cart")
    assert len(shop.grants()) == 3
    shop.event("u4", "cart", at="2025-03-31 12:00")  # 1 March has left the thirty days
    assert len(shop.grants()) == 4


def test_the_budget_of_a_flow_binds_what_it_gives_in_all(engine: Engine) -> None:
    shop = Shop(
        engine,
        flow(
            more="budget: 45 per 30d", steps="  give: {at: now, give: gift, send: coupon}\n  more: {after: 1h, give: other, send: coupon}"
        ),
        start="2025-03-01 12:00",
    )
    carts(shop, 3)
    assert shop.states() == ["give:sent", "more:planned", "give:sent", "more:planned", "give:skipped:budget", "more:planned"]


def test_a_user_gets_a_benefit_only_as_often_as_its_limit_says(engine: Engine) -> None:
    shop = Shop(engine, flow("pool: G, worth: 20, valid: 7d, limit: 1 per 10d, budget: 1000 per 30d"), start="2025-03-01 12:00")
    shop.user("u1")
    for day in (1, 10, 11):
        shop.event("u1", "cart", at=f"2025-03-{day:02d} 12:30")
    assert shop.states() == ["give:sent", "give:skipped:limit", "give:sent"]


def test_what_does_not_stack_waits_for_no_one_but_is_refused_while_another_is_unused(engine: Engine) -> None:
    steps = """\
  a: {at: now, give: gift, send: coupon}
  b: {after: 1h, give: other, send: coupon}
  c: {at: day 9 10:00, give: other, send: coupon}\
"""
    shop = Shop(engine, flow(steps=steps), start="2025-03-01 12:00")
    shop.user("u1")
    shop.event("u1", "cart")
    shop.until("2025-03-10 12:00")
    assert shop.states() == ["a:sent", "b:skipped:stack", "c:sent"]  # the first was over on 8 March


def test_two_gifts_of_one_batch_know_of_each_other(engine: Engine) -> None:
    steps = "  a: {at: now, give: gift, send: coupon}\n  b: {at: now, give: gift, send: coupon}\n  c: {at: now, give: other, send: coupon}"
    shop = Shop(
        engine, flow("pool: G, worth: 20, valid: 7d, limit: 1 per 10d, budget: 1000 per 30d", steps=steps), start="2025-03-01 12:00"
    )
    shop.user("u1")
    shop.event("u1", "cart")
    assert shop.states() == ["a:sent", "b:skipped:limit", "c:skipped:stack"]


def test_a_later_step_makes_the_unused_coupon_void_in_the_same_act(engine: Engine) -> None:
    steps = "  a: {at: now, give: gift, send: coupon}\n  b: {at: day 7 10:00, from: a, give: other, void: gift, send: coupon}"
    shop = Shop(engine, flow(steps=steps, more="exit: {bought: orders > 0}"), start="2025-03-01 12:00")
    for key in ("u1", "u2", "u3"):
        shop.user(key)
        shop.event(key, "cart")
    shop.event("u2", "benefit_used", at="2025-03-02 12:00", code=shop.grants("u2")[0].code)
    shop.event("u3", "order", at="2025-03-08 09:59", order_id="o", amount=9)
    shop.until("2025-03-08 10:00")
    assert states(shop, "u1") == ["gift:voided", "other:issued"]
    assert states(shop, "u2") == ["gift:redeemed", "other:issued"]
    assert states(shop, "u3") == ["gift:issued"]


def test_a_text_that_cannot_be_written_takes_no_code(engine: Engine) -> None:
    named = {"named": text("named", "sms", variables="name: required, benefit.code: required", body="{{ name }} {{ benefit.code }}")}
    shop = Shop(engine, flow(steps="  give: {at: now, give: gift, send: named}"), start="2025-03-01 12:00", texts=named)
    shop.codes("G", "A")
    shop.user("u1")
    shop.user("u2", name="Ann")
    shop.event("u1", "cart")
    shop.event("u2", "cart")
    assert (shop.skipped("u1"), shop.texts_sent("u2")) == (["give:unknown"], ["Ann A"])


def test_a_failed_send_gives_the_code_back_and_the_next_user_gets_it(engine: Engine) -> None:
    sms = Scripted([DeliveryError("permanent", "recipient")])
    shop = Shop(engine, flow(), start="2025-03-01 12:00", channels={"sms": sms})
    shop.codes("G", "A")
    for key in ("u1", "u2"):
        shop.user(key)
        shop.event(key, "cart")
    assert shop.states() == ["give:failed:recipient", "give:sent"]
    assert [(g.code, g.state) for g in shop.grants()] == [("A", "released"), ("A", "issued")]


def test_x_17_a_repeated_try_promises_the_same_code(engine: Engine) -> None:
    for pool in ("uploaded", "generated"):
        sms = Scripted([DeliveryError("retry_after", "not_accepted")])
        shop = Shop(
            engine,
            flow(f"pool: P_{pool}, worth: 20, valid: 7d, limit: 9 per 1d, budget: 1000 per 30d"),
            start="2025-03-01 12:00",
            channels={"sms": sms},
        )
        if pool == "uploaded":
            shop.codes("P_uploaded", "B", "A", "C")
        shop.user(pool)
        shop.event(pool, "cart")
        assert states(shop, pool) == ["gift:released"]
        shop.until("2025-03-01 12:10")
        assert [m.benefit_code for m in sms.handed] == [shop.grants(pool)[0].code] * 2
        assert states(shop, pool) == ["gift:issued"]
        if pool == "uploaded":
            shop.jump("2025-03-01 12:00")


def test_a_code_whose_message_may_have_arrived_is_kept(engine: Engine) -> None:
    sms = Scripted([DeliveryError("unknown", "no_answer")])
    shop = Shop(engine, flow(), start="2025-03-01 12:00", channels={"sms": sms})
    shop.codes("G", "A")
    for key in ("u1", "u2"):
        shop.user(key)
        shop.event(key, "cart")
    assert shop.states() == ["give:unknown:no_answer", "give:skipped:empty"]
    assert states(shop) == ["gift:reserved"]


def test_a_held_out_user_takes_no_code(engine: Engine) -> None:
    shop = Shop(engine, flow(more="holdout: 100%"), start="2025-03-01 12:00")
    shop.codes("G", "A")
    carts(shop, 2)
    assert shop.skipped() == ["give:holdout", "give:holdout"]
    assert shop.grants() == []


def test_a_code_counts_as_used_once_and_is_over_after_its_last_day(engine: Engine) -> None:
    shop = Shop(engine, flow(), start="2025-03-01 12:00")
    carts(shop, 2)
    code = shop.grants("u1")[0].code
    for _ in range(2):
        shop.event("u1", "benefit_used", code=code)
    shop.until("2025-03-08 23:59")
    assert states(shop) == ["gift:redeemed", "gift:issued"]
    shop.until("2025-03-09 00:00")
    assert states(shop) == ["gift:redeemed", "gift:expired"]


@pytest.mark.parametrize(
    ("valid", "last"), [("7d", "03-09 00:00"), ("48h", "03-03 12:00"), ("until sun", "03-03 00:00"), ("until month end", "04-01 00:00")]
)
def test_a_benefit_is_valid_through_the_end_of_its_last_day(engine: Engine, valid: str, last: str) -> None:
    shop = Shop(engine, flow(f"pool: G, worth: 20, valid: {valid}, limit: 9 per 1d, budget: 1000 per 30d"), start="2025-03-01 12:00")
    carts(shop, 1)
    assert f"{shop.grants()[0].expires_at.astimezone(shop.zone):%m-%d %H:%M}" == last


def test_a_step_may_give_without_a_message(engine: Engine) -> None:
    shop = Shop(engine, flow(steps="  give: {at: now, give: gift}"), start="2025-03-01 12:00")
    carts(shop, 1)
    assert states(shop) == ["gift:issued"]
    assert [t.benefit for t in shop.touches()] == ["gift"]


def test_a_benefit_that_ran_out_unused_is_an_event_a_flow_may_start_by(engine: Engine) -> None:
    start = "start: {event: benefit_expired, where: benefit = gift}"
    book = f"playbook: over\nintent: serve\n{start}\ngoal: joins\nsteps:\n  sorry: {{at: now, send: receipt}}\n"
    shop = Shop(engine, flow(), book, start="2025-03-01 12:00")
    carts(shop, 2)
    shop.event("u1", "benefit_used", code=shop.grants("u1")[0].code)
    shop.until("2025-03-20 12:00")
    assert states(shop) == ["gift:redeemed", "gift:expired"]
    assert (shop.sent("u1")[1:], shop.sent("u2")[1:]) == ([], ["sorry@03-09 00:00"])
