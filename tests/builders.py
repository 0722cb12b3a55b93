"""Small builders for tests: a local time as the instant it is, and a whole example project."""

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from sop_engine.core.project import Project

SHANGHAI = ZoneInfo("Asia/Shanghai")
EXAMPLE = Path(__file__).parent / "language" / "good"


def at(local: str) -> datetime:
    """The instant of a local time in Shanghai: `2025-03-01 15:20`, or a date alone for its midnight."""
    return datetime.fromisoformat(local).replace(tzinfo=SHANGHAI).astimezone(UTC)


@cache
def example_project() -> Project:
    """The example project, read and checked once. It is frozen: share it, and make a changed one with `dataclasses.replace`."""
    from sop_engine.language.load import load

    files = sorted(file for file in EXAMPLE.rglob("*") if file.suffix in (".yml", ".md"))
    return load({file.relative_to(EXAMPLE).as_posix(): file.read_text("utf-8") for file in files})
