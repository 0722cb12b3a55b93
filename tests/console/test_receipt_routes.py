"""What comes back over HTTP: stored once, acknowledged after that, applied in any order, and refused where it is not the provider's."""

from collections.abc import Iterator
from itertools import permutations
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from sop_engine.actions.why import why
from tests.receiving import OTHER, Receiving, receiving

pytestmark = pytest.mark.slow


@pytest.fixture
def told(memory: Engine) -> Iterator[Receiving]:
    with receiving(memory) as one:
        yield one


def test_a_message_that_is_reported_delivered_is_an_event_of_its_user_and_why_shows_it(engine: Engine) -> None:
    with receiving(engine) as told:
        key = told.send()
        assert told.tell("delivered", key) == (200, b"{}")
        assert told.receipts() == ["delivered"]
        assert told.events() == [("delivered", {"channel": "sms", "playbook": "p", "step": "hi", "template": "hello"})]
        with told.shop.app.work(told.shop.now) as work:
            (run,) = why(work, "u1", "p").runs
            assert {kind for touch in run.touches for kind in touch.receipts} == {"delivered"}
        assert told.inbox() == {"applied": 1}


def test_a_bounce_is_noted_and_the_next_message_to_the_address_is_refused(told: Receiving) -> None:
    assert told.tell("failed", told.send(), code="bad_address") == (200, b"{}")
    assert told.receipts() == ["bounced"]
    told.shop.until("2025-03-04 10:00")
    assert told.shop.states("u1") == ["hi:sent", "then:skipped:suppressed"]
    assert len(told.server.requests) == 1


@pytest.mark.parametrize("word", ["退订", " td ", "ｒ", "unsubscribe"])
def test_x_19_an_answer_that_refuses_is_no_reply_and_nothing_more_is_sent_by_that_channel(told: Receiving, word: str) -> None:
    assert told.tell("replied", told.send(), text=word) == (200, b"{}")
    assert [(kind, fields["result"]) for kind, fields in told.events()] == [("unsubscribed", "reply")]
    told.shop.until("2025-03-04 10:00")
    assert told.shop.states("u1") == ["hi:sent", "then:skipped:opted_out"]


def test_an_answer_that_asks_is_a_reply_and_refuses_nothing(told: Receiving) -> None:
    told.tell("replied", told.send(), text="R码怎么用")
    assert [(kind, fields["text"]) for kind, fields in told.events()] == [("replied", "R码怎么用")]
    assert told.receipts() == ["replied"]
    told.shop.until("2025-03-04 10:00")
    assert told.shop.states("u1") == ["hi:sent", "then:sent"]


def test_what_is_reported_three_times_happens_once(told: Receiving) -> None:
    key = told.send()
    assert [told.tell("replied", key, text="hello") for _ in range(3)] == [(200, b"{}")] * 3
    assert [kind for kind, _ in told.events()] == ["replied"]
    assert told.inbox() == {"applied": 1}


@pytest.mark.parametrize("order", list(permutations(["delivered", "bounced", "replied"])))
def test_reports_in_any_order_end_in_the_same_receipts_and_the_same_refusal(memory: Engine, order: tuple[str, ...]) -> None:
    said: dict[str, tuple[str, dict[str, Any]]] = {
        "delivered": ("delivered", {}),
        "bounced": ("failed", {"code": "bad_address"}),
        "replied": ("replied", {"text": "hello"}),
    }
    with receiving(memory) as told:
        key = told.send()
        for number, name in enumerate(order):
            kind, data = said[name]
            told.tell(kind, key, number=f"n{number}", **data)
        assert told.receipts() == ["bounced", "delivered", "replied"]
        assert "replied" in [kind for kind, _ in told.events()]
        told.shop.until("2025-03-04 10:00")
        assert told.shop.states("u1")[1] == "then:skipped:suppressed"


def test_delivered_after_bounced_is_history_and_no_event(told: Receiving) -> None:
    key = told.send()
    told.tell("failed", key, number="a", code="bad_address")
    told.tell("delivered", key, number="b")
    assert told.events() == []


def test_two_reports_in_one_second_about_one_user_are_two(told: Receiving) -> None:
    key = told.send()
    for number in ("a", "b"):
        told.tell("replied", key, number=number, text="again", at="2025-03-01T02:00:00Z")
    assert [kind for kind, _ in told.events()] == ["replied", "replied"]


def test_a_report_that_comes_before_the_answer_of_the_call_is_kept(memory: Engine) -> None:
    with receiving(memory) as told:
        shop = told.shop
        shop.user("u1")
        hints: list[Any] = []
        from sop_engine.actions.release import release_due

        shop_event = shop.record("u1", "cart", shop.local(), {})
        from sop_engine.actions.ingest import record_events

        record_events(shop.app, [shop_event], shop.now)
        release_due(shop.app, shop.now, lambda claimed, _lane: hints.extend(claimed))
        told.server.cut = True  # taken, and no answer
        shop.deliver(hints)
        assert shop.states() == ["hi:unknown:no_answer", "then:planned"]
        assert told.tell("delivered", told.key()) == (200, b"{}")
        assert shop.states()[0] == "hi:sent"
        assert told.receipts() == ["delivered"]


def test_a_report_about_an_unknown_message_is_parked_tried_again_and_dropped_after_a_day(told: Receiving) -> None:
    assert told.tell("delivered", "nobody-knows-this") == (200, b"{}")
    assert told.inbox() == {"parked": 1}
    told.shop.jump("2025-03-02 09:59")
    told.shop.beat()
    assert told.inbox() == {"parked": 1}
    told.shop.jump("2025-03-02 10:00")
    told.shop.beat()
    assert told.inbox() == {"dropped": 1}
    assert told.receipts() == []


@pytest.mark.parametrize(("secret", "channel", "status"), [(OTHER, "sms", 401), ("", "nobody", 404), ("", "mail", 404)])
def test_what_is_not_the_providers_is_refused_bare_and_counted(told: Receiving, secret: str, channel: str, status: int) -> None:
    key = told.send()
    assert told.tell("delivered", key, secret=secret or OTHER, channel=channel) == (status, b"")
    assert told.inbox() == {}
    from sop_engine.console.receipt_routes import exposition

    assert f'sop_receipt_requests_total{{status="{status}",via="webhook"}}' in exposition().decode()


def test_a_signature_of_ten_minutes_ago_is_refused(told: Receiving) -> None:
    body = b'{"type":"touch.delivered","data":{"key":"k"}}'
    headers = told.signed("n1", body)
    told.shop.jump("2025-03-01 10:10")
    assert told.web.ask("POST", "/v1/receipts/webhook/sms", body=body, headers=headers).status_code == 401


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"type":"touch.delivered","data":{}}', b"[" * 5000, "\ufeff{".encode()])
def test_a_signed_body_of_another_form_is_400_and_stores_nothing(told: Receiving, body: bytes) -> None:
    assert told.post("/v1/receipts/webhook/sms", body) == (400, b"")
    assert told.inbox() == {}


def test_a_body_over_a_megabyte_is_refused_unread(told: Receiving) -> None:
    assert told.post("/v1/receipts/webhook/sms", b"x" * (1024 * 1024 + 1))[0] == 413


def test_a_report_of_a_kind_nobody_knows_yet_is_acknowledged_and_leaves_nothing(told: Receiving) -> None:
    assert told.tell("invented", told.send()) == (200, b"{}")
    assert told.inbox() == {}


def test_while_the_database_is_away_nothing_is_acknowledged(told: Receiving, monkeypatch: pytest.MonkeyPatch) -> None:
    key = told.send()

    def away(*_: object, **__: object) -> None:
        raise OperationalError("INSERT", {}, Exception("away"))

    monkeypatch.setattr("sop_engine.console.receipt_routes.keep", away)
    assert told.tell("delivered", key) == (503, b"")
    monkeypatch.undo()
    assert told.tell("delivered", key) == (200, b"{}")
    assert told.receipts() == ["delivered"]


def test_what_is_acknowledged_is_applied_by_the_next_beat_if_the_process_dies(told: Receiving, monkeypatch: pytest.MonkeyPatch) -> None:
    key = told.send()
    monkeypatch.setattr("sop_engine.console.receipt_routes._apply", lambda *_: None)
    assert told.tell("delivered", key) == (200, b"{}")
    assert (told.inbox(), told.receipts()) == ({"waiting": 1}, [])
    told.shop.beat()
    assert (told.inbox(), told.receipts()) == ({"applied": 1}, ["delivered"])


def test_reports_are_taken_while_nothing_may_be_sent(told: Receiving) -> None:
    key = told.send()
    told.shop.app.settings = told.shop.app.settings.model_copy(update={"sending": "off"})
    assert told.tell("delivered", key) == (200, b"{}")
    assert told.receipts() == ["delivered"]


def test_a_report_of_one_channel_says_nothing_about_a_message_of_another(told: Receiving) -> None:
    from sop_engine.actions.hear_back import apply_waiting, keep
    from sop_engine.channels.contract import Fact

    fact = Fact(kind="delivered", event_key="x", at=told.shop.now, key=told.send())
    keep(told.shop.app, "mail", [fact], told.shop.now)
    apply_waiting(told.shop.app, told.shop.now)
    assert (told.inbox(), told.receipts()) == ({"parked": 1}, [])
