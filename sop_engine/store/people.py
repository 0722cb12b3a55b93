"""Who a user is: the shop's own id, zone and language."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, func, select, update

from sop_engine.core.errors import NotFound
from sop_engine.store.columns import table_of
from sop_engine.store.tables import UserRow

users = table_of(UserRow)

EVERYBODY = 0x736F71  # the number of the lock


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
    rows = tx.execute(select(c.id, c.key, c.timezone, c.locale).where(c.id.in_(list(user_ids))))
    return {row.id: Person(*row) for row in rows}


def ids_of(tx: Connection, keys: Iterable[str]) -> dict[str, int]:
    """By the shop's own id; unknown ones are missing."""
    rows = tx.execute(select(users.c.key, users.c.id).where(users.c.key.in_(list(keys))))
    return {row.key: row.id for row in rows}


def get_id(tx: Connection, key: str) -> int:
    """The user with this id of the shop's. Raises NotFound."""
    found = ids_of(tx, [key]).get(key)
    if found is None:
        raise NotFound(f"there is no user '{key}'. Ids are those of the imported file, exactly as written there.")
    return found


def all_ids(tx: Connection, *, after_id: int = 0, limit: int = 1000) -> list[int]:
    """A page of user ids, in order."""
    statement = select(users.c.id).where(users.c.id > after_id).order_by(users.c.id).limit(limit)
    return list(tx.execute(statement).scalars())


def lock_everybody(tx: Connection) -> None:
    """Hold all users until the end of the transaction: a sweep and the like wait for who works on some, and then have them alone."""
    if tx.dialect.name == "postgresql":
        tx.execute(select(func.pg_advisory_xact_lock(EVERYBODY)))


def lock_some(tx: Connection) -> None:
    """Work on some users, whoever they are, beside others who do: only who works on everybody waits."""
    if tx.dialect.name == "postgresql":
        tx.execute(select(func.pg_advisory_xact_lock_shared(EVERYBODY)))


def lock_users(tx: Connection, user_ids: Iterable[int]) -> None:
    """Hold these users until the end of the transaction, so that two workers never decide about one user at the same time.

    SQLite has one writer; on PostgreSQL the rows are locked in the order of their ids.
    """
    lock_some(tx)
    if tx.dialect.name == "postgresql":
        tx.execute(select(users.c.id).where(users.c.id.in_(list(user_ids))).order_by(users.c.id).with_for_update())


def take_turns(tx: Connection, user_ids: Iterable[int]) -> dict[int, int]:
    """The next turn of each of these users, by user: taken by every intent, and by whatever forbids one, so that their order is known.

    The users are held first, in the order of their ids: whoever comes second sees what the first has written.
    """
    ids = sorted(set(user_ids))
    lock_users(tx, ids)
    c = users.c
    rows = tx.execute(update(users).where(c.id.in_(ids)).values(turn=c.turn + 1).returning(c.id, c.turn))
    return {row.id: row.turn for row in rows}


def joined_by(tx: Connection, day: int) -> list[int]:
    """Ids of the users who had joined by the end of a local day (an ordinal)."""
    return list(tx.execute(select(users.c.id).where(users.c.joined_day <= day)).scalars())
