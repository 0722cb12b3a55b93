"""Reads Parquet batch by batch; needs the extra `parquet`."""

from collections.abc import Iterator
from datetime import time
from pathlib import Path
from typing import Any

from sop_engine.core.errors import BadFile
from sop_engine.language.rows import Cell, Row
from sop_engine.language.table_json import flat
from sop_engine.language.table_lines import opened

BATCH = 5_000


class ParquetTable:
    """A Parquet file. Rows are numbered from 1, for it has no lines."""

    kind = "parquet"

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            import pyarrow  # noqa: F401
        except ImportError as error:
            raise BadFile(f'{path}: to read Parquet, install the extra: pip install "sop-engine[parquet]".') from error
        opened(path).close()
        with self._open() as file:
            self.columns = tuple(flat(_empty(file.schema_arrow)))

    def __iter__(self) -> Iterator[Row]:
        import pyarrow

        line = 0
        with self._open() as file:
            try:
                for batch in file.iter_batches(batch_size=BATCH):
                    for record in batch.to_pylist():
                        line += 1
                        yield Row(line, {name: _plain(value) for name, value in flat(record).items()})
            except (pyarrow.ArrowException, OSError) as error:
                raise BadFile(f"{self._path}: cannot be read after row {line} ({type(error).__name__}).") from error

    def _open(self) -> Any:
        import pyarrow
        from pyarrow import parquet

        try:
            return parquet.ParquetFile(self._path)
        except (pyarrow.ArrowException, OSError) as error:
            raise BadFile(f"{self._path}: this is not a Parquet file, or it is damaged.") from error


def _empty(fields: Any) -> dict[str, object]:
    """A record without values, which shows the names inside structs."""
    from pyarrow import types

    return {field.name: _empty(field.type) if types.is_struct(field.type) else None for field in fields}


def _plain(value: Any) -> Cell:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, time):
        return value.isoformat()
    plain: Cell = value.to_pydatetime(warn=False) if hasattr(value, "to_pydatetime") else value  # nanoseconds come as another class
    return plain
