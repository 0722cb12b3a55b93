"""Decides when a schedule comes round next."""

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sop_engine.core.calendar import DAY, is_weekend, is_workday, last_of_month, local_day, resolve, same_day_in
from sop_engine.core.catalog import Calendar
from sop_engine.core.forms import Schedule

LONGEST_SEARCH = 366  # days in which a workday or a day of the weekend must come, else there is none


def next_time(
    schedule: Schedule,
    after: datetime,
    zone: ZoneInfo,
    calendar: Calendar,
    *,
    started_on: date,
    dates: Mapping[str, date | None],
) -> datetime | None:
    """The first instant (aware UTC) of the schedule strictly after `after`; None if it never comes.

    `started_on` is the local day that `14d` counts from (the first time is 14 days later). `dates` holds what `year` counts
    from; while that is unknown the schedule never comes.
    """
    anchor = dates.get(schedule.attribute)
    # Two days back, for 24:00 and a day the zone left out resolve to the day after.
    day = next_day(schedule, local_day(after, zone) - 2 * DAY, calendar, started_on, anchor)
    while day is not None:
        at = resolve(day, schedule.minute, zone)
        if at > after:
            return at
        day = next_day(schedule, day + DAY, calendar, started_on, anchor)
    return None


def next_day(schedule: Schedule, day: date, calendar: Calendar, started_on: date, anchor: date | None) -> date | None:
    """The first day of the schedule not before `day`; None if there is none."""
    match schedule.kind:
        case "workday":
            return _first(day, lambda d: is_workday(d, calendar))
        case "weekend":
            return _first(day, lambda d: is_weekend(d, calendar))
        case "weekday":
            return day + timedelta(days=(schedule.number - day.isoweekday()) % 7)
        case "month_day":
            return _month_day(schedule.number, day)
        case "days":
            rounds = max(1, -((started_on - day).days // schedule.number))
            return started_on + timedelta(days=rounds * schedule.number)
        case "year":
            return None if anchor is None else _year_day(anchor, schedule.number, day)
    return day


def _first(day: date, fits: Callable[[date], bool]) -> date | None:
    days = (day + timedelta(days=n) for n in range(LONGEST_SEARCH))
    return next((d for d in days if fits(d)), None)


def _month_day(number: int, day: date) -> date:
    last = last_of_month(day)
    found = last.replace(day=min(number, last.day))
    if found >= day:
        return found
    last = last_of_month(last + DAY)
    return last.replace(day=min(number, last.day))


def _year_day(anchor: date, before: int, day: date) -> date:
    ahead = timedelta(days=before)
    return next(d for year in range(day.year, day.year + 3 + before // 365) if (d := same_day_in(year, anchor) - ahead) >= day)
