"""A shop that sends by a webhook of its own and is told what became of it, over HTTP and signed, as a test wants."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx
from pydantic import SecretStr
from sqlalchemy import Engine, select

from sop_engine.channels.signature import signed
from sop_engine.console import pages
from sop_engine.settings import Settings
from sop_engine.settings.accounts import WebhookAccount
from sop_engine.store import inbox, touches
from sop_engine.store.columns import table_of
from sop_engine.store.tables import EventRow
from tests.channels.http_server import HttpServer
from tests.shop import Shop
from tests.shop_project import CATALOGUE

SECRET = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
HOOKS = CATALOGUE.replace("sms: {via: outbox, to: phone}", "sms: {via: webhook, to: phone}")
FLOW = """
playbook: p
intent: cultivate
start: {event: cart}
goal: buys
again: always
steps:
  hi: {at: now, send: hello}
  then: {after: 48h, send: again}
"""


Got = tuple[int, bytes]


class Web:
    """The web application, asked one request after the other without a socket."""

    def __init__(self, web: Any) -> None:
        self._transport = httpx.ASGITransport(web)

    def ask(self, method: str, path: str, *, body: bytes = b"", headers: Mapping[str, str] | None = None) -> httpx.Response:
        """One answer; what is done after it is done too."""

        async def once() -> httpx.Response:
            async with httpx.AsyncClient(transport=self._transport, base_url="https://sop.example.com") as client:
                return await client.request(method, path, content=body, headers=dict(headers or {}))

        return asyncio.run(once())


class Receiving:
    """The shop, its web application, and the system of its own that it sends to."""

    def __init__(self, engine: Engine, server: HttpServer, *, flow: str = FLOW, catalogue: str = HOOKS, **more: Any) -> None:
        self.shop = Shop(engine, start="2025-03-01 10:00", **more)
        self.server = server
        url = SecretStr(f"http://127.0.0.1:{server.port}/hook")
        self.shop.app.settings = Settings.model_construct(sending="live", webhook_loopback=True)
        self.shop.app.settings._accounts["sms"] = WebhookAccount(url=url, secret=SecretStr(SECRET))
        self.shop.apply(flow, catalogue=catalogue)
        self.again()

    def again(self) -> "Receiving":
        """The web application anew: it reads the settings as they are now."""
        self.web = Web(pages.build(self.shop.app, lambda: self.shop.now))
        return self

    def send(self, user: str = "u1", **given: Any) -> str:
        """A user gets the first message; its key."""
        self.shop.event(self.shop.user(user, **given), "cart")
        return self.key()

    def key(self) -> str:
        """The key of the last message that was handed over."""
        return str(json.loads(self.server.requests[-1][2])["data"]["key"])

    def tell(
        self, kind: str, key: str, *, number: str = "n1", secret: str = SECRET, channel: str = "sms", **data: Any
    ) -> tuple[int, bytes]:
        """Report something about a message; the answer."""
        body = json.dumps({"type": f"touch.{kind}", "data": {"key": key, **data}}).encode()
        return self.post(f"/v1/receipts/webhook/{channel}", body, number=number, secret=secret)

    def post(self, path: str, body: bytes, *, number: str = "n1", secret: str = SECRET, **headers: str) -> Got:
        """One signed request; the answer."""
        answer = self.web.ask("POST", path, body=body, headers={**self.signed(number, body, secret), **headers})
        return answer.status_code, answer.content

    def signed(self, number: str, body: bytes, secret: str = SECRET) -> dict[str, str]:
        """The headers that say who sends it."""
        stamp = str(int(self.shop.now.timestamp()))
        return {"webhook-id": number, "webhook-timestamp": stamp, "webhook-signature": signed([secret], number, self.shop.now, body)}

    def receipts(self) -> list[str]:
        """The kinds of everything that is noted beside messages."""
        with self.shop.app.transaction() as tx:
            return sorted(row.kind for row in tx.execute(select(touches.receipts)))

    def events(self) -> list[tuple[str, Mapping[str, Any]]]:
        """(kind, fields) of the built-in events, in order."""
        events = table_of(EventRow)
        with self.shop.app.transaction() as tx:
            rows = tx.execute(select(events.c.kind, events.c.fields).where(events.c.source == "sop").order_by(events.c.id))
            return [(row.kind, row.fields) for row in rows]

    def inbox(self) -> dict[str, int]:
        """How many facts are in each state."""
        with self.shop.app.transaction() as tx:
            return inbox.counts(tx)


@contextmanager
def receiving(engine: Engine, **more: Any) -> Iterator[Receiving]:
    """A shop whose messages are taken by an HTTP server on this machine."""
    with HttpServer(202, b"") as server:
        one = Receiving(engine, server, **more)
        try:
            yield one
        finally:
            one.shop.app.close()  # the server waits for connections that are kept
