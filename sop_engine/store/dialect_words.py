"""Decides what the SQL of a database must be able to say: numbers, dates, JSON, lists of ids and of rows."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

MOST_FACTS = 50  # PostgreSQL functions take 100 arguments


class Dialect(ABC):
    """The SQL of one database. Numbers are exact to 6 decimals, dates are day ordinals, constants stand in the text, quoted."""

    name: str
    number_type: str
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
        plain = format((value if isinstance(value, Decimal) else Decimal(repr(value))).normalize(), "f")
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
