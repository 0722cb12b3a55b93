"""Reads in one query all that keeps messages from being sent: stops, another instance's name, and safe mode."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, literal, select, union_all

from sop_engine.store.stops import newest, stops
from sop_engine.store.versions import marks

INSTANCE = "instance"  # the mark that names the database
SAFE_MODE = "safe_mode"  # the mark of a restored copy: when it was noticed, and why
SEPARATOR = "#"  # between the name of an instance and what makes its keys differ from those of an earlier one

_ALL = union_all(
    select(literal("stop").label("kind"), stops.c.scope.label("value")).where(newest(), stops.c.stopped),
    select(marks.c.name, marks.c.value).where(marks.c.name.in_((INSTANCE, SAFE_MODE))),
)


@dataclass(frozen=True, slots=True)
class Halts:
    """What is stopped, the name of the database, and its safe mode (None: it is in none)."""

    stopped: frozenset[str] = frozenset()
    instance: str = ""
    safe_mode: Mapping[str, Any] | None = None

    @property
    def name(self) -> str:
        """The name of the database as settings write it."""
        return name_of(self.instance)


def read_halts(tx: Connection) -> Halts:
    """All that keeps messages from being sent now."""
    rows = tx.execute(_ALL).all()
    marked = {row.kind: row.value for row in rows if row.kind != "stop"}
    stopped = frozenset(row.value for row in rows if row.kind == "stop")
    safe_mode = json.loads(marked[SAFE_MODE]) if marked.get(SAFE_MODE) else None
    return Halts(stopped, marked.get(INSTANCE, ""), safe_mode)


def name_of(instance: str) -> str:
    """The part of an instance that settings name."""
    return instance.partition(SEPARATOR)[0]
