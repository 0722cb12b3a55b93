"""Tells the one path of a user over public and private, and the common ways to a first order."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sop_engine.actions.split import FIRST_CHANNEL, dimension_of
from sop_engine.app import Work
from sop_engine.core.domains import collapsed, domain_of_source, domain_of_user, domains_of_sources
from sop_engine.core.errors import BadInput
from sop_engine.core.models import WATCH
from sop_engine.store import history, paths, people
from sop_engine.store.paths import Did, Way


@dataclass(frozen=True, slots=True)
class PathStep:
    """An event or a move of level. `domain`: public, private or None where nothing says it."""

    at: datetime
    domain: str | None
    what: str
    source: str = ""
    old: str | None = None
    new: str | None = None


@dataclass(frozen=True, slots=True)
class Path:
    """What a user did, in order: the domains it went through, the first touch, and each step with the moves of levels between."""

    user: str
    domains: tuple[str, ...]
    first: PathStep | None
    steps: tuple[PathStep, ...]


def path_of(work: Work, key: str, limit: int = 500) -> Path:
    """The path of a user, of its first so many events. Raises NotFound for an unknown user."""
    user_id = people.get_id(work.tx, key)
    did = [one for one in paths.events_in_order(work.tx, user_id, limit) if one.actor == "user"]
    steps = [
        PathStep(one.at, domain, one.kind, one.source) for one, domain in zip(did, _domains(work, user_id, did), strict=True)
    ]  # fmt: skip
    last = steps[-1].at if len(did) == limit else work.now
    moves = [
        PathStep(move.at, None, move.model, old=move.old, new=move.new)
        for move in history.list_moves(work.tx, user_id) if not move.model.startswith(WATCH) and move.at <= last
    ]  # fmt: skip
    merged = sorted([*steps, *moves], key=lambda step: step.at)  # stable: an event goes before the move it caused
    name = people.people(work.tx, [user_id])[user_id].key
    return Path(name, collapsed(step.domain for step in steps), steps[0] if steps else None, tuple(merged))


def _domains(work: Work, user_id: int, did: Sequence[Did]) -> list[str | None]:
    """Of each event: by its source, else by who did it; once users are one, as its source was seen before, else by the user."""
    identities, owners = work.project.identities, {one.owner for one in did} | {user_id}
    has = paths.identities_by_owner(work.tx, user_id, owners, [name for name, _ in identities])
    shared = paths.shared_by_owner(work.tx, owners)
    of_owner = {owner: domain_of_user(identities, has.get(owner, ()), shared.get(owner, ())) for owner in owners}
    since = paths.united_since(work.tx, user_id)
    seen = domains_of_sources((one.source, of_owner[one.owner]) for one in did if since is None or one.at <= since)
    found = list[str | None]()
    for one in did:
        domain = domain_of_source(identities, one.source)
        if domain is None and since is not None and one.at > since and one.owner == user_id:
            domain = seen.get(one.source)
        found.append(domain or of_owner[one.owner])
    return found


def common_ways(work: Work, by: str | None, *, top: int = 5) -> list[Way]:
    """The most common ways to a first order, by the values of a tier, attribute, tag or metric of words as they are now.

    Raises NotFound, and BadInput for what is no dimension.
    """
    ref = None
    if by is not None:
        ref = dimension_of(work.project, by)
        if ref is None:
            raise BadInput(f"'{FIRST_CHANNEL}' is no dimension here: name a tier, an attribute, a tag or a metric of words.")
    kinds = [e.name for e in work.project.events.values() if not e.built_in]
    return paths.ways_to_first_order(work.tx, work.project, ref, work.now, kinds=kinds, top=top)
