"""Tells what happens, one line each, to whoever keeps the logs: ids, names of flows and stored words, and nothing about a person.

It stands in `actions` because actions and every door tell; nothing below them does.
"""

import logging
from typing import Literal

from sop_engine.actions.log_lines import Lines, as_json, as_text, told

Value = str | int | float | None
Level = Literal["debug", "info", "warning", "error"]
_NUMBERS: dict[str, int] = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
TALKATIVE = ("httpx", "httpcore", "alembic", "apscheduler")  # a line for each call, each look at the revision, each job
_lines: Lines | None = None
_least = OFF = logging.CRITICAL + 1  # nothing is told until a door begins


def tell(event: str, *, level: Level = "info", **ids: Value) -> None:
    """Write one line: an event in a fixed word, and ids. Keys that are not in `log_lines.KEYS` are left out. It never fails."""
    if _least is OFF or _lines is None:
        return
    number = _NUMBERS[level]
    if number >= _least:
        _lines.emit(told(number, event, ids))


def telling(level: Level = "info") -> bool:
    """Whether anybody listens: for loops that would collect ids for nothing."""
    return _NUMBERS[level] >= _least


def begin_telling(chosen: str, usual: str, *, fd: int = 2) -> None:
    """Begin to log to a file descriptor: `chosen` is SOP_LOG, `usual` what this door takes for auto: json, text, or quiet.

    Quiet says warnings and errors alone, as text. Safe to call once more, as in a forked child.
    """
    global _least, _lines
    how = usual if chosen == "auto" else chosen
    root = logging.getLogger()
    for handler in [h for h in root.handlers if isinstance(h, Lines | logging.NullHandler)]:
        root.removeHandler(handler)
    _least = {"off": OFF, "quiet": logging.WARNING}.get(how, logging.INFO)
    _lines = Lines(fd, as_json if how == "json" else as_text)
    root.addHandler(_lines if how != "off" else logging.NullHandler())
    root.setLevel(min(_least, logging.CRITICAL))
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(how != "off")
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False  # not in a line, and each costs time
