"""Finds users by anything that identifies them, and says what a program may know: levels, tags, open flows, consent; masked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from sop_engine.actions.asking import LevelHeld, profile
from sop_engine.actions.keys import find_key
from sop_engine.app import Work
from sop_engine.core.conditions import Value
from sop_engine.core.errors import BadInput
from sop_engine.core.ingested import ANONYMOUS
from sop_engine.language import cells
from sop_engine.language.names import normal
from sop_engine.language.segment import identifier
from sop_engine.store import consent, identities, people
from sop_engine.store.history import HeldTag
from sop_engine.store.users import ids_by_key

if TYPE_CHECKING:
    from sqlalchemy import Connection

BY_ID, BY_VISITOR = "id", "anonymous_id"
MOST = 5


@dataclass(frozen=True, slots=True)
class OpenFlow:
    """A run that goes on."""

    flow: str
    version: int
    started_at: datetime


@dataclass(frozen=True, slots=True)
class Found:
    """One user. `refused` names channels that may not be used for marketing, `*` all of them."""

    user: str
    joined_at: datetime
    timezone: str | None
    attributes: Mapping[str, Value | None] = field(repr=False)
    levels: tuple[LevelHeld, ...]
    tags: tuple[HeldTag, ...]
    flows: tuple[OpenFlow, ...]
    refused: tuple[str, ...]


def may_read(tx: "Connection", key: str) -> bool:
    """Whether this key may look users up."""
    return find_key(tx, key, "read") is not None


def look_up(work: Work, by: str, value: str) -> list[Found]:
    """The users who have this value, at most 5. `by` is id, anonymous_id, or an identity of the project. Raises BadInput."""
    ids = _ids(work, normal(by), value)[:MOST]
    keys = [people.people(work.tx, [one])[one].key for one in ids]
    refused = consent.opt_outs_of(work.tx, ids)
    return [_found(work, key, refused.get(one, frozenset())) for one, key in zip(ids, keys, strict=True)]


def _ids(work: Work, by: str, value: str) -> list[int]:
    if by in (BY_ID, BY_VISITOR):
        written = identifier(value)
        return list(ids_by_key(work.tx, [written if by == BY_ID else ANONYMOUS + written]).values())
    names = [name for name, _ in work.project.identities]
    if by not in names:
        raise BadInput(f"nobody is found by '{by}'. It can be: {', '.join((BY_ID, BY_VISITOR, *names))}.")
    attribute = work.project.attributes[by]
    try:
        read = cells.reader(attribute.type, attribute.words, work.live.zone)(value)
    except BadInput:
        return []  # nobody can have it
    return identities.having(work.tx, by, str(read))


def _found(work: Work, key: str, refused: frozenset[str]) -> Found:
    known = profile(work, key)
    flows = tuple(OpenFlow(r.flow, r.version, r.started_at) for r in known.runs if r.state == "open")
    return Found(known.user, known.joined_at, known.timezone, known.attributes, known.levels, known.tags, flows, tuple(sorted(refused)))
