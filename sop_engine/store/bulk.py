"""Writes many rows in one statement and names many ids in one parameter, so that the text of the SQL does not grow with their number.

PostgreSQL is told one statement where `executemany` tells one a row; SQLite is fastest row by row.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, Dialect, Row, Table, Text, Update, bindparam, insert, or_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.schema import ScalarElementColumnDefault
from sqlalchemy.types import NullType, TypeDecorator, TypeEngine

from sop_engine.store.dialect import dialect, run

Rows = Sequence[Mapping[str, Any]]
_POSTGRESQL = postgresql.dialect()  # type: ignore[no-untyped-call]


class Ids(TypeDecorator[Iterable[int]]):
    """Many ids as one parameter: an array on PostgreSQL, JSON text on SQLite."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The type of the parameter."""
        return dialect.type_descriptor(postgresql.ARRAY(BigInteger()) if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: Iterable[int] | None, dialect: Dialect) -> Any:
        """The parameter."""
        ids = list(value or ())
        return ids if dialect.name == "postgresql" else json.dumps(ids)


class _Among(FunctionElement[bool]):
    name = "among"
    type = NullType()  # type: ignore[assignment]  # a Boolean would be compared with 1 on SQLite, where no index helps then
    inherit_cache = True


@compiles(_Among, "postgresql")
def _among_array(element: _Among, compiler: Any, **how: Any) -> str:
    column, ids = (compiler.process(clause, **how) for clause in element.clauses)
    return f"{column} = ANY ({ids})"


@compiles(_Among, "sqlite")
def _among_json(element: _Among, compiler: Any, **how: Any) -> str:
    column, ids = (compiler.process(clause, **how) for clause in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({ids}))"


def among(column: ColumnElement[int]) -> ColumnElement[bool]:
    """Whether a column is one of the ids given as the parameter `ids`, which may be any iterable of ids."""
    return _Among(column, bindparam("ids", type_=Ids()))


def add_rows(tx: Connection, table: Table, rows: Rows, *, returning: Sequence[str] = ()) -> list[Row[Any]]:
    """Insert rows that all name the same columns; what the database gave those in `returning`, in any order."""
    if not rows:
        return []
    if tx.dialect.name == "postgresql":
        whole = _whole(table, rows)
        found = run(tx, _inserting(table, tuple(whole[0]), tuple(returning)), {"rows": _told(tx, whole)})
        return list(found) if returning else []
    statement = insert(table)
    if returning:
        return list(tx.execute(statement.returning(*(table.c[name] for name in returning)), list(rows)))
    tx.execute(statement, list(rows))
    return []


def put_rows(tx: Connection, table: Table, rows: Rows, *, key: Sequence[str], over: bool = True) -> None:
    """Insert rows that all name the same columns; one that is there under the unique key is written `over`, or else left as it is."""
    if not rows:
        return
    if tx.dialect.name == "postgresql":
        whole = _whole(table, rows)
        run(tx, _inserting(table, tuple(whole[0]), (), tuple(key), over), {"rows": _told(tx, whole)})
        return
    upsert = sqlite.insert(table)
    kept = {name: upsert.excluded[name] for name in rows[0] if name not in key}
    statement = upsert.on_conflict_do_update(index_elements=key, set_=kept) if over else upsert.on_conflict_do_nothing(index_elements=key)
    tx.execute(statement, list(rows))


def change_rows(
    tx: Connection, table: Table, rows: Rows, *, by: Sequence[str] = ("id",), states: Sequence[str] = (), column: str = "state"
) -> int:
    """Set what rows (all with the same columns) name, each in the row of the table that is equal in `by`; how many there were.

    `states`: nothing changes unless the row of the table is in one of these, by `column`.
    """
    if not rows:
        return 0
    sets = tuple(name for name in rows[0] if name not in by)
    if tx.dialect.name == "postgresql":
        return run(tx, _updating(table, tuple(by), sets, column, tuple(states)), {"rows": _told(tx, rows)}).rowcount
    statement = _updating_one(table, tuple(by), sets, column, tuple(states))
    return tx.execute(statement, [{f"_{name}": value for name, value in row.items()} for row in rows]).rowcount


def _whole(table: Table, rows: Rows) -> Rows:
    rest = {name: value for name, value in _defaults(table) if name not in rows[0]}
    return [{**rest, **row} for row in rows] if rest else rows


@lru_cache(maxsize=256)
def _defaults(table: Table) -> tuple[tuple[str, Any], ...]:
    """What SQLAlchemy would write into columns that a row does not name."""
    return tuple((c.name, c.default.arg) for c in table.c if isinstance(c.default, ScalarElementColumnDefault))


@lru_cache(maxsize=256)
def _inserting(table: Table, columns: tuple[str, ...], returning: tuple[str, ...], key: tuple[str, ...] = (), over: bool = True) -> str:
    listed = ", ".join(map(_quoted, columns))
    given = f" RETURNING {', '.join(map(_quoted, returning))}" if returning else ""
    kept = ", ".join(f"{_quoted(name)} = excluded.{_quoted(name)}" for name in columns if name not in key)
    known = f" ON CONFLICT ({', '.join(map(_quoted, key))}) DO {f'UPDATE SET {kept}' if over else 'NOTHING'}" if key else ""
    return f"INSERT INTO {table.name} ({listed}) SELECT {listed} FROM {_recordset(table, columns)}{known}{given}"


@lru_cache(maxsize=256)
def _updating(table: Table, by: tuple[str, ...], sets: tuple[str, ...], column: str, states: tuple[str, ...]) -> str:
    changed = ", ".join(f"{_quoted(name)} = r.{_quoted(name)}" for name in sets)
    same = " AND ".join(f"{table.name}.{_quoted(name)} = r.{_quoted(name)}" for name in by)
    allowed = ", ".join(f"'{state}'" for state in states)
    inside = f" AND {table.name}.{_quoted(column)} IN ({allowed})" if states else ""
    return f"UPDATE {table.name} SET {changed} FROM {_recordset(table, (*by, *sets))} WHERE {same}{inside}"


def _recordset(table: Table, columns: tuple[str, ...]) -> str:
    typed = ", ".join(f"{_quoted(name)} {table.c[name].type.compile(_POSTGRESQL)}" for name in columns)
    return f"jsonb_to_recordset(CAST(%(rows)s AS JSONB)) AS r({typed})"


def _quoted(name: str) -> str:
    return _POSTGRESQL.identifier_preparer.quote(name)


@lru_cache(maxsize=256)
def _updating_one(table: Table, by: tuple[str, ...], sets: tuple[str, ...], column: str, states: tuple[str, ...]) -> Update:
    same = [table.c[name] == bindparam(f"_{name}") for name in by]
    inside = [or_(*(table.c[column] == state for state in states))] if states else []
    return update(table).where(*same, *inside).values({name: bindparam(f"_{name}") for name in sets})


def _told(tx: Connection, rows: Rows) -> str:
    return dialect(tx).row_list(rows)
