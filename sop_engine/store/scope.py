"""Decides which users a statement is about: everybody, some ids, or those in a table."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sop_engine.store.dialect import Dialect


@dataclass(frozen=True, slots=True)
class Scope:
    """A set of users. Make it with `everybody`, `of` or `table`."""

    user_ids: tuple[int, ...] | None = None
    name: str = ""  # of a table with a column user_id

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

    @property
    def is_everybody(self) -> bool:
        """Whether nobody is left out."""
        return self.user_ids is None and not self.name

    @property
    def is_empty(self) -> bool:
        """Whether it names nobody (a table is not looked into)."""
        return self.user_ids == ()

    @property
    def shape(self) -> "Scope":
        """The scope without the ids themselves: scopes of equal shape are written alike."""
        return Scope((), self.name) if self.user_ids is not None else self

    def source(self, to: Dialect) -> str:
        """What is read first, so that the join begins at these users: `s` with a column user_id."""
        return f"{self.name} s" if self.name else to.ids("scope")

    def joined(self, to: Dialect, table: str, alias: str, key: str) -> tuple[str, str]:
        """The FROM and WHERE that read a table for these users only, beginning at the users."""
        if self.is_everybody:
            return f"{table} {alias}{to.by_id if key == 'id' else ''}", "TRUE"
        return f"{self.source(to)} CROSS JOIN {table} {alias}", f"{alias}.{key} = s.user_id"

    def params(self, to: Dialect) -> dict[str, Any]:
        """The parameters that `source` needs."""
        return {} if self.user_ids is None else {"scope": to.id_list(self.user_ids)}
