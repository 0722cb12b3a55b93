"""F32, F64: yesterday's backup sends nothing until it is reconciled, and of two deployments on one database the second sends nothing."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, insert, text, update

from sop_engine.actions import restored
from sop_engine.actions.composing import key_of
from sop_engine.actions.halting import sending_allowed
from sop_engine.actions.invariants import ask_invariants
from sop_engine.actions.reconcile import reconcile
from sop_engine.actions.restored import PulseFile, watch_pulse
from sop_engine.core.errors import Refused
from sop_engine.settings import Settings
from sop_engine.store import attempts, audit, leases
from sop_engine.store.engine import open_engine
from sop_engine.store.halts import read_halts
from sop_engine.store.migrate import upgrade
from tests.shop import Shop, keys
from tests.shop_project import Scripted

FLOW = (
    "playbook: g\nintent: cultivate\nstart: {event: cart}\ngoal: buys\nagain: always\nsteps:\n"
    "  hi: {after: 1h, send: hello}\n  then: {after: 2h, from: hi, send: third}\n"
)
LOCAL = "playbook: l\nintent: cultivate\nstart: {event: visit}\ngoal: buys\nagain: always\nsteps:\n  hi: {after: 1h, send: hello_push}\n"


class Remembered(dict[str, str]):
    """A memory outside the database."""

    def set(self, name: str, value: str) -> None:
        self[name] = value


def named(shop: Shop, instance: str) -> None:
    """The process works with another SOP_INSTANCE."""
    shop.app.settings = Settings.model_construct(instance=instance)


def pulse(shop: Shop, number: int) -> None:
    with shop.app.transaction() as tx:
        if tx.execute(update(leases.leases).values(pulse=number)).rowcount == 0:
            tx.execute(insert(leases.leases).values(name="leader", holder="a", epoch=1, until=shop.now, pulse=number))


def with_carts(engine: Engine, users: int = 4) -> tuple[Shop, Scripted]:
    """Users with a message due at 11:00, the first of them with one into the outbox too; and the provider."""
    provider = Scripted()
    shop = Shop(engine, FLOW, LOCAL, start="2025-03-01 10:00", channels={"sms": provider})
    for key in keys(users):
        shop.user(key)
        shop.event(key, "cart")
    shop.event("u1", "visit")
    return shop, provider


def in_safe_mode(shop: Shop) -> None:
    """The copy is noticed at 12:00."""
    shop.jump("2025-03-01 12:00")
    memory = Remembered()
    with shop.app.transaction() as tx:
        memory.set(read_halts(tx).instance, "100")
    pulse(shop, 50)
    assert watch_pulse(shop.app, memory, shop.now) is not None


def broken(shop: Shop) -> list[str]:
    """Invariants that do not hold."""
    with shop.app.work(shop.now) as work:
        return [f"{one.invariant.id}: {one.subjects}" for one in ask_invariants(work).broken]


@pytest.fixture
def file_engines(tmp_path: Path) -> Iterator[tuple[Engine, Path]]:
    """A SQLite database in a file."""
    engine = open_engine(f"sqlite:///{tmp_path / 'sop.db'}")
    upgrade(engine)
    yield engine, tmp_path
    engine.dispose()


def test_f32_a_restored_backup_sends_nothing_twice(file_engines: tuple[Engine, Path]) -> None:
    engine, folder = file_engines
    shop, provider = with_carts(engine)
    memory = PulseFile(folder / "sop.db-pulse")
    pulse(shop, 10)
    assert watch_pulse(shop.app, memory, shop.now) is None
    engine.dispose()
    shutil.copy(folder / "sop.db", folder / "backup")
    for other in folder.glob("sop.db-*al"):
        shutil.copy(other, folder / other.name.replace("sop.db", "backup"))

    shop.until("2025-03-01 11:00")  # the history that will be lost: all four are sent
    pulse(shop, 20)
    watch_pulse(shop.app, memory, shop.now)
    sent = [m.key for m in provider.handed]
    assert len(sent) == 4
    engine.dispose()
    for name in ("sop.db", "sop.db-wal", "sop.db-shm"):
        (folder / name).unlink(missing_ok=True)
    for other in folder.glob("backup*"):
        shutil.move(other, folder / other.name.replace("backup", "sop.db"))

    shop.jump("2025-03-01 12:00")
    why = watch_pulse(shop.app, memory, shop.now)
    assert why == "this database is older than the one last seen (pulse 10 after 20): it is a restored copy."
    shop.beat()
    assert {t.state for t in shop.touches()} == {"planned"}
    done = reconcile(shop.app, shop.now, dict.fromkeys(sent[:3]), by="wang")
    assert (done.sent, done.given_up, done.as_planned, done.unmatched) == (3, 1, 1, 0)
    assert watch_pulse(shop.app, memory, shop.now) is None
    shop.until("2025-03-01 15:00")
    assert [m.key for m in provider.handed[:4]] == sent
    assert sorted(m.step for m in provider.handed[4:]) == ["then"] * 3  # what follows is sent, what was sent is not
    assert broken(shop) == []
    assert sorted(s for s in shop.states() if s.startswith("hi:")) == ["hi:failed:outcome_unknown", *["hi:sent"] * 4]


def test_while_safe_mode_stands_every_touch_waits_and_the_reason_is_shown(engine: Engine) -> None:
    shop, provider = with_carts(engine)
    in_safe_mode(shop)
    shop.beat()
    assert set(shop.states()) == {"hi:planned:paused"}
    assert provider.handed == []
    with shop.app.transaction() as tx:
        told = sending_allowed(tx, shop.app.settings)
        assert told is not None
        assert told.startswith("safe mode since 2025-03-01T04:00:00+00:00: this database is older")
        assert told.endswith("'sop reconcile'.")


def test_what_is_found_in_the_log_counts_as_sent_and_what_nobody_knows_is_given_up(engine: Engine) -> None:
    shop, provider = with_carts(engine)
    with shop.app.work(shop.now) as work:
        instance = work.app.instance(work.tx)
    touched = {t.user_id: t for t in shop.touches() if t.flow == "g"}
    first = key_of(instance, touched[1].id, "sms", 0)
    second = key_of(instance, touched[2].id, "sms", 2)  # twice refused after the copy was made, then taken
    in_safe_mode(shop)
    shop.beat()
    done = reconcile(shop.app, shop.now, {first: shop.at("2025-03-01 11:30"), second: None, "f" * 32: None}, by="wang")
    assert (done.sent, done.given_up, done.as_planned, done.unmatched) == (2, 2, 1, 1)
    by_user = {t.user_id: t for t in shop.touches() if t.step == "hi" and t.flow == "g"}
    assert [by_user[n].state for n in (1, 2, 3, 4)] == ["sent", "sent", "failed", "failed"]
    assert (by_user[1].done_at, by_user[2].done_at) == (shop.at("2025-03-01 11:30"), shop.at("2025-03-01 11:00"))
    assert {t.intent_day for t in by_user.values()} == {shop.now.date().toordinal()}  # both count in caps
    with shop.app.transaction() as tx:
        made = [attempts.of_touch(tx, by_user[n].id)[0] for n in (1, 2, 3)]
        assert [(a.key, a.outcome, a.reason) for a in made[:2]] == [(k, "accepted", "reconciled") for k in (first, second)]
        assert made[2].outcome == "unclear"
        assert audit.list_noted(tx)[0].what == "reconciled"
        assert audit.broken(tx) == []
    shop.until("2025-03-01 18:00")
    assert sorted(m.step for m in provider.handed) == ["then", "then"]
    assert broken(shop) == []


def test_touches_due_after_the_copy_was_noticed_are_sent_as_planned(engine: Engine) -> None:
    shop, provider = with_carts(engine, users=1)
    shop.jump("2025-03-01 10:30")
    memory = Remembered()
    with shop.app.transaction() as tx:
        memory.set(read_halts(tx).instance, "100")
    watch_pulse(shop.app, memory, shop.now)
    shop.until("2025-03-01 11:30")
    assert provider.handed == []
    assert reconcile(shop.app, shop.now, {}).given_up == 0
    shop.until("2025-03-01 11:35")
    assert len(provider.handed) == 1


def test_keys_after_reconciling_are_not_those_of_the_lost_history(engine: Engine) -> None:
    shop, _ = with_carts(engine, users=1)
    with shop.app.transaction() as tx:
        before = read_halts(tx)
    in_safe_mode(shop)
    reconcile(shop.app, shop.now, {})
    with shop.app.transaction() as tx:
        after = read_halts(tx)
    assert after.name == before.name
    assert after.instance != before.instance
    assert after.safe_mode is None


def test_reconciling_outside_safe_mode_is_refused(engine: Engine) -> None:
    shop, _ = with_carts(engine, users=1)
    with pytest.raises(Refused, match="not in safe mode"):
        reconcile(shop.app, shop.now, {})


def test_a_pulse_that_rises_is_remembered_and_begins_no_safe_mode(engine: Engine) -> None:
    shop, _ = with_carts(engine, users=1)
    memory = Remembered()
    for number in (1, 2, 7):
        pulse(shop, number)
        assert watch_pulse(shop.app, memory, shop.now) is None
    assert list(memory.values()) == ["7"]


def test_a_pulse_that_comes_between_reading_both_is_no_loss(engine: Engine) -> None:
    shop, _ = with_carts(engine, users=1)
    pulse(shop, 5)

    class Slow(Remembered):
        """Another process renews the lease and remembers it right after we asked."""

        def get(self, name: str, default: object = None) -> Any:
            pulse(shop, 6)
            found = super().get(name)
            self[name] = "6"
            return found

    assert watch_pulse(shop.app, Slow(), shop.now) is None


def test_a_damaged_memory_file_remembers_nothing(tmp_path: Path) -> None:
    file = PulseFile(tmp_path / "pulse")
    assert file.get("a") is None
    file.set("a", "1")
    file.set("b", "2")
    assert (file.get("a"), file.get("b")) == ("1", "2")
    (tmp_path / "pulse").write_text("{")
    assert file.get("a") is None


def test_f64_a_deployment_with_another_name_sends_nothing_until_it_adopts_the_database(engine: Engine) -> None:
    shop, provider = with_carts(engine, users=2)
    named(shop, "staging")
    shop.until("2025-03-01 11:00")
    assert provider.handed == []
    assert {s for s in shop.states()} == {"hi:planned:paused"}
    with shop.app.transaction() as tx:
        before, why = read_halts(tx).instance, sending_allowed(tx, shop.app.settings)
    assert why is not None
    assert "'staging'" in why
    with shop.app.work(shop.now) as work:
        assert restored.adopt(work, "wang") == "staging"
    shop.until("2025-03-01 11:11")
    assert len(provider.handed) == 2
    with shop.app.transaction() as tx:
        assert sending_allowed(tx, shop.app.settings) is None
        assert read_halts(tx).instance != before
        assert tx.execute(text("SELECT what FROM audit ORDER BY id DESC")).scalars().first() == "adopted"
    with shop.app.work(shop.now) as work, pytest.raises(Refused, match="already"):
        restored.adopt(work, "wang")


def test_f64_the_name_is_that_of_the_settings_at_the_first_apply(engine: Engine) -> None:
    shop = Shop(engine, start="2025-03-01 10:00")
    named(shop, "shop-prod")
    shop.apply(FLOW)
    with shop.app.transaction() as tx:
        assert read_halts(tx).name == "shop-prod"
        assert sending_allowed(tx, shop.app.settings) is None
        assert sending_allowed(tx, Settings.model_construct(instance="")) is None
        assert sending_allowed(tx, Settings.model_construct(instance="other")) is not None


def test_adopting_without_a_name_in_the_settings_makes_one(engine: Engine) -> None:
    shop, _ = with_carts(engine, users=1)
    with shop.app.work(shop.now) as work:
        before = read_halts(work.tx).name
        name = restored.adopt(work, "wang")
        assert name != before
        assert read_halts(work.tx).name == name
