"""Decides how SQLite writes what the two databases write differently."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from sop_engine.store.dialect_words import MOST_FACTS, Dialect

FIRST_DAY = "1721424.5"  # the Julian day of ordinal 0


class SQLite(Dialect):
    """SQLite from 3.39 on, built with its mathematical functions."""

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
        # The float of a half may lie below it, and newer versions round it as it is: lifted a little, where that does not show.
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
        instant = f"{day} + {FIRST_DAY}"
        return f"CAST(strftime('%Y', {instant}) AS INTEGER)", f"CAST(strftime('%m%d', {instant}) AS INTEGER)"

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
        return at.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
