"""Decides which users a statement is about: everybody, some ids, those in a table, or those between two ids."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sop_engine.store.dialect import Dialect


@dataclass(frozen=True, slots=True)
class Scope:
    """A set of users. Make it with `everybody`, `of`, `table` or `between`."""

    user_ids: tuple[int, ...] | None = None
    name: str = ""  # of a table with a column user_id
    span: tuple[int, int] | None = None  # the first id, and the first one that is beyond

    @staticmethod
    def everybody() -> "Scope":
        """All users."""
        return Scope()

    @staticmethod
    def of(user_ids: Iterable[int]) -> "Scope":
        """These users, any number, each once."""
        return Scope(tuple(sorted(set(user_ids))))

    @staticmethod
    def table(name: str) -> "Scope":
        """The users in a table with a column user_id, each once."""
        return Scope(name=name)

    @staticmethod
    def between(first: int, size: int) -> "Scope":
        """The users with first <= id < first + size: read as everybody is, from tables in the order of their users."""
        return Scope(span=(first, first + size))

    @property
    def is_everybody(self) -> bool:
        """Whether nobody is left out."""
        return self.user_ids is None and not self.name and self.span is None

    @property
    def is_many(self) -> bool:
        """Whether tables are best read through, and not looked up user by user."""
        return self.is_everybody or self.span is not None

    @property
    def is_empty(self) -> bool:
        """Whether it names nobody (a table is not looked into)."""
        return self.user_ids == ()

    @property
    def shape(self) -> "Scope":
        """The scope without the ids themselves: scopes of equal shape are written alike."""
        return Scope(() if self.user_ids is not None else None, self.name, None if self.span is None else (0, 0))

    def source(self, to: Dialect) -> str:
        """What is read first, so that the join begins at these users: `s` with a column user_id."""
        return f"{self.name} s" if self.name else to.ids("scope")

    def joined(self, to: Dialect, table: str, alias: str, key: str) -> tuple[str, str]:
        """The FROM and WHERE that read a table for these users only, beginning at the users."""
        if self.is_many:
            return f"{table} {alias}{to.by_id if key == 'id' else ''}", self.inside(to, f"{alias}.{key}") or "TRUE"
        return f"{self.source(to)} CROSS JOIN {table} {alias}", f"{alias}.{key} = s.user_id"

    def inside(self, to: Dialect, column: str) -> str:
        """What holds of a column of user ids, for whoever joins a table; "" where nothing does."""
        return "" if self.span is None else f"{column} >= {to.param('scope_first')} AND {column} < {to.param('scope_end')}"

    def params(self, to: Dialect) -> dict[str, Any]:
        """The parameters that `source` and `inside` need."""
        if self.span is not None:
            return {"scope_first": self.span[0], "scope_end": self.span[1]}
        return {} if self.user_ids is None else {"scope": to.id_list(self.user_ids)}
