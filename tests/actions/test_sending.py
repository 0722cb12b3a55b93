"""What happens between claim and outcome: other events, errors of the provider, crashes, stale hints; nothing is sent twice on a guess."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from sop_engine.actions.intend import intend
from sop_engine.channels.contract import Receipt
from sop_engine.core.errors import DeliveryError, Refused
from sop_engine.store import attempts, queue
from tests.shop import Shop, keys
from tests.shop_project import Scripted

pytestmark = pytest.mark.slow

FLOW = """
playbook: cart
intent: cultivate
start: {event: cart}
goal: buys
again: always
EXTRA
steps:
  hi: {after: 1h, send: SEND, late: 4h}
  then: {after: 1h, from: hi, send: hello_push}
"""


def flow(send: str = "hello", extra: str = "") -> str:
    """A message an hour after the cart, another an hour later."""
    return FLOW.replace("SEND", send).replace("EXTRA", extra)


def begin(engine: Engine, *answers: Receipt | DeliveryError | Exception, send: str = "hello", extra: str = "") -> tuple[Shop, Scripted]:
    """A user in the flow since ten o'clock, and an SMS provider that will answer so."""
    sms = Scripted(list(answers))
    shop = Shop(engine, flow(send, extra), start="2025-03-01 10:00", channels={"sms": sms})
    shop.user("u1", mail="a@example.com", mail_ok=True)
    shop.event("u1", "cart")
    return shop, sms


def again(shop: Shop) -> str:
    """When the first touch is due, in minutes and seconds after eleven."""
    due = shop.touches()[0].due_at - shop.at("2025-03-01 11:00")
    return str(due).removeprefix("0:")


def test_x_16_an_order_between_claim_and_delivery_is_seen_and_nothing_is_sent(engine: Engine) -> None:
    shop, sms = begin(engine)
    shop.jump("2025-03-01 11:00")
    hints = shop.claim()
    assert shop.states() == ["hi:queued"]
    shop.event("u1", "order", order_id="o", amount=5)
    assert shop.deliver(hints) == 0
    assert (shop.states(), sms.handed) == (["hi:cancelled:ended"], [])


def test_a_refusal_between_claim_and_delivery_is_seen_too(engine: Engine) -> None:
    shop, sms = begin(engine)
    shop.jump("2025-03-01 11:00")
    hints = shop.claim()
    shop.event("u1", "unsubscribed", channel="sms")
    shop.deliver(hints)
    assert (shop.states(), sms.handed) == (["hi:skipped:opted_out"], [])


def test_an_order_during_the_call_leaves_the_message_sent_and_plans_nothing_more(engine: Engine) -> None:
    shop, sms = begin(engine)
    sms.before = lambda _: shop.event("u1", "order", order_id="o", amount=5)
    shop.until("2025-03-01 15:00")
    assert shop.states() == ["hi:sent"]
    assert shop.ends("u1") == ["goal"]


def test_a_hint_delivered_twice_or_from_an_earlier_claim_sends_nothing(engine: Engine) -> None:
    shop, sms = begin(engine)
    shop.jump("2025-03-01 11:00")
    hints = shop.claim()
    assert shop.claim() == []
    shop.jump("2025-03-01 11:06")
    beat = shop.beat()  # the lease ran out: planned again, claimed anew and sent
    assert (beat.rescued, len(sms.handed)) == (1, 1)
    assert shop.deliver(hints) == 0
    assert shop.deliver([(i, epoch + 1) for i, epoch in hints]) == 0
    assert shop.deliver([(999, 1), (-1, 0)]) == 0
    assert len(sms.handed) == 1


def test_c_08_a_worker_that_dies_after_the_claim_loses_nothing(engine: Engine) -> None:
    shop, sms = begin(engine)
    shop.jump("2025-03-01 11:00")
    shop.claim()
    shop.jump("2025-03-01 11:01")
    shop.beat()
    assert shop.states() == ["hi:queued"]
    shop.until("2025-03-01 12:00")
    shop.jump("2025-03-01 12:00")
    shop.beat()
    assert len(sms.handed) == 1
    assert shop.states()[0] == "hi:sent"


def test_a_worker_that_dies_while_sending_leaves_an_unknown_outcome_that_is_never_sent_again(engine: Engine) -> None:
    shop, sms = begin(engine)
    shop.jump("2025-03-01 11:00")
    hints = shop.claim()
    with shop.app.work(shop.now) as work:
        intents = intend(work, queue.queued_for_delivery(work.tx, hints))
    assert len(intents) == 1
    shop.jump("2025-03-01 11:06")
    assert shop.beat().lost == 1
    shop.deliver(hints)
    shop.until("2025-04-01 11:00")
    assert (shop.states(), sms.handed) == (["hi:failed:outcome_unknown"], [])
    assert shop.ends("u1") == ["finished"]


def test_an_answer_that_comes_after_the_lease_ran_out_is_kept_and_tells_that_it_was_sent(engine: Engine) -> None:
    shop, sms = begin(engine)

    def slow(_message: object) -> None:
        shop.jump("2025-03-01 11:06")
        shop.beat()

    sms.before = slow
    shop.until("2025-03-01 11:30")
    assert len(sms.handed) == 1
    assert shop.states()[0] == "hi:sent"
    with shop.app.transaction() as tx:
        late = tx.execute(attempts.late_results.select()).all()
        assert [(row.outcome, row.epoch) for row in late] == [("accepted", 1)]


def test_what_was_proven_not_accepted_is_tried_again_after_one_five_thirty_minutes_and_two_hours(engine: Engine) -> None:
    no = [DeliveryError("retry_after", "not_accepted") for _ in range(4)]
    shop, sms = begin(engine, *no)
    waits = []
    for _ in range(4):
        shop.until(f"{shop.touches()[0].due_at.astimezone(shop.zone):%Y-%m-%d %H:%M:%S.%f}")
        waits.append(shop.touches()[0].due_at - shop.now)
    assert [timedelta(minutes=m) <= w <= timedelta(minutes=m * 1.2) for w, m in zip(waits, (1, 5, 30, 120), strict=True)] == [True] * 4
    shop.until("2025-03-01 15:00")
    assert shop.states()[0] == "hi:sent"
    assert len({m.key for m in sms.handed}) == len(sms.handed) == 5


def test_a_provider_that_says_when_is_asked_again_then(engine: Engine) -> None:
    shop, _ = begin(engine, DeliveryError("retry_after", "throttled", retry_after_s=1800))
    shop.until("2025-03-01 11:29")
    assert shop.states() == ["hi:planned:throttled"]
    assert "30:00" <= again(shop) <= "36:00"
    shop.until("2025-03-01 11:40")
    assert shop.states()[0] == "hi:sent"


def test_nothing_is_tried_again_after_its_allowance(engine: Engine) -> None:
    shop, sms = begin(engine, DeliveryError("retry_after", "throttled", retry_after_s=5 * 3600))
    shop.until("2025-03-02 11:00")
    assert (shop.states(), len(sms.handed)) == (["hi:failed:throttled"], 1)


def test_an_order_before_the_second_try_stops_it(engine: Engine) -> None:
    shop, sms = begin(engine, DeliveryError("retry_after", "throttled", retry_after_s=1800))
    shop.event("u1", "order", at="2025-03-01 11:10", order_id="o", amount=5)
    shop.until("2025-03-01 15:00")
    assert (shop.states(), len(sms.handed)) == (["hi:cancelled:ended"], 1)


def test_a_permanent_refusal_is_final_and_opens_no_chain(engine: Engine) -> None:
    shop, sms = begin(engine, DeliveryError("permanent", "content", "bad words"))
    shop.until("2025-03-20 11:00")
    assert (shop.states(), len(sms.handed)) == (["hi:failed:content"], 1)
    assert shop.ends("u1") == ["finished"]
    assert shop.touches()[0].detail == "bad words"


@pytest.mark.parametrize("answer", [DeliveryError("unknown", "no_answer"), ConnectionResetError("reset")])
def test_an_unclear_answer_is_never_repeated_and_never_tried_on_another_channel(engine: Engine, answer: Exception) -> None:
    shop, sms = begin(engine, answer, send="[hello, hello_mail]")
    shop.until("2025-03-20 11:00")
    assert len(sms.handed) == 1
    assert shop.outbox() == []
    assert shop.states() == ["hi:failed:outcome_unknown"]


def test_an_unclear_answer_counts_in_the_caps(engine: Engine) -> None:
    sms = Scripted([DeliveryError("unknown", "no_answer")])
    shop = Shop(engine, flow("hello", "late: 2h"), start="2025-03-01 10:00", channels={"sms": sms}, project={"caps": "[1 per 1d]"})
    shop.user("u1")
    shop.event("u1", "cart")
    shop.event("u1", "cart", at="2025-03-01 10:30")
    shop.until("2025-03-01 20:00")
    assert len(sms.handed) == 1


def test_a_repeated_step_goes_on_after_an_unclear_answer(engine: Engine) -> None:
    sms = Scripted([DeliveryError("unknown", "no_answer")])
    shop = Shop(
        engine,
        "playbook: p\nintent: serve\nstart: {event: cart}\ngoal: joins\nsteps:\n  ping: {every: day 10:00, send: receipt}\n",
        start="2025-03-01 10:00",
        channels={"sms": sms},
    )
    shop.user("u1")
    shop.event("u1", "cart")
    shop.until("2025-03-03 10:00")
    assert shop.states() == ["ping:unknown:no_answer", "ping:sent", "ping:planned"]


def test_who_cannot_be_reached_there_gets_the_next_template_and_the_channel_is_not_used_again(engine: Engine) -> None:
    shop, sms = begin(engine, DeliveryError("user_unreachable", "blocked"), send="[hello, hello_mail]")
    shop.until("2025-03-01 11:00")
    assert [m.template for m in shop.outbox()] == ["hello_mail"]
    assert shop.touches()[0].channel == "mail"
    shop.event("u1", "cart", at="2025-03-01 12:30")
    shop.until("2025-03-01 13:30")
    assert len(sms.handed) == 1
    assert [m.template for m in shop.outbox()] == ["hello_mail", "hello_push", "hello_mail"]


def test_one_users_failure_is_that_users_alone(engine: Engine) -> None:
    answers: list[Receipt | DeliveryError | Exception] = [Receipt("x", "accepted")] * 4
    sms = Scripted([*answers[:2], DeliveryError("permanent", "content"), *answers[2:], ValueError("foreign")])
    shop = Shop(engine, flow(), start="2025-03-01 10:00", channels={"sms": sms})
    for key in keys(6):
        shop.user(key)
        shop.event(key, "cart")
    shop.until("2025-03-01 11:00")
    assert sorted(t.state for t in shop.touches() if t.step == "hi") == ["failed", "sent", "sent", "sent", "sent", "unknown"]
    assert len(sms.handed) == 6


def test_the_intent_is_committed_before_the_provider_is_called(engine: Engine) -> None:
    shop, sms = begin(engine)
    seen: list[list[str]] = []
    sms.before = lambda _: seen.append(shop.states())
    shop.until("2025-03-01 11:00")
    assert seen == [["hi:sending"]]


def test_a_delivered_message_is_an_event_that_may_be_a_goal(engine: Engine) -> None:
    book = flow("hello").replace("goal: buys", "goal: {event: delivered, where: step = then, within: 1d}")
    shop = Shop(engine, book, start="2025-03-01 10:00")
    shop.user("u1")
    shop.event("u1", "cart")
    shop.until("2025-03-01 12:00")
    assert shop.ends("u1") == ["goal"]


def test_a_touch_is_late_when_nobody_worked_and_the_others_are_sent(engine: Engine) -> None:
    shop, _ = begin(engine)
    shop.event("u1", "cart", at="2025-03-01 10:59")
    shop.jump("2025-03-01 15:30")
    shop.beat()
    assert sorted(shop.states()) == ["hi:sent", "hi:skipped:late", "then:planned"]


def test_a_channel_that_is_not_set_up_sends_nothing_and_is_tried_again(engine: Engine) -> None:
    shop, sms = begin(engine)
    adapters = shop.app.adapters

    def broken(_app: object, _channel: object) -> Scripted:
        raise Refused("there is no account")

    shop.app.adapters = broken
    shop.app._opened.clear()
    shop.until("2025-03-01 11:00")
    assert shop.states() == ["hi:planned:configuration"]
    shop.app.adapters = adapters
    shop.until("2025-03-01 11:07")
    assert (shop.states()[0], len(sms.handed)) == ("hi:sent", 1)
