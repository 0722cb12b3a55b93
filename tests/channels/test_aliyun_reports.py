"""Holds what Aliyun sends back about SMS: reports pushed and fetched, replies, and who may send them."""

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest

from sop_engine.channels.codes_sms import ALIYUN, REPORTS, reported
from sop_engine.channels.contract import FACTS, Request
from tests.channels.sms import MESSAGE, NOW, PHONE, RECEIPTS, handed, to_aliyun
from tests.fakes.aliyun import Aliyun

MINUTE = timedelta(minutes=1)


@pytest.fixture
def fake() -> Iterator[Aliyun]:
    with Aliyun() as provider:
        provider.now = NOW
        yield provider


def request(body: bytes, tail: str = RECEIPTS, method: str = "POST") -> Request:
    return Request(method=method, now=NOW, tail=tail, body=body)


def test_pushed_and_polled_reports_are_the_same_facts_however_often_they_come(fake: Aliyun) -> None:
    channel = to_aliyun(fake.url)
    receipt = channel.send(MESSAGE)
    fake.advance(minutes=2)
    replies = [channel.parse(request(body)) for body in fake.pushes()]
    assert {(r.status, r.body.decode(), r.content_type) for r in replies} == {(200, '{"code":0,"msg":"接收成功"}', "application/json")}
    pushed = {fact for reply in replies for fact in map(_bare, reply.facts)}
    polled = channel.poll([handed(fake.now, provider_id=receipt.provider_id)])
    channel.close()
    assert pushed == {_bare(fact) for fact in polled} and len(pushed) == 1
    [fact] = polled
    assert (fact.kind, fact.key, fact.provider_id, fact.to, fact.at) == ("delivered", "k1", receipt.provider_id, PHONE, NOW + MINUTE)
    assert "13900001234" not in fact.event_key


def _bare(fact: object) -> tuple[object, ...]:
    return tuple(getattr(fact, name) for name in ("kind", "event_key", "at", "key", "provider_id", "to", "code"))


def test_what_waits_for_the_carrier_is_no_fact_yet_and_what_is_too_old_is_not_asked_for(fake: Aliyun) -> None:
    channel = to_aliyun(fake.url)
    channel.send(MESSAGE)
    assert list(channel.poll([handed(NOW)])) == []
    calls = len(fake.calls)
    assert list(channel.poll([handed(NOW + timedelta(days=31))])) == [] and len(fake.calls) == calls
    channel.close()


@pytest.mark.parametrize(
    ("codes", "kind", "about"),
    [
        ("DELIVERED", "delivered", ""),
        ("MOBILE_IN_BLACK USER_REJECT DB:0144 SOME_BLACK_LIST", "blocked", ""),
        ("MOBILE_SEND_LIMIT", "capped", ""),
        ("CONTENT_KEYWORD CONTENT_ERROR", "refused", "template"),
        ("IS_CLOSE NO_ROUTE PARAMS_ILLEGAL PORT_NOT_REGISTERED", "refused", "account"),
        (
            "MOBILE_NOT_ON_SERVICE INVALID_NUMBER MK:0001 MK:0005 MOBILE_ACCOUNT_ABNORMAL MOBLLE_TERMINAL_ERROR EXPIRED UNDELIV UNKNOWN "
            "REQUEST_SUCCESS SP_NEW NOBODY_KNOWS",
            "soft_bounced",
            "",
        ),
    ],
)
def test_every_report_has_its_fact(codes: str, kind: str, about: str) -> None:
    assert {code: reported(ALIYUN, code) for code in codes.split()} == {code: (kind, about) for code in codes.split()}
    assert {row[0] for row in REPORTS.values()} <= FACTS.keys()


def test_a_refused_text_is_a_fact_and_an_alarm_about_the_template(fake: Aliyun) -> None:
    channel = to_aliyun(fake.url)
    channel.send(MESSAGE)
    fake.codes["13900001234"] = "CONTENT_KEYWORD"
    facts = channel.parse(request(fake.pushes()[0])).facts
    channel.close()
    assert [(f.kind, f.code, dict(f.fields)) for f in facts] == [
        ("refused", "CONTENT_KEYWORD", {}),
        ("alarm", "CONTENT_KEYWORD", {"about": "template"}),
    ]
    assert facts[0].event_key != facts[1].event_key


def test_a_reply_is_what_the_person_wrote_from_their_number() -> None:
    told = [{"phone_number": "13900001234", "content": "R", "send_time": "2025-01-02 11:29:00", "dest_code": "1069", "sequence_id": 7}]
    channel = to_aliyun()
    reply = channel.parse(request(json.dumps(told).encode(), f"{RECEIPTS}/up"))
    channel.close()
    [fact] = reply.facts
    assert (fact.kind, fact.to, fact.text, fact.at) == ("replied", PHONE, "R", NOW - MINUTE)
    assert reply.body == '{"code":0,"msg":"接收成功"}'.encode()


@pytest.mark.parametrize(
    ("tail", "method"),
    [
        ("", "POST"),
        ("wrong", "POST"),
        (RECEIPTS[:-1], "POST"),
        (f"{RECEIPTS}/x", "POST"),
        ("密", "POST"),
        (RECEIPTS, "GET"),
        ("up", "POST"),
    ],
)
def test_another_address_is_a_bare_404(tail: str, method: str) -> None:
    channel = to_aliyun()
    reply = channel.parse(request(b"[]", tail, method))
    channel.close()
    assert (reply.status, reply.body, list(reply.facts)) == (404, b"", [])


def test_without_a_secret_no_address_takes_receipts() -> None:
    channel = to_aliyun(receipts_secret="")
    assert [channel.parse(request(b"[]", tail)).status for tail in ("", "up", "/up")] == [404, 404, 404]
    channel.close()


@pytest.mark.parametrize("body", [b"", b"<xml>", b"[1]", b'[{"phone_number":"x","err_code":"DELIVERED"}]', b"[" * 20000])
def test_what_cannot_be_read_is_acknowledged_and_an_alarm(body: bytes) -> None:
    channel = to_aliyun()
    reply = channel.parse(request(body))
    channel.close()
    assert (reply.status, [(f.kind, f.code) for f in reply.facts]) == (200, [("alarm", "unreadable_report")])


def test_one_bad_report_does_not_lose_the_others() -> None:
    good = {
        "phone_number": "13900001234",
        "report_time": "2025-01-02 11:30:00",
        "success": True,
        "err_code": "",
        "biz_id": "b",
        "out_id": "k",
    }
    channel = to_aliyun()
    facts = channel.parse(request(json.dumps([{}, good]).encode())).facts
    channel.close()
    assert [f.kind for f in facts] == ["alarm", "delivered"]
