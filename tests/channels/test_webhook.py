"""Holds the webhook channel to its table of answers and inside the public internet, against a real HTTP server."""

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import httpx
import pytest

from sop_engine.channels.contract import Message, Receipt
from sop_engine.channels.reach import checked_url, reachable
from sop_engine.channels.signature import is_signed
from sop_engine.channels.webhook import Endpoint, Webhook, payload, read_answer
from sop_engine.core.errors import DeliveryError, Refused
from tests.channels.http_server import HttpServer
from tests.channels.smtp_server import CERTIFICATE

pytestmark = pytest.mark.slow

NOW = datetime(2025, 3, 1, 2, 0, tzinfo=UTC)
SECRET = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSAGE = Message(
    key="abc123",
    now=NOW,
    to="dy-7",
    text="你好，张三",
    subject="标题",
    vars=(("昵称", "张三"),),
    run="7",
    playbook="沉默唤醒",
    version="v3",
    step="发券",
    variant="A",
    template="唤醒发券",
    user_key="u-1",
    benefit_code="ABCD",
    benefit_expires_at=NOW + timedelta(days=7),
)


@contextmanager
def sending(server: HttpServer, **change: object) -> Iterator[Webhook]:
    endpoint = Endpoint(f"http://127.0.0.1:{server.port}/hook", (SECRET,), loopback=True)
    channel = Webhook(replace(endpoint, **change))
    try:
        yield channel
    finally:
        channel.close()


def refusal(channel: Webhook, message: Message = MESSAGE) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        channel.send(message)
    return caught.value


def test_one_signed_post_says_everything_about_the_touch() -> None:
    with HttpServer(200, b'{"status":"accepted","id":"r-9"}') as server, sending(server, headers=(("x-app", "1"),)) as channel:
        assert channel.send(MESSAGE) == Receipt("r-9", "accepted")
    [(path, headers, body)] = server.requests
    assert path == "/hook"
    assert (headers["content-type"], headers["x-app"], headers["webhook-id"]) == ("application/json", "1", "abc123")
    assert is_signed([SECRET], headers, body, NOW)
    assert json.loads(body) == {
        "type": "touch.requested",
        "timestamp": "2025-03-01T02:00:00Z",
        "data": {
            "key": "abc123",
            "run": "7",
            "playbook": "沉默唤醒",
            "version": "v3",
            "step": "发券",
            "variant": "A",
            "user": {"id": "u-1"},
            "to": "dy-7",
            "purpose": "marketing",
            "test": False,
            "message": {
                "template": "唤醒发券",
                "subject": "标题",
                "text": "你好，张三",
                "vars": {"昵称": "张三"},
                "attachments": [],
            },
            "benefit": {"code": "ABCD", "expires_at": "2025-03-08T02:00:00Z"},
        },
    }


@pytest.mark.parametrize(
    ("status", "body", "kind", "reason"),
    [
        (200, b'{"status":"rejected","code":"user_blocked"}', "user_unreachable", "blocked"),
        (200, b'{"status":"rejected","code":"bad_address"}', "user_unreachable", "bad_address"),
        (200, b'{"status":"rejected","code":"no_consent"}', "user_unreachable", "no_consent"),
        (202, b'{"status":"rejected","code":"content"}', "permanent", "content"),
        (200, b'{"status":"rejected","code":"new"}', "permanent", "content"),
        (200, b'{"status":"rejected"}', "permanent", "content"),
        (200, b'{"status":"rejected","code":"later","retry_after":60}', "retry_after", "recipient_throttled"),
        (200, b"<html>login</html>", "unknown", "no_answer"),
        (200, b"ok", "unknown", "no_answer"),
        (200, b'"accepted"', "unknown", "no_answer"),
        (200, b'{"status":"who knows"}', "unknown", "no_answer"),
        (200, b"[" * 20000, "unknown", "no_answer"),
        (200, b'{"status":"accepted","x":"' + b"x" * 70000 + b'"}', "unknown", "no_answer"),
        (301, b"", "retry_after", "configuration"),
        (307, b"", "retry_after", "configuration"),
        (400, b"", "permanent", "content"),
        (401, b"", "retry_after", "configuration"),
        (403, b"", "retry_after", "configuration"),
        (404, b"", "retry_after", "configuration"),
        (405, b"", "retry_after", "configuration"),
        (408, b"", "retry_after", "throttled"),
        (410, b"", "retry_after", "configuration"),
        (413, b"", "permanent", "content"),
        (415, b"", "permanent", "content"),
        (418, b"", "permanent", "content"),
        (422, b"", "permanent", "content"),
        (425, b"", "retry_after", "throttled"),
        (429, b"", "retry_after", "throttled"),
        (500, b"", "unknown", "no_answer"),
        (501, b"", "unknown", "no_answer"),
        (502, b"", "unknown", "no_answer"),
        (503, b"", "retry_after", "throttled"),
        (504, b"", "unknown", "no_answer"),
    ],
)
def test_every_answer_has_its_class(status: int, body: bytes, kind: str, reason: str) -> None:
    with HttpServer(status, body, headers={"location": "/elsewhere"}) as server, sending(server) as channel:
        error = refusal(channel)
    assert (error.kind, error.reason) == (kind, reason)
    assert len(server.requests) == 1  # no redirect was followed, nothing repeated


@pytest.mark.parametrize("body", [b"", b" \n", b"{}", b'{"ok":true}', b'{"status":"accepted"}'])
@pytest.mark.parametrize("status", [200, 201, 202])
def test_an_empty_answer_or_plain_json_is_accepted(status: int, body: bytes) -> None:
    assert read_answer(status, httpx.Headers(), body, now=NOW).stage == "accepted"


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [("60", 60), ("86400", 3600), ("Sat, 01 Mar 2025 02:10:00 GMT", 600), ("Sun, 02 Mar 2025 12:00:00 +0800", 3600), ("soon", None)],
)
def test_the_receiver_says_how_long_to_wait_up_to_an_hour(asked: str, seconds: int | None) -> None:
    with pytest.raises(DeliveryError) as caught:
        read_answer(429, httpx.Headers({"retry-after": asked}), b"", now=NOW)
    assert caught.value.retry_after_s == seconds


def test_later_carries_its_own_wait() -> None:
    with pytest.raises(DeliveryError) as caught:
        read_answer(200, httpx.Headers(), b'{"status":"rejected","code":"later","retry_after":60}', now=NOW)
    assert caught.value.retry_after_s == 60


def test_no_answer_after_the_request_is_unknown() -> None:
    with HttpServer() as server, sending(server) as channel:
        server.cut = True
        assert refusal(channel).kind == "unknown"
    assert len(server.requests) == 1


def test_nobody_listening_is_proven_not_accepted() -> None:
    with HttpServer() as server:
        port = server.port
    channel = Webhook(Endpoint(f"http://127.0.0.1:{port}/", (SECRET,), loopback=True))
    error = refusal(channel)
    channel.close()
    assert (error.kind, error.reason) == ("retry_after", "not_accepted")


def test_https_connects_to_the_checked_address_and_asks_for_the_certificate_of_the_name() -> None:
    trust = ssl.create_default_context(cafile=str(CERTIFICATE))
    with HttpServer(tls=True) as server:
        for name, expected in (("localhost", "accepted"), ("example.com", "not_accepted")):
            endpoint = Endpoint(f"https://{name}:{server.port}/hook", (SECRET,), loopback=True)
            channel = Webhook(endpoint, find=lambda _host, _port: ["127.0.0.1"], verify=trust)
            try:
                assert channel.send(MESSAGE).stage == expected
            except DeliveryError as error:
                assert error.reason == expected
            channel.close()
    [(_, headers, _)] = server.requests
    assert headers["host"] == f"localhost:{server.port}"


def test_more_than_20_kb_is_never_sent() -> None:
    with pytest.raises(DeliveryError) as caught:
        payload(replace(MESSAGE, text="长" * 7000))
    assert (caught.value.kind, caught.value.reason) == ("permanent", "content")


def test_a_lone_surrogate_becomes_a_question_mark() -> None:
    assert json.loads(payload(replace(MESSAGE, text="好\ud83d")))["data"]["message"]["text"] == "好?"


@pytest.mark.parametrize("key", ["", "a.b", "a b", "a\r\nx: y", "张"])
def test_a_key_that_could_be_read_in_two_ways_is_never_sent(key: str) -> None:
    with HttpServer() as server, sending(server) as channel, pytest.raises(DeliveryError):
        channel.send(replace(MESSAGE, key=key))
    assert server.requests == []


INSIDE = [
    "127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
    "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "::", "::1", "fe80::1", "fc00::1", "fd12::1", "ff02::1", "ff0e::1", "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
    "::ffff:169.254.169.254", "2002:7f00:1::", "2002:a00:1::1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2001:0:7f00:1::",
    "fe80::1%eth0", "fec0::1",
]  # fmt: skip


@pytest.mark.parametrize("address", INSIDE)
@pytest.mark.parametrize("beside", [[], ["1.1.1.1"]])
def test_a_name_that_leads_inside_is_never_asked(address: str, beside: list[str]) -> None:
    channel = Webhook(Endpoint("https://hook.example.com/", (SECRET,)), find=lambda _host, _port: [*beside, address])
    error = refusal(channel)
    channel.close()
    assert (error.kind, error.reason) == ("retry_after", "configuration")


@pytest.mark.parametrize("address", ["1.1.1.1", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public_addresses_may_be_asked(address: str) -> None:
    url = checked_url("https://hook.example.com/")
    assert ip_address(reachable(url, lambda _host, _port: [address])) == ip_address(address)


@pytest.mark.parametrize("url", ["https://127.0.0.1/", "https://[::1]/", "https://0x7f000001/", "https://2130706433/", "https://127.1/"])
def test_an_inner_address_in_any_spelling_is_refused_by_the_real_resolver(url: str) -> None:
    channel = Webhook(Endpoint(url, (SECRET,)))
    error = refusal(channel)
    channel.close()
    assert error.kind == "retry_after"


def test_with_loopback_only_this_machine_is_added() -> None:
    url = checked_url("http://dev.example.com/", loopback=True)
    assert reachable(url, lambda _host, _port: ["127.0.0.1"], loopback=True) == "127.0.0.1"
    for inside in ("10.0.0.1", "1.1.1.1"):  # and http to nobody else
        with pytest.raises(DeliveryError):
            reachable(url, lambda _host, _port, inside=inside: [inside], loopback=True)


@pytest.mark.parametrize("failure", [OSError("no"), UnicodeError("no")])
def test_an_unknown_name_is_asked_again_later(failure: Exception) -> None:
    def find(_host: str, _port: int) -> list[str]:
        raise failure

    with pytest.raises(DeliveryError) as caught:
        reachable(checked_url("https://hook.example.com/"), find)
    assert caught.value.reason == "not_accepted"


@pytest.mark.parametrize(
    "url", ["", "hook", "http://example.com", "ftp://example.com", "https://", "https://a@example.com", "https://a:b@x.com"]
)
def test_an_address_that_is_not_plain_https_is_refused_at_once(url: str) -> None:
    with pytest.raises(Refused):
        Webhook(Endpoint(url, (SECRET,)))


@pytest.mark.parametrize("change", [{"secrets": ()}, {"secrets": ("short",)}, {"headers": (("X Y", "1"),)}, {"headers": (("x", "张"),)}])
def test_settings_that_cannot_work_are_refused_at_once(change: dict[str, object]) -> None:
    with pytest.raises(Refused):
        Webhook(replace(Endpoint("https://example.com/", (SECRET,)), **change))


def test_an_endpoint_never_shows_its_secrets() -> None:
    shown = repr(Endpoint("https://example.com/bot/TOKEN", (SECRET,), (("authorization", "geheim"),)))
    assert not any(secret in shown for secret in ("TOKEN", SECRET, "geheim"))
