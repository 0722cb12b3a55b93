"""Lengths of time that fit together, rates as they are written, accounts that fail, and how much may wait in the broker."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sop_engine.core.circuit import Circuit, after_calls
from sop_engine.core.delivery import GiveUp, Repeat, Uncertain, Wait, settle_unknown
from sop_engine.core.errors import BadInput, DeliveryError
from sop_engine.core.inflow import Inflow
from sop_engine.core.ladder import ladder_of
from sop_engine.core.rates import rate_of

NOW = datetime(2025, 3, 1, 2, 0, tzinfo=UTC)
AWAY = DeliveryError("retry_after", "not_accepted")


@pytest.mark.parametrize("lease_s", [1, 8, 120, 600])
def test_every_length_of_the_ladder_is_below_the_next_whatever_the_lease(lease_s: float) -> None:
    found = ladder_of(lease_s)
    assert found.lease == timedelta(seconds=lease_s)
    assert found.begin + found.call < found.soft < found.hard
    assert found.expiry + found.hard <= found.lease < found.visibility


def test_the_usual_ladder_is_the_one_that_is_documented() -> None:
    seconds = [getattr(ladder_of(), f).total_seconds() for f in ("call", "begin", "soft", "hard", "expiry", "lease", "visibility")]
    assert seconds == [10, 30, 45, 60, 60, 120, 300]


@pytest.mark.parametrize("field", ["call", "begin", "soft", "hard", "expiry", "lease"])
def test_a_length_that_reaches_the_next_is_refused_with_the_reason(field: str) -> None:
    with pytest.raises(BadInput, match="do not fit together"):
        replace(ladder_of(), **{field: timedelta(minutes=10)})


@pytest.mark.parametrize(("text", "apart"), [("50/second", 0.02), ("1000 / hour", 3.6), ("1/day", 86400)])
def test_a_rate_is_read_as_it_is_written(text: str, apart: float) -> None:
    found = rate_of(text)
    assert found is not None
    assert found.apart.total_seconds() == pytest.approx(apart)


@pytest.mark.parametrize("text", ["fast", "0/second", "5/week", "-1/second", "5"])
def test_what_is_no_rate_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(BadInput, match="50/second"):
        rate_of(text)


def test_five_failures_of_ten_calls_open_the_circuit_for_a_minute_and_four_do_not() -> None:
    four = after_calls(Circuit("email"), [None, AWAY, None, AWAY, None, AWAY, None, AWAY], NOW)
    assert four.state == "closed"
    five = after_calls(four, [AWAY], NOW)
    assert (five.state, five.until) == ("open", NOW + timedelta(minutes=1))
    assert five.holds(NOW + timedelta(seconds=59))
    assert five.may_try(NOW + timedelta(minutes=1))


def test_one_good_try_closes_the_circuit_and_one_bad_try_opens_it_again() -> None:
    trying = replace(Circuit("email"), state="probing", until=NOW)
    assert after_calls(trying, [None], NOW).state == "closed"
    assert after_calls(trying, [AWAY], NOW).until == NOW + timedelta(minutes=1)


def test_a_provider_that_asks_for_time_gets_it_for_the_whole_account() -> None:
    throttled = DeliveryError("retry_after", "throttled", retry_after_s=600)
    assert after_calls(Circuit("email"), [throttled], NOW).until == NOW + timedelta(minutes=10)


def test_a_refused_person_says_nothing_against_the_account() -> None:
    refused = [DeliveryError("permanent", "recipient")] * 9 + [DeliveryError("user_unreachable", "bad_address")] * 9
    assert after_calls(Circuit("email"), refused, NOW).state == "closed"


@pytest.mark.parametrize(
    ("one", "minutes", "expected"),
    [
        (Uncertain(NOW, marketing=True), 1, Wait),
        (Uncertain(NOW, marketing=True), 30, GiveUp),
        (Uncertain(NOW, marketing=False), 30, Wait),
        (Uncertain(NOW, marketing=True, idempotent_for=timedelta(minutes=10)), 4, Repeat),
        (Uncertain(NOW, marketing=True, idempotent_for=timedelta(minutes=10)), 6, Wait),
        (Uncertain(NOW, marketing=True, idempotent_for=timedelta.max), 1000, Repeat),
    ],
)
def test_an_unknown_outcome_is_repeated_only_in_the_first_half_of_the_key_window(one: Uncertain, minutes: int, expected: type) -> None:
    assert isinstance(settle_unknown(one, NOW + timedelta(minutes=minutes), asked=True), expected)


def test_less_waits_in_the_broker_after_something_grew_old_there_and_more_while_workers_keep_up() -> None:
    one = Inflow(2000)
    assert one.after(expired=7, waiting=200).room == 100
    assert one.after(expired=0, waiting=10).room == 400
    assert one.after(expired=0, waiting=150).room == 200
    for _ in range(20):
        one = one.after(expired=0, waiting=0)
    assert one.room == 2000
    for _ in range(20):
        one = one.after(expired=1, waiting=0)
    assert one.room == 20
