"""Lets one process at a time keep a SQLite database going."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sop_engine.core.errors import Refused

if TYPE_CHECKING:
    from sop_engine.app import App


@contextmanager
def only_one(app: "App") -> Iterator[None]:
    """Hold the lock that lets one process at a time keep a SQLite database going; the system frees it when the process ends.

    Raises Refused when another process has it. PostgreSQL needs none.
    """
    database = app.engine.url.database if app.engine.dialect.name == "sqlite" else None
    if not database or database == ":memory:":
        yield
        return
    import fcntl

    with Path(f"{database}-lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Refused(f"another 'sop run' or 'sop tick' is using {database} now. End it first, or leave it to it.") from error
        yield
