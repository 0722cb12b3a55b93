"""Decides how the two databases write what they write differently: numbers, dates, JSON, lists of ids and of rows."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Any

from sqlalchemy import Connection, CursorResult

FIRST_DAY = "1721424.5"  # the Julian day of ordinal 0
MOST_FACTS = 50  # PostgreSQL functions take 100 arguments


class Dialect(ABC):
    """The SQL of one database. Numbers are exact to 6 decimals, dates are day ordinals, constants stand in the text, quoted."""

    name: str
    number_type: str
    flag_type: str
    instant_type: str
    json_type: str
    id_type: str
    greatest: str
    least: str
    empty: str  # before a temporary table: take out all rows
    by_id: str = ""  # after a table: read all of it in the order of its id, as the tables it is joined with are kept
    barrier: str  # after a sub-select: it is computed as it stands, once a row, and not copied into whatever reads it
    types: Mapping[str, str]

    @abstractmethod
    def param(self, name: str) -> str:
        """A parameter, given by name."""

    def quoted(self, text: str) -> str:
        """A text constant."""
        plain = text.replace("\0", "").replace("'", "''")
        return f"'{plain}'"

    def one_of(self, texts: Iterable[str]) -> str:
        """A list of text constants, in brackets."""
        return f"({', '.join(self.quoted(t) for t in texts)})"

    def number(self, value: Decimal | float) -> str:
        """A number constant, never read as an integer."""
        plain = format(value if isinstance(value, Decimal) else Decimal(repr(value)), "f")
        plain = plain if "." in plain else f"{plain}.0"
        return f"({plain})" if plain.startswith("-") else plain

    def as_number(self, sql: str) -> str:
        """A whole number, such as a difference of days, as a number."""
        return f"CAST({sql} AS {self.number_type})"

    def rounded(self, sql: str) -> str:
        """Rounded to 6 decimals."""
        return f"ROUND({sql}, 6)"

    def latest(self, days: Sequence[str]) -> str:
        """The latest known of some days."""
        if len(days) == 1:
            return days[0]
        return f"NULLIF({self.greatest}({', '.join(f'COALESCE({d}, 0)' for d in days)}), 0)"

    @abstractmethod
    def product(self, left: str, right: str) -> str:
        """left * right, rounded half up to 6 decimals."""

    def quotient(self, left: str, right: str) -> str:
        """left / right, rounded half up to 6 decimals; unknown on division by 0."""
        return self.halves_up(f"{left} / NULLIF({right}, 0)")

    @abstractmethod
    def halves_up(self, sql: str) -> str:
        """The result of a division or product rounded half up to 6 decimals."""

    @abstractmethod
    def field(self, column: str, name: str, kind: str) -> str:
        """A value out of a JSON object: unknown when it is missing or not of this kind."""

    @abstractmethod
    def day_of_text(self, sql: str) -> str:
        """The day ordinal of an ISO date; unknown for another text."""

    @abstractmethod
    def year_and_day(self, day: str) -> tuple[str, str]:
        """Of a day ordinal: the year, and month * 100 + day, as whole numbers."""

    @abstractmethod
    def chance(self, log_odds: str) -> str:
        """1 / (1 + exp(-x)) to 6 decimals."""

    @abstractmethod
    def contains(self, text: str, word: str) -> str:
        """Whether the text contains the quoted word."""

    @abstractmethod
    def ids(self, name: str) -> str:
        """A source `s` of the ids given as parameter `name`, as column user_id."""

    @abstractmethod
    def id_list(self, ids: Sequence[int]) -> Any:
        """The parameter for `ids`."""

    @abstractmethod
    def rows(self, name: str, columns: Mapping[str, str]) -> str:
        """A SELECT of the rows given as parameter `name`; columns are of the kinds number text flag day id instant json."""

    @abstractmethod
    def json_object(self, pairs: Sequence[tuple[str, str, str]]) -> str:
        """A JSON object of (name, SQL, kind), at most 50, with values as `core.run.to_json` writes them."""

    @abstractmethod
    def merged(self, old: str, new: str) -> str:
        """A JSON object with the values of a second one laid over it; null takes a value away."""

    @abstractmethod
    def columns_of(self, tx: Connection, table: str) -> set[str]:
        """The columns a table has."""

    @abstractmethod
    def instant(self, at: datetime) -> Any:
        """A time as a parameter of `run`."""

    def time_of(self, value: Any) -> datetime:
        """A time out of a result of `run`."""
        at = datetime.fromisoformat(value) if isinstance(value, str) else value
        utc: datetime = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        return utc

    def row_list(self, rows: Sequence[Mapping[str, Any]]) -> str:
        """The parameter for `rows`."""
        return self.json_text(rows)

    def json_of(self, value: Any) -> Any:
        """JSON out of a result of `run`."""
        return json.loads(value) if isinstance(value, str) else value

    def json_text(self, value: Any) -> str:
        """A value as JSON text, without the NUL that a database refuses."""
        return json.dumps(value, ensure_ascii=False, default=str).replace("\\u0000", "")


class _SQLite(Dialect):
    name = "sqlite"
    number_type = "REAL"
    greatest, least = "MAX", "MIN"
    barrier = "LIMIT -1"
    by_id = " NOT INDEXED"
    empty = "DELETE FROM"
    types: Mapping[str, str] = {
        "number": "REAL", "text": "TEXT", "words": "TEXT", "flag": "INTEGER", "date": "INTEGER",
        "id": "INTEGER", "instant": "TEXT", "json": "TEXT",
    }  # fmt: skip

    def param(self, name: str) -> str:
        return f":{name}"

    def product(self, left: str, right: str) -> str:
        return self.halves_up(f"{left} * {right}")

    def halves_up(self, sql: str) -> str:
        # The float of a half may lie below it, so it is lifted by a few units in the last place; from 1e8 on that would show.
        return f"CASE WHEN ABS({sql}) < 1e8 THEN ROUND(({sql}) * 1.000000000000001, 6) ELSE ROUND({sql}, 6) END"

    def field(self, column: str, name: str, kind: str) -> str:
        path = self.quoted(f'$."{name}"')
        value, type_ = f"json_extract({column}, {path})", f"json_type({column}, {path})"
        match kind:
            case "number":
                return f"CASE WHEN {type_} IN ('integer', 'real') THEN CAST({value} AS REAL) END"
            case "flag":
                return f"CASE {type_} WHEN 'true' THEN TRUE WHEN 'false' THEN FALSE END"
            case "date":
                return self.day_of_text(value)
        return f"CASE WHEN {type_} IN ('text', 'integer', 'real') THEN CAST({value} AS TEXT) END"

    def day_of_text(self, sql: str) -> str:
        digits = "-".join(("[0-9]" * 4, "[0-9]" * 2, "[0-9]" * 2))
        return f"CASE WHEN {sql} GLOB '{digits}' THEN CAST(julianday({sql}) - {FIRST_DAY} AS INTEGER) END"

    def year_and_day(self, day: str) -> tuple[str, str]:
        return tuple(f"CAST(strftime('{form}', {day} + {FIRST_DAY}) AS INTEGER)" for form in ("%Y", "%m%d"))  # type: ignore[return-value]  # two forms

    def chance(self, log_odds: str) -> str:
        return f"ROUND(1 / (1 + exp(-MAX(-40.0, MIN(40.0, {log_odds})))), 6)"

    def contains(self, text: str, word: str) -> str:
        return f"instr({text}, {word}) > 0"

    def ids(self, name: str) -> str:
        return f"(SELECT value AS user_id FROM json_each({self.param(name)})) s"

    def id_list(self, ids: Sequence[int]) -> Any:
        return json.dumps(ids)

    def rows(self, name: str, columns: Mapping[str, str]) -> str:
        picked = ", ".join(f"json_extract(value, '$.{c}') AS {c}" for c in columns)
        return f"SELECT {picked} FROM json_each({self.param(name)}) WHERE TRUE"

    def json_object(self, pairs: Sequence[tuple[str, str, str]]) -> str:
        return f"json_object({', '.join(f'{self.quoted(n)}, {self._json_value(s, k)}' for n, s, k in pairs[:MOST_FACTS])})"

    def _json_value(self, sql: str, kind: str) -> str:
        match kind:
            case "number":
                return f"json(CASE WHEN {sql} IS NOT NULL THEN json_object('n', CAST({sql} AS TEXT)) END)"
            case "flag":
                return f"json(CASE {sql} WHEN 1 THEN 'true' WHEN 0 THEN 'false' ELSE 'null' END)"
            case "date":
                return f"json(CASE WHEN {sql} IS NOT NULL THEN json_object('d', date({sql} + {FIRST_DAY})) END)"
        return sql

    def merged(self, old: str, new: str) -> str:
        return f"json_patch({old}, {new})"

    def columns_of(self, tx: Connection, table: str) -> set[str]:
        return {row[1] for row in tx.exec_driver_sql(f"PRAGMA table_info({table})")}

    def instant(self, at: datetime) -> Any:
        return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


class _PostgreSQL(Dialect):
    name = "postgresql"
    number_type = "NUMERIC"
    greatest, least = "GREATEST", "LEAST"
    barrier = "OFFSET 0"
    empty = "TRUNCATE"
    types: Mapping[str, str] = {
        "number": "NUMERIC", "text": "TEXT", "words": "TEXT", "flag": "BOOLEAN", "date": "INTEGER",
        "id": "BIGINT", "instant": "TIMESTAMPTZ", "json": "JSONB",
    }  # fmt: skip

    def param(self, name: str) -> str:
        return f"%({name})s"

    def quoted(self, text: str) -> str:
        return super().quoted(text).replace("%", "%%")

    def product(self, left: str, right: str) -> str:
        return f"ROUND({left} * {right}, 6)"

    def halves_up(self, sql: str) -> str:
        return f"ROUND({sql}, 6)"

    def field(self, column: str, name: str, kind: str) -> str:
        key = self.quoted(name)
        value, type_ = f"({column} ->> {key})", f"jsonb_typeof({column} -> {key})"
        match kind:
            case "number":
                return f"CASE WHEN {type_} = 'number' THEN CAST({value} AS NUMERIC) END"
            case "flag":
                return f"CASE WHEN {type_} = 'boolean' THEN CAST({value} AS BOOLEAN) END"
            case "date":
                return self.day_of_text(value)
        return f"CASE WHEN {type_} IN ('string', 'number') THEN {value} END"

    def day_of_text(self, sql: str) -> str:
        return f"CASE WHEN {sql} ~ '^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}$' THEN CAST({sql} AS DATE) - DATE '0001-01-01' + 1 END"

    def year_and_day(self, day: str) -> tuple[str, str]:
        date = f"(DATE '0001-01-01' + ({day} - 1))"
        return tuple(f"CAST(to_char({date}, '{form}') AS INTEGER)" for form in ("YYYY", "MMDD"))  # type: ignore[return-value]  # two forms

    def chance(self, log_odds: str) -> str:
        return f"ROUND(CAST(1 / (1 + exp(-GREATEST(-40.0, LEAST(40.0, CAST({log_odds} AS FLOAT8))))) AS NUMERIC), 6)"

    def contains(self, text: str, word: str) -> str:
        return f"strpos({text}, {word}) > 0"

    def ids(self, name: str) -> str:
        return f"unnest(CAST({self.param(name)} AS BIGINT[])) AS s(user_id)"

    def id_list(self, ids: Sequence[int]) -> Any:
        return list(ids)

    def rows(self, name: str, columns: Mapping[str, str]) -> str:
        typed = ", ".join(f"{c} {self.types[k]}" for c, k in columns.items())
        return f"SELECT {', '.join(columns)} FROM jsonb_to_recordset(CAST({self.param(name)} AS JSONB)) AS r({typed}) WHERE TRUE"

    def json_object(self, pairs: Sequence[tuple[str, str, str]]) -> str:
        return f"jsonb_build_object({', '.join(f'{self.quoted(n)}, {self._json_value(s, k)}' for n, s, k in pairs[:MOST_FACTS])})"

    def _json_value(self, sql: str, kind: str) -> str:
        match kind:
            case "number":
                return f"CASE WHEN {sql} IS NOT NULL THEN jsonb_build_object('n', CAST(trim_scale({sql}) AS TEXT)) END"
            case "date":
                text = f"CAST(DATE '0001-01-01' + ({sql} - 1) AS TEXT)"
                return f"CASE WHEN {sql} IS NOT NULL THEN jsonb_build_object('d', {text}) END"
        return sql

    def merged(self, old: str, new: str) -> str:
        return f"jsonb_strip_nulls({old} || {new})"

    def columns_of(self, tx: Connection, table: str) -> set[str]:
        sql = "SELECT column_name FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = %(t)s"
        return {row[0] for row in tx.exec_driver_sql(sql, {"t": table})}

    def instant(self, at: datetime) -> Any:
        return at.astimezone(UTC)


@cache
def dialect_of(name: str) -> Dialect:
    """The dialect of this name: sqlite or postgresql."""
    return _PostgreSQL() if name == "postgresql" else _SQLite()


def dialect(tx: Connection) -> Dialect:
    """The dialect a connection speaks."""
    return dialect_of(tx.dialect.name)


def run(tx: Connection, sql: str, params: Mapping[str, Any] | None = None) -> "CursorResult[*tuple[Any, ...]]":
    """Carry out SQL as the driver reads it: parameters written by `Dialect.param`, constants quoted by `Dialect.quoted`."""
    return tx.exec_driver_sql(sql, dict(params or {}))
