"""Writes log records as lines: only keys on a list, messages of libraries without what was filled in, never at the price of the work."""

import json
import logging
import os
import re
import select
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from traceback import extract_tb
from typing import Any

KEYS = frozenset((
    "run", "touch", "version", "flow", "step", "channel", "outcome", "reason", "epoch", "task", "job", "scope", "account", "process",
    "kind", "count", "seconds", "release", "error", "signal", "dropped", "metric",
))  # fmt: skip
_encode = json.JSONEncoder(ensure_ascii=False).encode  # made once: json.dumps would make one for each line
LONGEST_VALUE = 80
LONGEST_LINE = 4000  # below what a pipe takes at once
LIBRARIES = ("uvicorn", "celery", "kombu", "apscheduler", "redis", "alembic", "asyncio", "opentelemetry")
_MASKED = re.compile(r"\S*[@\d]\S*|[^\x20-\x7e]+")


def fields(record: logging.LogRecord) -> dict[str, Any]:
    """What a line says, in order."""
    said: dict[str, Any] = {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": record.levelname.lower(),
    }
    if record.name.partition(".")[0] == "sop":
        ids = record.__dict__.get("ids", record.__dict__)  # of `tell`, or the `extra` of a logger called sop.…
        said |= {"event": record.msg} | {key: _short(value) for key, value in ids.items() if value is not None and key in KEYS}
    else:
        said |= {"event": "library", "logger": record.name, "message": _template(record)}
    if record.exc_info and record.exc_info[0] is not None:
        said |= {"error": record.exc_info[0].__name__, "where": _where(record.exc_info[2])}
    return said


def told(level: int, event: str, ids: Mapping[str, Any]) -> logging.LogRecord:
    """A record of ours, made without looking for the line of code it comes from: that would take longer than all the rest."""
    record = logging.LogRecord("sop", level, "", 0, event, (), None)
    record.__dict__["ids"] = ids
    return record


def as_json(record: logging.LogRecord) -> str:
    """One JSON object."""
    return _encode(fields(record))


def as_text(record: logging.LogRecord) -> str:
    """Time, level, event, then key=value."""
    time, level, event, *rest = fields(record).items()
    return " ".join([str(time[1]), level[1].upper(), str(event[1]), *(f"{k}={_encode(v)}" for k, v in rest)])


def _short(value: object) -> object:
    return value if isinstance(value, int | float) else str(value)[:LONGEST_VALUE]


def _template(record: logging.LogRecord) -> str:
    """A library's message before anything was filled in; one without gaps may have been put together, so it is masked. Others: nothing."""
    if not isinstance(record.msg, str) or record.name.partition(".")[0] not in LIBRARIES:
        return ""
    first = record.msg.partition("\n")[0][:200]
    return first if record.args else _MASKED.sub("…", first)


def _where(trace: Any) -> str:
    """The last steps of a traceback, without any value."""
    steps = extract_tb(trace)[-4:]
    return " > ".join(f"{os.path.basename(step.filename)}:{step.lineno} {step.name}" for step in steps)


class Lines(logging.Handler):
    """Writes each record as a line to a file descriptor. A full disk, a reader that is gone or one that stands still costs lines only.

    It writes without a buffer and looks first whether a pipe has room, so that no worker ever waits for its logs.
    """

    def __init__(self, fd: int, form: Callable[[logging.LogRecord], str]) -> None:
        super().__init__()
        self.fd, self.form, self.dropped = fd, form, 0
        self._room = select.poll()
        self._room.register(fd, select.POLLOUT)

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record, or count it as dropped."""
        try:
            line = self.form(record).encode("utf-8", "replace")[:LONGEST_LINE] + b"\n"
            if not self._room.poll(0):
                raise BlockingIOError
            os.write(self.fd, line)
        except Exception:
            self.dropped += 1
            return
        if self.dropped:
            lost, self.dropped = self.dropped, 0
            self.emit(_lost(lost))


def _lost(count: int) -> logging.LogRecord:
    return told(logging.WARNING, "log_lines_lost", {"dropped": count})
