"""Users with whom something fails are set aside or refused alone: a midnight and a batch of events go on with the others."""

from datetime import date
from typing import Any

import pytest
from sqlalchemy import Engine, select, text

from sop_engine.actions import deliver as deliver_room
from sop_engine.actions import everybody, ingest
from sop_engine.actions.catch_up import catch_up
from sop_engine.actions.ingest import NotRecorded, record_events
from sop_engine.actions.sweep import SWEPT
from sop_engine.core.records import EventRecord
from sop_engine.store import versions
from sop_engine.store.people import get_id
from sop_engine.store.set_aside import rows as set_aside
from tests.shop import Shop
from tests.sliced_shop import USERS, agrees_with_the_log, event, shop_on

FLOW = "playbook: p\nintent: cultivate\nstart: {event: cart}\ngoal: buys\nagain: always\nsteps:\n  hi: {after: 1h, send: hello}\n"


def break_for(monkeypatch: pytest.MonkeyPatch, *broken: int) -> None:
    """The rules of some users cannot be computed; which shows when they are placed, with whomever."""
    whole = everybody.place_span

    def breaking(work: Any, span: Any, cause: str, **options: Any) -> int:
        if any(span[0] <= user < sum(span) for user in broken):
            raise ZeroDivisionError("private: 13800000000")
        return whole(work, span, cause, **options)

    monkeypatch.setattr(everybody, "place_span", breaking)


def test_users_who_break_a_midnight_are_set_aside_and_swept_the_day_after(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = shop_on(engine, size=20, monkeypatch=monkeypatch)
    with shop.app.transaction() as tx:
        broken = [get_id(tx, "u5"), get_id(tx, "u6")]
    with monkeypatch.context() as patched:
        break_for(patched, *broken)
        shop.jump("2025-03-02 00:00")
        assert catch_up(shop.app, shop.now).swept == 1
    with shop.app.transaction() as tx:
        found = tx.execute(select(set_aside.c.user_id, set_aside.c.task, set_aside.c.error).order_by(set_aside.c.user_id)).all()
        assert versions.get_mark(tx, SWEPT) == str(date(2025, 3, 2).toordinal())
    assert [(user, task) for user, task, _ in found] == [(user, f"sweep:{date(2025, 3, 2).toordinal()}") for user in broken]
    assert all(error.startswith("ZeroDivisionError") and "138" not in error for _, _, error in found)
    with monkeypatch.context() as patched:
        break_for(patched)
        shop.jump("2025-03-03 00:00")
        catch_up(shop.app, shop.now)
    with shop.app.transaction() as tx:
        assert tx.execute(select(set_aside)).all() == []
    agrees_with_the_log(shop)


def test_what_fails_with_everybody_is_nobodys_fault_and_the_midnight_stays_open(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = shop_on(engine, monkeypatch=monkeypatch)
    shop.jump("2025-03-02 00:00")
    with monkeypatch.context() as patched:
        patched.setattr(everybody, "ask_open_runs", fail)
        with pytest.raises(ZeroDivisionError):
            catch_up(shop.app, shop.now)
    with shop.app.transaction() as tx:
        assert tx.execute(select(set_aside)).all() == []
    assert catch_up(shop.app, shop.now).swept == 1


def fail(*_args: Any) -> None:
    """Nothing can be asked."""
    raise ZeroDivisionError


def test_one_user_whose_events_fail_loses_nobody_elses(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = shop_on(engine, monkeypatch=monkeypatch)
    told = [event(shop, 5000 + n, user, "visit", 0) for n, user in enumerate(USERS)]
    received = ingest.receive

    def breaking(work: Any, event_id: int, user_id: int, record: EventRecord) -> None:
        if record.user_key == "u7":
            raise ZeroDivisionError
        received(work, event_id, user_id, record)

    monkeypatch.setattr(ingest, "receive", breaking)
    with pytest.raises(NotRecorded, match="e5007") as failed:
        record_events(shop.app, [*told, event(shop, 6000, "u8", "visit", 0)], shop.now)
    assert failed.value.failed == ("e5007",)
    assert failed.value.recorded.stored == len(USERS)  # all but one, and the one of the second round
    with shop.app.transaction() as tx:
        stored = tx.execute(text("SELECT COUNT(*) FROM events WHERE message_id = 'e5007'")).scalar()
    assert stored == 0


def test_a_task_whose_time_is_over_is_no_bad_user(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """What tells a worker that its time is over comes as an error, wherever it is: here in an intent that waited for a lock."""
    shop = Shop(engine, FLOW, start="2025-03-01 10:00")
    shop.event(shop.user("u1"), "cart")
    shop.jump("2025-03-01 11:00")
    hints = shop.claim()
    spent = [0.0]
    shop.app.stopwatch = lambda: spent[0]

    def wait_too_long(*_args: Any) -> None:
        spent[0] = shop.app.ladder.soft.total_seconds()
        raise OutOfTime

    with monkeypatch.context() as patched:
        patched.setattr(deliver_room, "intend", wait_too_long)
        with pytest.raises(OutOfTime):
            shop.deliver(hints)
    assert shop.states() == ["hi:queued"]


def test_a_slice_whose_time_is_over_stays_open_and_sets_nobody_aside(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = shop_on(engine, size=20, monkeypatch=monkeypatch)
    shop.app.told_to_end = (OutOfTime,)
    shop.jump("2025-03-02 00:00")

    whole, told = everybody.place_span, list[str]()

    def cut_short(*args: Any, **options: Any) -> int:
        if not told:
            told.append("the time is over")
            raise OutOfTime
        return whole(*args, **options)

    monkeypatch.setattr(everybody, "place_span", cut_short)
    with pytest.raises(OutOfTime):
        catch_up(shop.app, shop.now)
    with shop.app.transaction() as tx:
        assert tx.execute(select(set_aside)).all() == []
    assert catch_up(shop.app, shop.now).swept == 1


class OutOfTime(Exception):
    """Like the one of Celery."""
