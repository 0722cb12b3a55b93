"""Reads text files line by line, unpacked and decoded, and never holds more than one row of them."""

import gzip
import zlib
from io import BufferedReader
from pathlib import Path
from types import TracebackType

from sop_engine.core.errors import BadFile, BadInput
from sop_engine.language.rows import ROW_LIMIT

ENCODINGS = {"utf-8": "utf-8", "utf8": "utf-8", "gb18030": "gb18030", "gbk": "gb18030", "gb2312": "gb18030"}
STARTS = {
    b"PK\x03\x04": "an Excel file or another zip archive; give it its own ending, as in data.xlsx",
    b"\xd0\xcf\x11\xe0": "an old or protected Excel file; save it as .xlsx or CSV without a password",
    b"PAR1": "a Parquet file; give it its own ending, as in data.parquet",
    b"\x1f\x8b": "packed with gzip; give it its own ending, as in data.csv.gz",
    b"\xff\xfe": "in UTF-16; save it as CSV UTF-8",
    b"\xfe\xff": "in UTF-16; save it as CSV UTF-8",
    b"%PDF": "a PDF; export the table as CSV",
}


class LongRow(BadInput):
    """A row is longer than a row can be; reading goes on after it."""


def opened(path: Path) -> BufferedReader | gzip.GzipFile:
    """The file's bytes, unpacked if it ends with .gz; raises BadFile."""
    try:
        return gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb")
    except FileNotFoundError as error:
        raise BadFile(f"{path}: there is no such file.") from error
    except OSError as error:
        raise BadFile(f"{path}: cannot be opened ({error.strerror or type(error).__name__}).") from error


def encoding_of(name: str | None) -> str:
    """The encoding by its usual names, UTF-8 by default; raises BadInput. It is never guessed from the file."""
    found = ENCODINGS.get((name or "utf-8").strip().lower())
    if found is None:
        raise BadInput(f"'{name}' is not an encoding that can be read. It can be: utf-8, gb18030.")
    return found


class Lines:
    """The lines of a text file. `count` is how many were read; after a LongRow reading goes on with the next line."""

    def __init__(self, path: Path, encoding: str) -> None:
        self.count = 0
        self._path = path
        self._encoding = encoding
        self._used = 0
        self._file = opened(path)

    def __enter__(self) -> "Lines":
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self._file.close()

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> str:
        data = self._read(ROW_LIMIT + 1)
        if not data:
            raise StopIteration
        self.count += 1
        if self.count == 1:
            data = self._first(data)
        self._used += len(data)
        if self._used > ROW_LIMIT:
            while not data.endswith(b"\n") and data:
                data = self._read(65536)
            raise LongRow(f"the row is longer than {ROW_LIMIT // 1_000_000} MB")
        return self._decoded(data)

    def begin_row(self) -> int:
        """Start counting the length of a row; returns the number of its first line."""
        self._used = 0
        return self.count + 1

    def _read(self, most: int) -> bytes:
        try:
            return self._file.readline(most)
        except (OSError, EOFError, zlib.error) as error:
            raise BadFile(f"{self._path}: cannot be read after line {self.count} ({type(error).__name__}).") from error

    def _first(self, data: bytes) -> bytes:
        for start, what in STARTS.items():
            if data.startswith(start):
                raise BadFile(f"{self._path}: this is {what}.")
        if b"\x00" in data:
            raise BadFile(f"{self._path}: this is not a text file. Export the table as CSV UTF-8.")
        return data.removeprefix(b"\xef\xbb\xbf")

    def _decoded(self, data: bytes) -> str:
        try:
            return data.decode(self._encoding)
        except UnicodeDecodeError as error:
            hint = "try --encoding gb18030" if self._encoding == "utf-8" else "leave out --encoding if the file is UTF-8"
            raise BadFile(f"{self._path}: line {self.count} is not {self._encoding.upper()}; {hint}.") from error
