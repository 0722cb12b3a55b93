"""After an error: what is tried again and when, what is given up, and that nothing unclear is ever repeated."""

from datetime import UTC, datetime, timedelta

import pytest

from sop_engine.core.delivery import GiveUp, Next, NextChannel, Retry, Unknown, after_error
from sop_engine.core.errors import DeliveryError

NOW = datetime(2025, 6, 30, 2, 0, tzinfo=UTC)
TOMORROW = NOW + timedelta(hours=24)


def after(kind: str, attempts: int = 1, *, touch_id: str = "t1", give_up_at: datetime = TOMORROW, retry_after_s: int | None = None) -> Next:
    error = DeliveryError(kind, "reason", retry_after_s=retry_after_s)
    return after_error(error, attempts, touch_id=touch_id, now=NOW, give_up_at=give_up_at)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("permanent", GiveUp("reason")),
        ("user_unreachable", NextChannel("reason")),
        ("unknown", Unknown("reason")),
        ("a kind nobody declared", Unknown("reason")),
    ],
)
@pytest.mark.parametrize("attempts", [1, 9])
def test_each_kind_of_error_has_one_consequence(kind: str, expected: Next, attempts: int) -> None:
    assert after(kind, attempts) == expected


@pytest.mark.parametrize(("attempts", "wait"), [(1, 1), (2, 5), (3, 30), (4, 120)])
def test_what_was_not_accepted_is_tried_again_later_and_later(attempts: int, wait: int) -> None:
    for n in range(50):
        found = after("retry_after", attempts, touch_id=f"t{n}")
        assert isinstance(found, Retry)
        assert timedelta(minutes=wait) <= found.at - NOW < timedelta(minutes=wait * 1.2)


def test_the_fifth_failure_is_the_last() -> None:
    assert after("retry_after", 5) == GiveUp("reason")


def test_touches_that_failed_together_do_not_come_back_together_but_each_at_its_own_time_again() -> None:
    found = [after("retry_after", 4, touch_id=f"t{n}") for n in range(100)]
    assert len(set(found)) > 90
    assert found == [after("retry_after", 4, touch_id=f"t{n}") for n in range(100)]


def test_a_provider_that_asks_for_more_time_gets_it() -> None:
    found = after("retry_after", 1, retry_after_s=600)
    assert isinstance(found, Retry)
    assert found.at >= NOW + timedelta(seconds=600)
    shorter = after("retry_after", 3, retry_after_s=1)
    assert isinstance(shorter, Retry)
    assert shorter.at >= NOW + timedelta(minutes=30)


def test_nothing_is_tried_again_past_the_late_allowance() -> None:
    assert after("retry_after", 4, give_up_at=NOW + timedelta(minutes=119)) == GiveUp("reason", late=True)
    at_the_limit = after("retry_after", 4)
    assert isinstance(at_the_limit, Retry)
    assert after("retry_after", 4, give_up_at=at_the_limit.at) == at_the_limit
