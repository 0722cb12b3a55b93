"""Remembers merges: pairs that wait for a person, users who became one, and pairs that are two after all."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, func, insert, or_, select, update

from sop_engine.core.identity import Known, Shared
from sop_engine.store.columns import table_of
from sop_engine.store.identity_tables import MergeRow, MovedRow
from sop_engine.store.tables import UserRow

merges = table_of(MergeRow)
moved = table_of(MovedRow)
users = table_of(UserRow)


@dataclass(frozen=True, slots=True)
class MergeTold:
    """One merge or waiting pair; `older` and `younger` are the shop's own ids."""

    id: int
    state: str
    older: str
    younger: str
    attribute: str
    why: str
    at: datetime
    by: str
    undone_at: datetime | None
    undone_by: str


def known_users(tx: Connection, user_ids: Iterable[int]) -> dict[int, Known]:
    """What says who is older, of living users by id."""
    c = users.c
    rows = tx.execute(select(c.id, c.key, c.joined_at).where(c.id.in_(list(user_ids))))
    return {row.id: Known(row.id, row.key, row.joined_at) for row in rows}


@dataclass(frozen=True, slots=True)
class Cause:
    """Why two users are one, or may be: what they share (None: somebody says so), in words, when, and by whom (nobody: the engine)."""

    shared: Shared | None
    why: str
    at: datetime
    by: str = ""


def add_merge(tx: Connection, older: Known, younger: Known, state: str, cause: Cause) -> int:
    """Store a merge or a pair that waits; its id."""
    shared = cause.shared
    values = {
        "older_id": older.id, "younger_id": younger.id, "older_key": older.key, "younger_key": younger.key, "state": state,
        "attribute": shared.attribute if shared else "", "value": shared.value if shared else "", "why": cause.why, "at": cause.at,
        "by": cause.by, "undone_by": "",
    }  # fmt: skip
    return int(tx.execute(insert(merges).values(values).returning(merges.c.id)).scalar_one())


def remember_before(tx: Connection, merge_id: int, before: dict[str, Any]) -> None:
    """What undoing this merge puts back."""
    tx.execute(update(merges).where(merges.c.id == merge_id).values(before=before))


def wait_for_person(tx: Connection, older: Known, younger: Known, cause: Cause) -> bool:
    """A pair waits for somebody to decide; False when it waits already."""
    if tx.execute(select(merges.c.id).where(_pair(older.id, younger.id), merges.c.state == "waiting").limit(1)).first() is not None:
        return False
    add_merge(tx, older, younger, "waiting", cause)
    return True


def forget_waiting(tx: Connection, user_id: int) -> None:
    """Pairs of this user wait no more: the user became part of another one, or the pair was decided."""
    mine = or_(merges.c.older_id == user_id, merges.c.younger_id == user_id)
    tx.execute(delete(merges).where(mine, merges.c.state == "waiting"))


def were_parted(tx: Connection, one: Iterable[int], other: Iterable[int]) -> bool:
    """Whether somebody said of any of these and any of those that they are two."""
    a, b = list(one), list(other)
    c = merges.c
    either = or_(and_(c.older_id.in_(a), c.younger_id.in_(b)), and_(c.older_id.in_(b), c.younger_id.in_(a)))
    return tx.execute(select(c.id).where(either, c.state == "undone").limit(1)).first() is not None


def united_by(tx: Connection, member_ids: Iterable[int], shared: Shared) -> int:
    """How many merges into these users an identity has made."""
    c = merges.c
    mine = c.older_id.in_(list(member_ids)), c.state == "done", c.attribute == shared.attribute, c.value == shared.value
    return int(tx.execute(select(func.count()).where(*mine)).scalar_one())


def get_merge(tx: Connection, merge_id: int) -> Row[Any] | None:
    """One whole row, held until the end of the transaction."""
    return tx.execute(select(merges).where(merges.c.id == merge_id).with_for_update()).first()


def note_undone(tx: Connection, merge_id: int, by: str, at: datetime) -> None:
    """The two are two; what it moved is where it was."""
    tx.execute(update(merges).where(merges.c.id == merge_id).values(state="undone", undone_at=at, undone_by=by, before=None))
    tx.execute(delete(moved).where(moved.c.merge_id == merge_id))


def list_merges(tx: Connection, *, state: str | None = None, user_ids: Iterable[int] | None = None, limit: int = 1000) -> list[MergeTold]:
    """The latest first; of one state, or those in which one of these users is."""
    c = merges.c
    statement = select(merges).order_by(c.id.desc()).limit(limit)
    if state is not None:
        statement = statement.where(c.state == state)
    if user_ids is not None:
        ids = list(user_ids)
        statement = statement.where(or_(c.older_id.in_(ids), c.younger_id.in_(ids)))
    return [_told(row) for row in tx.execute(statement)]


def merge_of(tx: Connection, younger_id: int) -> int | None:
    """The merge by which a user became part of another one and is."""
    c = merges.c
    return tx.execute(select(c.id).where(c.younger_id == younger_id, c.state == "done").order_by(c.id.desc()).limit(1)).scalar()


def _told(row: Row[Any]) -> MergeTold:
    names = ("id", "state", "attribute", "why", "at", "by", "undone_at", "undone_by")
    return MergeTold(older=row.older_key, younger=row.younger_key, **{n: getattr(row, n) for n in names})


def _pair(one: int, other: int) -> Any:
    c = merges.c
    return or_(and_(c.older_id == one, c.younger_id == other), and_(c.older_id == other, c.younger_id == one))
