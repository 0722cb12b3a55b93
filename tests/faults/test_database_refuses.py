"""F28: a full disk, or a database that has become read-only: sending stops, it is told, nothing is half done, and all goes on after."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import DBAPIError

from sop_engine.actions.invariants import ask_invariants
from sop_engine.cli.running import keep_going
from sop_engine.core.readiness import judge
from sop_engine.store.engine import open_engine
from sop_engine.store.migrate import upgrade
from sop_engine.store.set_aside import may_be_one_user
from sop_engine.store.signs import read_signs
from sop_engine.worker.leading import Leader
from sop_engine.worker.scheduler import Job, jobs_of, run_job
from tests.conftest import Databases
from tests.shop import Shop, keys
from tests.shop_project import Scripted
from tests.test_operations import ALERTS

FLOW = "playbook: p\nintent: cultivate\nstart: {event: cart}\ngoal: buys\nagain: always\nsteps:\n  hi: {after: 1h, send: hello}\n"
USERS = 30


def due(engine: Engine, provider: Scripted) -> Shop:
    """Users with a touch each that is due."""
    shop = Shop(engine, FLOW, start="2025-03-01 10:00", channels={"sms": provider})
    for user in keys(USERS):
        shop.event(shop.user(user), "cart")
    shop.jump("2025-03-01 11:00")
    return shop


def nothing_is_half_done(shop: Shop, provider: Scripted) -> None:
    """Whatever was handed over has its attempt, no touch is blamed, and every invariant holds."""
    with shop.app.work(shop.now) as work:
        assert [f"{b.invariant.id}: {b.subjects}" for b in ask_invariants(work).broken] == []
        known = set(work.tx.execute(text("SELECT key FROM attempts")).scalars())
    assert {m.key for m in provider.handed} <= known
    assert {t.state for t in shop.touches()} <= {"planned", "queued", "sending", "unknown", "sent"}


def all_is_sent_once(shop: Shop, provider: Scripted) -> None:
    """Every user got one."""
    assert shop.states() == ["hi:sent"] * USERS
    assert sorted(m.user_key for m in provider.handed) == sorted(keys(USERS))


class Disk:
    """The room there is for a SQLite file."""

    pages = 1_000_000

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        event.listen(engine, "checkout", lambda raw, *_: raw.execute(f"PRAGMA max_page_count={self.pages}").close())

    def fill(self) -> None:
        """No page more than there are."""
        with self._engine.connect() as connection:
            self.pages = int(connection.execute(text("PRAGMA page_count")).scalar_one())

    def free(self) -> None:
        """Room again."""
        self.pages = Disk.pages


@pytest.fixture
def shop_on_file(tmp_path: Path) -> Iterator[tuple[Shop, Scripted, Disk]]:
    """A shop on a SQLite file."""
    engine = open_engine(f"sqlite:///{tmp_path / 'sop.db'}", durable=False)
    upgrade(engine)
    provider = Scripted()
    yield due(engine, provider), provider, Disk(engine)
    engine.dispose()


def beats(shop: Shop, many: int) -> list[str]:
    """What `sop run` says of so many beats."""
    said: list[str] = []
    left = iter(range(many - 1, -1, -1))
    keep_going(shop.app, lambda _s: next(left) == 0, 1, lambda: shop.now, said.append)
    return said


def test_f28_a_full_disk_stops_sending_and_it_goes_on_where_there_is_room(shop_on_file: tuple[Shop, Scripted, Disk]) -> None:
    shop, provider, disk = shop_on_file
    disk.fill()
    said = beats(shop, 3)
    assert len(said) == 3
    assert all("will be tried again: OperationalError: database or disk is full" in line for line in said)
    handed = len(provider.handed)
    nothing_is_half_done(shop, provider)
    assert handed < USERS
    disk.free()
    shop.now += 2 * shop.app.ladder.lease  # what was claimed before is nobody's by now
    beats(shop, 2)
    all_is_sent_once(shop, provider)


def test_f28_a_disk_that_fills_up_during_the_calls_makes_their_outcomes_unknown_and_nobody_is_called_again(
    shop_on_file: tuple[Shop, Scripted, Disk],
) -> None:
    shop, provider, disk = shop_on_file
    provider.before = lambda _message: disk.fill() if len(provider.handed) == USERS else None
    with shop.app.transaction() as tx:  # what is left in the pages there are does not do
        tx.execute(text("CREATE TRIGGER grow AFTER UPDATE OF state ON touches WHEN NEW.state = 'sent' BEGIN "
                        "INSERT INTO touch_changes (touch_id, old, new, reason, epoch) "
                        "VALUES (NEW.id, 'sent', 'sent', hex(zeroblob(20000)), NEW.epoch); END"))  # fmt: skip
    assert "database or disk is full" in beats(shop, 1)[0]
    assert {t.state for t in shop.touches()} == {"sending"}
    nothing_is_half_done(shop, provider)
    disk.free()
    with shop.app.transaction() as tx:
        tx.execute(text("DROP TRIGGER grow"))
    shop.now += 2 * shop.app.ladder.lease
    beats(shop, 2)
    assert {t.state for t in shop.touches()} == {"unknown"}
    assert sorted(m.user_key for m in provider.handed) == sorted(keys(USERS))


@pytest.fixture
def postgres(migrated_postgres: Databases) -> Iterator[tuple[Engine, Callable[[str], None]]]:
    """A fresh PostgreSQL database, and how to make it read-only: on or off."""
    engine = open_engine(migrated_postgres.copy())
    name = str(engine.url.database)

    def read_only(word: str) -> None:
        migrated_postgres.admin.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = {word}")
        engine.dispose()

    yield engine, read_only
    engine.dispose()
    migrated_postgres.drop(name)


def test_f28_a_read_only_database_stops_sending_blames_no_user_and_rings(postgres: tuple[Engine, Callable[[str], None]]) -> None:
    engine, read_only = postgres
    provider = Scripted()
    shop = due(engine, provider)
    leader = Leader(shop.app, "one")
    assert leader.try_once()
    hints: list[tuple[int, int]] = []
    jobs = {job.name: job for job in jobs_of(lambda claimed, _lane: hints.extend(claimed), lambda _hints: None, lambda: True)}
    often = [jobs[name] for name in ("release", "rescue", "calendar", "starts", "close", "watch", "seal")]
    assert all(done(shop, leader, often))
    assert len(hints) == USERS
    read_only("on")
    shop.now += timedelta(seconds=61)
    for _ in range(2):
        with pytest.raises(DBAPIError) as refused:
            shop.deliver(hints)
        assert not may_be_one_user(refused.value)  # or one touch would fail for it as soon as it can be written
        assert not any(done(shop, leader, often))
    assert provider.handed == []
    nothing_is_half_done(shop, provider)
    with engine.connect() as tx:
        signs = read_signs(tx, shop.now, release="release")
    assert next(rule["expr"] for rule in ALERTS if rule["alert"] == "SopDatabaseRefusesWrites") == "min(sop_job_age_seconds) > 60"
    assert min(job.age_s for job in signs.jobs if job.age_s is not None) > 60
    assert "jobs" in {check.name for check in judge(signs, 0) if not check.ok}
    read_only("off")
    assert leader.try_once()
    assert shop.deliver(hints) == USERS
    all_is_sent_once(shop, provider)


def done(shop: Shop, leader: Leader, jobs: list[Job]) -> list[bool]:
    """How each job of the leader went."""
    return [run_job(job, shop.app, leader, lambda: shop.now) for job in jobs]
