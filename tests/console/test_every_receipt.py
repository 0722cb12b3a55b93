"""What holds for the reports of every channel that listens: by webhook, mail and task, over HTTP, on one shop."""

import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from sop_engine.actions.telling import begin_telling
from sop_engine.channels.registry import CAPABILITIES
from sop_engine.channels.task import TaskLinks
from sop_engine.console.receipt_routes import LARGEST
from tests.channels.http_server import HttpServer
from tests.channels.returned_mails import returned
from tests.channels.smtp_server import SmtpServer
from tests.conftest import sqlite_copy
from tests.receiving import HOOKS, SECRET, Receiving
from tests.shop_project import text as template

pytestmark = pytest.mark.slow

Ask = tuple[str, bytes, dict[str, str]]
CATALOGUE = HOOKS.replace("mail: {via: outbox, to: mail, needs: mail_ok}", "mail: {via: email, to: mail}").replace(
    "desk: {via: outbox, to: adviser}", "desk: {via: staff_task, to: adviser}"
)
STEPS = "  hi: {at: now, send: hello}\n  mail: {at: now, send: letter}\n  ring: {at: now, send: task}\n  more: {after: 1h, send: letter}\n"
FLOW = f"playbook: p\nintent: serve\nno_benefit: a call\nstart: {{event: cart}}\ngoal: buys\nagain: always\nsteps:\n{STEPS}"
LETTER = template("letter", "mail", purpose="service").replace("channel:", "subject: hi\nchannel:")


class Shared:
    """A shop that sends three ways at once, and how each of them is reported about."""

    def __init__(self, told: Receiving, mails: SmtpServer) -> None:
        self.told, self.mails = told, mails
        self.links = TaskLinks("https://sop.example.com", told.shop.app.settings.signing_keys)
        self.users = 0

    def send(self) -> dict[str, str]:
        """A user gets all three; the key of each."""
        self.users += 1
        shop, user = self.told.shop, f"u{self.users}"
        shop.event(shop.user(user, mail=f"{user}@example.net", adviser="Mei"), "cart")
        with shop.app.transaction() as tx:
            from sop_engine.store.attempts import attempts

            rows = tx.execute(attempts.select().order_by(attempts.c.id.desc()).limit(3)).all()
        return {row.channel: row.key for row in rows}

    def webhook(self, key: str, secret: str = SECRET) -> Ask:
        body = json.dumps({"type": "touch.delivered", "data": {"key": key}}).encode()
        return "/v1/receipts/webhook/sms", body, self.told.signed(f"w{key}", body, secret)

    def mail(self, key: str, secret: str = SECRET) -> Ask:
        body = returned("bounces@shop.example", key=key)
        return "/v1/receipts/email/mail", body, {**self.told.signed(f"m{key}", body, secret), "content-type": "message/rfc822"}

    def task(self, key: str, secret: str = SECRET) -> Ask:
        links = self.links if secret == SECRET else TaskLinks("https://sop.example.com", {"k": b"another"})
        return f"/v1/receipts/staff_task/desk/{links.link(key).rpartition('/')[2]}", b"answer=done", {}

    def ask(self, asked: Ask) -> tuple[int, bytes]:
        path, body, headers = asked
        got = self.told.web.ask("POST", path, body=body, headers=headers)
        return got.status_code, got.content


WAYS: dict[str, tuple[str, Callable[..., Ask], list[str]]] = {
    "webhook": ("sms", Shared.webhook, ["delivered"]),
    "email": ("mail", Shared.mail, ["bounced"]),
    "staff_task": ("desk", Shared.task, ["delivered", "done"]),
}
OTHER = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


@pytest.fixture(scope="module")
def shared(migrated_sqlite: sqlite3.Connection) -> Iterator[Shared]:
    with sqlite_copy(migrated_sqlite) as engine, HttpServer(202, b"") as server, SmtpServer() as mails:
        told = Receiving(engine, server, flow=FLOW, catalogue=CATALOGUE, texts={"letter": LETTER})
        change: dict[str, Any] = {
            "smtp_host": "127.0.0.1",
            "smtp_port": mails.port,
            "smtp_tls": "none",
            "smtp_from": "Shop <mail@shop.example>",
            "smtp_bounce_domain": "mail.shop.example",
            "smtp_receipts_secret": SecretStr(SECRET),
            "signing_key": SecretStr("a long random text"),
        }
        told.shop.app.settings = told.shop.app.settings.model_copy(update=change)
        told = told.again()
        yield Shared(told, mails)
        told.shop.app.close()


@pytest.fixture
def noted(shared: Shared) -> Callable[[str], list[str]]:
    """The receipts of the message with this key."""
    from sqlalchemy import select

    from sop_engine.store.attempts import attempts
    from sop_engine.store.touches import receipts

    def of(key: str) -> list[str]:
        with shared.told.shop.app.transaction() as tx:
            mine = select(receipts.c.kind).join(attempts, attempts.c.touch_id == receipts.c.touch_id).where(attempts.c.key == key)
            return sorted(tx.execute(mine).scalars())

    return of


@pytest.mark.parametrize("way", WAYS)
def test_three_times_is_once_and_each_time_acknowledged_with_the_same_bytes(
    shared: Shared, noted: Callable[[str], list[str]], way: str
) -> None:
    channel, asked, receipts = WAYS[way]
    key, before = shared.send()[channel], shared.told.inbox().get("applied", 0)
    assert [shared.ask(asked(shared, key)) for _ in range(3)] == [(200, b"{}")] * 3
    assert noted(key) == receipts
    assert shared.told.inbox()["applied"] == before + 1


@pytest.mark.parametrize("way", WAYS)
def test_what_is_forged_leaves_nothing_and_is_told_nothing(shared: Shared, noted: Callable[[str], list[str]], way: str) -> None:
    channel, asked, _ = WAYS[way]
    key, before = shared.send()[channel], shared.told.inbox()
    assert shared.ask(asked(shared, key, OTHER)) == (404 if way == "staff_task" else 401, b"")
    assert (noted(key), shared.told.inbox()) == ([], before)


@pytest.mark.parametrize("way", WAYS)
def test_what_is_about_a_message_nobody_knows_is_acknowledged_and_waits(shared: Shared, way: str) -> None:
    before = shared.told.inbox().get("parked", 0)
    assert shared.ask(WAYS[way][1](shared, f"{way}-of-nobody")) == (200, b"{}")
    assert shared.told.inbox()["parked"] == before + 1


@pytest.mark.parametrize("way", WAYS)
def test_what_is_too_large_is_refused_before_anybody_reads_it(shared: Shared, way: str) -> None:
    path, _, headers = WAYS[way][1](shared, "k")
    before = shared.told.inbox()
    assert shared.ask((path, b"x" * (LARGEST + 1), headers)) == (413, b"")
    assert shared.told.inbox() == before


def test_every_channel_of_this_version_that_says_it_is_reported_about_is_held_to_this() -> None:
    built = {via for via in ("outbox", "staff_task", "email", "webhook") if CAPABILITIES[via].receipts != "none"}
    assert built == set(WAYS)


def test_a_mail_bounces_to_an_address_of_its_own_that_alone_says_whose_it_is(shared: Shared, noted: Callable[[str], list[str]]) -> None:
    key = shared.send()["mail"]
    (sender,) = [back for back, to in shared.mails.envelopes if to == f"u{shared.users}@example.net"]
    assert sender.startswith("bounce+")
    assert sender.endswith("@mail.shop.example")
    body = returned(sender, ours=False)
    headers = {**shared.told.signed("verp", body), "content-type": "message/rfc822"}
    assert shared.ask(("/v1/receipts/email/mail", body, headers)) == (200, b"{}")
    assert noted(key) == ["bounced"]


def test_no_line_of_the_log_says_whom_a_report_is_about(shared: Shared, tmp_path: Path) -> None:
    fd = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
    begin_telling("json", "json", fd=fd)
    try:
        shared.send()
        user = f"u{shared.users}@example.net"
        body = json.dumps({"to": user, "event": "bounce", "status": "5.1.1"}).encode()
        signed = {**shared.told.signed("j1", body), "content-type": "application/json"}
        assert shared.ask(("/v1/receipts/email/mail", body, signed)) == (200, b"{}")
        body = returned(user, ours=False)
        signed = {**shared.told.signed("j2", body), "content-type": "message/rfc822"}
        assert shared.ask(("/v1/receipts/email/mail", body, signed)) == (200, b"{}")
    finally:
        begin_telling("off", "off")
        os.close(fd)
    log = (tmp_path / "log").read_text("utf-8")
    assert "unparsed_bounce" in log
    assert user not in log
