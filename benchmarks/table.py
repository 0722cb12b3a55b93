"""Writes what was measured as a table of text and as JSON; it judges nothing."""

import json
import os
import platform
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from benchmarks.measuring import Figure, Times

HEAD = ("name", "users", "ours", "baseline", "ratio", "by CPU", "goal", "growth", "peak memory")


def as_text(figures: Sequence[Figure]) -> str:
    """The table. The ratio is ours to the baseline, of rates (…/s) or of seconds; growth is from the fewest users to the most."""
    rows = [HEAD, *(_row(f, figures) for f in figures)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def _row(one: Figure, figures: Sequence[Figure]) -> tuple[str, ...]:
    return (
        one.name,
        size(one.users) if one.users else "",
        _said(one, one.ours),
        f"{_said(one, one.baseline)} {one.against}" if one.baseline else "",
        f"{one.ratio:.2f}" if one.ratio is not None else "",
        f"{one.cpu_ratio:.2f}" if one.cpu_ratio is not None else "",
        one.goal,
        growth(one, figures),
        f"{one.peak_mb:.0f} MB" if one.peak_mb is not None else "",
    )


def _said(one: Figure, times: Times) -> str:
    if one.work:
        return f"{one.work / times.seconds:,.0f}/s"
    return f"{times.seconds * 1000:.1f} ms" if times.seconds < 1 else f"{times.seconds:.2f} s"


def growth(one: Figure, figures: Iterable[Figure]) -> str:
    """How the figure (or the memory) changed from the fewest users measured to the most; nothing with one size."""
    same = sorted((f for f in figures if f.name == one.name and f.users), key=lambda f: f.users or 0)
    if len(same) < 2 or one is not same[-1]:
        return ""
    if one.peak_mb is not None and same[0].peak_mb:
        return f"x {one.peak_mb / same[0].peak_mb:.2f} memory"
    return f"x {one.measure / same[0].measure:.1f}"


def size(users: int) -> str:
    """100 k, 1 M."""
    return f"{users / 1_000_000:g} M" if users >= 1_000_000 else f"{users / 1000:g} k"


def write_json(figures: Sequence[Figure], folder: Path, at: datetime) -> Path:
    """Everything measured and what it was measured on; the path of the file."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{at:%Y%m%d-%H%M%S}.json"
    content = {"at": at.isoformat(), "machine": machine(), "figures": [f.as_json() for f in figures]}
    file.write_text(json.dumps(content, ensure_ascii=False, indent=1, default=_plain), encoding="utf-8")
    return file


def machine() -> Mapping[str, Any]:
    """What the figures depend on."""
    return {
        "cpus": os.cpu_count(),
        "load": os.getloadavg(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "system": f"{platform.system()} {platform.machine()}",
    }


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return float(value)
    return value.isoformat() if isinstance(value, date | datetime) else str(value)
