"""Decides what local times mean: instants, local days, workdays, opening hours, and where a length begins or ends."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from sop_engine.core.catalog import Calendar
from sop_engine.core.forms import Hours, Length, Valid

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


def local_day(at: datetime, zone: ZoneInfo) -> date:
    """The local calendar day of an instant."""
    return at.astimezone(zone).date()


def resolve(day: date, minute: int, zone: ZoneInfo) -> datetime:
    """The instant (aware UTC) of a local time, `minute` minutes after midnight on the clock face; 1440 is the midnight that ends the day.

    A local time that comes twice is the first; one that is missing is the same distance after the gap (02:30 becomes 03:30), so
    a missing whole day becomes the next. Nothing else in the engine turns local times into instants.
    """
    on_the_clock = datetime(day.year, day.month, day.day) + timedelta(minutes=minute)  # noqa: DTZ001 - the zone is set in the next line
    # fold=0 is exactly this rule: the first of two, and before a gap the offset that held until then.
    return on_the_clock.replace(tzinfo=zone, fold=0).astimezone(UTC)


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The instant at which a local day begins."""
    return resolve(day, 0, zone)


def is_workday(day: date, calendar: Calendar) -> bool:
    """Whether it is a make-up workday, or neither weekend nor holiday. Days after `until` go by the weekend alone."""
    if is_provisional(day, calendar):
        return day.isoweekday() not in calendar.weekend
    return day in calendar.workdays or (day.isoweekday() not in calendar.weekend and day not in calendar.holidays)


def is_weekend(day: date, calendar: Calendar) -> bool:
    """Whether it is a day of the weekend that is no make-up workday."""
    made_up = day in calendar.workdays and not is_provisional(day, calendar)
    return day.isoweekday() in calendar.weekend and not made_up


def is_provisional(day: date, calendar: Calendar) -> bool:
    """Whether the calendar does not know the holidays of this day yet."""
    return calendar.until is not None and day > calendar.until


def is_open(at: datetime, windows: Sequence[Hours], zone: ZoneInfo) -> bool:
    """Whether the local time is inside all windows (without windows: always). A window is half open and may cross midnight."""
    local = at.astimezone(zone)
    return all(_inside(local.hour * 60 + local.minute, window) for window in windows)


def _inside(minute: int, window: Hours) -> bool:
    if window.start <= window.end:
        return window.start <= minute < window.end
    return minute >= window.start or minute < window.end


def next_open(at: datetime, windows: Sequence[Hours], zone: ZoneInfo) -> datetime | None:
    """The first instant (aware UTC) not before `at` that is inside all windows; None if they are never open together."""
    starts = [w.start % 1440 for w in windows]
    openings = [s for s in starts if all(_inside(s, w) for w in windows)]
    at = at.astimezone(UTC)
    while not is_open(at, windows, zone):
        if not openings:
            return None
        opens_at = at + _until_next(openings, at.astimezone(zone))
        change = _offset_change(at, opens_at, zone)
        if change is None:
            return opens_at
        at = change  # the clock was moved on the way: look again from there, for it may have jumped into or past the hours
    return at


def _until_next(minutes: Sequence[int], local: datetime) -> timedelta:
    face = timedelta(hours=local.hour, minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    return min((timedelta(minutes=m) - face) % DAY for m in minutes)


def _offset_change(start: datetime, end: datetime, zone: ZoneInfo) -> datetime | None:
    """The instant in (start, end] from which another offset holds, None if it is the same at both."""

    def offset(at: datetime) -> timedelta | None:
        return at.astimezone(zone).utcoffset()

    before, after = start.replace(microsecond=0), end
    if offset(before) == offset(after):
        return None
    while after - before > SECOND:
        middle = before + (after - before) // 2
        middle = middle.replace(microsecond=0)
        before, after = (middle, after) if offset(middle) == offset(start) else (before, middle)
    return after


def end_of_length(start: datetime, length: Length, zone: ZoneInfo) -> datetime:
    """When a length that begins at `start` is over (the first instant outside).

    Looking forward, the day itself is day 0 and day N is included: `Nd` ends with the local midnight after day N.
    """
    if length.days is None:
        return start + (length.exact or timedelta())
    return midnight(local_day(start, zone) + timedelta(days=length.days + 1), zone)


def window_start_day(now: datetime, length: Length, zone: ZoneInfo) -> date:
    """The first local day of a window that looks back: `Nd` is today and the N - 1 days before."""
    if length.days is None:
        return local_day(now - (length.exact or timedelta()), zone)
    return local_day(now, zone) - timedelta(days=length.days - 1)


def window_start(now: datetime, length: Length, zone: ZoneInfo) -> datetime:
    """The instant a window that looks back begins: the midnight of its first day, or exactly so long ago."""
    if length.days is None:
        return now - (length.exact or timedelta())
    return midnight(window_start_day(now, length, zone), zone)


def valid_until(valid: Valid, given_at: datetime, zone: ZoneInfo) -> datetime:
    """The first instant at which a benefit given at `given_at` is no longer valid; days run through the end of the day."""
    given_on = local_day(given_at, zone)
    match valid.kind:
        case "length":
            return end_of_length(given_at, valid.length or Length(days=0), zone)
        case "weekday":
            last = given_on + timedelta(days=(valid.weekday - given_on.isoweekday()) % 7)
        case "month_end":
            last = last_of_month(given_on)
        case _:
            last = valid.day or given_on
    return resolve(last, 1440, zone)


def last_of_month(day: date) -> date:
    """The last day of the month."""
    return (day.replace(day=1) + timedelta(days=31)).replace(day=1) - DAY


def same_day_in(year: int, day: date) -> date:
    """The day and month in another year; 29 February is 28 where it is missing."""
    try:
        return day.replace(year=year)
    except ValueError:
        return date(year, 2, 28)
