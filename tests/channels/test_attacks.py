"""Holds what becomes of attempts to make the engine call, say or trust what it must not: each with its outcome."""

import json
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine

from sop_engine.channels.calling import open_client
from sop_engine.channels.feed import WebhookSink, payload
from sop_engine.channels.probing import probe_endpoint
from sop_engine.channels.reach import checked_url
from sop_engine.channels.webhook import Endpoint
from sop_engine.core.errors import DeliveryError, Refused
from tests.channels.http_server import HttpServer
from tests.fakes.feed_receiver import SECRET
from tests.shop import Shop
from tests.shop_project import text

NOW = datetime(2025, 3, 1, tzinfo=UTC)
EXPIRED = Path(__file__).with_name("expired.pem")  # for localhost and 127.0.0.1, valid in 2020
BODY = payload("level.moved", NOW, {"to": "rich"}, "u")
NASTY = ["{{7*7}}", "{{ 7 * 7 }}{% if 1 %}x{% endif %}", "${7*7}", "{{ ''.__class__.__mro__ }}", "{%raw%}", "<script>alert(1)</script>"]


def refused(tell: Callable[[], object]) -> DeliveryError:
    """The error it ends with."""
    with pytest.raises(DeliveryError) as caught:
        tell()
    return caught.value


def sink(url: str, answers: list[list[str]], *, verify: ssl.SSLContext | bool = True) -> tuple[WebhookSink, list[str]]:
    """A feed to an address whose name has these addresses, one look after the other; and the names that were looked up."""
    asked: list[str] = []

    def find(host: str, _port: int) -> list[str]:
        asked.append(host)
        return answers[min(len(asked), len(answers)) - 1]

    return WebhookSink(Endpoint(url, (SECRET,), loopback=True), find=find, verify=verify), asked


@pytest.mark.parametrize("value", NASTY)
def test_a_template_in_the_name_of_a_user_is_written_as_it_stands(memory: Engine, value: str) -> None:
    flow = "playbook: p\nintent: serve\nstart: {event: visit}\ngoal: buys\nsteps:\n  s: {at: now, send: greet}\n"
    shop = Shop(memory, flow, texts={"greet": text("greet", "push", variables="name: required", body="Hi {{ name }}!")})
    shop.user("u", name=value)
    shop.event("u", "visit", at="2025-03-01 12:00")
    assert shop.texts_sent("u") == [f"Hi {value}!"]


@pytest.mark.parametrize("inside", ["10.0.0.1", "192.168.1.1", "169.254.169.254", "::1", "::ffff:10.0.0.1", "fd12::1"])
def test_a_feed_to_a_name_that_leads_inside_waits_for_a_person_and_calls_nobody(inside: str) -> None:
    endpoint = Endpoint("https://crm.example.com/", (SECRET,))
    feed = WebhookSink(endpoint, find=lambda _host, _port: ["1.1.1.1", inside])
    error = refused(lambda: feed.tell("a", NOW, BODY))
    feed.close()
    assert (error.kind, error.reason) == ("retry_after", "configuration")


def test_a_name_that_changes_its_address_after_the_check_is_called_at_the_checked_one() -> None:
    with HttpServer() as server:
        feed, asked = sink(f"http://crm.example.com:{server.port}/", [["127.0.0.1"], ["10.0.0.1"]])
        feed.tell("a", NOW, BODY)
        assert asked == ["crm.example.com"]  # looked up once: the connection is made to what was checked
        [(_, headers, _)] = server.requests
        assert headers["host"] == f"crm.example.com:{server.port}"
        error = refused(lambda: feed.tell("b", NOW, BODY))
        feed.close()
    assert (error.reason, len(server.requests)) == ("configuration", 1)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_never_followed(status: int) -> None:
    with HttpServer() as inner, HttpServer(status, headers={"location": f"http://127.0.0.1:{inner.port}/admin"}) as server:
        feed, _ = sink(f"http://crm.example.com:{server.port}/", [["127.0.0.1"]])
        error = refused(lambda: feed.tell("a", NOW, BODY))
        feed.close()
    assert error.reason == "configuration"
    assert inner.requests == []


def test_a_proxy_of_the_environment_sees_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with HttpServer() as proxy, HttpServer() as server:
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        feed, _ = sink(f"http://crm.example.com:{server.port}/", [["127.0.0.1"]])
        feed.tell("a", NOW, BODY)
        feed.close()
    assert (len(proxy.requests), len(server.requests)) == (0, 1)


@pytest.mark.parametrize("trusted", [False, True], ids=["nobody vouches for it", "it was trusted once"])
def test_an_expired_certificate_ends_the_call_before_anything_is_sent(trusted: bool) -> None:
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(EXPIRED)
    trust = ssl.create_default_context(cafile=str(EXPIRED) if trusted else None)
    server = HttpServer()
    server.socket = served.wrap_socket(server.socket, server_side=True)
    with server:
        url = f"https://localhost:{server.port}/"
        feed, _ = sink(url, [["127.0.0.1"]], verify=trust)
        error = refused(lambda: feed.tell("a", NOW, BODY))
        feed.close()
        told = refused(lambda: probe_endpoint(checked_url(url), find=lambda _h, _p: ["127.0.0.1"], loopback=True, verify=trust))
    assert (error.kind, error.reason) == ("retry_after", "not_accepted")
    assert (told.reason, "expired" in told.detail) == ("configuration", trusted)
    assert server.requests == []


def test_the_answer_of_a_receiver_is_read_to_its_limit_and_no_further() -> None:
    with HttpServer(200, b'{"status":"accepted","pad":"' + b"x" * 200_000 + b'"}') as server:
        feed, _ = sink(f"http://crm.example.com:{server.port}/", [["127.0.0.1"]])
        error = refused(lambda: feed.tell("a", NOW, BODY))
        feed.close()
    assert (error.kind, error.reason) == ("unknown", "no_answer")


@pytest.mark.parametrize("header", [{"x-a": "b\r\nx-evil: 1"}, {"x-a\r\nx-evil": "1"}, {"x-a": "b\x00"}, {"X-Upper": "b"}])
def test_a_header_of_an_account_that_would_become_two_is_refused_when_it_is_read(header: dict[str, str]) -> None:
    with pytest.raises(Refused):
        WebhookSink(Endpoint("https://crm.example.com/", (SECRET,), tuple(header.items())))


def test_a_user_id_with_line_breaks_stays_a_value_of_the_body() -> None:
    with HttpServer() as server:
        feed, _ = sink(f"http://crm.example.com:{server.port}/", [["127.0.0.1"]])
        feed.tell("a", NOW, payload("level.moved", NOW, {}, "u\r\nx-evil: 1"))
        feed.close()
    [(_, headers, body)] = server.requests
    assert "x-evil" not in headers
    assert json.loads(body)["data"]["user"]["id"] == "u\r\nx-evil: 1"


def test_connections_follow_no_redirect_and_no_environment() -> None:
    client = open_client()
    assert (client.follow_redirects, client.trust_env) == (False, False)
    client.close()
