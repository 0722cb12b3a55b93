"""Decides the words in which lengths, moments, schedules and limits are said, in Chinese and in English."""

from datetime import timedelta

from sop_engine.core.forms import Again, Length, Limit, Moment, Schedule

Words = dict[str, str]

CHINESE: Words = {
    "days": "{0} 天",
    "hours": "{0} 小时",
    "minutes": "{0} 分钟",
    "now": "立即",
    "goal": "目标达成时",
    "end": "结束时",
    "day": "第 {0} 天 {1}",
    "open": "发送时段一开始",
    "after": "{0}后",
    "from": "「{1}」之后{0}",
    "day_at": "每天 {1}",
    "workday": "每个工作日 {1}",
    "weekend": "每个周末日 {1}",
    "weekday": "每周{2} {1}",
    "month_day": "每月 {0} 日 {1}",
    "every_days": "每 {0} 天 {1}",
    "year": "每年{3}当天 {1}",
    "year_before": "每年{3}前 {0} 天 {1}",
    "weekdays": "一二三四五六日",
    "per": "{1}内 {0}",
    "never": "每人只参加一次。",
    "always": "每次都重新开始。",
    "again": "开始 {0}后可以再次参加。",
    "start_level": "用户进入「{0} = {1}」",
    "start_unscored": "用户在「{0}」里没有层级",
    "start_enter": "用户进入「{0}」",
    "start_leave": "用户离开「{0}」",
    "start_event": "用户发生 {0}",
    "start_event_where": "用户发生 {0}（{1}）",
    "start_every": "{0}",
    "start_date": "{0}（一次）",
    "only": "且{0} ",
    "begins": "{0}时开始，{1}是第 0 天。",
    "begins_for": "{0}对「{2}」的用户开始，{1}是第 0 天。",
    "the_start": "开始那天",
    "the_anchor": "{0}那天",
    "the_joining": "加入那天",
    "holdout": "{0} 不触达，其余{1}。",
    "arms": "分组：{0}。",
    "all": "照常触达",
    "halves": "{0}各半",
    "share": "{0} {1}",
    "rollout": "先放量 {0}。",
    "step": "{0}（{1}）：{2}。",
    "if": "若 {0}，",
    "send": "{1}「{0}」",
    "else": "，发不到则",
    "give": "附「{0}」",
    "give_else": "，领完则「{0}」",
    "void": "作废「{0}」",
    "set": "设 {0} = {1}",
    "choice": "{0} → {1}",
    "by": "按{0}选：",
    "otherwise": "其他",
    "nothing": "不做任何事",
    "goal_ends": "达成目标{0}即止。",
    "goal_counts": "达成目标{0}计数，不结束。",
    "counts": "另计{0}。",
    "goal_event": "{0}（触达后 {1}内 {2}）",
    "left": "离开该层级即止。",
    "untrue": "条件不再成立即止。",
    "name": "「{0}」",
    "stays": "条件不再成立也照常走完。",
    "exit": "{0}（{1}）即止。",
    "existing": "发布当天已符合的人也参加，每天最多 {0} 人。",
    "budget": "权益预算 {0}。",
    "approve": "发布须经{0}批准。",
    "no_benefit": "不给权益：{0}。",
    "comma": "，",
    "list": "、",
    "semicolon": "；",
}

ENGLISH: Words = {
    "days": "{0} days",
    "hours": "{0} hours",
    "minutes": "{0} minutes",
    "now": "at once",
    "goal": "when the goal is reached",
    "end": "at the end",
    "day": "day {0} at {1}",
    "open": "the opening of the sending hours",
    "after": "{0} later",
    "from": "{0} after '{1}'",
    "day_at": "every day at {1}",
    "workday": "every workday at {1}",
    "weekend": "every weekend day at {1}",
    "weekday": "every {2} at {1}",
    "month_day": "on day {0} of every month at {1}",
    "every_days": "every {0} days at {1}",
    "year": "every year on {3} at {1}",
    "year_before": "every year {0} days before {3} at {1}",
    "weekdays": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
    "per": "{0} per {1}",
    "never": "Everybody takes part once.",
    "always": "It starts again every time.",
    "again": "It may start again {0} after the last start.",
    "start_level": "when a user enters '{0} = {1}'",
    "start_unscored": "when a user has no level in '{0}'",
    "start_enter": "when '{0}' becomes true of a user",
    "start_leave": "when '{0}' stops being true of a user",
    "start_event": "at {0} of a user",
    "start_event_where": "at {0} of a user ({1})",
    "start_every": "{0}",
    "start_date": "once, on {0}",
    "only": ", and {0}",
    "begins": "Starts {0}; {1} is day 0.",
    "begins_for": "Starts {0} for users with '{2}'; {1} is day 0.",
    "the_start": "the day of the start",
    "the_anchor": "the day of '{0}'",
    "the_joining": "the day of joining",
    "holdout": "{0} get nothing, the others: {1}.",
    "arms": "Variants: {0}.",
    "all": "as below",
    "halves": "{0}, half each",
    "share": "{0} {1}",
    "rollout": "Open to {0} so far.",
    "step": "{0} ({1}): {2}.",
    "if": "if {0}: ",
    "send": "'{0}' through {1}",
    "else": ", or if that cannot be delivered ",
    "give": "with '{0}'",
    "give_else": ", or when used up '{0}'",
    "void": "'{0}' becomes void",
    "set": "set {0} = {1}",
    "choice": "{0}: {1}",
    "by": "by {0}: ",
    "otherwise": "otherwise",
    "nothing": "nothing",
    "goal_ends": "Reaching the goal {0} ends it.",
    "goal_counts": "Reaching the goal {0} is counted and does not end it.",
    "counts": "Counted too: {0}.",
    "goal_event": "{0} ({2} within {1} of a touch)",
    "left": "Leaving the level ends it.",
    "untrue": "It ends when the condition stops being true.",
    "name": "'{0}'",
    "stays": "It goes on when that stops being true.",
    "exit": "'{0}' ends it ({1}).",
    "existing": "Users who fit on the day of release start too, at most {0} a day.",
    "budget": "Benefits for at most {0}.",
    "approve": "Release needs the approval of {0}.",
    "no_benefit": "No benefit: {0}.",
    "comma": ", ",
    "list": ", ",
    "semicolon": "; ",
}


def words_of(locale: str) -> Words:
    """The words of a locale: Chinese, or English for every other language."""
    return CHINESE if locale.lower().startswith("zh") else ENGLISH


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
