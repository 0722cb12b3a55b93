"""Bounces and complaints are read as mail servers write them: which mail, how bad, and nothing from who did not sign."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from sop_engine.channels.contract import Fact, Request
from sop_engine.channels.email_receipts import Bounces, kind_of, read_mail_report
from sop_engine.channels.signature import signed
from sop_engine.core.verp import bounce_address, touch_of
from tests.channels.returned_mails import KEY, VACATION, complaint, returned

NOW = datetime(2025, 3, 1, 2, 0, tzinfo=UTC)
SECRET = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
KEYS = {"k1": bytes(range(32))}
BOUNCES = Bounces("mail.shop.example", KEYS, (SECRET,))
VERP = "bounce+1007-d6908d47379d0fdfa845@mail.shop.example"


def request(body: bytes, kind: str = "message/rfc822", **change: Any) -> Request:
    headers = {
        "content-type": kind,
        "webhook-id": "m1",
        "webhook-timestamp": str(int(NOW.timestamp())),
        "webhook-signature": signed([SECRET], "m1", NOW, body),
    }
    return replace(Request(method="POST", now=NOW, headers=headers, body=body), **change)


def facts(body: bytes, kind: str = "message/rfc822", **change: Any) -> list[Fact]:
    reply = read_mail_report(BOUNCES, request(body, kind, **change))
    assert (reply.status, reply.body) == (200, b"{}")
    return list(reply.facts)


def test_the_address_of_bounces_is_the_published_one_and_read_back_by_any_key_that_is_known() -> None:
    assert bounce_address(KEYS, 1007, "mail.shop.example") == VERP
    assert touch_of({"k2": bytes(32), **KEYS}, f"Bounces <{VERP.upper()}>") == 1007
    assert touch_of({"k2": bytes(32)}, VERP) is None
    assert touch_of(KEYS, VERP.replace("1007", "1008")) is None


@pytest.mark.parametrize(
    ("action", "status", "kind"),
    [
        ("failed", "5.1.1", "bounced"),
        ("failed", "5.1.10", "bounced"),
        ("failed", "5.2.1", "bounced"),
        ("failed", "5.4.4", "bounced"),
        ("failed", "5.2.2", "soft_bounced"),
        ("failed", "4.4.7", "soft_bounced"),
        ("failed", "5.0.0", "soft_bounced"),
        ("failed", "5.7.1", "refused"),
        ("failed", "", "soft_bounced"),
        ("delivered", "2.0.0", "delivered"),
        ("delayed", "4.4.1", ""),
        ("relayed", "2.0.0", ""),
        ("expanded", "2.0.0", ""),
    ],
)
def test_a_status_says_how_bad_it_is(action: str, status: str, kind: str) -> None:
    assert kind_of(action, status) == kind
    listed = facts(returned(VERP, action, status))
    assert [(f.kind, f.touch_id, f.code) for f in listed] == ([(kind, 1007, status)] if kind else [])


def test_a_bounce_is_found_by_its_address_else_by_the_mail_it_brings_back() -> None:
    assert [(f.touch_id, f.key) for f in facts(returned(VERP))] == [(1007, "")]
    assert [(f.touch_id, f.key) for f in facts(returned("b@shop.example", path=VERP))] == [(1007, "")]
    assert [(f.touch_id, f.key) for f in facts(returned("b@shop.example"))] == [(0, KEY)]
    assert [(f.touch_id, f.key) for f in facts(returned("b@shop.example", headers_only=True))] == [(0, KEY)]


def test_the_envelope_that_the_relay_tells_counts_before_what_stands_in_the_mail() -> None:
    (one,) = facts(returned("b@shop.example"), query={"to": VERP})
    assert one.touch_id == 1007


def test_a_forged_address_finds_nothing() -> None:
    (one,) = facts(returned(VERP.replace("1007", "1008"), ours=False))
    assert (one.kind, one.code) == ("alarm", "unparsed_bounce")


def test_a_complaint_is_one_and_other_feedback_is_kept_unparsed() -> None:
    assert [(f.kind, f.key) for f in facts(complaint("fbl@shop.example"))] == [("complained", KEY)]
    assert [(f.kind, f.touch_id) for f in facts(complaint(VERP))] == [("complained", 1007)]
    assert [f.code for f in facts(complaint(VERP, "not-spam"))] == ["unparsed_bounce"]


@pytest.mark.parametrize("body", [VACATION, b"", b"\xff\xfe\x00", b"Content-Type: multipart/report; boundary=b\r\n\r\n--b", b"a" * 100_000])
def test_whatever_else_comes_is_kept_as_unparsed_and_breaks_nothing(body: bytes) -> None:
    (one,) = facts(body)
    assert (one.kind, one.code) == ("alarm", "unparsed_bounce")


def test_the_same_bounce_twice_has_the_same_key_and_another_status_another() -> None:
    first, again, other = (facts(returned(VERP, status=s))[0].event_key for s in ("5.1.1", "5.1.1", "5.2.2"))
    assert first == again != other


@pytest.mark.parametrize(
    ("told", "wanted"),
    [
        (f'{{"to":"{VERP}","event":"bounce","status":"5.1.1"}}', ("bounced", 1007, "", "")),
        (f'{{"key":"{KEY}","event":"complaint","id":"x9"}}', ("complained", 0, KEY, "")),
        (f'{{"key":"{KEY}","event":"delivered","at":"2025-03-01T01:00:00Z"}}', ("delivered", 0, KEY, "")),
        ('{"to":"U@Example.NET","event":"bounce","status":"4.2.2"}', ("soft_bounced", 0, "", "U@example.net")),
    ],
)
def test_a_relay_may_tell_it_as_json(told: str, wanted: tuple[str, int, str, str]) -> None:
    (one,) = facts(told.encode(), "application/json; charset=utf-8")
    assert (one.kind, one.touch_id, one.key, one.to) == wanted
    assert one.event_key == ("x9" if "x9" in told else one.event_key) != ""
    assert one.at == (datetime(2025, 3, 1, 1, tzinfo=UTC) if '"at"' in told else NOW)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"event":"bounce"}', b'{"key":"k","event":"opened?"}', b'{"to":"nobody","event":"bounce"}'])
def test_json_of_another_form_is_400(body: bytes) -> None:
    assert read_mail_report(BOUNCES, request(body, "application/json")).status == 400


def test_who_does_not_sign_is_401_and_so_is_everybody_where_no_secret_is_set() -> None:
    body = returned(VERP)
    assert read_mail_report(replace(BOUNCES, secrets=()), request(body)).status == 401
    assert read_mail_report(BOUNCES, request(body, headers={"content-type": "message/rfc822"})).status == 401
    assert read_mail_report(BOUNCES, replace(request(body), body=body + b" ")).status == 401
