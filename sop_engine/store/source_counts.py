"""Remembers how often things were seen of each source: items taken, refused, cleaned, and names the catalogue does not have."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from sop_engine.store.columns import table_of
from sop_engine.store.dialect import dialect, run
from sop_engine.store.ingest_tables import SourceCountRow

counts = table_of(SourceCountRow)
MOST_NAMES = 500  # of one kind in one source: a source that puts numbers into its names would fill the table
FURTHER = "(further names)"

Seen = Mapping[tuple[str, str], int]
"""How often, by (what, name); the name is empty where the word says it all."""

_NEW = {"source": "text", "what": "text", "name": "text", "number": "id", "last_at": "instant"}


@dataclass(frozen=True, slots=True)
class SourceCount:
    """How often something was seen of a source, and when last."""

    source: str
    what: str
    name: str
    number: int
    last_at: datetime


def add_counts(tx: Connection, source: str, seen: Seen, now: datetime) -> None:
    """Add to what was seen before."""
    to = dialect(tx)
    added: dict[tuple[str, str], int] = {}
    for key, number in _few(tx, source, seen).items():
        added[key] = added.get(key, 0) + number
    rows = [
        {"source": source, "what": what, "name": name, "number": number, "last_at": to.instant(now)}
        for (what, name), number in sorted(added.items())  # in one order, or two processes block each other
        if number
    ]
    if rows:
        columns = ", ".join(_NEW)
        sql = (
            f"INSERT INTO source_counts ({columns}) SELECT {columns} FROM ({to.rows('new', _NEW)}) r WHERE TRUE "
            "ON CONFLICT (source, what, name) DO UPDATE SET number = source_counts.number + excluded.number, last_at = excluded.last_at"
        )
        run(tx, sql, {"new": to.row_list(rows)})


def _few(tx: Connection, source: str, seen: Seen) -> dict[tuple[str, str], int]:
    """The same with names beyond the limit counted as further ones."""
    c = counts.c
    found: dict[tuple[str, str], int] = {}
    for what in {what for what, name in seen if name}:
        names = {name: number for (w, name), number in seen.items() if w == what}
        known = set(tx.execute(select(c.name).where(c.source == source, c.what == what, c.name.in_(list(names)))).scalars())
        new = names.keys() - known
        here = tx.execute(select(func.count()).where(c.source == source, c.what == what)).scalar_one() if new else 0
        kept = known | set(sorted(new)[: max(0, MOST_NAMES - here)])
        for name, number in names.items():
            key = (what, name if name in kept else FURTHER)
            found[key] = found.get(key, 0) + number
    return found | {key: number for key, number in seen.items() if not key[1]}


def list_counts(tx: Connection) -> list[SourceCount]:
    """All counts, by source, the largest of each kind first."""
    c = counts.c
    rows = tx.execute(select(counts).order_by(c.source, c.what, c.number.desc(), c.name))
    return [SourceCount(r.source, r.what, r.name, r.number, r.last_at) for r in rows]
