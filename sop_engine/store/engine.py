"""Opens a database the way the engine needs it; one writing transaction at a time on SQLite."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import StaticPool

SQLITE_CACHE_KB = 32_000  # small and fixed, so that memory stays flat in the number of users
REPLAY_CACHE_KB = 256_000  # a replay is one short life of one process
READS = "postgresql_readonly"  # the option of a connection that only reads; SQLite takes no lock for it then
READ_LIMIT_MS = 3_000
CONNECT_S = 5


def open_engine(url: str, *, durable: bool = True) -> Engine:
    """An engine for a SQLite file, `sqlite://` in memory, or PostgreSQL (`postgresql://…`, spoken by psycopg 3).

    Not `durable`: a SQLite file that may be lost with the power, as that of a replay, which can be made again.
    """
    if url.startswith("sqlite"):
        return _open_sqlite(url, durable)
    options = {"hide_parameters": True, "connect_args": {"connect_timeout": CONNECT_S}}  # no value of a user in the text of an error
    return create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1), pool_pre_ping=True, **options)


def _open_sqlite(url: str, durable: bool) -> Engine:
    in_memory = url in ("sqlite://", "sqlite:///:memory:")
    options: dict[str, Any] = {"hide_parameters": True, "connect_args": {"check_same_thread": False}}
    if in_memory:
        options["poolclass"] = StaticPool
    engine = create_engine(url, **options)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we begin ourselves: BEGIN IMMEDIATE
        cursor = connection.cursor()
        pragmas = ["journal_mode=WAL", "busy_timeout=5000", "foreign_keys=ON", "temp_store=MEMORY"]
        pragmas += (
            ["synchronous=FULL", f"cache_size=-{SQLITE_CACHE_KB}"] if durable else ["synchronous=OFF", f"cache_size=-{REPLAY_CACHE_KB}"]
        )
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN" if connection.get_execution_options().get(READS) else "BEGIN IMMEDIATE")

    return engine


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """One transaction: committed at the end, rolled back on an error."""
    with engine.begin() as tx:
        yield tx


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that cannot write: it holds nobody up, and PostgreSQL ends it after a few seconds."""
    with engine.connect().execution_options(**{READS: True}) as connection, connection.begin():
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = {READ_LIMIT_MS}")
        yield connection
