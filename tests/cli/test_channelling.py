"""Holds that channels are shown as they stand, and that a test reaches nobody who was not named."""

from pathlib import Path

import pytest

from sop_engine.store.engine import open_engine, transaction
from sop_engine.store.outbox import list_outbox
from tests.channels.http_server import HttpServer
from tests.channels.smtp_server import CERTIFICATE
from tests.cli.conftest import Shop
from tests.shop_project import CATALOGUE, PROJECT, text

pytestmark = pytest.mark.slow

ACCOUNTS = """
["push"]
url = "{url}"
secret = "env:PUSH_SECRET"
["crm"]
via = "feed"
path = "{folder}/feed.jsonl"
"""
SECRET = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """A small project with a webhook, in a folder of its own, applied."""
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "templates").mkdir()
    head = "\n".join(f"{k}: {v}" for k, v in {**PROJECT, "caps": "2 per 1d"}.items())
    catalogue = CATALOGUE.replace("push: {via: outbox", "push: {via: webhook").replace("mail: {via: outbox", "mail: {via: email")
    (tmp_path / "playbooks" / "a.yml").write_text(f"{head}\n---\n{catalogue}", "utf-8")
    (tmp_path / "templates" / "hello.md").write_text(text("hello", "sms", variables="name: required", body="{{ name }} hi"), "utf-8")
    (tmp_path / "templates" / "push.md").write_text(text("push", "push"), "utf-8")
    shop = Shop(tmp_path)
    shop.ok("apply", "--yes")
    return shop


def with_accounts(shop: Shop, monkeypatch: pytest.MonkeyPatch, url: str, **more: str) -> None:
    """A file of accounts with a webhook and a feed."""
    (shop.folder / "accounts.toml").write_text(ACCOUNTS.format(url=url, folder=shop.folder), "utf-8")
    for name, value in {"SOP_CHANNELS_FILE": "accounts.toml", "PUSH_SECRET": SECRET, "SOP_WEBHOOK_LOOPBACK": "true", **more}.items():
        monkeypatch.setenv(name, value)


def test_every_channel_says_what_is_missing_and_what_it_can_do(shop: Shop) -> None:
    told = shop.json("channels")
    of = {one["name"]: one for one in told["channels"]}
    assert told["live"] is False
    assert of["sms"]["missing"] == ""
    assert 'has no ["push"]' in of["push"]["missing"]
    assert "SOP_SMTP_HOST" in of["mail"]["missing"]
    assert (of["push"]["circuit"], of["push"]["sent_today"], of["push"]["caps"]) == ("closed", 0, ["2 per 1d"])
    assert (of["push"]["capability"]["receipts"], of["sms"]["capability"]["links"]) == ("push", "personal")


def test_with_its_account_a_channel_is_ready_and_a_feed_is_listed(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    with_accounts(shop, monkeypatch, "https://push.example.com/hook")
    said = shop.ok("channels")
    assert "push · webhook · ready" in said
    assert "feed crm · calls closed; 0 entries waiting" in said
    assert SECRET not in said


def test_a_probe_connects_and_sends_nothing(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    with HttpServer() as server:
        with_accounts(shop, monkeypatch, f"http://127.0.0.1:{server.port}/hook")
        of = {one["name"]: one["answers"] for one in shop.json("channels", "--probe")["channels"]}
        assert server.requests == []
    assert of == {"sms": "stays on this machine", "push": "connected, without TLS", "mail": "", "desk": "stays on this machine"}


def test_a_probe_that_fails_says_why_and_exits_with_1(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    with HttpServer() as server:
        port = server.port
    with_accounts(shop, monkeypatch, f"http://127.0.0.1:{port}/hook")
    said = shop.sop("channels", "--probe")
    assert said.code == 1
    assert "probe: FAILED: not_accepted no connection" in said.out
    with HttpServer(tls=True) as server:
        with_accounts(shop, monkeypatch, f"https://127.0.0.1:{server.port}/hook")
        assert "FAILED: configuration the certificate is not valid" in shop.sop("channels", "--probe").out
    assert CERTIFICATE


def kept(shop: Shop) -> list[tuple[str, str, bool]]:
    """(address, text, test) of what is in the outbox."""
    with transaction(open_engine(f"sqlite:///{shop.folder}/sop.db")) as tx:
        return [(row.address, row.text, row.test) for row in list_outbox(tx)]


def test_a_test_goes_to_a_listed_address_in_any_spelling_and_is_marked(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOP_TEST_ADDRESSES", "me@example.com, +8613800001234")
    assert "into the outbox: sending is off" in shop.ok("send-test", "hello", "--to", "138 0000 1234")
    assert kept(shop) == [("138 0000 1234", "〔name〕 hi", True)]


@pytest.mark.parametrize(("typed", "sent"), [("13900001234\n", 1), ("13900001235\n", 0), ("\n", 0), ("", 0)])
def test_another_address_is_typed_once_more_or_nothing_is_sent(shop: Shop, typed: str, sent: int) -> None:
    said = shop.sop("send-test", "hello", "--to", "13900001234", typed=typed)
    assert len(kept(shop)) == sent
    if not sent and typed:
        assert (said.code, "nothing was sent" in said.err) == (1, True)


def test_a_test_through_a_live_channel_says_that_it_is_one_and_counts_nowhere(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    with HttpServer() as server:
        with_accounts(shop, monkeypatch, f"http://127.0.0.1:{server.port}/hook", SOP_SENDING="live", SOP_TEST_ADDRESSES="u-1")
        shop.ok("send-test", "push", "--to", "u-1")
        [(_, headers, body)] = server.requests
    assert b'"test":true' in body
    assert b'"benefit":null' in body
    assert headers["webhook-id"].startswith("test-")
    assert {c["name"]: c["sent_today"] for c in shop.json("channels")["channels"]}["push"] == 0
    assert kept(shop) == []


def test_a_template_that_does_not_exist_is_named_with_a_close_one(shop: Shop) -> None:
    said = shop.sop("send-test", "helo", "--to", "x")
    assert (said.code, "hello" in said.err) == (1, True)
