"""Runs something in a child process that may end at any crash point, and brings back what it found."""

import json
import os
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any

from sop_engine.store import crash_points

DIED = 9  # how a child ends at its point


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child ended: `value` of what it ran, unless it died at its point; and the points it passed."""

    value: Any
    died: bool
    passed: list[str]


class _Passing:
    """Notes every point passed; at the one of this number the process ends, as by a kill."""

    def __init__(self, end_at: int | None, note: int) -> None:
        self.end_at, self.note, self.many = end_at, note, 0

    def __call__(self, name: str) -> None:
        os.write(self.note, f"{name}\n".encode())
        if self.many == self.end_at:
            os._exit(DIED)
        self.many += 1


def in_child(run: Callable[[], Any], *, end_at: int | None = None) -> Ended:
    """Run it in a fork that ends at the point number `end_at`, counted from 0. No connection may be open here. Raises when it failed."""
    result, result_end = os.pipe()
    notes, notes_end = os.pipe()
    child = os.fork()
    if child == 0:
        _be_child(run, end_at, result_end, notes_end)
    os.close(result_end)
    os.close(notes_end)
    with os.fdopen(notes) as passed, os.fdopen(result) as told:
        names, text = passed.read().split("\n")[:-1], told.read()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code == DIED:
        return Ended(None, True, names)
    if code != 0:
        raise RuntimeError(f"the child failed ({code}): {text}")
    return Ended(json.loads(text), False, names)


def started(run: Callable[[], Any]) -> tuple[int, IO[str]]:
    """Run it in a fork that goes on by itself: its number, and the points it passes, a line each. No connection may be open here."""
    null = os.open(os.devnull, os.O_WRONLY)
    notes, notes_end = os.pipe()
    child = os.fork()
    if child == 0:
        _be_child(run, None, null, notes_end)
    os.close(null)
    os.close(notes_end)
    return child, os.fdopen(notes)


def _be_child(run: Callable[[], Any], end_at: int | None, result: int, notes: int) -> None:
    try:
        crash_points.hook = _Passing(end_at, notes)
        answer = json.dumps(run()).encode()
        code = 0
    except BaseException:
        answer, code = traceback.format_exc()[-4000:].encode(), 1
    sys.stdout.flush()
    os.write(result, answer)
    os._exit(code)
