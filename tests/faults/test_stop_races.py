"""F50: a stop in the middle of a wave binds every intent after it; what is in flight goes on."""

from collections.abc import Iterator
from datetime import timedelta
from threading import Event, Thread

import pytest
from sqlalchemy import Engine, func, select

from sop_engine.actions import stopping
from sop_engine.actions.invariants import ask_invariants
from sop_engine.channels.contract import Message
from sop_engine.store import attempts, stops
from sop_engine.store.attempts import attempts as rows
from sop_engine.store.engine import transaction
from tests.shop import Shop, keys
from tests.shop_project import Scripted

FLOW = "playbook: g\nintent: cultivate\nstart: {event: cart}\ngoal: buys\nagain: always\nsteps:\n  hi: {after: 1h, send: hello}\n"
USERS, BATCH, FLIPS = 60, 10, 200


def test_f50_a_stop_in_the_middle_of_a_wave_lets_no_more_than_the_batch_in_flight_out(engine: Engine) -> None:
    def stop_at_the_first(message: Message) -> None:
        if len(provider.handed) == 1:
            with shop.app.work(shop.now) as work:
                stopping.stop(work, "all", by="wang")

    provider = Scripted(before=stop_at_the_first)
    shop = Shop(engine, FLOW, start="2025-03-01 10:00", channels={"sms": provider})
    for key in keys(USERS):
        shop.user(key)
        shop.event(key, "cart")
    shop.jump("2025-03-01 11:00")
    hints = shop.claim()
    for first in range(0, USERS, BATCH):
        shop.deliver(hints[first : first + BATCH])
    assert len(provider.handed) == BATCH
    assert sorted(shop.states()) == ["hi:planned:paused"] * (USERS - BATCH) + ["hi:sent"] * BATCH
    assert seen_stopped(engine) == []
    with shop.app.work(shop.now) as work:
        stopping.resume(work, "all", by="wang", why="all is well")
    shop.until("2025-03-01 11:30")
    assert len(shop.sent()) == USERS
    with shop.app.work(shop.now) as work:
        assert ask_invariants(work).broken == []


def seen_stopped(engine: Engine) -> list[int]:
    """Attempts that carry a version at which everything was stopped (I8)."""
    with transaction(engine) as tx:
        history = {row.id: row.stopped for row in stops.history(tx)}
        return [a.id for a in tx.execute(select(rows.c.id, rows.c.switch)) if history.get(a.switch, False)]


@pytest.fixture
def intents(engine: Engine) -> Iterator[list[Thread]]:
    """Four workers that write intents as fast as they can, each under the lock and with the version it saw, until told to end."""
    over = Event()

    def work(worker: int) -> None:
        number = 0
        while not over.is_set():
            number += 1
            with transaction(engine) as tx:
                stops.hold(tx)
                if "all" in stops.stopped(tx):
                    continue
                attempts.begin(tx, [_attempt(worker * 10**6 + number, stops.version(tx))])

    threads = [Thread(target=work, args=(n,)) for n in range(4)]
    yield threads
    over.set()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()


def _attempt(touch: int, switch: int) -> attempts.Attempt:
    from datetime import UTC, datetime

    at = datetime(2025, 3, 1, tzinfo=UTC)
    return attempts.Attempt(touch, 1, 1, 0, "sms", str(touch), "", 1, switch, at, at)


@pytest.mark.slow
@pytest.mark.parametrize("engine", [pytest.param("postgresql", marks=pytest.mark.server)], indirect=True)
def test_f50_no_intent_is_committed_after_a_stop_it_has_not_seen(engine: Engine, intents: list[Thread]) -> None:
    for thread in intents:
        thread.start()
    counted: dict[int, int] = {}
    at = _attempt(0, 0).began_at
    for flip in range(FLIPS):
        with transaction(engine) as tx:
            version = stops.add(tx, "all", stop=flip % 2 == 0, at=at + timedelta(seconds=flip), by="t", why="")
            counted[version] = _older(tx, version)  # nobody else can write one now
    with transaction(engine) as tx:
        assert {v: _older(tx, v) for v in counted} == counted
        assert tx.execute(select(func.count()).select_from(rows)).scalar_one() > FLIPS
    assert seen_stopped(engine) == []


def _older(tx: object, version: int) -> int:
    statement = select(func.count()).select_from(rows).where(rows.c.switch < version)
    return int(tx.execute(statement).scalar_one())
