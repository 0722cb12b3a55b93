"""Reads JSON lines: one object per line, what is inside objects under dotted names."""

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import NoReturn

from sop_engine.core.errors import BadFile
from sop_engine.language.rows import Cell, Row
from sop_engine.language.table_lines import Lines, LongRow

FIRST_ROWS = 100  # whose names are taken for the columns
DEPTH = 20


class JsonTable:
    """A file of JSON lines, packed or not."""

    kind = "jsonl"

    def __init__(self, path: Path, encoding: str) -> None:
        self._path = path
        self._encoding = encoding
        rows = list(islice(self, FIRST_ROWS))
        if not rows:
            raise BadFile(f"{path}: the file is empty.")
        self.columns = tuple(dict.fromkeys(name for row in rows for name in row.values))
        if not self.columns:
            raise BadFile(f"{path}: line {rows[0].line}: {rows[0].problem or 'the object is empty'}. Write one JSON object per line.")

    def __iter__(self) -> Iterator[Row]:
        with Lines(self._path, self._encoding) as lines:
            while True:
                start = lines.begin_row()
                try:
                    line = next(lines)
                except StopIteration:
                    return
                except LongRow as error:
                    yield Row(start, problem=str(error))
                else:
                    if line.strip():
                        yield _row(start, line)


def flat(record: Mapping[str, object], before: str = "", depth: int = DEPTH) -> dict[str, Cell]:
    """The values of a record by name, those inside another record as `outer.inner`; lists and what is too deep as JSON text."""
    values: dict[str, Cell] = {}
    for name, value in record.items():
        if isinstance(value, Mapping) and depth > 1:
            values.update(flat(value, f"{before}{name}.", depth - 1))
        elif isinstance(value, (list, tuple, Mapping)):
            values[before + name] = json.dumps(value, ensure_ascii=False, default=str)
        else:
            values[before + name] = value  # type: ignore[assignment]  # JSON and Parquet hold nothing else
    return values


def _row(line: int, text: str) -> Row:
    try:
        record = json.loads(text, parse_float=Decimal, parse_constant=_refuse)
        values = flat(record) if isinstance(record, dict) else None
    except (ValueError, ArithmeticError, RecursionError) as error:
        return Row(line, problem=f"the line is no JSON object ({str(error)[:80]})")
    return Row(line, problem="the line is JSON, but no object in { }") if values is None else Row(line, values)


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number of JSON")
