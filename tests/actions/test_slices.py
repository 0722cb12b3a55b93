"""Slices of a midnight and of a refresh: the same as all at once, done by any workers, with events in between."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import Engine, select, text

from sop_engine.actions import everybody
from sop_engine.actions.catch_up import catch_up
from sop_engine.actions.existing import start_existing
from sop_engine.actions.ingest import record_events
from sop_engine.actions.place import Cause, follow
from sop_engine.actions.refresh import refresh_due
from sop_engine.actions.slicing import do_slice
from sop_engine.actions.sweep import SWEPT, sweep_day
from sop_engine.store import grants, placements, slices, tags, versions
from sop_engine.store import midnight as edges
from sop_engine.store.layers import known
from sop_engine.store.people import SLICE, filled
from sop_engine.store.scope import Scope
from tests.conftest import _on_postgres as on_postgres
from tests.conftest import _on_sqlite as on_sqlite
from tests.shop import Shop
from tests.sliced_shop import USERS, agrees_with_the_log, event, everything, shop_on

pytestmark = pytest.mark.slow


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.server)])
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[Engine, Engine]]:
    """Two fresh databases of one kind: on one everybody is swept at once, on the other slice by slice."""
    fresh = contextmanager(on_sqlite if request.param == "sqlite" else on_postgres)
    with fresh(request) as one, fresh(request) as other:
        yield one, other


def sweep_at_once(shop: Shop, day: date) -> None:
    """A midnight for everybody in one transaction, in statements about everybody."""
    at, task = shop.at(f"{day} 00:00"), Scope.everybody()
    with shop.app.work(at) as work:
        edges.sweep(work.tx, work.project, day, at)
        tags.refresh_rule_tags(work.tx, work.project, task, at)
        given, moved = known(work.tx, work.project, at), []
        for model in work.live.interest.models:
            moved += placements.place(work.tx, given, model, task, at, cause="sweep", release=work.live.release)
        heard = sorted((m for m in moved if m.model in work.live.interest.by_model), key=lambda m: m.user_id)
        follow(work, sorted({m.user_id for m in heard}), heard, Cause("sweep"))
        everybody.ask_open_runs(work)
        start_existing(work)
        grants.expire(work.tx, at)
        versions.set_mark(work.tx, SWEPT, str(day.toordinal()))


def live_a_week(shop: Shop, sweep: Callable[[date], object]) -> None:
    """Events by day, midnights by `sweep`, and the beats between them."""
    luck = Random(3)
    for n in range(1, 8):
        shop.jump(f"2025-03-{n:02d} 20:00")
        record_events(
            shop.app,
            [event(shop, 1000 * n + i, u, luck.choice(["visit", "order", "cart"]), 0) for i, u in enumerate(USERS[n::5])],
            shop.now,
        )
        shop.beat()
        shop.jump(f"2025-03-{n + 1:02d} 00:00")
        sweep(date(2025, 3, n + 1))
        shop.beat()


def test_a_week_slice_by_slice_is_a_week_all_at_once(pair: tuple[Engine, Engine], monkeypatch: pytest.MonkeyPatch) -> None:
    shops = [shop_on(engine, monkeypatch=monkeypatch) for engine in pair]
    live_a_week(shops[0], lambda day: sweep_at_once(shops[0], day))
    live_a_week(shops[1], lambda day: sweep_day(shops[1].app, day))
    once, sliced = (everything(shop) for shop in shops)
    assert {name: len(rows) > 10 for name, rows in once.items()} == dict.fromkeys(once, True)
    for name, rows in once.items():
        assert sliced[name] == rows, name


def test_a_day_that_is_swept_leaves_what_a_full_recompute_gives(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = shop_on(engine, monkeypatch=monkeypatch)
    live_a_week(shop, lambda day: sweep_day(shop.app, day))
    agrees_with_the_log(shop)


def test_workers_do_what_the_leader_hands_out_and_its_next_look_ends_the_midnight(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = shop_on(engine, monkeypatch=monkeypatch)
    shop.jump("2025-03-03 00:10")
    hints: list[Any] = []
    first = catch_up(shop.app, shop.now, hints.extend)
    assert (first.swept, first.waiting, len(hints)) == (0, True, 8)
    assert {task for task, _, _ in hints} == {f"sweep:{date(2025, 3, 2).toordinal()}"}  # the next midnight begins after this one
    assert catch_up(shop.app, shop.now, hints.extend).waiting
    assert len(hints) == 8  # they are held, and not handed out again
    done = [do_slice(shop.app, task, at, shop.now, epoch=epoch) for task, at, epoch in hints]
    assert None not in done
    assert [do_slice(shop.app, task, at, shop.now, epoch=epoch) for task, at, epoch in hints] == [None] * 8
    second = catch_up(shop.app, shop.now, hints.extend)
    assert (second.swept, second.waiting, len(hints)) == (1, True, 16)
    for task, at, epoch in hints[8:]:
        do_slice(shop.app, task, at, shop.now, epoch=epoch)
    while catch_up(shop.app, shop.now, hints.extend).waiting:  # a refresh may be due
        for task, at, epoch in hints:
            do_slice(shop.app, task, at, shop.now, epoch=epoch)
    with shop.app.transaction() as tx:
        assert versions.get_mark(tx, SWEPT) == str(date(2025, 3, 3).toordinal())
        assert tx.execute(select(slices.slices)).all() == []
    agrees_with_the_log(shop)


def test_a_slice_whose_worker_died_is_handed_out_again_and_the_old_hint_does_nothing(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = shop_on(engine, monkeypatch=monkeypatch)
    shop.jump("2025-03-02 00:10")
    hints: list[Any] = []
    catch_up(shop.app, shop.now, hints.extend)
    shop.now += shop.app.ladder.lease
    catch_up(shop.app, shop.now, hints.extend)
    old, new = hints[:8], hints[8:]
    assert [(t, at, epoch + 1) for t, at, epoch in old] == new
    assert do_slice(shop.app, old[0][0], old[0][1], shop.now, epoch=old[0][2]) is None
    assert do_slice(shop.app, new[0][0], new[0][1], shop.now, epoch=new[0][2]) is not None


def test_who_needs_the_midnight_swept_now_does_what_workers_have_not_done(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = shop_on(engine, monkeypatch=monkeypatch)
    shop.jump("2025-03-02 00:10")
    hints: list[Any] = []
    catch_up(shop.app, shop.now, hints.extend)
    do_slice(shop.app, hints[0][0], hints[0][1], shop.now, epoch=hints[0][2])
    assert catch_up(shop.app, shop.now).swept == 1
    assert do_slice(shop.app, hints[1][0], hints[1][1], shop.now, epoch=hints[1][2]) is None


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_events_between_slices_leave_every_value_and_level_right(engine: Engine, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    shop, luck = shop_on(engine, monkeypatch=monkeypatch), Random(seed)
    for day in (2, 3):
        shop.jump(f"2025-03-{day:02d} 00:00")
        now, waiting, n = shop.now, True, 0
        while waiting:
            hints: list[Any] = []
            waiting = catch_up(shop.app, shop.now, hints.extend).waiting
            luck.shuffle(hints)
            for task, at, epoch in hints:
                n += 1
                shop.now = now + timedelta(minutes=n)
                told = [
                    event(shop, 1000 * n + day * 100 + i, luck.choice(USERS), luck.choice(["cart", "visit", "order"]), 0) for i in range(2)
                ]
                record_events(shop.app, told, shop.now)
                do_slice(shop.app, task, at, now, epoch=epoch)
    with shop.app.transaction() as tx:
        assert tx.execute(text("SELECT MAX(many) FROM (SELECT COUNT(*) AS many FROM placements GROUP BY user_id, model) m")).scalar() == 1
    agrees_with_the_log(shop, by_day=True)


def test_a_cart_after_midnight_stays_in_the_last_24_hours_though_the_slice_comes_after_it(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = shop_on(engine, monkeypatch=monkeypatch)
    shop.jump("2025-03-02 00:00")
    hints: list[Any] = []
    catch_up(shop.app, shop.now, hints.extend)
    shop.now += timedelta(minutes=5)
    record_events(shop.app, [event(shop, n, user, "cart", 0) for n, user in enumerate(USERS, 9000)], shop.now)
    for task, at, epoch in hints:
        do_slice(shop.app, task, at, shop.now, epoch=epoch)
    assert [user for user in USERS if shop.facts(user, "warmth") == ["cold"]] == []  # warm by the cart


def test_a_refresh_is_handed_out_too(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = shop_on(engine, monkeypatch=monkeypatch)
    hints: list[Any] = []
    assert refresh_due(shop.app, shop.now, force=True, hand_out=hints.extend) == ["bands"]
    assert [task for task, _, _ in hints] == [f"refresh:{shop.now.isoformat()}"] * 8
    assert catch_up(shop.app, shop.now, hints.extend).waiting
    for task, at, epoch in hints:
        assert do_slice(shop.app, task, at, shop.now, epoch=epoch) is not None
    assert not catch_up(shop.app, shop.now, hints.extend).waiting
    assert len(hints) == 8


def test_slices_lie_where_users_are(engine: Engine) -> None:
    shop = Shop(engine, start="2025-03-01 09:00")
    with shop.app.transaction() as tx:
        for user in (1, 3, 9, SLICE + 1):
            tx.execute(
                text("INSERT INTO users (id, key, joined_at, joined_day, attributes, turn) VALUES (:i, :k, :a, 1, '{}', 0)"),
                {"i": user, "k": f"u{user}", "a": shop.now.replace(tzinfo=None)},
            )
        assert filled(tx, 4) == [0, 8, SLICE]
        assert filled(tx, SLICE) == [0, SLICE]
