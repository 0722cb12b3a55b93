"""A new version opens to the shares that were said, never to fewer than 20, and nobody changes side."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from sop_engine.core.ramp import Ramp, Switched, forecast_of, inside, quiet_days, share_of, version_for

SINCE = datetime(2025, 3, 1, 9, tzinfo=UTC)
KEYS = [f"user-{n}" for n in range(20_000)]
RAMP = Ramp(2, SINCE, 5000)


def at(days: float) -> datetime:
    return SINCE + timedelta(days=days)


@pytest.mark.parametrize(("days", "share"), [(0, 0.01), (1, 0.10), (2, 1.0)])
def test_the_share_of_users_is_within_half_a_percent(days: int, share: float) -> None:
    taken = sum(inside("g", RAMP, share_of(RAMP.forecast, days), key, "salt") for key in KEYS) / len(KEYS)
    assert taken == pytest.approx(share, abs=0.005)


def test_nobody_changes_side() -> None:
    by_day = [{key for key in KEYS if inside("g", RAMP, share_of(RAMP.forecast, day), key, "salt")} for day in range(3)]
    assert by_day[0] < by_day[1] < by_day[2] == set(KEYS)


def test_who_is_first_in_one_version_is_not_in_the_next() -> None:
    other = Ramp(3, SINCE, 5000)
    both = [key for key in KEYS if all(inside("g", r, Decimal("0.1"), key, "salt") for r in (RAMP, other))]
    assert len(both) / len(KEYS) == pytest.approx(0.01, abs=0.005)


def test_at_least_twenty_users_a_day_start_it() -> None:
    assert share_of(1001, 0) == Decimal(20) / 1001
    assert share_of(2000, 0) == Decimal("0.01")
    assert share_of(1001, 1) == Decimal("0.1")


def test_a_flow_with_more_than_a_thousand_starts_a_day_opens_slowly() -> None:
    assert forecast_of(14 * 1001 - 1) is None
    assert forecast_of(14 * 1001) == 1001


def test_days_on_which_a_stop_stood_do_not_count() -> None:
    assert quiet_days(SINCE, at(0.99), []) == 0
    assert quiet_days(SINCE, at(2), []) == 2
    stop = [Switched("all", True, at(0.5)), Switched("all", False, at(0.6))]
    assert [quiet_days(SINCE, at(n), stop) for n in (1, 2, 3)] == [0, 1, 2]
    standing = [Switched("all", True, at(1.5)), Switched("playbook:g", True, at(1.6)), Switched("playbook:g", False, at(1.7))]
    assert [quiet_days(SINCE, at(n), standing) for n in (1, 2, 5)] == [1, 1, 1]
    assert quiet_days(SINCE, at(2), [Switched("all", True, at(-2)), Switched("all", False, at(-1))]) == 2


def test_who_is_outside_gets_the_version_before_and_that_may_be_opening_too() -> None:
    third = Ramp(3, SINCE, 5000)
    opening = [(RAMP, Decimal("0.1")), (third, Decimal("0.01"))]
    shares = [sum(version_for("g", 3, opening, key, "salt") == n for key in KEYS) / len(KEYS) for n in (1, 2, 3)]
    assert shares == pytest.approx([0.99 * 0.9, 0.99 * 0.1, 0.01], abs=0.005)
    assert {version_for("g", 3, opening[:1], key, "salt") for key in KEYS} == {3}  # version 3 is open to all
