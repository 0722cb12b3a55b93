"""A small shop with a door on HTTP: sends what clients send, and looks at what is stored of it."""

import asyncio
import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
from sqlalchemy import Engine, select

from sop_engine.actions.keys import make_key
from sop_engine.actions.sources import SourceTold, list_sources
from sop_engine.console.pages import build
from sop_engine.settings import Settings
from sop_engine.store.columns import table_of
from sop_engine.store.people import get_id
from sop_engine.store.tables import EventRow, UserRow
from tests.conftest import sqlite_copy
from tests.shop import Shop
from tests.shop_project import CATALOGUE

events, users = table_of(EventRow), table_of(UserRow)
ORIGIN = "https://shop.example"
START = "2025-03-01 20:00"


class Client:
    """Asks a web application in this process, without a network."""

    def __init__(self, web: Any) -> None:
        transport = httpx.ASGITransport(web, raise_app_exceptions=False)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://test", follow_redirects=False)

    def request(self, method: str, path: str, **how: Any) -> httpx.Response:
        """One request."""
        with asyncio.Runner() as runner:
            return runner.run(self.client.request(method, path, **how))

    def together(self, *requests: tuple[str, Mapping[str, Any]]) -> list[httpx.Response]:
        """Several POSTs at once, as (path, how)."""

        async def all_of_them() -> list[httpx.Response]:
            return await asyncio.gather(*(self.client.post(path, **how) for path, how in requests))

        with asyncio.Runner() as runner:
            return runner.run(all_of_them())

    def get(self, path: str, **how: Any) -> httpx.Response:
        """GET."""
        return self.request("GET", path, **how)


class Door:
    """A shop, a key of the source `web`, and a client that is told every answer as it is."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        shop.app.settings = Settings.model_construct(ingest_origins=ORIGIN, public_url="https://sop.example")
        self.key = self.new_key("web")
        self.client = Client(build(shop.app, lambda: shop.now))

    def new_key(self, source: str, *scopes: str) -> str:
        """A key of a source."""
        return make_key(self.shop.app, source, scopes or ("ingest",), self.shop.now, by="test").key

    def post(self, path: str, body: Any, *, key: str | None = None, **headers: str) -> httpx.Response:
        """One call with the key as clients send it; bytes are sent as they are."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        auth = (self.key if key is None else key, "") if key != "" else None
        return self.client.request("POST", f"/v1/{path}", content=content, auth=auth, headers=headers)

    def batch(self, *items: Any, **more: Any) -> httpx.Response:
        """Items in one call, which must be answered well."""
        answer = self.post("batch", {"batch": list(items), **more})
        assert (answer.status_code, answer.json()) == (200, {"success": True}), answer.text
        return answer

    def track(self, event: str, user: str = "u1", **more: Any) -> dict[str, Any]:
        """A track as clients write it."""
        return {"type": "track", "event": event, "userId": user, **more}

    def stored(self, *columns: str) -> list[Any]:
        """These columns of every event, in the order in which they were stored; one column bare."""
        with self.shop.app.transaction() as tx:
            rows = tx.execute(select(*(events.c[name] for name in columns)).order_by(events.c.id)).all()
        return [row[0] if len(columns) == 1 else tuple(row) for row in rows]

    def user(self, key: str = "u1") -> Mapping[str, Any]:
        """The row of a user, or of whom it became part of."""
        with self.shop.app.transaction() as tx:
            return dict(tx.execute(select(users).where(users.c.id == get_id(tx, key))).one()._mapping)

    def keys(self) -> list[str]:
        """The keys of all users."""
        with self.shop.app.transaction() as tx:
            return list(tx.execute(select(users.c.key).order_by(users.c.key)).scalars())

    def told(self, source: str = "web") -> SourceTold:
        """What is counted of a source."""
        with self.shop.app.work(self.shop.now) as work:
            return next(one for one in list_sources(work) if one.source == source)

    def refused(self) -> dict[str, int]:
        """Refused items by reason."""
        return {one.reason: one.number for one in self.told().refused}


def identify(traits: dict[str, Any], at: str = "2025-03-01T11:00:00Z", **more: Any) -> dict[str, Any]:
    """An identify as clients write it."""
    return {"type": "identify", "userId": "u1", "traits": traits, "timestamp": at, **more}


def open_door(engine: Engine, *documents: str, catalogue: str = CATALOGUE) -> Door:
    """A shop with this catalogue, at 2025-03-01 12:00 UTC."""
    shop = Shop(engine, start=START)
    shop.apply(*documents, catalogue=catalogue)
    return Door(shop)


class Doors:
    """Shops on SQLite in memory: each catalogue is applied once, and every test has a copy."""

    def __init__(self, migrated: sqlite3.Connection, stack: ExitStack) -> None:
        self.migrated, self.stack = migrated, stack
        self.applied: dict[tuple[str, ...], sqlite3.Connection] = {}

    @contextmanager
    def open(self, *documents: str, catalogue: str = CATALOGUE) -> Iterator[Door]:
        """The shop at 2025-03-01 12:00 UTC."""
        key = (catalogue, *documents)
        if key not in self.applied:
            engine = self.stack.enter_context(sqlite_copy(self.migrated))
            open_door(engine, *documents, catalogue=catalogue)
            raw = engine.raw_connection().driver_connection
            assert isinstance(raw, sqlite3.Connection)
            self.applied[key] = raw
        with sqlite_copy(self.applied[key]) as engine:
            yield Door(Shop(engine, start=START))
