"""Says lengths, moments, schedules and limits in the words of a language."""

from datetime import timedelta

from sop_engine.core.forms import Again, Length, Limit, Moment, Schedule
from sop_engine.core.say_words import Words


def length(value: Length, words: Words) -> str:
    """A length of time: 7 天, 48 小时, 10 分钟."""
    if value.days is not None:
        return words["days"].format(value.days)
    minutes = int((value.exact or timedelta()).total_seconds()) // 60
    return words["hours"].format(minutes // 60) if minutes % 60 == 0 else words["minutes"].format(minutes)


def moment(value: Moment, words: Words) -> str:
    """A moment: 第 45 天 10:00, 立即."""
    if value.kind != "day":
        return words[value.kind]
    time = words["open"] if value.minute is None else _clock(value.minute)
    return words["day"].format(value.day, f"{time}–{_clock(value.until)}" if value.until is not None else time)


def schedule(value: Schedule, words: Words) -> str:
    """A schedule: 每月 28 日 10:00."""
    names = words["weekdays"].split() if " " in words["weekdays"] else list(words["weekdays"])
    kind = {"day": "day_at", "days": "every_days"}.get(value.kind, value.kind)
    if kind == "year" and value.number:
        kind = "year_before"
    weekday = names[value.number - 1] if kind == "weekday" else ""
    return words[kind].format(value.number, _clock(value.minute), weekday, value.attribute)


def limit(value: Limit, words: Words) -> str:
    """A limit: 30 天内 40000."""
    return words["per"].format(f"{value.most:f}", length(value.per, words))


def again(value: Again, words: Words) -> str:
    """When a user may start again, as a sentence."""
    return words["again"].format(length(value.after, words)) if value.after else words[value.kind]


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"
