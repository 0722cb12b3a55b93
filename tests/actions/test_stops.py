"""Stops take effect at the next intent, planning goes on, and their end is no burst."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine, text, update

from sop_engine.actions import stopping
from sop_engine.actions.why import why
from sop_engine.core.errors import BadInput, NotFound, Refused
from sop_engine.store import audit
from sop_engine.store.touches import touches
from tests.shop import Shop, keys
from tests.shop_project import Scripted

pytestmark = pytest.mark.slow

FLOW = "playbook: NAME\nintent: cultivate\nstart: {event: cart}\ngoal: buys\nagain: always\nsteps:\n  hi: {after: 1h, send: hello}\n"
MAIL = FLOW.replace("hello", "hello_push")


def with_carts(engine: Engine, *documents: str, users: int = 1, **channels: Scripted) -> Shop:
    shop = Shop(engine, *documents, start="2025-03-01 10:00", channels=channels)
    for key in keys(users):
        shop.user(key)
        shop.event(key, "cart")
    return shop


def stop(shop: Shop, scope: str = "all") -> None:
    with shop.app.work(shop.now) as work:
        stopping.stop(work, scope, by="wang", why="wrong text")


def resume(shop: Shop, scope: str = "all") -> stopping.Resumed:
    with shop.app.work(shop.now) as work:
        return stopping.resume(work, scope, by="wang", why="text is right")


@pytest.mark.parametrize("scope", ["all", "playbook:a", "channel:sms"])
def test_what_is_stopped_waits_and_goes_on_when_it_is_resumed(engine: Engine, scope: str) -> None:
    shop = with_carts(engine, FLOW.replace("NAME", "a"))
    stop(shop, scope)
    shop.until("2025-03-01 12:00")
    assert shop.states() == ["hi:planned:paused"]
    assert resume(shop, scope).waiting == 1
    shop.beat()
    assert shop.states() == ["hi:sent"]


@pytest.mark.parametrize("scope", ["playbook:b", "channel:push"])
def test_a_stop_holds_its_own_scope_alone(engine: Engine, scope: str) -> None:
    shop = with_carts(engine, FLOW.replace("NAME", "a"), MAIL.replace("NAME", "b"))
    stop(shop, scope)
    shop.until("2025-03-01 11:00")
    assert sorted(shop.states()) == ["hi:planned:paused", "hi:sent"]


def test_users_enter_flows_and_touches_are_planned_while_all_is_stopped(engine: Engine) -> None:
    shop = with_carts(engine, FLOW.replace("NAME", "a"), users=0)
    stop(shop)
    shop.user("u1")
    shop.event("u1", "cart")
    assert shop.planned() == ["hi@03-01 11:00"]


def test_what_is_claimed_when_the_stop_comes_is_not_sent(engine: Engine) -> None:
    shop = with_carts(engine, FLOW.replace("NAME", "a"))
    shop.jump("2025-03-01 11:00")
    hints = shop.claim()
    stop(shop)
    assert shop.deliver(hints) == 0
    assert shop.states() == ["hi:planned:paused"]


def test_what_waited_longer_than_it_may_be_late_is_skipped_with_that_reason(engine: Engine) -> None:
    shop = with_carts(engine, FLOW.replace("NAME", "a"))
    stop(shop)
    shop.until("2025-03-02 11:30")
    resume(shop)
    shop.beat()
    assert shop.states() == ["hi:skipped:paused"]


def test_many_that_waited_are_spread_evenly_and_none_past_its_time(engine: Engine) -> None:
    shop = with_carts(engine, FLOW.replace("NAME", "a"), users=60)
    stop(shop)
    shop.until("2025-03-01 11:30")
    soon = shop.now + timedelta(seconds=61)
    with shop.app.transaction() as tx:
        tx.execute(update(touches).where(touches.c.id > 50).values(late_at=soon))
    done = resume(shop)
    assert (done.waiting, done.spread) == (60, timedelta(seconds=3))  # 20 a second
    waits = {t.id: (t.due_at - shop.now).total_seconds() for t in shop.touches()}
    assert sorted(waits.values()) == pytest.approx([n / 20 for n in range(60)], abs=0.002)
    assert max(waits[t.id] for t in shop.touches() if t.late_at == soon) == pytest.approx(0.45, abs=0.002)  # what is late goes first
    shop.until("2025-03-01 11:31")
    assert len(shop.sent()) == 60


def test_nothing_is_moved_to_where_it_would_be_too_late(engine: Engine) -> None:
    shop = with_carts(engine, FLOW.replace("NAME", "a"), users=3)
    stop(shop)
    shop.until("2025-03-01 11:30")
    with shop.app.transaction() as tx:
        tx.execute(update(touches).values(late_at=shop.now + timedelta(seconds=60)))
    resume(shop)
    assert {t.due_at for t in shop.touches()} == {shop.now}


def test_resuming_one_playbook_moves_no_touch_of_another(engine: Engine) -> None:
    shop = with_carts(engine, FLOW.replace("NAME", "a"), FLOW.replace("NAME", "ab"))
    stop(shop, "playbook:a")
    stop(shop, "playbook:ab")
    shop.until("2025-03-01 11:05")
    before = {t.flow: t.due_at for t in shop.touches()}
    assert resume(shop, "playbook:a").waiting == 1
    after = {t.flow: t.due_at for t in shop.touches()}
    assert after["ab"] == before["ab"]
    assert after["a"] == shop.now


def test_names_that_do_not_exist_are_refused_with_the_close_one(engine: Engine) -> None:
    shop = with_carts(engine, FLOW.replace("NAME", "wakeup"), users=0)
    with shop.app.work(shop.now) as work:
        with pytest.raises(NotFound, match="Did you mean 'wakeup'"):
            stopping.scope_of(work, everything=False, playbook="wakup", channel=None)
        with pytest.raises(NotFound, match="Did you mean 'push'"):
            stopping.scope_of(work, everything=False, playbook=None, channel="psh")
        with pytest.raises(BadInput, match="one of them"):
            stopping.scope_of(work, everything=True, playbook="wakeup", channel=None)


def test_resuming_needs_a_reason_and_something_that_is_stopped(engine: Engine) -> None:
    shop = with_carts(engine, FLOW.replace("NAME", "a"), users=0)
    with shop.app.work(shop.now) as work:
        with pytest.raises(BadInput, match="--why"):
            stopping.resume(work, "all", by="wang", why=" ")
        with pytest.raises(Refused, match="is not stopped"):
            stopping.resume(work, "all", by="wang", why="all is well")


def test_why_says_which_stop_holds_a_touch(engine: Engine) -> None:
    shop = with_carts(engine, FLOW.replace("NAME", "a"))
    stop(shop, "channel:sms")
    shop.until("2025-03-01 11:00")
    with shop.app.work(shop.now) as work:
        told = why(work, "u1").runs[0].touches[0]
    assert told.detail == "channel 'sms' is stopped since 2025-03-01 02:00 UTC by wang: wrong text"


def test_what_operators_do_is_noted_by_name_without_anything_personal(engine: Engine) -> None:
    shop = with_carts(engine, FLOW.replace("NAME", "a"))
    stop(shop)
    resume(shop)
    with shop.app.transaction() as tx:
        noted = audit.list_noted(tx)
        assert audit.broken(tx) == []
        assert "wrong text" not in tx.execute(text("SELECT about FROM audit")).scalars().all().__repr__()
    assert [(row.who, row.what) for row in noted] == [("wang", "resumed"), ("wang", "stopped"), ("", "applied")]
