"""Marked values of a person go through deliveries, failing texts and failing providers: none is in logs, metrics, spans or pages (I27)."""

import json
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic import SecretStr
from sqlalchemy import Engine

from sop_engine.actions.telling import begin_telling, tell
from sop_engine.actions.tracing import begin_tracing, end_tracing, span
from sop_engine.channels.webhook import Endpoint, Webhook
from sop_engine.console import pages
from sop_engine.core.errors import DeliveryError
from sop_engine.settings import Settings
from tests.asking import ask
from tests.channels.http_server import HttpServer
from tests.shop import Shop
from tests.shop_project import BENEFIT, Scripted, text

PHONE, MAIL, NAME, CODE, KEY, SECRET = (
    "13812345678",
    "qingqing@secret.example",
    "欧阳青青",
    "ZXQW-1234-ASDF",
    "user-kxq-77",
    "aHVzaC1odXNoLTktaHVzaC1odXNoLTktaHVzaCE=",
)
MARKED = (PHONE, MAIL, NAME, CODE, KEY, SECRET)

FLOW = f"""
playbook: gifts
intent: serve
start: {{event: visit}}
goal: buys
steps:
  gift: {{at: day 0 10:00, send: gift_sms, give: ten}}
  broken: {{at: day 0 11:00, send: broken_sms}}
  letter: {{at: day 0 12:00, send: letter_mail}}
  push: {{at: day 0 13:00, send: hello_push}}
---
benefits:
  ten: {{{BENEFIT}, pool: tens}}
"""
WORDS = "name: required"
TEXTS = {
    "gift_sms": text("gift_sms", "sms", variables=f"{WORDS}, benefit.code: required", body="{{ name }} {{ benefit.code }}"),
    "broken_sms": text("broken_sms", "sms", variables=f"{WORDS}, city: required", body="{{ name }} {{ city }}"),
    "letter_mail": text("letter_mail", "mail", variables=WORDS, body="Dear {{ name }}"),
}


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Callable[[], str]]:
    """What is logged, as JSON lines."""
    file = tmp_path / "log"
    fd = os.open(file, os.O_WRONLY | os.O_CREAT)
    begin_telling("json", "json", fd=fd)
    yield lambda: file.read_text("utf-8")
    begin_telling("off", "off")
    os.close(fd)


def hits(*texts: str) -> list[str]:
    """Marked values that occur in these texts, written plainly or as JSON escapes."""
    whole = "\n".join(texts)
    return [value for value in MARKED if value in whole or json.dumps(value)[1:-1] in whole]


def test_marked_values_are_nowhere_to_be_seen_from_outside(
    engine: Engine, log: Callable[[], str], capfd: pytest.CaptureFixture[str]
) -> None:
    exporter = InMemorySpanExporter()
    begin_tracing("run", SimpleSpanProcessor(exporter))
    unfriendly = f"no such {PHONE} {MAIL} {NAME}"
    with HttpServer(500, unfriendly.encode()) as server:
        webhook = Webhook(Endpoint(f"http://127.0.0.1:{server.port}/{SECRET}", (SECRET,), (("x-token", SECRET),), loopback=True))
        channels = {"push": webhook, "mail": Scripted([DeliveryError("unknown", "no_answer", unfriendly), RuntimeError(unfriendly)])}
        shop = Shop(engine, FLOW, texts=TEXTS, channels=channels, start="2025-03-01 09:00")
        shop.codes("tens", CODE)
        shop.user(KEY, phone=PHONE, mail=MAIL, mail_ok=True, name=NAME)
        with span("day", count=1):
            shop.event(KEY, "visit")
            shop.until("2025-03-01 18:00")
        assert server.requests
        webhook.close()  # the server waits for whoever is connected
    assert {state.partition(":")[0] for state in shop.states(KEY)} == {"gift", "broken", "letter", "push"}
    assert CODE in shop.texts_sent(KEY)[0]
    tell("touch", touch=1, outcome="sent", **{"phone": PHONE, "text": NAME})
    web = pages.build(shop.app, lambda: shop.now + timedelta(hours=1))
    seen = [ask(web, path) for path in ("/healthz", "/readyz", "/metrics", f"/{PHONE}", f"/readyz?user={PHONE}")]
    assert seen[2].status_code == 200
    shown = capfd.readouterr()
    traced = [span.to_json() for span in exporter.get_finished_spans()]
    end_tracing()
    assert log()
    assert traced
    assert hits(log(), shown.out, shown.err, *traced, *(page.text for page in seen), repr([page.headers for page in seen])) == []


def test_an_error_page_says_nothing_of_the_error(engine: Engine, monkeypatch: pytest.MonkeyPatch, log: Callable[[], str]) -> None:
    def failing(_app: object, _now: object) -> None:
        raise RuntimeError(f"{NAME} {PHONE}")

    shop = Shop(engine)
    monkeypatch.setattr(pages, "watch", failing)
    web = pages.build(shop.app)
    assert ask(web, "/readyz").json()["checks"] == {"database": {"ok": False, "why": "the database does not answer (RuntimeError)"}}
    monkeypatch.setattr(pages, "judge", failing)
    monkeypatch.setattr(pages, "_checks", failing)
    page = ask(web, "/readyz")
    assert (page.status_code, page.json()) == (500, {"error": "this should not have happened"})
    assert "page_failed" in log()
    assert hits(page.text, log()) == []


def test_the_text_of_a_database_error_holds_no_value(engine: Engine) -> None:
    shop = Shop(engine, FLOW, texts=TEXTS)
    shop.user(KEY, name=NAME)
    with pytest.raises(Exception, match="users") as caught, shop.app.transaction() as tx:
        tx.exec_driver_sql(f"INSERT INTO users (no_such_column) VALUES ('{len(KEY)}')")
    assert hits(str(caught.value)) == []


def test_settings_show_no_secret() -> None:
    settings = Settings.model_construct(smtp_password=SecretStr(SECRET), database_url=f"postgresql://sop:{SECRET}@db/sop", redis_url=SECRET)
    assert hits(repr(settings), str(settings)) == []
