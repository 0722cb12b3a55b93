"""Gives the tests of the requirements a fresh, migrated SQLite database in memory."""

import sqlite3
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from tests.conftest import sqlite_copy


@pytest.fixture
def second_memory(migrated_sqlite: sqlite3.Connection) -> Iterator[Engine]:
    """Another one, for tests of two shops."""
    with sqlite_copy(migrated_sqlite) as engine:
        yield engine
