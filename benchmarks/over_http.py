"""Row about events that arrive over HTTP: `/v1/batch`, answered when everything is stored and followed, beside the bare insert."""

import asyncio
import json
from collections.abc import Iterator

import httpx

from benchmarks.arriving import BATCH, WHO, Arrivals
from benchmarks.by_hand import driver
from benchmarks.by_hand.driver import Event, row_of
from benchmarks.everybody import opened
from benchmarks.measuring import Figure, alternate
from benchmarks.stock import NOW, Stock
from sop_engine.actions.keys import make_key
from sop_engine.console.pages import build


def over_http(stock: Stock, times: int, batches: int) -> Iterator[Figure]:
    """Batches of 100 events as Segment's clients send them, through the whole application; the network alone is missing."""
    with opened(stock.copied("http")) as both, asyncio.Runner() as loop:
        arrivals = Arrivals(both.lite.execute(WHO).fetchall())
        key = make_key(both.app, "bench", ("ingest",), NOW, by="bench").key
        web = httpx.AsyncClient(transport=httpx.ASGITransport(build(both.app, lambda: NOW)), base_url="http://bench", auth=(key, ""))
        bodies: list[bytes] = []
        rows: list[list[tuple[object, ...]]] = []

        def prepare(_number: int, _name: str) -> None:
            made = [arrivals.anything(BATCH) for _ in range(batches)]
            bodies[:] = [json.dumps({"batch": [item_of(e) for e in batch]}).encode() for batch in made]
            rows[:] = [[row_of(e, arrivals.ids[e.user_key]) for e in batch] for batch in made]

        def ours() -> int:
            return sum(loop.run(web.post("/v1/batch", content=body)).status_code == 200 for body in bodies)

        def by_hand() -> None:
            for batch in rows:
                driver.add(both.lite, batch)

        found = alternate({"ours": ours, "hand": by_hand}, times, before=prepare)
        notes = {"calls answered 200": found["ours"].answer}
        name = "POST /v1/batch, 100 events: everything"
        yield Figure(name, stock.users, found["ours"], found["hand"], "sqlite3 executemany", "–", work=BATCH * batches, notes=notes)


def item_of(event: Event) -> dict[str, object]:
    """The event as a client sends it."""
    money = {} if event.amount is None else {"order_id": f"o{event.message_id}", "amount": event.amount}
    return {
        "type": "track", "userId": event.user_key, "event": event.kind, "messageId": event.message_id,
        "timestamp": event.at.isoformat(), "properties": money, "context": {"library": {"name": "bench", "version": "1"}},
    }  # fmt: skip
