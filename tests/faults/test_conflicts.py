"""F27, F29: deadlocks, lock timeouts and a busy SQLite: the transaction is repeated, the call to the provider never is."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event as Flag
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.exc import DBAPIError, OperationalError

from sop_engine.actions import intend as intend_room
from sop_engine.actions.catch_up import catch_up
from sop_engine.actions.ingest import NotRecorded, record_events
from sop_engine.actions.invariants import ask_invariants
from sop_engine.actions.release import rescue
from sop_engine.actions.slicing import do_slice
from sop_engine.actions.sweep import SWEPT
from sop_engine.channels.contract import Receipt
from sop_engine.core.errors import DeliveryError
from sop_engine.store import engine as engine_room
from sop_engine.store import repeating, versions
from sop_engine.store.engine import open_engine
from sop_engine.store.migrate import upgrade
from tests.conftest import Databases
from tests.processes import until
from tests.shop import Shop, keys
from tests.shop_project import BENEFIT, Scripted

FLOW = "playbook: p\nintent: cultivate\nstart: {event: cart}\ngoal: buys\nagain: always\nsteps:\n  hi: {after: 1h, send: hello}\n"
GIFT = (
    f"benefits:\n  gift: {{pool: G, {BENEFIT}}}\n---\n"
    "playbook: g\nintent: serve\nstart: {event: visit}\ngoal: joins\nagain: always\nsteps:\n  gift: {after: 1h, give: gift, send: coupon}\n"
)
SHORT_MS = 40  # how long the engine waits for a lock here


class InTheWay:
    """Another program that holds what the engine needs: every row of users, touches and slices; on SQLite the right to write."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.pauses = 0
        self.leaves_after: int | None = 1  # so many pauses of the engine; None: it stays
        self._held: Connection | None = None

    def come(self) -> None:
        """Take hold of everything."""
        self._held = self._engine.connect()
        if self._engine.dialect.name == "postgresql":
            for table in ("users", "touches", "slices"):
                self._held.execute(text(f"SELECT 1 FROM {table} FOR UPDATE"))
        else:
            self._held.execute(text("SELECT 1"))  # BEGIN IMMEDIATE

    def leave(self) -> None:
        """Let go of it."""
        if self._held is not None:
            self._held.rollback()
            self._held.close()
            self._held = None

    def pause(self, _longest_s: float) -> None:
        """The engine waits before it tries again."""
        self.pauses += 1
        if self.pauses == self.leaves_after:
            self.leave()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.server)])
def hasty(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """A fresh database on which the engine waits for a lock for a moment alone."""
    monkeypatch.setitem(engine_room.PATIENT, "lock_timeout", SHORT_MS)
    if request.param == "sqlite":
        engine = open_engine(f"sqlite:///{tmp_path / 'sop.db'}", durable=False)
        event.listen(engine, "connect", lambda raw, _record: raw.execute(f"PRAGMA busy_timeout={SHORT_MS}").close())
        upgrade(engine)
        yield engine
        engine.dispose()
    else:
        databases: Databases = request.getfixturevalue("migrated_postgres")
        engine = open_engine(databases.copy())
        yield engine
        engine.dispose()
        databases.drop(str(engine.url.database))


@pytest.fixture
def other(hasty: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[InTheWay]:
    """What is in the way; it leaves at the engine's first pause."""
    one = InTheWay(hasty)
    monkeypatch.setattr(repeating, "pause", one.pause)
    yield one
    one.leave()


def due(engine: Engine, provider: Scripted, users: int = 2) -> Shop:
    """Users with a cart an hour ago, and so a touch each that is due."""
    shop = Shop(engine, FLOW, GIFT, start="2025-03-01 10:00", channels={"sms": provider})
    for user in keys(users):
        shop.event(shop.user(user), "cart")
    shop.jump("2025-03-01 11:00")
    return shop


def counted(shop: Shop, table: str) -> int:
    """How many rows there are."""
    with shop.app.transaction() as tx:
        return int(tx.execute(text(f"SELECT COUNT(*) FROM {table}")).scalar_one())


def holds(shop: Shop) -> None:
    """No invariant is broken."""
    with shop.app.work(shop.now) as work:
        assert [f"{b.invariant.id}: {b.subjects}" for b in ask_invariants(work).broken] == []


def test_f27_f29_an_intent_in_whose_way_somebody_is_is_written_once_and_called_once(hasty: Engine, other: InTheWay) -> None:
    provider = Scripted()
    shop = due(hasty, provider)
    hints = shop.claim()
    other.come()
    assert shop.deliver(hints) == 2
    assert (other.pauses, len(provider.handed), counted(shop, "attempts"), shop.states()) == (1, 2, 2, ["hi:sent", "hi:sent"])
    holds(shop)


def test_f27_f29_answers_in_whose_way_somebody_is_are_written_and_nobody_is_called_again(hasty: Engine, other: InTheWay) -> None:
    provider = Scripted([Receipt("7", "accepted"), DeliveryError("unknown", "no_answer")])
    shop = due(hasty, provider)
    hints = shop.claim()
    provider.before = lambda _message: other.come() if len(provider.handed) == 2 else None
    shop.deliver(hints)
    assert (other.pauses, len(provider.handed)) == (1, 2)
    assert sorted(shop.states()) == ["hi:sent", "hi:unknown:no_answer"]
    with shop.app.transaction() as tx:
        assert tx.execute(text("SELECT results FROM circuits")).scalars().all() == ["10"]  # the failure counts once
    assert counted(shop, "late_results") == 0
    holds(shop)


def test_f27_f29_a_lease_that_ran_out_is_taken_back_although_somebody_is_in_the_way(hasty: Engine, other: InTheWay) -> None:
    shop = due(hasty, Scripted())
    shop.claim()
    shop.now += 2 * shop.app.ladder.lease
    other.come()
    assert rescue(shop.app, shop.now) == (2, 0)
    assert other.pauses == 1


def test_f27_f29_events_in_whose_way_somebody_is_are_stored_and_counted_once(hasty: Engine, other: InTheWay) -> None:
    shop = due(hasty, Scripted())
    told = [shop.record(user, "order", "2025-03-01 11:00", {"order_id": user, "amount": 5}) for user in keys(2)]
    other.come()
    done = record_events(shop.app, told, shop.now)
    assert (done.stored, done.repeated, other.pauses) == (2, 0, 1)
    assert [shop.facts(user, "orders", "spent") for user in keys(2)] == [[1, 5], [1, 5]]
    assert [shop.ends(user) for user in keys(2)] == [["goal"], ["goal"]]


def test_f27_f29_a_slice_of_a_midnight_in_whose_way_somebody_is_is_done_once(hasty: Engine, other: InTheWay) -> None:
    shop = due(hasty, Scripted())
    shop.jump("2025-03-02 00:00")
    hints: list[Any] = []
    catch_up(shop.app, shop.now, hints.extend)
    (hint,) = hints
    other.come()
    assert [do_slice(shop.app, *hint[:2], shop.now) for _ in range(2)] == [0, None]
    assert other.pauses == 1
    catch_up(shop.app, shop.now)
    with shop.app.transaction() as tx:
        assert versions.get_mark(tx, SWEPT) == str(shop.now.astimezone(shop.zone).toordinal())


def test_f27_f29_who_stays_in_the_way_ends_it_after_three_repeats_and_nobody_is_called(hasty: Engine, other: InTheWay) -> None:
    provider = Scripted()
    shop = due(hasty, provider)
    hints = shop.claim()
    told = [shop.record("u1", "visit", "2025-03-01 11:00", {})]
    other.leaves_after = None
    other.come()
    with pytest.raises(OperationalError):
        shop.deliver(hints)
    assert other.pauses == 3
    with pytest.raises(OperationalError) as error:  # and no user is blamed for it
        record_events(shop.app, told, shop.now)
    assert not isinstance(error.value, NotRecorded)
    other.leave()
    assert provider.handed == []
    assert shop.states() == ["hi:queued", "hi:queued"]
    assert shop.deliver(hints) == 2
    assert shop.states() == ["hi:sent", "hi:sent"]


@pytest.mark.slow
def test_f29_a_storm_of_writes_by_another_program_delays_and_loses_nothing(tmp_path: Path) -> None:
    """The second writer takes the file again and again; a beat that found it taken for longer than its patience is tried again."""
    engine, another = (open_engine(f"sqlite:///{tmp_path / 'sop.db'}", durable=False) for _ in range(2))
    event.listen(engine, "connect", lambda raw, _record: raw.execute("PRAGMA busy_timeout=60").close())
    upgrade(engine)
    provider = Scripted()
    shop = due(engine, provider, users=40)
    over, wrote = Flag(), Flag()

    def storm() -> None:
        while not over.is_set():
            with suppress(OperationalError), another.begin() as tx:  # it may starve as well
                tx.execute(text("UPDATE users SET locale = 'zh' WHERE id = 1"))
                wrote.set()
                over.wait(0.03)
            over.wait(0.01)

    def sent() -> bool:
        with suppress(OperationalError):  # as `sop run` goes on to its next beat
            shop.beat()
            return set(shop.states()) == {"hi:sent"}
        return False

    writer = Thread(target=storm)
    writer.start()
    try:
        assert wrote.wait(60)
        until(sent)
    finally:
        over.set()
        writer.join(60)
        another.dispose()
    assert sorted(m.user_key for m in provider.handed) == sorted(keys(40))
    holds(shop)
    engine.dispose()


@pytest.fixture
def postgres(migrated_postgres: Databases) -> Iterator[Engine]:
    """A fresh database that looks for deadlocks at once."""
    url = migrated_postgres.copy()
    name = url.rpartition("/")[2]
    migrated_postgres.admin.execute(f"ALTER DATABASE {name} SET deadlock_timeout = '20ms'")
    engine = open_engine(url)
    yield engine
    engine.dispose()
    migrated_postgres.drop(name)


def test_f27_an_intent_that_is_the_victim_of_a_deadlock_is_written_once_and_called_once(
    postgres: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other program has the touches and waits for the users, whom the intent has; then the intent asks for the touches."""
    provider, pauses = Scripted(), list[float]()
    shop = due(postgres, provider)
    hints = shop.claim()
    monkeypatch.setattr(repeating, "pause", pauses.append)
    whole, threads = intend_room.queue.hold, list[Thread]()
    waiting = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")

    def wait_for_users(tx: Connection) -> None:
        tx.execute(text("UPDATE users SET locale = 'zh'"))
        tx.commit()

    def hold(tx: Connection, *asked: Any) -> Any:
        if not threads:
            threads.append(Thread(target=wait_for_users, args=(other,)))
            threads[0].start()
            until(lambda: _scalar(postgres, waiting) == 1)
        return whole(tx, *asked)

    with postgres.connect() as other:
        other.execute(text("SET deadlock_timeout = '10min'"))  # it is never the one that is ended
        other.commit()
        other.execute(text("SELECT 1 FROM touches FOR UPDATE"))
        monkeypatch.setattr(intend_room.queue, "hold", hold)
        assert shop.deliver(hints) == 2
        threads[0].join(60)
    assert len(pauses) == 1
    assert (len(provider.handed), counted(shop, "attempts"), shop.states()) == (2, 2, ["hi:sent", "hi:sent"])
    holds(shop)


def _scalar(engine: Engine, statement: Any) -> Any:
    with engine.connect() as looking:
        return looking.execute(statement).scalar()


@pytest.mark.parametrize(("state", "conflict"), [("40001", True), ("40P01", True), ("55P03", True), ("57014", False), ("23505", False)])
def test_f27_only_what_another_transaction_did_to_this_one_is_repeated(postgres: Engine, state: str, conflict: bool) -> None:
    tries = []

    def once() -> None:
        tries.append(state)
        with postgres.begin() as tx:
            tx.execute(text(f"DO $$ BEGIN RAISE SQLSTATE '{state}'; END $$"))

    do: Callable[[], None] = once
    with pytest.raises(DBAPIError):
        repeating.repeated(do)
    assert len(tries) == (4 if conflict else 1)
