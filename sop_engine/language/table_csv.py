"""Reads CSV and TSV: a header, then rows, split at comma, semicolon or tab as the header shows."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sop_engine.core.errors import BadFile
from sop_engine.language.rows import Row, header
from sop_engine.language.table_lines import Lines, LongRow

_ERRORS = {
    "field larger": "a cell is longer than 131072 characters",
    "new-line character": "a line end stands in the middle of it",
    "unexpected end": "a quote is opened and never closed",
}


class CsvTable:
    """A CSV or TSV file, packed or not."""

    def __init__(self, path: Path, kind: str, encoding: str) -> None:
        self.kind = kind
        self._path = path
        self._encoding = encoding
        self._delimiter = self._sniffed()
        with Lines(path, encoding) as lines:
            self.columns = header(path, self._header(lines, self._reader(lines)))

    def __iter__(self) -> Iterator[Row]:
        with Lines(self._path, self._encoding) as lines:
            reader = self._reader(lines)
            self._header(lines, reader)
            while True:
                start = lines.begin_row()
                try:
                    cells = next(reader)
                except StopIteration:
                    return
                except LongRow as error:
                    yield Row(start, problem=_skipped(str(error), start, lines.count))
                except csv.Error as error:
                    yield Row(start, problem=_skipped(f"the row cannot be split into cells: {_said(error)}", start, lines.count))
                else:
                    if any(map(str.strip, cells)):
                        yield self._row(start, cells)

    def _reader(self, lines: Lines) -> Any:
        return csv.reader(lines, delimiter=self._delimiter, strict=True)

    def _sniffed(self) -> str:
        if self.kind == "tsv":
            return "\t"
        with Lines(self._path, self._encoding) as lines:
            first = self._first_line(lines)
        # The first of equals wins, so a single column counts as separated by commas.
        return max(",;\t", key=lambda delimiter: len(next(csv.reader([first], delimiter=delimiter))))

    def _first_line(self, lines: Lines) -> str:
        try:
            line = next((line for line in lines if line.strip()), None)
        except LongRow as error:
            raise BadFile(f"{self._path}: the first line is longer than 1 MB. Is this really a table?") from error
        if line is None:
            raise BadFile(f"{self._path}: the file is empty. The first line must name the columns.")
        if "\r" in line.rstrip("\r\n"):
            raise BadFile(f"{self._path}: the lines end with CR alone. Save the file with the line ends of Windows or Unix.")
        return line

    def _header(self, lines: Lines, reader: Iterator[list[str]]) -> list[str]:
        lines.begin_row()
        try:
            return next(cells for cells in reader if cells)
        except (csv.Error, LongRow, StopIteration) as error:
            raise BadFile(f"{self._path}: the first line cannot be split into names of columns ({error}).") from error

    def _row(self, line: int, cells: list[str]) -> Row:
        if len(cells) != len(self.columns):
            return Row(line, problem=f"the row has {len(cells)} cells, but there are {len(self.columns)} columns")
        return Row(line, dict(zip(self.columns, cells, strict=True)))


def _said(error: csv.Error) -> str:
    """What the csv module means, in plain words; what is left is text after a closing quote."""
    return next((said for start, said in _ERRORS.items() if str(error).startswith(start)), "text stands behind a closing quote")


def _skipped(reason: str, start: int, end: int) -> str:
    return reason if end <= start else f"{reason}; the lines to {end} were skipped with it. Is a quote opened and never closed?"
