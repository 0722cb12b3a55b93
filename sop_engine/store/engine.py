"""Opens a database the way the engine needs it; one writing transaction at a time on SQLite."""

from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from time import monotonic
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.pool import StaticPool

SQLITE_CACHE_KB = 32_000  # small and fixed, so that memory stays flat in the number of users
REPLAY_CACHE_KB = 256_000  # a replay is one short life of one process
READ_LIMIT_MS = 3_000
CONNECT_S = 5
RESTED_S = 1.0


PATIENT = {"statement_timeout": 0, "lock_timeout": 0, "idle_in_transaction_session_timeout": 600_000}  # ms: an apply or an upgrade is long
HURRIED = {"statement_timeout": 60_000, "lock_timeout": 20_000, "idle_in_transaction_session_timeout": 10_000}  # worker and scheduler


def open_engine(url: str, *, durable: bool = True, hurried: bool = False) -> Engine:
    """An engine for a SQLite file, `sqlite://` in memory, or PostgreSQL (`postgresql://…`, spoken by psycopg 3).

    Not `durable`: a SQLite file that may be lost with the power, as that of a replay, which can be made again. `hurried`: a process
    that works for many; on PostgreSQL its statements and its waits for locks end in errors after a while, and the work is done again.
    """
    if url.startswith("sqlite"):
        return _open_sqlite(url, durable)
    limits = " ".join(f"-c {name}={ms}" for name, ms in (HURRIED if hurried else PATIENT).items())
    url = url.replace("postgresql://", "postgresql+psycopg://", 1)
    arguments = {"connect_timeout": CONNECT_S, "options": limits}
    engine = create_engine(url, hide_parameters=True, connect_args=arguments)  # no value of a user in an error
    _ask_who_rested(engine)
    return engine


def _ask_who_rested(engine: Engine) -> None:
    """A connection that lay in the pool for a while is asked whether it lives before it is used; one just used is not, for that costs."""

    @event.listens_for(engine, "checkin")
    def _rest(_connection: Any, record: Any) -> None:
        record.info["since"] = monotonic()

    @event.listens_for(engine, "checkout")
    def _ask(connection: Any, record: Any, _fairy: Any) -> None:
        if monotonic() - record.info.get("since", -inf) < RESTED_S:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise InvalidatePoolError("the server hung up: all connections of before are dead") from error


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
        connection.exec_driver_sql("BEGIN" if connection.get_execution_options().get("reads_only") else "BEGIN IMMEDIATE")

    return engine


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """One transaction: committed at the end, rolled back on an error."""
    with engine.begin() as tx:
        yield tx


@contextmanager
def reading(engine: Engine, *, limit_ms: int = 0) -> Iterator[Connection]:
    """One transaction that sees one moment, can write nothing, and makes no writer wait; PostgreSQL ends a statement after the limit."""
    if engine.dialect.name == "postgresql":
        options: dict[str, Any] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    else:
        options = {"reads_only": True}
    with engine.connect().execution_options(**options) as connection:
        if engine.dialect.name == "postgresql":
            with connection.begin():
                connection.exec_driver_sql("SET LOCAL work_mem = '128MB'")  # what reads a whole table sorts it in memory
                connection.exec_driver_sql("SET LOCAL jit = off")
                if limit_ms:
                    connection.exec_driver_sql(f"SET LOCAL statement_timeout = {limit_ms}")
                yield connection
        else:
            yield from _reading_sqlite(connection)


def _reading_sqlite(connection: Connection) -> Iterator[Connection]:
    raw = connection.connection.driver_connection
    assert raw is not None
    raw.execute("PRAGMA query_only = ON")
    try:
        with connection.begin():
            yield connection
    finally:
        raw.execute("PRAGMA query_only = OFF")
