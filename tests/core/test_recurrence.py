"""Schedules: when they come round, in every zone, and that no occurrence is left out."""

import calendar as months
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sop_engine.core.calendar import is_weekend, is_workday, local_day, resolve
from sop_engine.core.catalog import Calendar
from sop_engine.core.forms import Schedule
from sop_engine.core.recurrence import next_time

SHANGHAI = ZoneInfo("Asia/Shanghai")
CHINA = Calendar("中国", holidays=frozenset({date(2025, 1, 28)}), workdays=frozenset({date(2025, 1, 26)}), until=date(2025, 12, 31))
STARTED = date(2025, 1, 10)
LEAP_BIRTHDAY = date(2000, 2, 29)


def times(schedule: Schedule, after: str, count: int, dates: dict[str, date | None] | None = None) -> list[str]:
    """The next occurrences as local times."""
    at = datetime.fromisoformat(after).replace(tzinfo=SHANGHAI)
    found = []
    for _ in range(count):
        following = next_time(schedule, at, SHANGHAI, CHINA, started_on=STARTED, dates=dates or {})
        assert following is not None
        at = following
        found.append(at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M"))
    return found


@pytest.mark.parametrize(
    ("schedule", "after", "expected"),
    [
        (Schedule("day", 600), "2025-01-10 09:00", ["2025-01-10 10:00", "2025-01-11 10:00"]),
        (Schedule("day", 600), "2025-01-10 10:00", ["2025-01-11 10:00"]),  # strictly after
        (Schedule("workday", 840), "2025-01-24 18:00", ["2025-01-26 14:00", "2025-01-27 14:00", "2025-01-29 14:00"]),
        (Schedule("weekend", 600), "2025-01-24 18:00", ["2025-01-25 10:00", "2025-02-01 10:00"]),
        (Schedule("weekday", 480, number=1), "2025-01-06 08:00", ["2025-01-13 08:00"]),
        (Schedule("month_day", 600, number=31), "2025-01-31 10:00", ["2025-02-28 10:00", "2025-03-31 10:00", "2025-04-30 10:00"]),
        (Schedule("month_day", 600, number=28), "2025-12-28 10:00", ["2026-01-28 10:00"]),
        (Schedule("days", 1140, number=14), "2025-01-10 08:00", ["2025-01-24 19:00", "2025-02-07 19:00"]),  # not on the first day
        (Schedule("days", 1140, number=14), "2025-01-24 19:00", ["2025-02-07 19:00"]),
        (Schedule("day", 1440), "2025-01-10 12:00", ["2025-01-11 00:00", "2025-01-12 00:00"]),
    ],
)
def test_a_schedule_comes_round_at_its_days_and_time(schedule: Schedule, after: str, expected: list[str]) -> None:
    assert times(schedule, after, len(expected)) == expected


def test_a_birthday_comes_every_year_and_29_february_on_the_28th_of_other_years() -> None:
    schedule = Schedule("year", 600, attribute="生日")
    assert times(schedule, "2023-06-01 00:00", 3, {"生日": LEAP_BIRTHDAY}) == ["2024-02-29 10:00", "2025-02-28 10:00", "2026-02-28 10:00"]


def test_days_before_a_birthday_may_lie_in_the_year_before() -> None:
    schedule = Schedule("year", 600, number=7, attribute="生日")
    assert times(schedule, "2025-12-01 00:00", 2, {"生日": date(1990, 1, 3)}) == ["2025-12-27 10:00", "2026-12-27 10:00"]


@pytest.mark.parametrize("dates", [{}, {"生日": None}])
def test_an_unknown_date_never_comes(dates: dict[str, date | None]) -> None:
    schedule = Schedule("year", 600, attribute="生日")
    assert next_time(schedule, datetime(2025, 1, 1, tzinfo=UTC), SHANGHAI, CHINA, started_on=STARTED, dates=dates) is None


def test_a_calendar_without_workdays_has_no_next_workday() -> None:
    never = Calendar("x", weekend=frozenset(range(1, 8)))
    assert next_time(Schedule("workday", 0), datetime(2025, 1, 1, tzinfo=UTC), SHANGHAI, never, started_on=STARTED, dates={}) is None


def test_a_day_the_zone_left_out_is_not_sent_twice() -> None:
    apia = ZoneInfo("Pacific/Apia")
    at, found = resolve(date(2011, 12, 28), 600, apia), []
    for _ in range(3):
        following = next_time(Schedule("day", 600), at, apia, CHINA, started_on=STARTED, dates={})
        assert following is not None
        at = following
        found.append(local_day(at, apia))
    assert found == [date(2011, 12, 29), date(2011, 12, 31), date(2012, 1, 1)]


def belongs(schedule: Schedule, day: date) -> bool:
    """The definition, one day at a time."""
    match schedule.kind:
        case "workday":
            return is_workday(day, CHINA)
        case "weekend":
            return is_weekend(day, CHINA)
        case "weekday":
            return day.isoweekday() == schedule.number
        case "month_day":
            return day.day == min(schedule.number, months.monthrange(day.year, day.month)[1])
        case "days":
            return day > STARTED and (day - STARTED).days % schedule.number == 0
        case "year":
            birthday = day + timedelta(days=schedule.number)
            leap = months.isleap(birthday.year)
            return (birthday.month, birthday.day) == ((2, 29) if leap else (2, 28))
    return True


schedules = st.one_of(
    st.builds(Schedule, st.sampled_from(["day", "workday", "weekend"]), st.integers(0, 1439)),
    st.builds(Schedule, st.just("weekday"), st.integers(0, 1439), st.integers(1, 7)),
    st.builds(Schedule, st.just("month_day"), st.integers(0, 1439), st.integers(1, 31)),
    st.builds(Schedule, st.just("days"), st.integers(0, 1439), st.integers(1, 60)),
    st.builds(Schedule, st.just("year"), st.integers(0, 1439), st.integers(0, 60), st.just("生日")),
)
zones = st.sampled_from(["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Shanghai", "Asia/Kathmandu"]).map(ZoneInfo)


@given(schedules, zones, st.datetimes(datetime(2024, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)))
@settings(deadline=None, database=None, max_examples=300)
def test_the_next_time_is_later_on_a_day_of_the_schedule_and_none_is_left_out(schedule: Schedule, zone: ZoneInfo, after: datetime) -> None:
    found = next_time(schedule, after, zone, CHINA, started_on=STARTED, dates={"生日": LEAP_BIRTHDAY})
    assert found is not None
    assert found > after
    day = local_day(after, zone)
    while not (belongs(schedule, day) and resolve(day, schedule.minute, zone) > after):
        day += timedelta(days=1)
    assert found == resolve(day, schedule.minute, zone)
