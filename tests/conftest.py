"""Gives every test the databases and servers it asks for; whatever needs one that is not there is counted, never silent.

`engine` runs a test twice, on SQLite in memory and on PostgreSQL, each time on a fresh, migrated database of its own.
"""

import os
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine

from sop_engine.store.engine import open_engine
from sop_engine.store.migrate import upgrade
from tests.servers import Server, start_postgres, start_redis

SERVERS = {"postgres_server": "PostgreSQL", "redis_server": "Redis"}
ABSENT = "no server: "
LEFT_OUT = ("no data: ", "no browser: ", "no client: ")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """A PostgreSQL for the whole run; a test that kills its server starts one of its own."""
    yield from _running("PostgreSQL", start_postgres())


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Server]:
    """A Redis for the whole run; use a key prefix of your own."""
    yield from _running("Redis", start_redis())


def _running(name: str, server: Server | None) -> Iterator[Server]:
    if server is None:
        if os.environ.get("SOP_REQUIRE_SERVERS") == "1":
            pytest.fail(f"{name} was not found, and SOP_REQUIRE_SERVERS=1 asks for it.")
        pytest.skip(ABSENT + name)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def migrated_sqlite() -> Iterator[sqlite3.Connection]:
    """A migrated SQLite database in memory, to be copied."""
    engine = open_engine("sqlite://")
    upgrade(engine)
    connection = engine.raw_connection()
    assert isinstance(connection.driver_connection, sqlite3.Connection)
    yield connection.driver_connection
    connection.close()
    engine.dispose()


@pytest.fixture(scope="session")
def migrated_postgres(postgres_server: Server) -> Iterator["Databases"]:
    """A migrated database on the PostgreSQL server, to be copied."""
    with psycopg.connect(postgres_server.url, autocommit=True) as admin:
        databases = Databases(admin, f"sop_{uuid.uuid4().hex[:12]}")
        engine = open_engine(databases.create(databases.prefix))
        upgrade(engine)
        engine.dispose()
        yield databases
        databases.drop(databases.prefix)


class Databases:
    """Makes and drops databases whose names begin with a prefix of this run."""

    def __init__(self, admin: psycopg.Connection[Any], prefix: str) -> None:
        self.admin = admin
        self.prefix = prefix
        self.made = 0

    def copy(self) -> str:
        """The address of a new copy of the migrated database."""
        self.made += 1
        return self.create(f"{self.prefix}_{self.made}", template=self.prefix)

    def create(self, name: str, *, template: str = "template0") -> str:
        """The address of a new database."""
        self.admin.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")  # half the time of WAL_LOG without fsync
        at = self.admin.info
        return f"postgresql://{at.user}:{at.password}@{at.host}:{at.port}/{name}"

    def drop(self, name: str) -> None:
        """End a database with everybody still connected to it."""
        self.admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.server)])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """A fresh, migrated database: SQLite in memory, then PostgreSQL."""
    yield from _on_sqlite(request) if request.param == "sqlite" else _on_postgres(request)


def _on_sqlite(request: pytest.FixtureRequest) -> Iterator[Engine]:
    with sqlite_copy(request.getfixturevalue("migrated_sqlite")) as engine:
        yield engine


_compiled: dict[str, Engine] = {}


def warm(engine: Engine) -> Engine:
    """An engine that knows every statement that another of its kind has written in this process: compiling them anew costs a tenth."""
    first = _compiled.setdefault(engine.dialect.name, engine)
    engine.dialect = engine.pool._dialect = first.dialect
    engine._compiled_cache = first._compiled_cache
    return engine


@contextmanager
def sqlite_copy(migrated: sqlite3.Connection) -> Iterator[Engine]:
    """A fresh copy of a migrated database in memory."""
    engine = warm(open_engine("sqlite://"))
    copy = engine.raw_connection()
    assert isinstance(copy.driver_connection, sqlite3.Connection)
    migrated.backup(copy.driver_connection)
    copy.close()
    yield engine
    engine.dispose()


@pytest.fixture
def memory(migrated_sqlite: sqlite3.Connection) -> Iterator[Engine]:
    """A fresh, migrated SQLite database in memory, for what no database does differently."""
    with sqlite_copy(migrated_sqlite) as engine:
        yield engine


@pytest.fixture
def postgres(request: pytest.FixtureRequest, migrated_postgres: "Databases") -> Iterator[Engine]:
    """A fresh, migrated PostgreSQL database, for what only several at a time do."""
    yield from _on_postgres(request)


def _on_postgres(request: pytest.FixtureRequest) -> Iterator[Engine]:
    databases: Databases = request.getfixturevalue("migrated_postgres")
    engine = warm(open_engine(databases.copy()))
    yield engine
    engine.dispose()
    databases.drop(str(engine.url.database))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever asks for a server is a server test."""
    for item in items:
        if SERVERS.keys() & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.server)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say how many tests did not run for want of a server."""
    told = [str(report.longrepr) for report in terminalreporter.stats.get("skipped", [])]
    for missing in LEFT_OUT:
        left = sum(missing in text for text in told)
        if left:
            terminalreporter.write_line(
                f"{left} tests did not run ({missing.strip(': ')}): see docs/settings.md, SOP_TEST_DATA, SOP_TEST_BROWSER, make clients."
            )
    absent = [text for text in told if ABSENT in text]
    if absent:
        names = [name for name in SERVERS.values() if any(ABSENT + name in text for text in absent)]
        terminalreporter.write_line(
            f"{len(absent)} real-server tests did not run: {' and '.join(names)} {'was' if len(names) == 1 else 'were'} not found. "
            "`pip install -e '.[test]'` brings both; no Docker, no root."
        )
