"""Decides which dialect a connection speaks, and carries out SQL written in it."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import Connection, CursorResult

from sop_engine.store.dialect_postgresql import PostgreSQL
from sop_engine.store.dialect_sqlite import SQLite
from sop_engine.store.dialect_words import Dialect

__all__ = ["Dialect", "dialect", "dialect_of", "run"]


@cache
def dialect_of(name: str) -> Dialect:
    """The dialect of this name: sqlite or postgresql."""
    return PostgreSQL() if name == "postgresql" else SQLite()


def dialect(tx: Connection) -> Dialect:
    """The dialect a connection speaks."""
    return dialect_of(tx.dialect.name)


def run(tx: Connection, sql: str, params: Mapping[str, Any] | None = None) -> "CursorResult[*tuple[Any, ...]]":
    """Carry out SQL as the driver reads it: parameters written by `Dialect.param`, constants quoted by `Dialect.quoted`."""
    return tx.exec_driver_sql(sql, dict(params or {}))
