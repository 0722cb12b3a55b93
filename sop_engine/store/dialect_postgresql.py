"""Decides how PostgreSQL writes what the two databases write differently."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from sop_engine.store.dialect_words import MOST_FACTS, Dialect


class PostgreSQL(Dialect):
    """PostgreSQL from 13 on, spoken by psycopg."""

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
        return f"CAST(to_char({date}, 'YYYY') AS INTEGER)", f"CAST(to_char({date}, 'MMDD') AS INTEGER)"

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
