"""The states of a grant, as a table and as any sequence of acts: each is one conditional UPDATE, and one of many at once wins."""

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from threading import Barrier

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, select, update

from sop_engine.core.grant_states import ACTS
from sop_engine.store import grants
from sop_engine.store.engine import transaction
from sop_engine.store.repeating import repeated
from tests.conftest import sqlite_copy

NOW = datetime(2025, 3, 1, 4, 0, tzinfo=UTC)
END = NOW + timedelta(days=7)
STATES = ("reserved", "issued", "redeemed", "expired", "voided", "released")
NEW = grants.NewGrant(1, 1, 1, "f", "s", "gift", "G", "C1", Decimal(20), NOW, NOW.toordinal(), END)

DO: dict[str, Callable[[Connection, int], object]] = {
    "reserve": lambda tx, grant: _reserved_again(tx, grant),
    "issue": lambda tx, _: grants.issue(tx, [1], NOW),
    "release": lambda tx, _: grants.release(tx, [1]),
    "redeem": lambda tx, grant: grants.use(tx, grant, NOW, order="o1"),
    "reverse": lambda tx, grant: grants.reverse(tx, grant, "o1"),
    "expire": lambda tx, _: grants.expire(tx, END),
    "void": lambda tx, grant: grants.void(tx, grant),
}


def _reserved_again(tx: Connection, grant: int) -> None:
    if state_of(tx, grant) == "released":  # only a touch that gave it back is tried again
        grants.add_grant(tx, NEW)


def state_of(tx: Connection, grant: int) -> str:
    return str(tx.execute(select(grants.grants.c.state).where(grants.grants.c.id == grant)).scalar_one())


def put_into(tx: Connection, grant: int, state: str) -> None:
    used = {"used_at": NOW, "used_order": "o1"} if state == "redeemed" else {"used_at": None, "used_order": None}
    tx.execute(update(grants.grants).where(grants.grants.c.id == grant).values(state=state, **used))


@pytest.fixture(scope="module")
def sqlite(migrated_sqlite: sqlite3.Connection) -> Iterator[Engine]:
    with sqlite_copy(migrated_sqlite) as engine:
        yield engine


@pytest.fixture(scope="module")
def grant(sqlite: Engine) -> int:
    with transaction(sqlite) as tx:
        return grants.add_grant(tx, NEW)


def test_every_act_leads_where_the_table_says_and_nowhere_from_elsewhere(sqlite: Engine, grant: int) -> None:
    assert DO.keys() == ACTS.keys()
    for name, act in ACTS.items():
        for state in STATES:
            with transaction(sqlite) as tx:
                put_into(tx, grant, state)
                DO[name](tx, grant)
                assert state_of(tx, grant) == (act.after if state in act.before else state), (name, state)


@given(st.lists(st.sampled_from(sorted(ACTS)), max_size=8))
@settings(deadline=None, database=None, max_examples=25)
def test_whatever_is_done_in_any_order_a_grant_goes_the_way_of_the_table(sqlite: Engine, grant: int, done: list[str]) -> None:
    with transaction(sqlite) as tx:
        put_into(tx, grant, "reserved")
        state = "reserved"
        for name in done:
            DO[name](tx, grant)
            state = ACTS[name].after if state in ACTS[name].before else state
            assert state_of(tx, grant) == state
        row = tx.execute(select(grants.grants).where(grants.grants.c.id == grant)).one()
        assert (row.used_at is not None) == (state == "redeemed")


@pytest.mark.parametrize(("at", "used"), [(END - timedelta(microseconds=1), True), (END, False)])
def test_a_use_counts_until_just_before_the_end_though_it_is_over_by_now(sqlite: Engine, grant: int, at: datetime, used: bool) -> None:
    with transaction(sqlite) as tx:
        put_into(tx, grant, "expired")
        assert (grants.use(tx, grant, at) is not None) is used


def test_a_use_before_it_was_given_is_one_at_once(sqlite: Engine, grant: int) -> None:
    with transaction(sqlite) as tx:
        put_into(tx, grant, "issued")
        row = grants.use(tx, grant, NOW - timedelta(hours=1))
    assert row is not None
    assert row.used_at == NOW


@pytest.mark.slow
def test_of_many_orders_that_use_one_code_at_once_one_has_it(postgres: Engine) -> None:
    with transaction(postgres) as tx:
        one = grants.add_grant(tx, NEW)
        put_into(tx, one, "issued")
    together = Barrier(12)

    def order(number: int) -> str | None:
        together.wait(60)

        def once() -> str | None:
            with transaction(postgres) as tx:
                used = grants.use(tx, one, NOW, order=f"o{number}")
                return None if used is None else used.used_order

        return repeated(once)

    with ThreadPoolExecutor(12) as pool:
        won = [name for name in pool.map(order, range(12)) if name]
    with transaction(postgres) as tx:
        assert won == [tx.execute(select(grants.grants.c.used_order).where(grants.grants.c.id == one)).scalar_one()]
