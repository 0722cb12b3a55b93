"""Prints what commands report: plain lines, tables that count double-width characters, and JSON of the same values."""

import json
import os
import sys
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import fields, is_dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Write JSON, for programs.")]


def width(text: str) -> int:
    """Columns of a terminal that the text takes: full-width characters and emoji take two, combining marks none."""
    return sum(0 if unicodedata.combining(c) or c == "\ufe0f" else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def padded(text: str, columns: int) -> str:
    """The text, filled with spaces to so many columns."""
    return text + " " * max(0, columns - width(text))


def table(rows: Sequence[Sequence[object]], *, head: Sequence[str] = (), right: Sequence[int] = ()) -> str:
    """Rows in columns with two spaces between; the columns `right` (from 0) hold numbers."""
    cells = [[str(cell) for cell in row] for row in ([head, *rows] if head else rows)]
    if not cells:
        return ""
    widths = [max(width(row[i]) for row in cells) for i in range(len(cells[0]))]
    return "\n".join("  ".join(_cell(c, widths[i], i in right) for i, c in enumerate(row)).rstrip() for row in cells)


def _cell(text: str, columns: int, right: bool) -> str:
    return " " * (columns - width(text)) + text if right else padded(text, columns)


def show(value: object, as_json: bool, text: str) -> None:
    """Print the text, or the value as JSON."""
    typer.echo(in_json(value) if as_json else text)


def in_json(value: object) -> str:
    """The value as JSON, as it is read by people too."""
    return json.dumps(plain(value), ensure_ascii=False, indent=2)


def plain(value: Any) -> Any:
    """Values of ours as JSON has them: times as ISO text, money and other decimals as numbers."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    match value:
        case Mapping():
            return {"unscored" if k is None else str(k): plain(v) for k, v in value.items()}
        case str() | bool() | int() | float() | None:
            return value
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case datetime() | date():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
    return [plain(v) for v in value]


def paint(text: str, colour: str) -> str:
    """The text in a colour, where a terminal shows it and nobody asked for none."""
    coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    return typer.style(text, fg=colour) if coloured else text


def warn(sentence: str) -> None:
    """A line for people beside the result: on stderr."""
    typer.echo(sentence, err=True)


def say(sentence: str) -> None:
    """A line on stdout of a process that goes on for long: a full disk behind it stops nothing."""
    with suppress(OSError):
        typer.echo(sentence)


def local(at: datetime, zone: ZoneInfo) -> str:
    """The time in a zone, to the minute."""
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M}"


def many(number: int, one: str, more: str = "") -> str:
    """`1 error`, `2,031 errors`."""
    return f"{number:,} {one if number == 1 else more or one + 's'}"


@contextmanager
def progress(what: str) -> Iterator[Any]:
    """Show on stderr that something long goes on, where it is a terminal; gives a function that says how far it is."""
    if not sys.stderr.isatty():
        yield lambda _text: None
        return
    from rich.console import Console

    with Console(stderr=True).status(what) as status:
        yield lambda text: status.update(f"{what}  {text}")
