"""Decides which closed local days an alert or a report is about."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from sop_engine.core.calendar import DAY
from sop_engine.core.catalog import Calendar
from sop_engine.core.forms import Schedule
from sop_engine.core.recurrence import LONGEST_SEARCH, next_day

WITHOUT_SCHEDULE = 30  # days of a report that is made only when it is asked for


@dataclass(frozen=True, slots=True)
class Period:
    """Local days, both included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        """How many."""
        return (self.last - self.first).days + 1


def block_before(day: date, days: int) -> Period:
    """The last whole block of so many days that is over when `day` begins. Blocks are counted from a Monday: seven days are a week."""
    first = (day.toordinal() - 1) // days * days + 1
    last = date.fromordinal(first - 1)
    return Period(last - timedelta(days=days - 1), last)


def earlier(period: Period, many: int) -> list[Period]:
    """So many periods of the same length just before, oldest first."""
    length = timedelta(days=period.days)
    return [Period(period.first - n * length, period.last - n * length) for n in range(many, 0, -1)]


def blocks_since(after: date, today: date, days: int) -> Iterator[Period]:
    """The blocks that closed after the day `after` and before `today`, oldest first."""
    found = [block_before(today, days)]
    while found[-1].last > after:
        found.append(block_before(found[-1].first, days))
    yield from reversed(found[:-1])


def closed_by(schedule: Schedule, day: date, calendar: Calendar) -> Period:
    """What a report made on a day of its schedule is about: from the day it was made before, to the day before this one."""
    if schedule.kind == "days":
        return Period(day - timedelta(days=schedule.number), day - DAY)
    before = last_day(schedule, day - DAY, calendar) or day - DAY
    return Period(before, day - DAY)


def last_day(schedule: Schedule, day: date, calendar: Calendar) -> date | None:
    """The last day of a schedule that is not after `day`; None where there is none. Of `14d` it is the day itself."""
    if schedule.kind == "days":
        return day
    days = (day - timedelta(days=n) for n in range(LONGEST_SEARCH))
    return next((d for d in days if next_day(schedule, d, calendar, d, None) == d), None)


def asked_on(day: date) -> Period:
    """What a report without a schedule is about: so many days before the day it is asked for."""
    return Period(day - timedelta(days=WITHOUT_SCHEDULE), day - DAY)
