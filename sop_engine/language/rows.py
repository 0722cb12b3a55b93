"""Says what a table of data is: named columns and rows, whatever file it came from."""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Protocol

from sop_engine.core.errors import BadFile

Cell = str | int | float | bool | datetime | date | Decimal | dict[str, object] | None

ROW_LIMIT = 1_000_000  # bytes of one row of text, lines inside quotes included


@dataclass(frozen=True, slots=True)
class Row:
    """One row. `line` is its first line in the file (of Parquet the row), from 1; with a `problem` it could not be read."""

    line: int
    values: Mapping[str, Cell] = field(default_factory=dict, repr=False)
    problem: str = ""


class Table(Protocol):
    """A file of rows that can be gone through again and again, holding a few rows in memory. `kind`: csv, tsv, jsonl, xlsx or parquet."""

    @property
    def kind(self) -> str:
        """What kind of file it is."""
        ...

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns; of JSON lines those of the first rows."""
        ...

    def __iter__(self) -> Iterator[Row]: ...


def header(path: Path, names: Sequence[object]) -> tuple[str, ...]:
    """The names of the columns, NFKC-normalised; raises BadFile for an empty or repeated one."""
    columns = tuple(unicodedata.normalize("NFKC", "" if n is None else str(n)).strip() for n in names)
    for number, name in enumerate(columns, 1):
        if not name:
            raise BadFile(f"{path}: column {number} has no name. Write one in the first line, or delete the column.")
        if name in columns[: number - 1]:
            raise BadFile(f"{path}: two columns are called '{name}'. Give one of them another name.")
    return columns
