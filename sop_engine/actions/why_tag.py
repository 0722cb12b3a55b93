"""Tells why a user has a tag or has not: what its rule says now, and the events behind it."""

from dataclasses import dataclass
from datetime import date, datetime

from sop_engine.actions.evidence import events_of, facts_behind
from sop_engine.actions.why import told_reasons
from sop_engine.app import Work
from sop_engine.core.catalog import Tag
from sop_engine.core.conditions import holds
from sop_engine.core.explain import Reason
from sop_engine.store import behind, history, people
from sop_engine.store.behind import Behind


@dataclass(frozen=True, slots=True)
class WhyTag:
    """Whether a user has a tag, why, and the events behind it. `how`: rule, words or set (by a step, a colleague or a system)."""

    user: str
    tag: str
    held: bool
    how: str
    since: datetime | None
    until: date | None
    reasons: tuple[Reason, ...]
    events: tuple[Behind, ...]


def why_tag(work: Work, key: str, tag: Tag) -> WhyTag:
    """Why this user has the tag, or has not. Raises NotFound for an unknown user."""
    user_id = people.get_id(work.tx, key)
    facts = facts_behind(work, user_id, tag.when, tag.name)
    stored = next((one for one in history.list_tags(work.tx, user_id) if one.tag == tag.name), None)
    held = facts.get(tag.name) is True
    if tag.when is None:
        found = tuple(behind.stored_evidence(work.tx, user_id, tag.name)) if held else ()
    elif holds(tag.when, facts):
        found = events_of(work, user_id, tag.when, facts)
    else:  # with `for` it stands a while after its rule held last: what it rested on then
        found = events_of(work, user_id, tag.when, None, stored.since) if held and stored is not None else ()
    return WhyTag(
        people.people(work.tx, [user_id])[user_id].key,
        tag.name,
        held,
        "rule" if tag.when is not None else "words" if tag.words else "set",
        stored.since if held and stored else None,
        stored.until if held and stored else None,
        told_reasons(work.project, tag.when, facts),
        found,
    )
