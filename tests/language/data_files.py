"""Writes a data file for a test, packed when its name says so."""

import gzip
from pathlib import Path


def write(folder: Path, name: str, data: bytes | str, encoding: str = "utf-8") -> Path:
    """The path of the file written."""
    path = folder / name
    raw = data if isinstance(data, bytes) else data.encode(encoding)
    path.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    return path
