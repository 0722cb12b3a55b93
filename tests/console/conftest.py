"""Gives the tests of the web application a shop with a door on HTTP."""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.console.ingesting import Door, Doors


@pytest.fixture(scope="session")
def doors(migrated_sqlite: sqlite3.Connection) -> Iterator[Doors]:
    """Shops with doors, each catalogue applied once."""
    with ExitStack() as stack:
        yield Doors(migrated_sqlite, stack)


@pytest.fixture
def door(doors: Doors) -> Iterator[Door]:
    """The small shop, on SQLite in memory."""
    with doors.open() as door:
        yield door
