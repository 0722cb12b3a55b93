"""What a report is: sections of tables, each cell a value of a known kind, so that every format writes the same."""

from collections.abc import Sequence
from dataclasses import dataclass

Cell = str | int | float | None
KINDS = ("text", "count", "share", "money", "number", "days")
"""share: 0 to 1; days: a number of days with one decimal; number: two decimals. None of any kind: not known, and never 0."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its word (a key of words) and the kind of its cells."""

    word: str
    kind: str = "text"


@dataclass(frozen=True, slots=True)
class Table:
    """One table: its word, its columns, its rows; `notes` are words of warnings with what they are about."""

    word: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """What one `show` gives."""

    show: str
    tables: tuple[Table, ...]


@dataclass(frozen=True, slots=True)
class Made:
    """A whole report of one closed period of local days (ISO dates, both included)."""

    name: str
    of: str
    first: str
    last: str
    sections: tuple[Section, ...]


def columns(*said: str) -> tuple[Column, ...]:
    """Columns in short: `users:count`, or a word alone for text."""
    return tuple(Column(word, kind or "text") for word, _, kind in (one.partition(":") for one in said))


def table(word: str, head: Sequence[str], rows: Sequence[Sequence[Cell]], *notes: tuple[str, str]) -> Table:
    """A table from short columns and rows. Raises ValueError for a row that is not as wide as its head."""
    head_columns = columns(*head)
    for row in rows:
        if len(row) != len(head_columns):
            raise ValueError(f"a row of '{word}' has {len(row)} cells for {len(head_columns)} columns")
    return Table(word, head_columns, tuple(tuple(row) for row in rows), notes)


def ratio(part: float, whole: float) -> float | None:
    """A part of a whole, rounded to 6 decimals; None of nothing."""
    return round(part / whole, 6) if whole else None
