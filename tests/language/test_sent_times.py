"""When something happened that a client with a clock of its own tells us: the correction, its limits, and times nobody can read."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from sop_engine.language.sent_times import Told, happened, moment

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)


def at(clock: str) -> datetime:
    """A time of that day."""
    return datetime.combine(NOON.date(), datetime.strptime(clock, "%H:%M:%S").time(), UTC)


@pytest.mark.parametrize(
    ("sent", "event", "wanted"),
    [
        ("2025-03-01T12:00:00.4Z", "2025-03-01T11:59:50Z", at("11:59:50")),
        ("2025-03-01T13:00:00Z", "2025-03-01T12:59:00Z", at("11:59:00")),
        ("2025-03-01T11:50:00Z", "2025-01-02T00:00:00Z", datetime(2025, 1, 2, 0, 10, tzinfo=UTC)),
        (None, "2025-03-01T12:06:00Z", None),
    ],
    ids=["a little late", "an hour ahead", "ten minutes behind", "no sentAt and still to come"],
)
def test_received_at_noon(sent: str | None, event: str, wanted: datetime | None) -> None:
    assert happened(event, sent, NOON) == (None if wanted is None else Told(wanted))


@pytest.mark.parametrize("seconds", [-60, 60])
def test_a_clock_that_is_wrong_by_a_minute_is_left_alone_and_by_more_put_right(seconds: int) -> None:
    event = at("08:00:00")
    for beyond, shift in ((0, 0), (1 if seconds > 0 else -1, -1)):
        wrong = timedelta(seconds=seconds + beyond)
        told = happened(event.isoformat(), (NOON + wrong).isoformat(), NOON)
        assert told == Told(event + shift * wrong)


def test_history_is_not_put_right() -> None:
    assert happened("2025-01-02T00:00:00Z", "2025-03-01T11:50:00Z", NOON, history=True) == Told(datetime(2025, 1, 2, tzinfo=UTC))


def test_without_a_time_it_happened_when_it_was_sent_put_right_and_without_that_when_it_came() -> None:
    assert happened(None, "2025-03-01T13:00:00Z", NOON) == Told(NOON)
    assert happened(None, "2025-03-01T11:59:30Z", NOON) == Told(at("11:59:30"))
    assert happened(None, "never", NOON) == Told(NOON)
    assert happened("", None, NOON) == Told(NOON)


@pytest.mark.parametrize(
    "written", ["yesterday", "1989-12-31T23:59:59Z", 0, True, {}, [], "2025-13-01", "0001-01-01", 10**30, Decimal("-1")]
)
def test_a_time_nobody_can_use_is_when_it_came_and_flagged(written: Any) -> None:
    assert happened(written, None, NOON) == Told(NOON, bad=True)


def test_five_minutes_ahead_is_taken_and_more_is_refused() -> None:
    assert happened("2025-03-01T12:05:00Z", None, NOON) == Told(at("12:05:00"))
    assert happened("2025-03-01T12:05:00.001Z", None, NOON) is None


def test_a_correction_beyond_the_end_of_time_is_no_time() -> None:
    assert happened("9999-12-31T23:00:00Z", "2020-01-01T00:00:00Z", NOON) == Told(NOON, bad=True)


@pytest.mark.parametrize(
    "written",
    [
        "2025-03-01T12:00:00Z", "2025-03-01T12:00:00.000Z", "2025-03-01T20:00:00+08:00", "2025-03-01T12:00:00", "2025-03-01 12:00",
        "20250301T120000Z", 1740830400, 1740830400000, Decimal("1740830400.000"), "1740830400", "1740830400000", " 2025-03-01T12:00:00Z ",
    ],
)  # fmt: skip
def test_one_moment_in_every_form_clients_write(written: Any) -> None:
    assert moment(written) == NOON
