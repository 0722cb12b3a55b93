"""Tells what happens, one line each, to whoever keeps the logs: ids, names of flows and stored words, and nothing about a person.

It stands in `actions` because actions and every door tell; nothing below them does.
"""

import logging
import os
from typing import Literal

from sop_engine.actions.log_lines import Lines, as_json, as_text

Value = str | int | float | None
Level = Literal["debug", "info", "warning", "error"]
_NUMBERS: dict[str, int] = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_log = logging.getLogger("sop")
_least = logging.CRITICAL + 1  # nothing is told until a door begins


def tell(event: str, *, level: Level = "info", **ids: Value) -> None:
    """Write one line: an event in a fixed word, and ids. Keys that are not in `log_lines.KEYS` are left out. It never fails."""
    number = _NUMBERS[level]
    if number >= _least:
        _log.log(number, event, extra={"ids": ids})


def telling(level: Level = "info") -> bool:
    """Whether anybody listens: for loops that would collect ids for nothing."""
    return _NUMBERS[level] >= _least


def begin_telling(chosen: str, usual: str, *, fd: int = 2) -> None:
    """Begin to log to a file descriptor: `chosen` is SOP_LOG, `usual` what this door takes for auto: json, text, or quiet.

    Quiet says warnings and errors alone, as text. Safe to call once more, as in a forked child.
    """
    global _least
    how = usual if chosen == "auto" else chosen
    root = logging.getLogger()
    for handler in [h for h in root.handlers if isinstance(h, Lines)]:
        root.removeHandler(handler)
    _least = {"off": logging.CRITICAL + 1, "quiet": logging.WARNING}.get(how, logging.INFO)
    if how == "off":
        root.addHandler(Lines(os.open(os.devnull, os.O_WRONLY), as_text))
        return
    root.addHandler(Lines(fd, as_json if how == "json" else as_text))
    root.setLevel(_least)
    _log.setLevel(_least)
    logging.captureWarnings(True)
