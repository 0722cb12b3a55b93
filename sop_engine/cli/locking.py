"""Lets one process at a time keep a database going: by a lock beside a SQLite file, by the leader's lease everywhere."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sop_engine.core.errors import Refused

if TYPE_CHECKING:
    from sop_engine.app import App


@contextmanager
def only_one(app: "App") -> Iterator[None]:
    """Lead, and let nobody else lead meanwhile; the lock of a SQLite file is freed by the system when the process ends.

    Raises Refused when another process has it.
    """
    database = app.engine.url.database if app.engine.dialect.name == "sqlite" else ""
    if app.engine.dialect.name == "sqlite" and database in (None, "", ":memory:"):
        yield
    elif database:
        with _lock(database), _lead(app, Path(f"{database}-pulse")):
            yield
    else:
        with _lead(app, None):
            yield


@contextmanager
def _lock(database: str) -> Iterator[None]:
    import fcntl

    with Path(f"{database}-lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Refused(f"another 'sop run' or 'sop tick' is using {database} now. End it first, or leave it to it.") from error
        yield


@contextmanager
def _lead(app: "App", pulse: Path | None) -> Iterator[None]:
    """Hold the leader's lease. Beside a SQLite file the highest pulse is remembered, so that a restored copy is known as one."""
    from sop_engine.actions.restored import PulseFile, watch_pulse
    from sop_engine.cli.opening import clock
    from sop_engine.worker.leading import Leader

    own = replace(app)
    after = (lambda: watch_pulse(own, PulseFile(pulse), clock())) if pulse is not None else (lambda: None)
    leader = Leader(own, f"run-{socket.gethostname()}-{os.getpid()}", after=after, alone=pulse is not None)
    leader.start()
    try:
        if not leader.leads:
            raise Refused("another process leads on this database now: 'sop doctor' shows which. End it first, or leave it to it.")
        if pulse is None:
            app.fence = leader.fence
        yield
    finally:
        app.fence = None
        leader.stop()
