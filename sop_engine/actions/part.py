"""Decides about pairs by hand: makes one user of two, says that two are two, and takes a merge back."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sop_engine.actions.end import refresh_close
from sop_engine.actions.together import live_apart
from sop_engine.actions.unite import unite, unite_all
from sop_engine.app import Work
from sop_engine.core.consent import refuses_all
from sop_engine.core.errors import BadInput, NotFound, Refused
from sop_engine.store import audit, identities, merge_facts, merge_rows, merges, runs, touches
from sop_engine.store.consent import opt_outs_of, part_ledgers
from sop_engine.store.merges import Cause, MergeTold
from sop_engine.store.people import get_id, lock_users, people, take_turns

BY_HAND = "said to be one"


@dataclass(frozen=True, slots=True)
class Decided:
    """What was decided: the merge, and who the two are (the shop's own ids)."""

    id: int
    state: str
    older: str
    younger: str


@dataclass(frozen=True, slots=True)
class Merges:
    """Pairs that wait for a person, and the latest merges that were made or taken back."""

    waiting: tuple[MergeTold, ...]
    made: tuple[MergeTold, ...]


@dataclass(frozen=True, slots=True)
class WasOne:
    """A user who became part of another one: the id that was asked for, who that is now, and since when by which merge."""

    asked: str
    now: str
    merge: int | None


def list_merges(work: Work, limit: int) -> Merges:
    """Waiting pairs and decided ones, the latest first; at most `limit` of each."""
    decided = [m for state in ("done", "undone") for m in merges.list_merges(work.tx, state=state, limit=limit)]
    made = sorted(decided, key=lambda m: -m.id)[:limit]
    return Merges(tuple(merges.list_merges(work.tx, state="waiting", limit=limit)), tuple(made))


def merge_by_hand(work: Work, one: str, other: str, *, by: str) -> Decided:
    """Make one user of two because a person says so. Raises NotFound for an unknown user, BadInput for a user with itself."""
    ids = [get_id(work.tx, key) for key in (one, other)]
    moved = lock_users(work.tx, ids)
    ids = [moved.get(i, i) for i in ids]
    known = merges.known_users(work.tx, ids)
    if ids[0] == ids[1]:
        raise BadInput(f"'{one}' and '{other}' are one user already: '{known[ids[0]].key}'.")
    here, gone = unite(work, known[ids[0]], known[ids[1]], Cause(None, BY_HAND, work.now, by))
    unite_all(work, [here])
    return Decided(merges.merge_of(work.tx, gone) or 0, "done", known[here].key, known[gone].key)


def undo(work: Work, merge_id: int, *, by: str) -> Decided:
    """Take a merge back: the two are two again, and are never united by the engine; a pair that waits is left as two.

    Rows that came later stay with the older user, refusals with both; what was sent meanwhile counts in the caps of both. Nothing is
    sent because of it. Raises NotFound, or Refused when it was undone before or the older user became part of another one since.
    """
    row = merges.get_merge(work.tx, merge_id)
    if row is None:
        raise NotFound(f"there is no merge {merge_id}. 'sop merges' lists them.")
    if row.state == "undone":
        raise Refused(f"merge {merge_id} was undone already.")
    if row.state == "done":
        _part(work, merge_id, row.older_id, row.younger_id, row.before, row.at)
    merges.note_undone(work.tx, merge_id, by, work.now)
    audit.note(work.tx, by, "said that two users are two", {"merge": merge_id, "was": row.state}, work.now)
    return Decided(merge_id, "undone", row.older_key, row.younger_key)


def _part(work: Work, merge_id: int, older: int, younger: int, before: dict[str, Any], at: datetime) -> None:
    moved = lock_users(work.tx, [older]) or identities.who_now(work.tx, [older])
    if moved:
        name = people(work.tx, moved.values())[moved[older]].key
        last = merges.merge_of(work.tx, older)
        raise Refused(f"who stayed in merge {merge_id} has become part of '{name}' since: undo merge {last} first.")
    take_turns(work.tx, [older])
    merge_rows.unqueue(work.tx, [older])
    merge_facts.part_facts(work.tx, before, before["members"])
    merge_rows.give_back(work.tx, merge_id, younger)
    part_ledgers(work.tx, [older, younger], work.now)
    merge_rows.count_for_both(work.tx, older, younger, at)
    _take_up(work, merge_id, [older, younger])
    live_apart(work, [older, younger])


def _take_up(work: Work, merge_id: int, both: list[int]) -> None:
    """Runs and coupons go on where the merge ended them; what was due meanwhile is over."""
    adopted = merge_rows.noted(work.tx, merge_id, merge_rows.ADOPTED)
    touches.cancel_touches(work.tx, dict.fromkeys(adopted, work.now), "removed")
    refused = {user for user, channels in opt_outs_of(work.tx, both).items() if refuses_all(channels)}
    ended = runs.get_runs(work.tx, merge_rows.noted(work.tx, merge_id, merge_rows.ENDED))
    again = [run.id for run in ended.values() if run.user_id not in refused]
    merge_rows.open_again(work.tx, again)
    merge_rows.plan_again(work.tx, merge_rows.noted(work.tx, merge_id, merge_rows.CANCELLED), work.now)
    merge_rows.set_grants(work.tx, merge_rows.noted(work.tx, merge_id, merge_rows.VOIDED), "voided", "issued")
    refresh_close(work, again)


def was_one(work: Work, key: str) -> WasOne | None:
    """Who a user is now that was asked for by an id of a former user, or by an identity; None where the id is the user's own."""
    user_id = get_id(work.tx, key)
    now = people(work.tx, [user_id])[user_id].key
    if now == key:
        return None
    former = identities.former_id(work.tx, key)
    return WasOne(key, now, merges.merge_of(work.tx, former) if former is not None else None)
