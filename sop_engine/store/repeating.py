"""Repeats a transaction the database gave up for another's sake: a deadlock, a serialization failure, a lock waited for too long."""

import time
from collections.abc import Callable
from random import uniform
from typing import TypeVar

from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError

Result = TypeVar("Result")

MOST = 3  # so often a transaction is repeated after a conflict
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 1.0
CONFLICTS = frozenset({"40P01", "40001", "55P03"})  # deadlock, serialization failure, lock timeout
BUSY = 5  # SQLite: another process writes, and did so for longer than the busy timeout


def repeated(do: Callable[[], Result], *, patience_s: float = 0.0) -> Result:
    """What `do` returns, which opens a transaction of its own and keeps nothing of a try that failed; repeated after a conflict.

    At most MOST times. With `patience_s` (seconds from the first try) also while the database is away or takes nothing: only for
    what bears being done twice, for a transaction whose COMMIT was not answered may be stored. Raises the last error.
    """
    begun, tries = time.monotonic(), 0
    while True:
        try:
            return do()
        except DBAPIError as error:
            tries += 1
            patient = is_no_fault_of_the_work(error) and time.monotonic() - begun < patience_s
            if not patient and not (is_conflict(error) and tries <= MOST):
                raise
        pause(min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**tries))


def pause(longest_s: float) -> None:
    """Wait for half to all of it, so that two who met do not meet again."""
    time.sleep(uniform(longest_s / 2, longest_s))


def is_conflict(error: BaseException) -> bool:
    """Whether another transaction was in the way: nothing of this one is stored, and it may go through the next time."""
    cause = getattr(error, "orig", None)
    busy = (getattr(cause, "sqlite_errorcode", None) or 0) & 0xFF == BUSY
    return busy or getattr(cause, "sqlstate", None) in CONFLICTS


def is_no_fault_of_the_work(error: BaseException) -> bool:
    """Whether it is the database and not what was asked of it: it is away, read-only, full, busy, or has ended the transaction."""
    return isinstance(error, OperationalError | InterfaceError | InternalError)
