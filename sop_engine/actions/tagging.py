"""Sets tags and attributes: by words in a text, by a step, by a colleague."""

from collections.abc import Iterable, Mapping

from sop_engine.app import Work
from sop_engine.core.conditions import Value
from sop_engine.core.keywords import tag_hit
from sop_engine.core.records import EventRecord
from sop_engine.store import tags
from sop_engine.store import users as store_users


def tag_by_words(work: Work, events: Iterable[tuple[int, int, EventRecord]]) -> bool:
    """Keyword tags: the text of an event the user did contains one of the words and none of the exceptions. Whether any was set."""
    found = False
    keyword_tags = [t for t in work.project.tags.values() if t.words and t.inside]
    for event_id, user_id, record in events:
        for tag in keyword_tags:
            kind, name = tag.inside or ("", "")
            text = record.fields.get(name)
            if record.event != kind or record.actor != "user" or not isinstance(text, str):
                continue
            on = record.at.astimezone(work.live.zone).date()
            hit = tag_hit(tag, text, on=on, attributes=work.project.attributes)
            if hit is not None:
                found = True
                set_values(work, user_id, {tag.name: True, **hit.attributes}, evidence=[{"event": event_id, "word": hit.word}])
    return found


def set_values(work: Work, user_id: int, values: Mapping[str, Value | None], *, evidence: list[object] | None = None) -> None:
    """Set attributes and tags of a user; a tag stands for its `for` days from today."""
    attributes = {name: value for name, value in values.items() if name not in work.project.tags}
    if attributes:
        identities = {name for name, _ in work.project.identities}
        store_users.set_attributes(work.tx, user_id, attributes, work.moment(user_id))
        if identities & attributes.keys():
            work.identified.add(user_id)
    for name, value in values.items():
        tag = work.project.tags.get(name)
        if tag is None:
            continue
        if value is True:
            until = None if tag.keeps is None else work.day + tag.keeps
            tags.set_tag(work.tx, user_id, name, work.moment(user_id), until_day=until, evidence=evidence)
        else:
            tags.clear_tag(work.tx, user_id, name)
