"""Who a user is: the shop's own id, zone and language; and how users are held while they are worked on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Integer, Select, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import ARRAY

from sop_engine.core.addresses import email_address, phone_e164
from sop_engine.core.errors import NotFound
from sop_engine.store.bulk import among
from sop_engine.store.columns import table_of
from sop_engine.store.identity_tables import FormerUserRow, IdentityRow
from sop_engine.store.tables import UserRow

users = table_of(UserRow)
former = table_of(FormerUserRow)
identities = table_of(IdentityRow)

LOCKS = 0x736F71  # the space of our advisory locks
EVERYBODY, FITTING = -1, -2  # numbers of locks; those of buckets are 0 and up
SLICE = 20_000  # so many ids in a row lie in one bucket, and are swept in one transaction
BUCKETS = 64  # no more, or transactions about many users fill the lock table of the database

_NUMBERS = func.unnest(bindparam("numbers", type_=ARRAY(Integer()))).column_valued("number")
_ALONE = select(func.pg_advisory_xact_lock(LOCKS, _NUMBERS))
_SHARED = select(func.pg_advisory_xact_lock_shared(LOCKS, _NUMBERS))
_HELD = select(users.c.id).where(among(users.c.id)).order_by(users.c.id).with_for_update()


@dataclass(frozen=True, slots=True)
class Person:
    """A user without attributes."""

    id: int
    key: str
    timezone: str | None
    locale: str | None


def people(tx: Connection, user_ids: Iterable[int]) -> dict[int, Person]:
    """By id."""
    c = users.c
    rows = tx.execute(select(c.id, c.key, c.timezone, c.locale).where(among(c.id)), {"ids": user_ids})
    return {row.id: Person(*row) for row in rows}


def ids_of(tx: Connection, keys: Iterable[str]) -> dict[str, int]:
    """By the shop's own id; unknown ones are missing. A user who became part of another one is that one."""
    asked = list(keys)
    found = {row.key: row.id for row in tx.execute(select(users.c.key, users.c.id).where(users.c.key.in_(asked)))}
    if len(found) < len(set(asked)):
        gone = former.c.key.in_([key for key in asked if key not in found])
        found |= {row.key: row.now_id for row in tx.execute(select(former.c.key, former.c.now_id).where(gone))}
    return found


def get_id(tx: Connection, key: str) -> int:
    """The user with this id of the shop's, else the only one with this identity. Raises NotFound."""
    found = ids_of(tx, [key]).get(key)
    if found is not None:
        return found
    forms = {key, phone_e164(key) or key, email_address(key) or key}  # as attributes of these types are stored
    several = select(identities.c.user_id, users.c.key).join(users, users.c.id == identities.c.user_id)
    several = several.where(identities.c.value.in_(forms))
    listed = tx.execute(several.distinct().order_by(identities.c.user_id).limit(6)).all()
    if not listed:
        raise NotFound(f"there is no user '{key}'. Ids are those of the imported file, exactly as written there.")
    if len(listed) > 1:
        raise NotFound(f"several users have this identity: {', '.join(row.key for row in listed)}. Say which by its id.")
    return int(listed[0].user_id)


def all_ids(tx: Connection, *, after_id: int = 0, limit: int = 1000) -> list[int]:
    """A page of user ids, in order."""
    statement = select(users.c.id).where(users.c.id > after_id).order_by(users.c.id).limit(limit)
    return list(tx.execute(statement).scalars())


def lock_everybody(tx: Connection) -> None:
    """Hold all users until the end of the transaction: an apply and the like wait for who works on some, and then have them alone."""
    _lock(tx, _ALONE, [EVERYBODY])


def lock_fitting(tx: Connection) -> None:
    """Fit population numbers, beside everybody else, but one process at a time."""
    _lock(tx, _ALONE, [FITTING])


def lock_some(tx: Connection) -> None:
    """Work on some users, whoever they are, beside others who do: only who works on everybody waits."""
    _lock(tx, _SHARED, [EVERYBODY])


def lock_slice(tx: Connection, first: int, size: int) -> None:
    """Hold the users with first <= id < first + size, a part of a bucket: who works on any of that bucket has come to an end, or waits."""
    lock_some(tx)
    _lock(tx, _ALONE, _buckets((first, first + max(size, 1) - 1)))


def lock_users(tx: Connection, user_ids: Iterable[int]) -> dict[int, int]:
    """Hold these users until the end of the transaction, so that two workers never decide about one user at the same time.

    SQLite has one writer. On PostgreSQL first their buckets are shared, so that no slice of a sweep has them, then their rows are
    locked; always everybody's lock first, then buckets, then rows, each in the order of their numbers. Returns who of them became
    part of another user meanwhile, and of whom: that one is held.
    """
    if tx.dialect.name != "postgresql":
        return {}
    ids = set(user_ids)
    _lock(tx, _SHARED, [EVERYBODY, *_buckets(ids)])
    held = set(tx.execute(_HELD, {"ids": list(ids)}).scalars())
    if len(held) == len(ids):
        return {}
    now = {row.id: row.now_id for row in tx.execute(select(former.c.id, former.c.now_id).where(former.c.id.in_(list(ids - held))))}
    further = lock_users(tx, now.values()) if now else {}
    return {old: further.get(one, one) for old, one in now.items()}


def _buckets(user_ids: Iterable[int]) -> list[int]:
    return sorted({user_id // SLICE % BUCKETS for user_id in user_ids})


def _lock(tx: Connection, statement: Select[Any], numbers: Sequence[int]) -> None:
    """Take advisory locks in this order, in one statement."""
    if tx.dialect.name == "postgresql":
        tx.execute(statement, {"numbers": list(numbers)})


def filled(tx: Connection, size: int) -> list[int]:
    """Where the slices of so many ids begin that have any users, in order. `size` divides SLICE."""
    found: list[int] = []
    least, last = tx.execute(select(select(func.min(users.c.id)).scalar_subquery(), select(func.max(users.c.id)).scalar_subquery())).one()
    while least is not None:
        found.append(least // size * size)
        beyond = found[-1] + size
        least = tx.execute(select(func.min(users.c.id)).where(users.c.id >= beyond)).scalar() if beyond <= last else None
    return found


def take_turns(tx: Connection, user_ids: Iterable[int]) -> dict[int, int]:
    """The next turn of each of these users, by user: taken by every intent, and by whatever forbids one, so that their order is known.

    The users are held first, in the order of their ids: whoever comes second sees what the first has written.
    """
    ids = sorted(set(user_ids))
    moved = lock_users(tx, ids)
    c = users.c
    statement = update(users).where(among(c.id)).values(turn=c.turn + 1).returning(c.id, c.turn)
    turns = {row.id: row.turn for row in tx.execute(statement, {"ids": {moved.get(i, i) for i in ids}})}
    return turns | {old: turns[now] for old, now in moved.items()}


def joined_by(tx: Connection, day: int) -> list[int]:
    """Ids of the users who had joined by the end of a local day (an ordinal)."""
    return list(tx.execute(select(users.c.id).where(users.c.joined_day <= day)).scalars())
