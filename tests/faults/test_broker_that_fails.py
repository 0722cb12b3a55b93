"""F16 F18 F22: Redis that hangs, is full, or comes back with old hints; the tick ends, the rows stay, and each touch is sent once."""

import base64
import json
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
from celery import Celery
from sqlalchemy import Engine

from sop_engine.actions.ingest import record_events
from sop_engine.actions.release import release_due
from sop_engine.actions.telling import begin_telling
from sop_engine.core.errors import Refused
from sop_engine.core.records import UserRecord
from sop_engine.settings import Settings
from sop_engine.worker.broker import Redis
from sop_engine.worker.tasks import Broker, celery_app
from tests.servers import Server, start_redis
from tests.shop import Shop, keys
from tests.shop_project import Scripted

pytestmark = [pytest.mark.slow, pytest.mark.server]

FLOW = "playbook: p\nintent: cultivate\nstart: {event: cart}\ngoal: buys\nagain: always\nsteps:\n  hi: {after: 1h, send: hello}\n"
QUEUE = "sop:sop.marketing"
MANY = 45  # touches: more than two messages


@dataclass
class Line:
    """A shop, a Redis of its own, and what hands hints over between them."""

    shop: Shop
    provider: Scripted
    server: Server
    celery: Celery

    def release(self) -> int:
        """One tick: claim what is due and hand it over. Raises Refused when Redis does not take it."""
        return release_due(self.shop.app, self.shop.now, Broker(self.celery).deliver)

    def take(self) -> list[tuple[int, int]]:
        """Every hint that waits in Redis, as a worker takes it."""
        with redis.Redis.from_url(self.server.url) as client:
            found = []
            while (raw := client.lpop(QUEUE)) is not None:
                ((pairs,), _words, _more) = json.loads(base64.b64decode(json.loads(raw)["body"]))
                found += [(touch, epoch) for touch, epoch in pairs]
            return found

    def let_go(self) -> None:
        """Close the connections that are open: their server is about to be killed."""
        self.celery.close()

    @property
    def sent_once(self) -> bool:
        """Whether every touch has reached the provider exactly once."""
        return len({m.key for m in self.provider.handed}) == len(self.provider.handed) == MANY == len(self.shop.sent())


@pytest.fixture
def line(engine: Engine, redis_server: Server) -> Iterator[Line]:
    """So many touches that are due. The shared Redis is asked for so that an absence is counted; this one may be harmed."""
    server = start_redis()
    assert server is not None
    provider = Scripted()
    shop = Shop(engine, FLOW, start="2025-03-01 10:00", channels={"sms": provider})
    shop.users([UserRecord(user, shop.now, {"phone": "13800000000"}) for user in keys(MANY)])
    record_events(shop.app, [shop.record(user, "cart", shop.local(), {}) for user in keys(MANY)], shop.now)
    shop.jump("2025-03-01 11:00")
    shop.app.settings = Settings.model_construct(sending="live")
    celery = celery_app(Settings.model_construct(redis_url=server.url), lambda: shop.app)
    yield Line(shop, provider, server, celery)
    celery.close()
    server.stop()


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_f16_a_tick_ends_within_six_seconds_while_redis_hangs_and_what_it_took_after_all_is_sent_once(line: Line) -> None:
    assert line.server.process is not None
    release_due(line.shop.app, line.shop.now, Broker(line.celery).deliver, limit=1)  # the connection is open
    line.server.process.send_signal(signal.SIGSTOP)
    looks = Redis(line.server.url)
    try:
        begun = time.monotonic()
        with pytest.raises(Refused, match="nothing is lost"):
            line.release()
        assert time.monotonic() - begun < 6
        assert sorted(set(line.shop.states())) == ["hi:planned", "hi:queued"]
        assert len(line.shop.planned()) == MANY - 1
        begun = time.monotonic()
        assert [looks.answers() for _ in range(20)] == [False] * 20  # asked at every tick, and not waited for at every tick
        assert time.monotonic() - begun < 6
    finally:
        line.server.process.send_signal(signal.SIGCONT)
    line.release()
    line.shop.deliver(line.take())
    assert line.sent_once


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_f22_while_redis_is_full_nothing_is_lost_and_afterwards_each_is_sent_once(line: Line) -> None:
    with redis.Redis.from_url(line.server.url) as client:
        client.config_set("maxmemory", "1mb")
        for _ in range(2):
            with pytest.raises(Refused, match="Redis does not take messages"):
                line.release()
            assert len(line.shop.planned()) == MANY
        client.config_set("maxmemory", "0")
    assert line.release() == MANY
    line.shop.deliver(line.take())
    assert line.sent_once


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_f18_hints_of_an_old_snapshot_are_dropped_and_counted_and_send_nothing(
    line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line.release()
    with redis.Redis.from_url(line.server.url) as client:
        client.save()
    line.shop.deliver(line.take())
    assert line.sent_once
    line.let_go()
    line.server.restart()
    old = line.take()
    assert len(old) == MANY
    with (tmp_path / "log").open("w") as log:
        begin_telling("json", "json", fd=log.fileno())
        try:
            assert line.shop.deliver(old) == 0
        finally:
            begin_telling("off", "off")
    told = [json.loads(said) for said in (tmp_path / "log").read_text().splitlines()]
    assert sum(one["count"] for one in told if one["event"] == "stale_hint") == MANY
    assert line.sent_once
