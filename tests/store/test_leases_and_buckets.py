"""Who leads, and how fast an account is called: counted in the database, in its own time."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from sop_engine.core.rates import Rate
from sop_engine.store import buckets, leases
from sop_engine.store.clock import database_time
from sop_engine.store.engine import transaction

AT = datetime(2025, 3, 1, 2, 0, tzinfo=UTC)
TTL = timedelta(seconds=15)


def test_a_lease_is_held_by_one_until_its_time_is_over_and_the_next_has_a_new_epoch(engine: Engine) -> None:
    with transaction(engine) as tx:
        first = leases.take(tx, "a", TTL, AT)
        assert first is not None
        assert leases.take(tx, "b", TTL, AT + timedelta(seconds=14)) is None
        second = leases.take(tx, "b", TTL, AT + timedelta(seconds=15))
    assert second is not None
    assert (first.epoch, second.epoch, second.holder) == (1, 2, "b")
    assert second.pulse > first.pulse


def test_whoever_was_replaced_can_neither_renew_nor_begin_a_transaction_of_the_leader(engine: Engine) -> None:
    with transaction(engine) as tx:
        first = leases.take(tx, "a", TTL, AT)
        assert first is not None
        leases.fence(tx, first.epoch)
        leases.take(tx, "b", TTL, AT + TTL)
    with transaction(engine) as tx:
        assert leases.renew(tx, first, TTL, AT + TTL) is None
    with pytest.raises(leases.LeadsNoMore), transaction(engine) as tx:
        leases.fence(tx, first.epoch)


def test_a_renewal_raises_the_pulse_and_a_lease_that_is_given_up_is_free_at_once(engine: Engine) -> None:
    with transaction(engine) as tx:
        held = leases.take(tx, "a", TTL, AT)
        assert held is not None
        again = leases.renew(tx, held, TTL, AT + timedelta(seconds=5))
        assert again is not None
        assert (again.epoch, again.pulse) == (held.epoch, held.pulse + 1)
        leases.release(tx, again, AT + timedelta(seconds=6))
        assert leases.take(tx, "b", TTL, AT + timedelta(seconds=6)) is not None


def test_the_database_tells_the_time_as_it_is(engine: Engine) -> None:
    with transaction(engine) as tx:
        assert abs(database_time(tx) - datetime.now(UTC)) < timedelta(seconds=5)


def test_a_bucket_begins_empty_and_never_gives_more_than_the_rate(engine: Engine) -> None:
    rate, taken = Rate(50, timedelta(seconds=1)), []
    with transaction(engine) as tx:
        for tick in range(300):  # ten ticks a second, each wants all
            at = AT + timedelta(seconds=tick / 10)
            taken.append(buckets.take(tx, "email", rate, 1000, at)[0])
    assert taken[0] == 0
    assert max(sum(taken[i : i + 10]) for i in range(290)) <= 50
    assert sum(taken) >= 0.9 * 50 * 29.9


def test_a_bucket_says_how_long_the_next_call_has_to_wait(engine: Engine) -> None:
    rate = Rate(2, timedelta(seconds=1))
    with transaction(engine) as tx:
        assert buckets.take(tx, "email", rate, 1, AT) == (0, timedelta(seconds=0.5))
        assert buckets.take(tx, "email", rate, 1, AT + timedelta(seconds=0.5))[0] == 1
