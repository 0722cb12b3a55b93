"""Says until when a colleague has to do something, and what the one is told to whom it is escalated."""

from datetime import datetime
from zoneinfo import ZoneInfo

from sop_engine.core.catalog import Channel
from sop_engine.core.template import Template


def deadline(template: Template, channel: Channel, made_at: datetime) -> datetime | None:
    """Until when a task made from a template is to be done: as the template says, else as the channel does; None without either."""
    length = template.due if template.due is not None else channel.due
    return None if length is None else made_at + length


def escalation_text(text: str, assignee: str, made_at: datetime, due_at: datetime, *, zone: ZoneInfo, locale: str) -> str:
    """What was to be done, by whom, since when and until when, in Chinese or English by the project's locale, times in its zone."""
    made, due = (moment.astimezone(zone).strftime("%Y-%m-%d %H:%M") for moment in (made_at, due_at))
    if locale.startswith("zh"):
        return f"超时未办：{text}\n原交给{f'「{assignee}」' if assignee else '任意同事'}，{made} 交办，应在 {due} 前办完。"
    return f"Not done in time: {text}\nGiven to {assignee or 'anybody'} at {made}, to be done until {due}."
