"""Remembers users with whom a task about many failed: set aside, so that the others go on, until they are swept again."""

import traceback
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, delete, select
from sqlalchemy.exc import DBAPIError

from sop_engine.core.errors import BadInput, SopError
from sop_engine.store.bulk import put_rows
from sop_engine.store.columns import table_of
from sop_engine.store.repeating import is_no_fault_of_the_work
from sop_engine.store.safety_tables import SetAsideRow
from sop_engine.store.tables import UserRow

rows = table_of(SetAsideRow)
users = table_of(UserRow)


def may_be_one_user(error: Exception, told_to_end: tuple[type[Exception], ...] = ()) -> bool:
    """Whether a failure may come from the data of one user: not the database, a lock, the memory, nor what was refused on purpose.

    `told_to_end`: the errors by which a process is told that its time is over.
    """
    if is_no_fault_of_the_work(error) or isinstance(error, (MemoryError, *told_to_end)):
        return False
    return isinstance(error, BadInput) or not isinstance(error, SopError)


def said(error: Exception) -> str:
    """What failed and where, without the text of the error: that may hold personal data."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "sop_engine" in Path(f.filename).parts]
    where = f" in {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(cause).__name__}{where}"


def set_aside(tx: Connection, user_id: int, task: str, now: datetime, error: str) -> bool:
    """Set a user aside, once for a task; False when there is no such user."""
    if tx.execute(select(users.c.id).where(users.c.id == user_id)).first() is None:
        return False
    put_rows(tx, rows, [{"user_id": user_id, "task": task, "at": now, "error": error}], key=("user_id", "task"), over=False)
    return True


def list_set_aside(tx: Connection, first: int, size: int) -> list[int]:
    """The users set aside with first <= id < first + size, each once."""
    found = select(rows.c.user_id).where(rows.c.user_id >= first, rows.c.user_id < first + size)
    return list(tx.execute(found.distinct().order_by(rows.c.user_id)).scalars())


def take_back(tx: Connection, user_ids: Iterable[int]) -> None:
    """These users are well again."""
    tx.execute(delete(rows).where(rows.c.user_id.in_(list(user_ids))))
