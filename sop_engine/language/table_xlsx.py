"""Reads Excel files row by row: values, not formulas; one sheet."""

import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import time
from pathlib import Path
from typing import Any

from sop_engine.core.errors import BadFile, BadInput, SopError
from sop_engine.language.report import did_you_mean
from sop_engine.language.rows import Cell, Row, header
from sop_engine.language.table_lines import STARTS, opened

MOST_TEXT = 256 * 1024 * 1024  # bytes of the texts all rows share, which Excel files keep in one piece
ERRORS = frozenset({"#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!"})


class XlsxTable:
    """One sheet of an Excel file: the first, or the one of this name. Its first row that is not empty names the columns."""

    kind = "xlsx"

    def __init__(self, path: Path, sheet: str | None = None) -> None:
        self._path = path
        self._sheet = sheet
        _check(path)
        with self._rows() as rows:
            first = next((cells for _, cells in rows), None)
        if first is None:
            raise BadFile(f"{path}: the sheet is empty. The first row must name the columns.")
        self.columns = header(path, first)

    def __iter__(self) -> Iterator[Row]:
        with self._rows() as rows:
            next(rows, None)
            for line, cells in rows:
                yield self._row(line, cells)

    def _row(self, line: int, cells: list[Cell]) -> Row:
        if len(cells) > len(self.columns):
            return Row(line, problem=f"the row has {len(cells)} cells, but there are {len(self.columns)} columns")
        values = dict(zip(self.columns, cells, strict=False))
        wrong = next((name for name, value in values.items() if value in ERRORS), None)
        return Row(line, values, problem=f"column '{wrong}' holds the error {values[wrong]}") if wrong else Row(line, values)

    @contextmanager
    def _rows(self) -> Iterator[Iterator[tuple[int, list[Cell]]]]:
        with _translated(self._path), opened(self._path) as file:
            book = _book(file)
            try:
                yield _filled(self._chosen(book))
            finally:
                book.close()

    def _chosen(self, book: Any) -> Any:
        names = [sheet.title for sheet in book.worksheets]
        if self._sheet is not None and self._sheet not in names:
            raise BadInput(f"{self._path}: there is no sheet '{self._sheet}'.{did_you_mean(self._sheet, names)}")
        return book.worksheets[names.index(self._sheet) if self._sheet is not None else 0]


def _book(file: Any) -> Any:
    import openpyxl

    with warnings.catch_warnings():  # about styles and lists to choose from, which are nothing to us
        warnings.simplefilter("ignore")
        return openpyxl.load_workbook(file, read_only=True, data_only=True)


def _filled(sheet: Any) -> Iterator[tuple[int, list[Cell]]]:
    """Rows with something in them, without the empty cells at their end."""
    sheet.reset_dimensions()  # some programs write a wrong size, and cells beyond it would be lost
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for line, cells in enumerate(sheet.iter_rows(values_only=True), 1):
            values = [value.isoformat() if isinstance(value, time) else value for value in cells]
            while values and values[-1] in (None, ""):
                values.pop()
            if values:
                yield line, values


def _check(path: Path) -> None:
    with opened(path) as file:
        start = file.read(4)
    if not start:
        raise BadFile(f"{path}: the file is empty.")
    if start != b"PK\x03\x04":
        raise BadFile(f"{path}: this is {STARTS.get(start, 'not an Excel file (.xlsx)')}.")
    with _translated(path), zipfile.ZipFile(path) as archive:
        texts = [entry.file_size for entry in archive.infolist() if entry.filename.lower().endswith("sharedstrings.xml")]
    if sum(texts) > MOST_TEXT:
        raise BadFile(f"{path}: the file unpacks to more text than can be held in memory. Save the sheet as CSV UTF-8.")


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except SopError:
        raise
    except Exception as error:  # a damaged file fails in the archive, in its XML or in openpyxl, each with errors of its own
        raise BadFile(f"{path}: the Excel file is damaged ({type(error).__name__}). Open it, save it again, or save it as CSV.") from error
