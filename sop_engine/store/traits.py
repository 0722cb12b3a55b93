"""Remembers what sources say about users: of two values of an attribute the one that was said last, whichever arrives first."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from sop_engine.store.columns import table_of
from sop_engine.store.tables import UserRow
from sop_engine.store.users import plain_json

users = table_of(UserRow)


@dataclass(frozen=True, slots=True)
class Saying:
    """What was said about a user at a time; None clears a value. `timezone` is for a user of whom none is known."""

    user_id: int
    at: datetime
    values: Mapping[str, Any]
    timezone: str | None = None


def say(tx: Connection, sayings: Sequence[Saying]) -> dict[int, set[str]]:
    """Store what is newer than what is known; by user: the attributes that were said anew.

    Equally old values are told apart by their text, so that the outcome does not depend on the order of arrival.
    """
    c = users.c
    ids = sorted({one.user_id for one in sayings})
    rows = tx.execute(select(c.id, c.attributes, c.known_at, c.timezone).where(c.id.in_(ids)).order_by(c.id))
    states = {row.id: _State(dict(row.attributes or {}), dict(row.known_at or {}), row.timezone) for row in rows}
    for one in sorted(sayings, key=lambda s: s.at):
        if one.user_id in states:
            states[one.user_id].hear(one)
    for user_id, state in states.items():
        if state.changed or state.zone_changed:
            new = {"attributes": state.values, "known_at": state.times, "timezone": state.timezone}
            tx.execute(update(users).where(c.id == user_id).values(new))
    return {user_id: state.changed for user_id, state in states.items() if state.changed}


@dataclass
class _State:
    values: dict[str, Any]
    times: dict[str, str]
    timezone: str | None
    zone_changed: bool = False

    def __post_init__(self) -> None:
        self.changed: set[str] = set()

    def hear(self, said: Saying) -> None:
        if self.timezone is None and said.timezone is not None:
            self.timezone, self.zone_changed = said.timezone, True
        for name, value in plain_json(said.values).items():
            if self._is_newer(name, value, said.at):
                self.times[name] = said.at.isoformat()
                self.changed.add(name)
                if value is None:
                    self.values.pop(name, None)
                else:
                    self.values[name] = value

    def _is_newer(self, name: str, value: Any, at: datetime) -> bool:
        known = self.times.get(name)
        before = datetime.fromisoformat(known) if known else None
        if before != at:
            return before is None or at > before
        return _text(value) > _text(self.values.get(name))


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
