"""F66: a midnight, a refresh and events of the same users at the same time: one placement each, and nobody is seen between levels."""

from collections.abc import Callable
from itertools import permutations
from threading import Event as Flag
from threading import Thread

import pytest
from sqlalchemy import Engine, text

from sop_engine.actions.catch_up import catch_up
from sop_engine.actions.ingest import record_events
from sop_engine.actions.invariants import ask_invariants
from sop_engine.actions.refresh import refresh_due
from sop_engine.core.records import EventRecord
from tests.shop import Shop
from tests.sliced_shop import USERS, agrees_with_the_log, event, shop_on

MODELS = 2
PLACED = text(
    "SELECT COUNT(*), COUNT(DISTINCT user_id || '/' || model) FROM placements WHERE level IS NOT NULL AND model IN ('stage', 'warmth')"
)


def told(shop: Shop, day: int) -> list[EventRecord]:
    """Visits and orders of a third of the users, an hour old."""
    return [event(shop, 10_000 * day + n, user, ("visit", "order")[n % 2], 1) for n, user in enumerate(USERS[day % 3 :: 3])]


def acts(shop: Shop, day: int) -> list[Callable[[], object]]:
    """The midnight, the refresh of population numbers, and events."""
    records = told(shop, day)
    return [
        lambda: catch_up(shop.app, shop.now),
        lambda: refresh_due(shop.app, shop.now, force=True),
        lambda: record_events(shop.app, records, shop.now),
    ]


def holds(shop: Shop) -> None:
    """Every invariant, I16 among them."""
    with shop.app.work(shop.now) as work:
        assert [f"{b.invariant.id}: {b.subjects}" for b in ask_invariants(work).broken] == []


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_f66_the_three_in_any_order_leave_what_the_log_says(
    order: tuple[int, ...], monkeypatch: pytest.MonkeyPatch, memory: Engine
) -> None:
    shop = shop_on(memory, monkeypatch=monkeypatch)
    shop.jump("2025-03-03 00:00")
    three = acts(shop, 1)
    for number in order:
        three[number]()
        with shop.app.transaction() as tx:
            assert tx.execute(PLACED).one() == (MODELS * len(USERS), MODELS * len(USERS))
    agrees_with_the_log(shop)
    holds(shop)


@pytest.mark.slow
def test_f66_all_three_at_once_for_days_place_everybody_once_and_nobody_is_seen_between_levels(
    postgres: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = shop_on(postgres, monkeypatch=monkeypatch)
    failed, seen, over = list[Exception](), set[tuple[int, int]](), Flag()

    def guarded(act: Callable[[], object]) -> None:
        try:
            act()
        except Exception as error:
            failed.append(error)

    def look() -> None:
        with postgres.connect() as looking:
            while not over.is_set():
                seen.add(tuple(looking.execute(PLACED).one()))
                looking.rollback()

    looker = Thread(target=guarded, args=(look,))
    looker.start()
    try:
        for day in range(2, 5):
            shop.jump(f"2025-03-{day:02d} 00:00")
            workers = [Thread(target=guarded, args=(act,)) for act in (*acts(shop, day), acts(shop, day)[0])]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join(60)
            catch_up(shop.app, shop.now)
    finally:
        over.set()
        looker.join(60)
    assert failed == []
    assert seen == {(MODELS * len(USERS), MODELS * len(USERS))}
    agrees_with_the_log(shop, by_day=True)
    holds(shop)
