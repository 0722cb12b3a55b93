"""F06, F26: the connection or the process ends while a COMMIT is under way: what is stored decides, and nothing is sent on a guess."""

import os
from collections.abc import Callable, Iterator
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from sop_engine.actions.invariants import ask_invariants
from sop_engine.actions.release import rescue
from sop_engine.channels.contract import Receipt
from sop_engine.core.errors import DeliveryError
from sop_engine.store import crash_points
from sop_engine.store.clock import database_time
from sop_engine.store.engine import open_engine
from tests.conftest import Databases
from tests.faults.forking import DIED, in_child
from tests.faults.nemesis import COMMIT, Proxy
from tests.processes import until
from tests.shop import Shop, keys
from tests.shop_project import Scripted

FLOW = "playbook: p\nintent: cultivate\nstart: {event: cart}\ngoal: buys\nagain: always\nsteps:\n  hi: {after: 1h, send: hello}\n"
USERS = 3


@pytest.fixture
def url(migrated_postgres: Databases) -> Iterator[str]:
    """The address of a fresh database."""
    address = migrated_postgres.copy()
    yield address
    migrated_postgres.drop(address.rpartition("/")[2])


@pytest.fixture
def proxy(url: str) -> Iterator[Proxy]:
    """What stands before it."""
    one = Proxy(url)
    yield one
    one.close()


@pytest.fixture
def engine_behind(proxy: Proxy) -> Iterator[Engine]:
    """The engine's way to the database."""
    engine = open_engine(proxy.url)
    yield engine
    engine.dispose()


def due(engine: Engine, provider: Scripted) -> tuple[Shop, list[tuple[int, int]]]:
    """Users with a touch each that is due, and the hints of them."""
    shop = Shop(engine, FLOW, start="2025-03-01 10:00", channels={"sms": provider})
    for user in keys(USERS):
        shop.event(shop.user(user), "cart")
    shop.jump("2025-03-01 11:00")
    hints = shop.claim()
    shop.app.lease_clock = database_time  # as in production: what was begun may be waited for
    return shop, hints


def at(monkeypatch: pytest.MonkeyPatch, point: str, do: Callable[[], object], times: int = 1) -> list[str]:
    """Do something when the engine passes a point; which of these have passed."""
    passed: list[str] = []

    def hook(name: str) -> None:
        if name == point:
            passed.append(name)
            if len(passed) <= times:
                do()

    monkeypatch.setattr(crash_points, "hook", hook)
    return passed


def cut_at_commit(proxy: Proxy) -> Callable[[], None]:
    """The next COMMIT is passed on, and its answer never arrives."""

    def arm() -> None:
        proxy.cut_at = COMMIT

    return arm


def rows(shop: Shop, sql: str) -> list[Any]:
    """What is stored."""
    with shop.app.transaction() as tx:
        return [tuple(row) for row in tx.execute(text(sql))]


def all_is_sent_once(shop: Shop, provider: Scripted) -> None:
    """Every message was handed over once, and is stored so."""
    assert shop.states() == ["hi:sent"] * USERS
    assert sorted(m.user_key for m in provider.handed) == sorted(keys(USERS))
    assert rows(shop, "SELECT outcome FROM attempts") == [("accepted",)] * USERS
    assert rows(shop, "SELECT 1 FROM late_results") == []
    with shop.app.work(shop.now) as work:
        assert [f"{b.invariant.id}: {b.subjects}" for b in ask_invariants(work).broken] == []


def test_f26_intents_whose_commit_was_not_answered_are_found_and_carried_out(
    engine_behind: Engine, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = Scripted()
    shop, hints = due(engine_behind, provider)
    passed = at(monkeypatch, "before_intent_commit", cut_at_commit(proxy))
    assert shop.deliver(hints) == USERS
    assert (proxy.cuts, len(passed)) == (1, 1)
    all_is_sent_once(shop, provider)


def test_f26_intents_whose_commit_never_came_are_not_carried_out(engine_behind: Engine, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = Scripted()
    shop, hints = due(engine_behind, provider)
    at(monkeypatch, "before_intent_commit", lambda: end_backends(url))
    with pytest.raises(OperationalError):
        shop.deliver(hints)
    assert provider.handed == []
    assert shop.states() == ["hi:queued"] * USERS
    shop.app.lease_clock = None
    shop.now += 2 * shop.app.ladder.lease
    assert rescue(shop.app, shop.now) == (USERS, 0)
    shop.beat()
    all_is_sent_once(shop, provider)


def test_f26_another_worker_that_wrote_the_intent_meanwhile_carries_it_out_alone(
    engine_behind: Engine, proxy: Proxy, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both had the same hints, as doubled messages give. The COMMIT of the first never came; the second has the same keys."""
    provider, engine = Scripted(), open_engine(url)
    shop, hints = due(engine_behind, provider)
    second = Shop(engine, start="2025-03-01 11:00:01", channels={"sms": provider})
    workers: list[Thread] = []

    def lose() -> None:
        end_backends(url)
        monkeypatch.setattr(crash_points, "hook", None)
        workers.append(Thread(target=second.deliver, args=(hints,)))
        workers[0].start()
        workers[0].join(60)

    at(monkeypatch, "before_intent_commit", lose)
    with pytest.raises(OperationalError):
        shop.deliver(hints)
    all_is_sent_once(shop, provider)
    engine.dispose()


def test_f26_answers_whose_commit_was_not_answered_are_read_again_and_count_once(
    engine_behind: Engine, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    failure = DeliveryError("retry_after", "not_accepted")
    provider = Scripted([Receipt("1", "accepted"), failure, failure])
    shop, hints = due(engine_behind, provider)
    passed = at(monkeypatch, "before_settle_commit", cut_at_commit(proxy))
    shop.deliver(hints)
    assert (proxy.cuts, len(passed)) == (1, 1)  # written once
    assert sorted(shop.states()) == ["hi:planned:not_accepted", "hi:planned:not_accepted", "hi:sent"]
    assert rows(shop, "SELECT results FROM circuits") == [("100",)]
    assert rows(shop, "SELECT 1 FROM late_results") == []
    assert rows(shop, "SELECT proof FROM touches WHERE state = 'planned'") == [(1,), (1,)]


def test_f26_answers_that_were_late_and_whose_commit_was_not_answered_are_kept_once(
    engine_behind: Engine, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = Scripted([DeliveryError("permanent", "content")] * USERS)
    shop, hints = due(engine_behind, provider)

    def lease_is_over(_message: object) -> None:
        if len(provider.handed) == USERS:
            with shop.app.transaction() as tx:
                tx.execute(text("UPDATE touches SET lease_until = :past"), {"past": shop.now})
            assert rescue(shop.app, shop.at("2025-03-01 11:02")) == (0, USERS)

    provider.before = lease_is_over
    at(monkeypatch, "before_settle_commit", cut_at_commit(proxy))
    shop.deliver(hints)
    assert (proxy.cuts, len(rows(shop, "SELECT 1 FROM late_results"))) == (1, USERS)


def test_f26_answers_are_stored_when_the_database_is_back_before_the_lease_is_over(
    engine_behind: Engine, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = Scripted()
    shop, hints = due(engine_behind, provider)
    passed = at(monkeypatch, "before_settle_commit", lambda: end_backends(url), times=2)
    assert shop.deliver(hints) == USERS
    assert len(passed) == 3
    all_is_sent_once(shop, provider)


def test_f06_a_worker_killed_in_the_commit_of_its_answers_leaves_them_sent(url: str) -> None:
    """The process ends right after its COMMIT has gone out; nobody ever hears how that went."""
    engine, provider = open_engine(url), Scripted()
    shop, hints = due(engine, provider)
    engine.dispose()  # the child opens its own

    def work() -> None:
        mine = Proxy(url)
        mine.at_cut = lambda: os._exit(DIED)
        shop.app.engine = open_engine(mine.url)
        passing = crash_points.hook
        assert passing is not None

        def hook(name: str) -> None:
            passing(name)
            if name == "before_settle_commit":
                mine.cut_at = COMMIT

        crash_points.hook = hook
        shop.deliver(hints)

    assert in_child(work).died
    until(lambda: rows(shop, "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
                             "AND backend_type = 'client backend'") == [])  # fmt: skip
    shop.app.lease_clock = None
    shop.now += 2 * shop.app.ladder.lease
    shop.beat()
    assert shop.states() == ["hi:sent"] * USERS
    assert rows(shop, "SELECT outcome FROM attempts") == [("accepted",)] * USERS
    assert provider.handed == []  # in this process: what was sent was not sent again
    engine.dispose()


def end_backends(url: str) -> None:
    """The server ends every connection to this database but ours."""
    admin = open_engine(url)
    with admin.begin() as tx:
        tx.execute(text("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() "
                        "AND pid <> pg_backend_pid() AND backend_type = 'client backend'"))  # fmt: skip
    admin.dispose()
