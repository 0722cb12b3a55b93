"""Local times: which instant they are, which days are workdays, when hours open, where lengths begin and end."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sop_engine.core.calendar import (
    end_of_length,
    is_open,
    is_provisional,
    is_weekend,
    is_workday,
    local_day,
    midnight,
    next_open,
    resolve,
    valid_until,
    window_start,
    window_start_day,
)
from sop_engine.core.catalog import Calendar
from sop_engine.core.forms import Hours, Length, Valid

pytestmark = pytest.mark.slow

SHANGHAI = ZoneInfo("Asia/Shanghai")
NEW_YORK = ZoneInfo("America/New_York")
MINUTE = timedelta(minutes=1)

# (zone, a day on which its clock is moved): by an hour, by half an hour, at midnight, just after midnight, by a whole day
CHANGES = [
    ("America/New_York", date(2025, 3, 9)),
    ("America/New_York", date(2025, 11, 2)),
    ("Europe/Berlin", date(2025, 3, 30)),
    ("Europe/Berlin", date(2025, 10, 26)),
    ("Australia/Lord_Howe", date(2025, 4, 6)),
    ("Australia/Lord_Howe", date(2025, 10, 5)),
    ("America/Sao_Paulo", date(2018, 11, 4)),
    ("America/Sao_Paulo", date(2018, 2, 18)),
    ("America/St_Johns", date(2010, 11, 7)),
    ("Africa/Cairo", date(2025, 4, 25)),
    ("Asia/Kathmandu", date(2025, 6, 1)),
    ("Pacific/Apia", date(2011, 12, 30)),
    ("Asia/Shanghai", date(2025, 6, 30)),
]
near_a_change = st.tuples(st.sampled_from(CHANGES), st.integers(-2, 2)).map(lambda c: (ZoneInfo(c[0][0]), c[0][1] + timedelta(days=c[1])))
minutes = st.integers(0, 1440)
thorough = settings(deadline=None, database=None, max_examples=150)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def face(at: datetime, zone: ZoneInfo) -> datetime:
    """What the clock on the wall shows."""
    return at.astimezone(zone).replace(tzinfo=None, fold=0)


@pytest.mark.parametrize(
    ("zone", "day", "minute", "expected"),
    [
        ("Asia/Shanghai", "2025-06-30", 600, "2025-06-30 02:00"),
        ("Asia/Shanghai", "2025-06-30", 1440, "2025-06-30 16:00"),
        ("America/New_York", "2025-03-09", 150, "2025-03-09 07:30"),  # 02:30 is missing: 03:30
        ("America/New_York", "2025-11-02", 90, "2025-11-02 05:30"),  # 01:30 comes twice: the first
        ("Australia/Lord_Howe", "2025-10-05", 135, "2025-10-04 15:45"),  # half an hour is missing: 02:15 is 02:45
        ("Pacific/Apia", "2011-12-30", 600, "2011-12-30 20:00"),  # the whole day is missing: 10:00 of the 31st
        ("America/Sao_Paulo", "2018-11-04", 0, "2018-11-04 03:00"),  # no midnight: the day begins at 01:00
    ],
)
def test_a_local_time_is_the_instant_people_expect(zone: str, day: str, minute: int, expected: str) -> None:
    assert resolve(date.fromisoformat(day), minute, ZoneInfo(zone)) == utc(expected)


@thorough
@given(near_a_change, minutes)
def test_a_local_time_asked_for_is_the_local_time_used_and_never_an_earlier_one(where: tuple[ZoneInfo, date], minute: int) -> None:
    zone, day = where
    asked = datetime.combine(day, datetime.min.time()) + minute * MINUTE
    found = resolve(day, minute, zone)
    scan = [asked.replace(tzinfo=UTC) + n * MINUTE for n in range(-15 * 60, 27 * 60)]
    same = [at for at in scan if face(at, zone) == asked]
    if same:
        assert found == same[0]
        return
    first_after = next(at for at in scan if face(at, zone) > asked)  # the end of the gap
    gap_began = face(first_after - MINUTE, zone) + MINUTE
    assert face(found, zone) - face(first_after, zone) == asked - gap_began >= timedelta()


@thorough
@given(near_a_change, st.integers(0, 1439))
def test_no_instant_comes_before_the_midnight_of_its_day(where: tuple[ZoneInfo, date], minute: int) -> None:
    zone, day = where
    at = midnight(day, zone) + minute * MINUTE
    assert midnight(local_day(at, zone), zone) <= at


def test_where_the_clock_goes_back_over_midnight_the_day_has_begun_with_the_first_one() -> None:
    st_johns, sunday = ZoneInfo("America/St_Johns"), date(2010, 11, 7)  # at 00:01 it became 23:01 of the Saturday once more
    assert local_day(midnight(sunday, st_johns), st_johns) == sunday
    assert local_day(midnight(sunday, st_johns) + MINUTE, st_johns) == date(2010, 11, 6)
    assert local_day(midnight(sunday, st_johns) + 61 * MINUTE, st_johns) == sunday


CHINA = Calendar(
    "中国", holidays=frozenset({date(2025, 1, 28), date(2025, 2, 1)}), workdays=frozenset({date(2025, 1, 26)}), until=date(2025, 12, 31)
)


@pytest.mark.parametrize(
    ("day", "workday", "weekend"),
    [
        ("2025-01-24", True, False),  # a Friday
        ("2025-01-25", False, True),
        ("2025-01-26", True, False),  # a Sunday made up for a holiday
        ("2025-01-28", False, False),  # a holiday in the week is neither
        ("2025-02-01", False, True),  # a holiday on a Saturday
        ("2026-01-01", True, False),  # beyond the list, by the weekend alone
        ("2026-01-03", False, True),
    ],
)
def test_workdays_and_weekends_follow_the_calendar(day: str, workday: bool, weekend: bool) -> None:
    asked = date.fromisoformat(day)
    assert (is_workday(asked, CHINA), is_weekend(asked, CHINA)) == (workday, weekend)
    assert is_provisional(asked, CHINA) == (asked.year == 2026)


def test_without_a_calendar_the_week_goes_from_monday_to_friday_and_nothing_is_provisional() -> None:
    week = [date(2025, 6, 30) + timedelta(days=n) for n in range(7)]
    assert [is_workday(day, Calendar("")) for day in week] == [True] * 5 + [False] * 2
    assert not any(is_provisional(day, Calendar("")) for day in week)


def test_entries_of_a_calendar_beyond_its_end_do_not_count() -> None:
    stray = Calendar("x", holidays=frozenset({date(2026, 1, 1)}), workdays=frozenset({date(2026, 1, 3)}), until=date(2025, 12, 31))
    assert is_workday(date(2026, 1, 1), stray)
    assert is_weekend(date(2026, 1, 3), stray)


@pytest.mark.parametrize(
    ("clock", "window", "expected"),
    [
        ("08:59:59", Hours(540, 1260), False),
        ("09:00:00", Hours(540, 1260), True),
        ("20:59:59", Hours(540, 1260), True),
        ("21:00:00", Hours(540, 1260), False),
        ("23:59:59", Hours(540, 1440), True),
        ("21:30:00", Hours(1260, 360), True),  # over midnight
        ("05:59:00", Hours(1260, 360), True),
        ("06:00:00", Hours(1260, 360), False),
    ],
)
def test_hours_begin_at_their_first_and_end_before_their_last_minute(clock: str, window: Hours, expected: bool) -> None:
    at = datetime.fromisoformat(f"2025-06-30T{clock}").replace(tzinfo=SHANGHAI)
    assert is_open(at, [window], SHANGHAI) is expected


def test_all_windows_must_be_open() -> None:
    at = utc("2025-06-30 01:30")  # 09:30
    assert is_open(at, [], SHANGHAI)
    assert not is_open(at, [Hours(540, 1260), Hours(600, 1320)], SHANGHAI)
    assert next_open(at, [Hours(540, 1260), Hours(600, 1320)], SHANGHAI) == utc("2025-06-30 02:00")
    assert next_open(utc("2025-06-30 13:00"), [Hours(540, 1260), Hours(600, 1320)], SHANGHAI) == utc("2025-07-01 02:00")


def test_hours_that_are_never_open_together_have_no_next_opening() -> None:
    assert next_open(utc("2025-06-30 00:00"), [Hours(540, 720), Hours(720, 900)], SHANGHAI) is None
    assert next_open(utc("2025-06-30 00:00"), [Hours(540, 540)], SHANGHAI) is None


@pytest.mark.parametrize(
    ("at", "window", "expected"),
    [
        ("2025-03-09 06:50", Hours(150, 240), "2025-03-09 07:00"),  # 01:50; 02:30 is missing, at 03:00 it is open
        ("2025-03-09 06:50", Hours(120, 180), "2025-03-10 06:00"),  # 02:00-03:00 does not exist that day
        ("2025-11-02 06:10", Hours(105, 150), "2025-11-02 06:45"),  # the second 01:10: opens at the second 01:45
    ],
)
def test_hours_are_read_off_the_clock_on_the_wall_when_it_is_moved(at: str, window: Hours, expected: str) -> None:
    assert next_open(utc(at), [window], NEW_YORK) == utc(expected)


hours = st.tuples(st.integers(0, 1439), st.integers(0, 1440)).map(lambda h: Hours(*h))


@thorough
@given(near_a_change, minutes, st.lists(hours, min_size=1, max_size=3))
def test_the_next_opening_is_the_first_open_minute(where: tuple[ZoneInfo, date], minute: int, windows: list[Hours]) -> None:
    zone, day = where
    at = midnight(day, zone) + minute * MINUTE
    scan = (at + n * MINUTE for n in range(3 * 1440))
    assert next_open(at, windows, zone) == next((t for t in scan if is_open(t, windows, zone)), None)


@given(st.datetimes(datetime(2024, 1, 1), datetime(2026, 1, 1), timezones=st.just(UTC)), hours)
@settings(deadline=None, database=None)
def test_what_is_open_stays_and_what_is_closed_waits_to_the_second(at: datetime, window: Hours) -> None:
    opens_at = next_open(at, [window], NEW_YORK)
    if opens_at is not None and opens_at != at:
        assert is_open(opens_at, [window], NEW_YORK)
        assert not is_open(opens_at - timedelta(microseconds=1), [window], NEW_YORK)


def test_looking_forward_the_day_itself_is_day_0_and_day_n_is_included() -> None:
    start = utc("2025-06-30 02:00")
    assert end_of_length(start, Length(days=7), SHANGHAI) == utc("2025-07-07 16:00")
    assert end_of_length(start, Length(days=0), SHANGHAI) == utc("2025-06-30 16:00")
    assert end_of_length(start, Length(exact=timedelta(hours=48)), SHANGHAI) == utc("2025-07-02 02:00")


def test_looking_back_today_is_the_first_day() -> None:
    now = utc("2025-06-30 04:00")
    assert window_start_day(now, Length(days=30), SHANGHAI) == date(2025, 6, 1)
    assert window_start(now, Length(days=1), SHANGHAI) == utc("2025-06-29 16:00")
    assert window_start(now, Length(exact=timedelta(hours=48)), SHANGHAI) == utc("2025-06-28 04:00")


def test_an_exact_length_is_exact_and_a_day_is_a_calendar_day_when_the_clock_is_moved() -> None:
    start = resolve(date(2025, 3, 8), 600, NEW_YORK)
    assert end_of_length(start, Length(exact=timedelta(hours=24)), NEW_YORK) - start == timedelta(hours=24)
    assert end_of_length(start, Length(days=1), NEW_YORK) - start == timedelta(hours=37)  # 38 without the lost hour


@pytest.mark.parametrize(
    ("valid", "given_at", "last_second"),
    [
        (Valid("length", length=Length(days=7)), "2025-06-30 10:00", "2025-07-07 23:59:59"),
        (Valid("weekday", weekday=7), "2025-07-05 10:00", "2025-07-06 23:59:59"),  # given on a Saturday
        (Valid("weekday", weekday=7), "2025-07-06 10:00", "2025-07-06 23:59:59"),  # given that Sunday
        (Valid("weekday", weekday=7), "2025-07-07 00:00", "2025-07-13 23:59:59"),
        (Valid("month_end"), "2025-02-10 10:00", "2025-02-28 23:59:59"),
        (Valid("month_end"), "2024-12-31 23:00", "2024-12-31 23:59:59"),
        (Valid("date", day=date(2025, 11, 11)), "2025-11-01 10:00", "2025-11-11 23:59:59"),
        (Valid("length", length=Length(exact=timedelta(hours=48))), "2025-06-30 10:00", "2025-07-02 09:59:59"),
    ],
)
def test_a_benefit_is_valid_through_the_end_of_its_last_day(valid: Valid, given_at: str, last_second: str) -> None:
    given = datetime.fromisoformat(given_at).replace(tzinfo=SHANGHAI)
    until = valid_until(valid, given.astimezone(UTC), SHANGHAI)
    assert face(until, SHANGHAI) - timedelta(seconds=1) == datetime.fromisoformat(last_second)
