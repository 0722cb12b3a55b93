"""Keeps a withdrawal in a file while the database cannot take it, and applies what is there before anything more is sent."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO

from sop_engine.actions.telling import tell
from sop_engine.actions.unsubscribing import Link, Said, carry_out
from sop_engine.app import App


def waiting_file(app: App) -> Path:
    """Where withdrawals wait."""
    return Path(app.settings.unsubscribe_file)


def keep_for_later(app: App, said: Said) -> None:
    """Append it, one line, safe on the disk when this returns. Raises OSError."""
    link = said.link
    line = {
        "user": link.user_id, "channel": link.channel, "topic": link.topic, "touch": link.touch_id, "kind": said.kind,
        "at": said.at.isoformat(), "source": said.source, "wording": said.wording, "offered": list(said.offered), "words": list(said.words),
    }  # fmt: skip
    with _held(waiting_file(app), "a+") as file:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")
        file.flush()
        os.fsync(file.fileno())


def apply_kept(app: App, now: datetime) -> int:
    """Write what waits in the file into the ledger, in order, at the moment it was said; how many lines.

    A line is there until it is committed: a crash in between applies it twice, which is the same as once. A line that was cut by
    a crash of the machine is left out. Rehearsals have no file.
    """
    path = waiting_file(app)
    if app.rehearsal is not None or not path.exists():
        return 0
    with _held(path, "r+") as file:
        lines = file.readlines()
        for line in lines:
            said = _read(line)
            if said is not None:
                carry_out(app, said, now)
        file.truncate(0)
    if lines:
        tell("unsubscribed_later", count=len(lines))
    return len(lines)


def _read(line: str) -> Said | None:
    try:
        row = json.loads(line)
        link = Link(int(row["user"]), row["channel"], row["topic"], int(row["touch"]))
        at = datetime.fromisoformat(row["at"])
        return Said(link, row["kind"], at, row["source"], row["wording"], row["offered"], row["words"])
    except (ValueError, KeyError, TypeError):
        tell("unsubscribe_line_unreadable", level="error")
        return None


@contextmanager
def _held(path: Path, mode: str) -> Iterator[IO[str]]:
    """The file, and nobody else has it."""
    with open(path, mode, encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file
