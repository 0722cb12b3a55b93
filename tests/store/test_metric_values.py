"""Stored metric values are exact: for any events, on any day, whether a few users are recomputed or everybody."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from random import Random

import pytest
from sqlalchemy import Connection, Engine

from sop_engine.core.calendar import midnight
from sop_engine.core.records import EventRecord, UserRecord
from sop_engine.store.aggregates import aggregates_of
from sop_engine.store.engine import transaction
from sop_engine.store.events import add_events
from sop_engine.store.facts import read_facts
from sop_engine.store.metric_values import TABLE, prepare, recompute
from sop_engine.store.midnight import recompute_after, sweep
from sop_engine.store.scope import Scope
from sop_engine.store.users import ensure_users
from tests.builders import SHANGHAI
from tests.store.plain_reading import METRICS, PROJECT, START, PlainReading, random_events
from tests.store.population import fill

pytestmark = pytest.mark.slow

WHOLE_DAYS = [m for m in METRICS if m.within is None or m.within.exact is None]
DAYS = 75


def stored(tx: Connection) -> dict[int, tuple[object, ...]]:
    """The table as it is."""
    return {row[0]: tuple(row) for row in tx.exec_driver_sql(f"SELECT * FROM {TABLE} ORDER BY user_id")}


@pytest.mark.parametrize("seed", range(4))
def test_every_verb_gives_what_its_words_say(engine: Engine, seed: int) -> None:
    random = Random(seed)
    by_user = {f"u{i}": random_events(random, f"u{i}", days=DAYS, most=60) for i in range(12)}
    users = [UserRecord(key, START + timedelta(days=random.randrange(DAYS))) for key in by_user]
    now = START + timedelta(days=random.randrange(20, DAYS + 10), hours=random.randrange(24))
    arrived = [e for events in by_user.values() for e in events]
    random.shuffle(arrived)
    with transaction(engine) as tx:
        ids = fill(tx, PROJECT, users, arrived, now)
        facts = read_facts(tx, PROJECT, [*PROJECT.metrics], Scope.everybody(), now)
    for user in users:
        events = by_user[user.key]
        joined = min([e.at for e in events] + [user.joined_at or now])
        reading = PlainReading(events, joined, now)
        for metric in METRICS:
            assert facts[ids[user.key]][metric.name] == reading.value(metric), (user.key, metric.name)


@pytest.mark.parametrize("seed", range(3))
def test_what_events_and_midnights_touch_is_all_that_must_be_computed(engine: Engine, seed: int) -> None:
    random = Random(seed)
    keys = [f"u{i}" for i in range(10)]
    waiting = sorted((e for key in keys for e in random_events(random, key, days=DAYS, most=40)), key=lambda e: e.at)
    with transaction(engine) as tx:
        prepare(tx, PROJECT)
        for number in range(1, DAYS + 35):
            day = START.astimezone(SHANGHAI).date() + timedelta(days=number)
            start = midnight(day, SHANGHAI)
            sweep(tx, PROJECT, day, start)
            if number % 3 == 0:
                assert_exact(tx, PROJECT.metrics, start)
            come = [e for e in waiting if e.at < start + timedelta(days=1) and random.random() < 0.8]  # others come later
            waiting = [e for e in waiting if e not in come]
            take_in(tx, come, start + timedelta(hours=20))
            if number % 3 == 1:
                assert_exact(tx, [m.name for m in WHOLE_DAYS], start + timedelta(hours=20))
    assert not waiting


def take_in(tx: Connection, events: list[EventRecord], now: datetime) -> None:
    """Store events and compute, for the users they touch, the columns that look at such events."""
    ids, _ = ensure_users(tx, PROJECT, [(e.user_key, e.at) for e in events])
    add_events(tx, PROJECT, events, ids, now)
    recompute_after(tx, PROJECT, Scope.of(ids.values()), now, {e.event for e in events})


def assert_exact(tx: Connection, names: Iterable[str], now: datetime) -> None:
    """What was kept up to date is what a full computation gives."""
    kept = read_facts(tx, PROJECT, names, Scope.everybody(), now)
    recompute(tx, PROJECT, Scope.everybody(), now)
    assert kept == read_facts(tx, PROJECT, names, Scope.everybody(), now)


def test_an_event_stored_before_its_day_counts_from_that_day_on(engine: Engine) -> None:
    now = START + timedelta(hours=12)
    ahead = EventRecord("1", "u", "order", now + timedelta(days=3), {"order_id": "a", "amount": Decimal(20)})
    with transaction(engine) as tx:
        ids = fill(tx, PROJECT, [UserRecord("u", START)], [ahead], now)
        assert read_facts(tx, PROJECT, ["count"], Scope.everybody(), now)[ids["u"]]["count"] == 0
        day = date(2025, 3, 4)
        sweep(tx, PROJECT, day, midnight(day, SHANGHAI))
        assert read_facts(tx, PROJECT, ["count"], Scope.everybody(), midnight(day, SHANGHAI))[ids["u"]]["count"] == 1


def test_a_window_in_hours_is_brought_up_to_date_whenever_somebody_asks(engine: Engine) -> None:
    visit = EventRecord("1", "u", "visit", START)
    with transaction(engine) as tx:
        ids = fill(tx, PROJECT, [UserRecord("u", START)], [visit], START)
        for hours, expected in ((35, 1), (36, 0), (35, 1)):
            facts = read_facts(tx, PROJECT, ["count_hours"], Scope.of(ids.values()), START + timedelta(hours=hours))
            assert facts[ids["u"]]["count_hours"] == expected


def test_any_set_of_users_is_computed_alike_and_nobody_else_is_touched(engine: Engine) -> None:
    random = Random(5)
    now = START + timedelta(days=40)
    events = [e for i in range(8) for e in random_events(random, f"u{i}", days=40, most=30)]
    with transaction(engine) as tx:
        ids = fill(tx, PROJECT, [UserRecord(f"u{i}", START) for i in range(8)], events, now)
        everybody = stored(tx)
        tx.exec_driver_sql(f"DELETE FROM {TABLE}")
        some = sorted(ids.values())[::2]
        recompute(tx, PROJECT, Scope.of([*some, *some]), now)
        assert stored(tx) == {user: everybody[user] for user in some}
        tx.exec_driver_sql("CREATE TEMP TABLE the_rest (user_id BIGINT)")
        tx.exec_driver_sql(f"INSERT INTO the_rest SELECT id FROM users WHERE id NOT IN (SELECT user_id FROM {TABLE})")
        recompute(tx, PROJECT, Scope.table("the_rest"), now)
        assert stored(tx) == everybody
        recompute(tx, PROJECT, Scope.of([]), now)


def test_the_columns_of_each_metric_can_be_computed_alone(engine: Engine) -> None:
    now = START + timedelta(days=40)
    events = [e for key in "uvw" for e in random_events(Random(ord(key)), key, days=40, most=40)]
    with transaction(engine) as tx:
        fill(tx, PROJECT, [UserRecord("u", START)], events, now)
        whole = stored(tx)
        assert prepare(tx, PROJECT) == set()
        tx.exec_driver_sql(f"DELETE FROM {TABLE}")
        for metric in METRICS:
            recompute(tx, PROJECT, Scope.everybody(), now, only={a.column for a in aggregates_of(metric, PROJECT)})
        assert stored(tx) == whole
