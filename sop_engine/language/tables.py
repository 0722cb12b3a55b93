"""Reads a data file as a table: CSV, TSV, JSON lines (each also .gz), Excel or Parquet, by the ending of its name."""

from pathlib import Path

from sop_engine.core.errors import BadFile, BadInput
from sop_engine.language.rows import Cell, Row, Table
from sop_engine.language.table_csv import CsvTable
from sop_engine.language.table_json import JsonTable
from sop_engine.language.table_lines import encoding_of
from sop_engine.language.table_parquet import ParquetTable
from sop_engine.language.table_xlsx import XlsxTable

__all__ = ["Cell", "Row", "Table", "open_table"]

KINDS = {
    ".csv": "csv",
    ".txt": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
    ".parquet": "parquet",
    ".pq": "parquet",
}


def open_table(path: Path, *, encoding: str | None = None, sheet: str | None = None) -> Table:
    """The table in a file; iterating it reads rows one by one. Raises BadFile for a file, BadInput for an option, that cannot be read.

    `encoding`: utf-8 or gb18030, for text files; never guessed. `sheet`: which sheet of an Excel file, by default the first.
    """
    kind = _kind(path)
    if sheet is not None and kind != "xlsx":
        raise BadInput(f"{path}: only Excel files have sheets. Leave out the sheet.")
    match kind:
        case "xlsx":
            return XlsxTable(path, sheet)
        case "parquet":
            return ParquetTable(path)
        case "jsonl":
            return JsonTable(path, encoding_of(encoding))
    return CsvTable(path, kind, encoding_of(encoding))


def _kind(path: Path) -> str:
    name = path.name.lower()
    packed = name.endswith(".gz")
    kind = KINDS.get(Path(name.removesuffix(".gz")).suffix)
    if kind is None:
        raise BadFile(f"{path}: the ending does not say what kind of file this is. It can be: .csv, .tsv, .jsonl, .xlsx, .parquet.")
    if packed and kind in ("xlsx", "parquet"):
        raise BadFile(f"{path}: unpack the file first; only .csv, .tsv and .jsonl are read as .gz.")
    return kind
