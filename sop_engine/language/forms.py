"""Reads the fixed forms of a value (lengths, moments, schedules, limits); each form has the sentence said when it does not fit."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sop_engine.core.forms import Again, Hours, Instant, Length, Limit, Moment, Schedule, Valid

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIME = r"(?:[01]\d|2[0-3]):[0-5]\d"
_DATE = r"\d{4}-\d{2}-\d{2}"
_LENGTH = r"\d{1,6}[mhd]"
_NAME = r"[^\W\d]\w*"


@dataclass(frozen=True)
class Form:
    """One form: the pattern it has, how it is read (None: it does not fit after all), and what is said when it does not fit."""

    pattern: str
    read: Callable[[re.Match[str]], Any]
    sentence: str

    def parse(self, text: str) -> Any:
        """The value, or None if the text does not have this form."""
        match = re.fullmatch(self.pattern, text)
        if match is None:
            return None
        try:
            return self.read(match)
        except (ValueError, OverflowError):
            return None


def _minutes(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:])


def _length(text: str) -> Length:
    number = int(text[:-1])
    if number == 0:
        raise ValueError(text)
    if text[-1] == "d":
        return Length(days=number)
    return Length(exact=timedelta(minutes=number) if text[-1] == "m" else timedelta(hours=number))


def _hours(match: re.Match[str]) -> Hours | None:
    start, end = _minutes(match[1]), _minutes(match[2])
    return Hours(start, end) if start != end else None


def _moment(match: re.Match[str]) -> Moment | None:
    if match["word"]:
        return Moment(match["word"])
    start = _minutes(match["start"]) if match["start"] else None
    until = _minutes(match["until"]) if match["until"] else None
    if until is not None and start is not None and until <= start:
        return None
    return Moment("day", int(match["day"]), start, until)


def _schedule(match: re.Match[str]) -> Schedule | None:
    minute = _minutes(match["time"])
    if match["word"] in WEEKDAYS:
        return Schedule("weekday", minute, WEEKDAYS.index(match["word"]) + 1)
    if match["word"]:
        return Schedule(match["word"], minute)
    if match["month"]:
        number = int(match["month"])
        return Schedule("month_day", minute, number) if 1 <= number <= 31 else None
    if match["days"]:
        return Schedule("days", minute, int(match["days"])) if int(match["days"]) else None
    return Schedule("year", minute, int(match["before"] or 0), match["date"])


def _limit(match: re.Match[str]) -> Limit:
    return Limit(Decimal(match[1]), _length(match[2]))


def _again(match: re.Match[str]) -> Again:
    return Again("after", _length(match[1])) if match[1] else Again(match[0])


def _valid(match: re.Match[str]) -> Valid:
    if match["length"]:
        return Valid("length", length=_length(match["length"]))
    if match["weekday"]:
        return Valid("weekday", weekday=WEEKDAYS.index(match["weekday"]) + 1)
    if match["day"]:
        return Valid("date", day=date.fromisoformat(match["day"]))
    return Valid("month_end")


def _days(match: re.Match[str]) -> tuple[date, ...] | None:
    first = date.fromisoformat(match[1])
    last = date.fromisoformat(match[2]) if match[2] else first
    if not 0 <= (last - first).days <= 366:
        return None
    return tuple(first + timedelta(days=i) for i in range((last - first).days + 1))


def _share(match: re.Match[str]) -> Decimal | None:
    share = Decimal(match[1]) / 100
    return share if share <= 1 else None


def _day_and_time(match: re.Match[str]) -> tuple[date, int]:
    return date.fromisoformat(match[1]), _minutes(match[2]) if match[2] else 0


def _into(match: re.Match[str]) -> tuple[int, int] | None:
    least, most = int(match[1]), int(match[2] or match[1])
    return (least, most) if 2 <= least <= most else None


LENGTH = Form(_LENGTH, lambda m: _length(m[0]), "is not a length of time. Write '10m', '48h' or '30d'.")
DAYS = Form(r"\d{1,5}d", lambda m: _length(m[0]), "is not a number of days. Write '30d'.")
EXACT = Form(
    r"\d{1,6}[mh]",
    lambda m: _length(m[0]).exact,
    "is not minutes or hours. Write '10m' or '2h'; for days write 'at: day 3 10:00'.",
)
DUE = Form(r"\d{1,6}[mh]", lambda m: _length(m[0]).exact, "is not minutes or hours. Write '30m' or '24h'.")
MOMENT = Form(
    rf"(?P<word>now|goal|end)|day (?P<day>-?\d{{1,4}})(?: (?P<start>{_TIME})(?:-(?P<until>{_TIME}|24:00))?)?",
    _moment,
    "is not a moment. Write now, goal, end or 'day 3 10:00' (day 0 is the day of the start).",
)
STORY_TIME = Form(
    rf"day (-?\d{{1,5}}) ({_TIME})",
    lambda m: (int(m[1]), _minutes(m[2])),
    "is not a moment of a story. Write 'day 3 10:00' (day 0 is the day of 'day_0').",
)
SCHEDULE = Form(
    r"(?:(?P<word>day|workday|weekend|mon|tue|wed|thu|fri|sat|sun)|month day (?P<month>\d{1,2})|(?P<days>\d{1,4})d"
    rf"|year (?:(?P<before>\d{{1,3}})d before |on )(?P<date>{_NAME})) (?P<time>{_TIME})",
    _schedule,
    "is not a schedule. Write 'day 10:00', 'workday 14:00', 'mon 08:00', 'month day 28 10:00', '14d 19:00' or 'year on 生日 10:00'.",
)
INSTANT = Form(
    rf"{_DATE} {_TIME}",
    lambda m: Instant(datetime.fromisoformat(m[0])),
    "is not a date and a time. Write '2025-11-11 10:00'.",
)
DAY_AND_TIME = Form(rf"({_DATE})(?: ({_TIME}))?", _day_and_time, "is not a day, or a day and a time. Write '2025-03-03 09:30'.")
DATE = Form(_DATE, lambda m: date.fromisoformat(m[0]), "is not a date. Write '2025-11-11'.")
HOLIDAYS = Form(rf"({_DATE})(?: to ({_DATE}))?", _days, "is not a day or several days. Write '2025-10-01' or '2025-10-01 to 2025-10-08'.")
SHARE = Form(r"(\d{1,3}(?:\.\d{1,6})?)%", _share, "is not a share. Write '10%'.")
HOURS = Form(rf"({_TIME})-({_TIME}|24:00)", _hours, "is not hours of a day. Write '09:00-21:00'.")
LIMIT = Form(rf"(\d{{1,9}}) per ({_LENGTH})", _limit, "is not a limit. Write '2 per 1d' or '1 per 48h'.")
BUDGET = Form(rf"(\d{{1,12}}(?:\.\d{{1,2}})?) per ({_LENGTH})", _limit, "is not a budget. Write '50000 per 30d'.")
AGAIN = Form(rf"never|always|after ({_LENGTH})", _again, "is not possible here. Write never, always or 'after 90d'.")
VALID = Form(
    rf"(?P<length>{_LENGTH})|until (?:(?P<weekday>{'|'.join(WEEKDAYS)})|month end|(?P<day>{_DATE}))",
    _valid,
    "is not a time of validity. Write '7d', '48h', 'until sun', 'until month end' or 'until 2025-11-11'.",
)
NUMBER = Form(r"-?\d{1,18}(?:\.\d{1,9})?", lambda m: Decimal(m[0]), "is not a number. Write '30' or '0.5'.")
COUNT = Form(r"[1-9]\d{0,8}", lambda m: int(m[0]), "is not a whole number above 0. Write '5'.")
MONEY = Form(r"\d{1,12}(?:\.\d{1,4})?", lambda m: Decimal(m[0]), "is not an amount of money. Write '20' or '0.05'.")
FLAG = Form(r"true|false", lambda m: m[0] == "true", "is neither yes nor no. Write true or false.")
INTO = Form(r"(\d{1,2})(?:-(\d{1,2}))?", _into, "is not a number of clusters. Write '3', or '2-5' to let the data decide.")
