"""Outcomes nobody knows: asked for, repeated under the same key, waited for, given up, or decided by an operator; never on a guess."""

from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from sop_engine.actions.resolve import decide, list_unknown
from sop_engine.channels.contract import Capability, Handed, Receipt
from sop_engine.core.errors import DeliveryError, NotFound, Refused
from sop_engine.store import attempts
from tests.shop import Shop
from tests.shop_project import BENEFIT, Scripted

NO_ANSWER = DeliveryError("unknown", "no_answer")


@dataclass
class Keyed(Scripted):
    """Knows a key again for an hour."""

    capability = Capability(idempotent_for=timedelta(hours=1))


@dataclass
class Askable(Scripted):
    """Can be asked what became of a key."""

    capability = Capability(ask="sure", settles_after=timedelta(minutes=2))
    told: list[Receipt | DeliveryError | None] = field(default_factory=list)

    def ask(self, _handed: Handed) -> Receipt | None:
        """The next thing told; nothing more: not found."""
        answer = self.told.pop(0) if self.told else None
        if isinstance(answer, DeliveryError):
            raise answer
        return answer


def begin(engine: Engine, sms: Scripted, *, send: str = "hello", more: str = "", **project: str) -> Shop:
    flow = (
        f"playbook: p\nintent: serve\nstart: {{event: cart}}\ngoal: buys\nagain: always\nsteps:\n  hi: {{after: 1h, send: {send}{more}}}\n"
    )
    benefit = f"benefits:\n  gift: {{pool: G, {BENEFIT}}}\n"
    shop = Shop(engine, benefit, flow, start="2025-03-01 10:00", channels={"sms": sms}, project=project)
    shop.user("u1")
    shop.event("u1", "cart")
    return shop


def outcomes(shop: Shop) -> list[tuple[str, str | None]]:
    with shop.app.transaction() as tx:
        return [(row.outcome, row.key) for row in tx.execute(attempts.attempts.select().order_by(attempts.attempts.c.id))]


def test_who_knows_the_key_again_gets_the_very_same_message_once_more(engine: Engine) -> None:
    sms = Keyed([NO_ANSWER])
    shop = begin(engine, sms, send="coupon", more=", give: gift")
    shop.until("2025-03-01 11:10")
    first, second = sms.handed
    assert first == second
    assert shop.states() == ["hi:sent"]
    assert [how for how, _ in outcomes(shop)] == ["unclear", "accepted"]
    assert len({key for _, key in outcomes(shop)}) == 1
    assert [g.state for g in shop.grants()] == ["issued"]


def test_a_message_is_frozen_even_if_what_it_says_has_changed_meanwhile(engine: Engine) -> None:
    sms = Keyed([NO_ANSWER])
    shop = begin(engine, sms)
    sms.before = lambda _message: None
    shop.until("2025-03-01 11:00")
    shop.set("u1", phone="13900000000")
    shop.until("2025-03-01 11:10")
    assert sms.handed[0] == sms.handed[1]


def test_after_half_the_key_window_nothing_is_repeated(engine: Engine) -> None:
    sms = Keyed([NO_ANSWER])
    shop = begin(engine, sms)
    shop.until("2025-03-01 11:00")
    shop.jump("2025-03-01 11:31")
    shop.beat()
    assert len(sms.handed) == 1
    assert shop.states() == ["hi:failed:outcome_unknown"]


def test_who_refused_meanwhile_gets_no_repeat(engine: Engine) -> None:
    sms = Keyed([NO_ANSWER])
    shop = begin(engine, sms)
    shop.until("2025-03-01 11:00")
    shop.event("u1", "unsubscribed")
    shop.until("2025-03-01 12:00")
    assert len(sms.handed) == 1
    assert shop.states() == ["hi:failed:outcome_unknown"]


def test_a_repeat_is_not_held_up_by_the_cap_its_own_first_call_fills(engine: Engine) -> None:
    sms = Keyed([NO_ANSWER])
    shop = begin(engine, sms, caps="[1 per 1d]")
    shop.until("2025-03-01 11:10")
    assert shop.states() == ["hi:sent"]


def test_a_provider_that_says_yes_when_asked_has_got_it(engine: Engine) -> None:
    sms = Askable([NO_ANSWER], told=[None, Receipt("p-1", "accepted")])
    shop = begin(engine, sms)
    shop.until("2025-03-01 11:10")
    assert (shop.states(), len(sms.handed)) == (["hi:sent"], 1)
    assert shop.touches()[0].provider_id == "p-1"


def test_not_found_proves_nothing_before_the_provider_has_settled_and_then_it_is_sent_under_another_key(engine: Engine) -> None:
    sms = Askable([NO_ANSWER])
    shop = begin(engine, sms, send="coupon", more=", give: gift")
    shop.until("2025-03-01 11:01:59")
    assert shop.states() == ["hi:unknown:no_answer"]
    shop.until("2025-03-01 11:10")
    assert shop.states() == ["hi:sent"]
    assert sms.handed[0].key != sms.handed[1].key
    assert sms.handed[0].benefit_code == sms.handed[1].benefit_code
    assert [how for how, _ in outcomes(shop)] == ["not_accepted", "accepted"]


def test_a_provider_that_cannot_answer_is_asked_again_and_nothing_is_sent(engine: Engine) -> None:
    sms = Askable([NO_ANSWER], told=[NO_ANSWER] * 100)
    shop = begin(engine, sms)
    shop.until("2025-03-01 12:00")
    assert (shop.states(), len(sms.handed)) == (["hi:failed:outcome_unknown"], 1)
    assert len(sms.told) < 95


def test_a_code_that_may_have_been_seen_stays_taken(engine: Engine) -> None:
    shop = begin(engine, Scripted([NO_ANSWER]), send="coupon", more=", give: gift")
    shop.until("2025-03-01 13:00")
    assert shop.states() == ["hi:failed:outcome_unknown"]
    assert [g.state for g in shop.grants()] == ["reserved"]


def test_a_receipt_tells_that_it_was_sent_even_after_it_was_given_up(engine: Engine) -> None:
    shop = begin(engine, Scripted([NO_ANSWER]))
    shop.until("2025-03-01 13:00")
    shop.event("u1", "delivered", playbook="p", step="hi")
    assert shop.states() == ["hi:sent"]


def test_a_service_message_waits_for_an_operator_however_long(engine: Engine) -> None:
    shop = begin(engine, Scripted([NO_ANSWER]), send="receipt")
    shop.until("2025-03-05 10:00")
    assert shop.states() == ["hi:unknown:no_answer"]
    (told,) = list_unknown(shop.app, shop.now, 10)
    assert (told["user"], told["operator"], told["purpose"]) == ("u1", True, "service")


@pytest.mark.parametrize("sent", [True, False])
def test_an_operator_says_what_became_of_it(engine: Engine, sent: bool) -> None:
    sms = Scripted([NO_ANSWER])
    shop = begin(engine, sms, send="receipt", more=", late: 7d")
    shop.until("2025-03-01 12:00")
    touch = shop.touches()[0].id
    assert decide(shop.app, touch, shop.now, sent=sent, by="me") == ("sent" if sent else "planned")
    shop.beat()
    assert (shop.states(), len(sms.handed)) == (["hi:sent"], 1 if sent else 2)
    with pytest.raises(Refused, match="is known: it is sent"):
        decide(shop.app, touch, shop.now, sent=False, by="me")
    with pytest.raises(NotFound, match="there is no touch 99"):
        decide(shop.app, 99, shop.now, sent=True, by="me")


def test_a_crash_between_intent_and_outbox_is_found_out_by_looking_into_it(engine: Engine) -> None:
    from sop_engine.actions.intend import intend
    from sop_engine.store import queue

    shop = Shop(
        engine,
        "playbook: p\nintent: serve\nstart: {event: cart}\ngoal: joins\nsteps:\n  hi: {after: 1h, send: hello}\n",
        start="2025-03-01 10:00",
    )
    shop.user("u1")
    shop.event("u1", "cart")
    shop.jump("2025-03-01 11:00")
    hints = shop.claim()
    with shop.app.work(shop.now) as work:
        intend(work, queue.queued_for_delivery(work.tx, hints))
    shop.jump("2025-03-01 11:03")
    assert shop.beat().lost == 1
    shop.until("2025-03-01 11:10")
    assert shop.states() == ["hi:sent"]
    assert len(shop.outbox()) == 1
