"""Says lengths, moments, schedules and limits in the words of a language."""

from datetime import timedelta

from sop_engine.core.forms import Again, Length, Limit, Moment, Schedule, Valid
from sop_engine.core.playbook import Step
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
    return words["day"].format(value.day, clock(value, words))


def schedule(value: Schedule, words: Words) -> str:
    """A schedule: 每月 28 日 10:00."""
    kind = {"day": "day_at", "days": "every_days"}.get(value.kind, value.kind)
    if kind == "year" and value.number:
        kind = "year_before"
    weekday = _weekday(value.number, words) if kind == "weekday" else ""
    return words[kind].format(value.number, _clock(value.minute), weekday, value.attribute)


def step_time(step: Step, words: Words) -> str:
    """When a step happens: 第 3 天 10:00, 「回归券」之后第 7 天 10:00, 每月 8 日 10:00."""
    if step.every is not None:
        time = schedule(step.every, words)
    elif step.after is not None:
        time = words["after"].format(length(Length(exact=step.after), words))
    else:
        time = moment(step.at, words) if step.at is not None else ""
    return words["from"].format(time, step.source) if step.source else time


def clock(value: Moment, words: Words) -> str:
    """The time of day of a moment on a day: 10:00, 10:00–12:00, 发送时段一开始."""
    start = words["open"] if value.minute is None else _clock(value.minute)
    return f"{start}–{_clock(value.until)}" if value.until is not None else start


def valid(value: Valid, words: Words) -> str:
    """How long a benefit lives: 7 天, 到周日, 到月底, 到 2025-11-11."""
    if value.length is not None:
        return length(value.length, words)
    if value.kind == "weekday":
        return words["until_weekday"].format(_weekday(value.weekday, words))
    return words["until_month_end"] if value.day is None else words["until_day"].format(value.day.isoformat())


def limit(value: Limit, words: Words) -> str:
    """A limit: 30 天内 40000."""
    return words["per"].format(f"{value.most:f}", length(value.per, words))


def again(value: Again, words: Words) -> str:
    """When a user may start again, as a sentence."""
    return words["again"].format(length(value.after, words)) if value.after else words[value.kind]


def _weekday(number: int, words: Words) -> str:
    names = words["weekdays"].split() if " " in words["weekdays"] else list(words["weekdays"])
    return names[number - 1]


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"
