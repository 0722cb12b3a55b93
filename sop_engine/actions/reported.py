"""Says as which event of a user a report of a provider is taken in: built-in ones, or one of the project's own."""

import hashlib
from dataclasses import dataclass

from sop_engine.app import Work
from sop_engine.channels.contract import Fact
from sop_engine.core.conditions import Value
from sop_engine.core.errors import BadInput
from sop_engine.core.feedback import EVENTS
from sop_engine.core.records import EventRecord
from sop_engine.core.replies import REPLY, is_opt_out
from sop_engine.language import cells
from sop_engine.store.whose import About

LONGEST_KEY, LONGEST_TEXT = 100, 4000
ACTORS = {"delivered": "system", "task_done": "staff", "task_failed": "staff"}


@dataclass(frozen=True, slots=True)
class Found:
    """Whom a report is about: a message, if one is known, and its user first; or a task that no message made."""

    about: About | None
    users: tuple[int, ...]
    task: bool = False

    @property
    def touch_id(self) -> int | None:
        """The touch of the message."""
        return self.about.touch_id if self.about else None


def event_of(work: Work, channel: str, fact: Fact, found: Found, user_key: str) -> EventRecord | None:
    """The event a fact is; None for an event the project does not have, or whose fields it cannot read."""
    if fact.kind == "event":
        return _own(work, channel, fact, user_key)
    kind, about = EVENTS[fact.kind], found.about
    fields: dict[str, Value] = {"channel": "*" if fact.kind == "unsubscribed" and fact.code == "*" else channel}
    if about is not None and about.handed:
        playbook, _, level = about.flow.partition("/")
        known = {"playbook": playbook, "level": level, "step": about.step, "template": about.template}
        fields |= {name: value for name, value in known.items() if value}
    if fact.text:
        fields["text"] = fact.text[:LONGEST_TEXT]
    result = {"complained": "complained", "task_failed": fact.code, "task_done": "done"}.get(fact.kind, "")
    if is_opt_out(fact.text) and fact.kind == "replied":
        result = REPLY
    if result:
        fields["result"] = result
    if fact.kind == "clicked" and fact.code:
        fields["link"] = fact.code
    return EventRecord(
        _key(channel, fact, found),
        user_key,
        kind,
        fact.at,
        fields,
        ACTORS.get(kind, "user"),
        "sop",
        touch_id=about.touch_id if about is not None and about.handed else 0,
    )


def _key(channel: str, fact: Fact, found: Found) -> str:
    """Delivered once, however it is told of; everything else by the provider's own key."""
    if fact.kind == "delivered" and found.about is not None:
        return f"delivered:{found.about.touch_id}"
    return f"fact:{channel}:{short(fact.event_key)}"


def short(key: str) -> str:
    """The key as it is stored: a long one by what it hashes to."""
    return key if len(key) <= LONGEST_KEY else "h:" + hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _own(work: Work, channel: str, fact: Fact, user_key: str) -> EventRecord | None:
    """An event of the project, its fields read by their types; fields it does not have are left out."""
    event = work.project.events.get(fact.name)
    if event is None:
        return None
    fields: dict[str, Value] = {}
    try:
        for name, text in fact.fields.items():
            known = event.fields.get(name)
            if known is not None and text != "":
                fields[name] = cells.reader(known.type, known.words, work.project.zone)(text)
    except BadInput:
        return None
    return EventRecord(f"fact:{channel}:{short(fact.event_key)}", user_key, event.name, fact.at, fields, "user", "sop")
