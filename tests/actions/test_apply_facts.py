"""What a report means: which message, which receipt, which event, and what is not sent any more; each once, whoever reports it."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine, select

from sop_engine.actions import apply_facts
from sop_engine.actions.hear_back import apply_waiting, keep
from sop_engine.actions.ingest import record_events
from sop_engine.app import Work
from sop_engine.channels.contract import Fact, Message
from sop_engine.core.errors import DeliveryError
from sop_engine.store import inbox, permissions, touches
from tests.actions.test_two_workers import at_once
from tests.reported_shop import MAILED, MAILS, NO_ANSWER, Askable, Told
from tests.shop_project import CATALOGUE, Scripted

pytestmark = pytest.mark.slow


@pytest.fixture
def told(memory: Engine) -> Told:
    return Told(memory)


def test_opened_is_what_the_condition_of_a_later_step_reads(told: Told) -> None:
    told.hear("opened", key=told.send())
    told.shop.until("2025-03-01 12:00")
    assert told.shop.states() == ["hi:sent", "then:skipped:when"]


def test_a_click_of_a_scanner_is_kept_and_is_no_receipt_and_no_event(told: Told) -> None:
    told.hear("clicked", key=told.send(), fields={"suspect": "HEAD"})
    assert (told.ended(), told.receipts(), told.events()) == ([("applied", "suspect")], [], [])


def test_a_report_that_names_the_providers_number_finds_the_message_to_that_address(told: Told) -> None:
    key = told.send(phone="13900000001")
    told.hear("delivered", provider_id=key, to="13900000001")
    told.hear("opened", provider_id=key, to="13900000002")
    assert told.receipts() == ["delivered"]


@pytest.mark.parametrize("kind", ["accepted", "delivered", "refused", "soft_bounced"])
def test_whatever_proves_that_it_was_taken_settles_an_outcome_nobody_knew(memory: Engine, kind: str) -> None:
    told = Told(memory, provider=Scripted([NO_ANSWER]))
    key = told.send()
    assert told.shop.states()[0] == "hi:unknown:no_answer"
    told.hear(kind, key=key, provider_id="p-9")
    assert told.shop.states()[0] == "hi:sent"
    assert told.shop.touches()[0].provider_id == "p-9"


def test_a_report_that_came_while_the_call_hung_settles_it_before_anybody_is_asked(memory: Engine) -> None:
    def overtake(message: Message) -> None:
        told.hear("accepted", key=message.key)

    told = Told(memory, provider=Askable([NO_ANSWER], before=overtake))
    told.send()
    told.shop.until("2025-03-01 10:10")
    assert told.shop.states()[0] == "hi:sent"
    assert len(told.provider.handed) == 1


def test_what_is_reported_about_a_call_that_was_proven_not_taken_is_no_receipt(memory: Engine) -> None:
    told = Told(memory, provider=Scripted([DeliveryError("retry_after", "not_accepted")]))
    told.hear("delivered", key=told.send())
    assert (told.receipts(), told.events(), told.ended()) == ([], [], [("applied", "not_sent")])
    assert told.shop.states()[0] == "hi:planned:not_accepted"


@pytest.mark.parametrize(("days", "refused"), [((0, 1, 2, 3), False), ((0, 1, 2, 3, 29), True), ((0, 1, 2, 3, 31), False)])
def test_five_mails_in_thirty_days_that_did_not_arrive_are_a_dead_address(memory: Engine, days: tuple[int, ...], refused: bool) -> None:
    told = Told(memory, flow=MAILED, catalogue=MAILS, channel="mail")
    begun = told.shop.now
    told.shop.user("u1", mail="u@example.net")
    for day in days:
        told.shop.now = begun + timedelta(days=day)
        told.shop.event("u1", "cart")
        told.hear("soft_bounced", key=told.provider.handed[-1].key)
    assert len(told.provider.handed) == len(days)
    assert told.listed("u@example.net") == ({"mail", "news"} if refused else set())


@pytest.mark.parametrize(("kind", "result"), [("bounced", None), ("complained", "complained")])
def test_a_dead_address_and_a_complaint_end_all_mail_and_nothing_else(memory: Engine, kind: str, result: str | None) -> None:
    told = Told(memory, flow=MAILED, catalogue=MAILS, channel="mail")
    told.hear(kind, key=told.send(mail="u@example.net"))
    assert told.listed("u@example.net") == {"mail", "news"}
    assert [(name, fields.get("result")) for name, fields in told.events()] == ([("blocked", result)] if result else [])


def test_a_bounce_that_names_the_address_alone_refuses_whoever_has_it(memory: Engine) -> None:
    told = Told(memory, flow=MAILED, catalogue=MAILS, channel="mail")
    for user in ("u1", "u2"):
        told.shop.user(user, mail="u@example.net")
    told.hear("bounced", to="u@example.net")
    assert (told.listed("u@example.net"), told.listed("other@example.net")) == ({"mail", "news"}, set())


def test_an_answer_from_a_number_is_a_reply_of_who_was_written_to_last(told: Told) -> None:
    told.send("u1", phone="13900000001")
    told.send("u2", phone="13900000001")
    told.hear("replied", to="13900000001", text="在吗")
    assert told.events("u1") == []
    assert told.events("u2") == [
        ("replied", {"channel": "sms", "playbook": "p", "step": "hi", "template": "hello", "text": "在吗"}),
    ]


def test_an_answer_from_a_number_that_refuses_refuses_for_everybody_with_that_number(engine: Engine) -> None:
    told = Told(engine)
    told.send("u1", phone="13900000001")
    told.shop.user("u2", phone="13900000001")
    told.shop.user("u3", phone="13900000003")
    told.hear("replied", to="13900000001", text="Ｔ")
    assert (told.refused("u1"), told.refused("u2"), told.refused("u3")) == ({"sms"}, {"sms"}, frozenset())


def test_an_identity_is_found_by_its_index_also_when_another_user_had_it_first(memory: Engine) -> None:
    catalogue = CATALOGUE.replace("---\ngoals:", "---\nidentities: {phone: private}\n---\ngoals:")
    told = Told(memory, catalogue=catalogue)
    told.send("u1", phone="13900000001")
    told.hear("replied", to="13900000001", text="TD")
    assert told.refused() == {"sms"}


@pytest.mark.parametrize("fields", [{"step": "hi"}, {"channel": "sms"}, {}])
def test_a_reply_recorded_by_hand_refuses_like_any_other(told: Told, fields: dict[str, str]) -> None:
    told.send()
    shop = told.shop
    record_events(shop.app, [shop.record("u1", "replied", shop.local(), {"text": "退订", **fields})], shop.now)
    assert told.refused() == {"sms"}
    assert [(kind, values["result"]) for kind, values in told.events()] == [("unsubscribed", "reply")]


def test_a_reply_of_whom_nobody_has_written_to_refuses_everything(told: Told) -> None:
    shop = told.shop
    record_events(shop.app, [shop.record(shop.user("u1"), "replied", shop.local(), {"text": "stop"})], shop.now)
    assert told.refused() == {"*"}


def test_an_event_of_the_project_is_taken_in_with_its_fields_by_their_types(told: Told) -> None:
    key = told.send()
    told.hear("event", key=key, name="order", fields={"order_id": "A1", "amount": "12.50", "else": "x"})
    told.hear("event", key=key, name="no_such_event")
    told.hear("event", key=key, name="order", fields={"amount": "a lot"})
    assert [(kind, str(fields["amount"])) for kind, fields in told.events()] == [("order", "12.5")]
    assert told.ended() == [("applied", ""), ("dropped", "no_such_event"), ("dropped", "no_such_event")]
    assert told.shop.ends("u1") == ["goal"]


def test_a_clock_that_is_ahead_makes_nothing_happen_in_the_future(told: Told) -> None:
    told.hear("opened", key=told.send(), at=told.shop.now + timedelta(days=1))
    with told.shop.app.transaction() as tx:
        assert [row.at for row in tx.execute(select(touches.receipts))] == [told.shop.now]


def test_a_permission_is_counted_and_an_alarm_needs_nobody(told: Told) -> None:
    told.hear("credit", to="openid", code="T1")
    told.hear("alarm", code="balance")
    with told.shop.app.transaction() as tx:
        assert permissions.left(tx, "sms", "openid", "T1") == 1
    assert told.ended() == [("applied", ""), ("applied", "")]


def test_who_is_no_friend_of_one_colleague_has_not_refused_the_channel(told: Told) -> None:
    told.hear("not_friend", key=told.send())
    assert (told.refused(), told.ended()) == (frozenset(), [("applied", "")])


def test_a_report_with_which_the_engine_fails_holds_up_no_other_and_is_dropped_after_ten_tries(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_work: Work, _channel: str, fact: Fact) -> None:
        raise ZeroDivisionError(fact.to)

    monkeypatch.setattr(apply_facts, "apply_wechat", fail)
    key = told.send()
    facts = [Fact(kind=k, event_key=f"k{n}", at=told.shop.now, key=key) for n, k in enumerate(("delivered", "credit", "opened"))]
    keep(told.shop.app, "sms", facts, told.shop.now)
    apply_waiting(told.shop.app, told.shop.now)
    assert told.receipts() == ["delivered", "opened"]
    assert [state for state, _ in told.ended()] == ["applied", "parked", "applied"]
    for hours in range(1, 30):
        apply_waiting(told.shop.app, told.shop.now + timedelta(hours=hours))
    (note,) = [note for state, note in told.ended() if state == "dropped"]
    assert note.startswith("ZeroDivisionError in ") and "@" not in note


def test_what_is_over_is_forgotten_after_a_month_and_what_waits_is_not(told: Told) -> None:
    told.hear("opened", key=told.send())
    told.hear("opened", key="unknown")
    with told.shop.app.transaction() as tx:
        assert inbox.forget(tx, told.shop.now) == 0
        assert inbox.forget(tx, told.shop.now + timedelta(seconds=1)) == 1
    assert [state for state, _ in told.ended()] == ["parked"]


@pytest.mark.server
def test_two_who_apply_at_the_same_time_apply_each_report_once(postgres: Engine) -> None:
    told = Told(postgres)
    facts = []
    for n in range(6):
        key = told.send(f"u{n}")
        facts += [Fact(kind="replied", event_key=f"{n}.{m}", at=told.shop.now, key=key, text="hello") for m in range(3)]
    keep(told.shop.app, "sms", facts, told.shop.now)
    assert at_once([lambda: apply_waiting(told.shop.app, told.shop.now)] * 3) == []
    assert [kind for n in range(6) for kind, _ in told.events(f"u{n}")] == ["replied"] * 18
    assert set(told.ended()) == {("applied", "")}
