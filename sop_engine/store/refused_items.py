"""Remembers items that were refused, with what stood in them: each once, for 30 days."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, select

from sop_engine.store.bulk import put_rows
from sop_engine.store.columns import table_of
from sop_engine.store.ingest_tables import RefusedItemRow

rows = table_of(RefusedItemRow)
KEPT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class RefusedItem:
    """An item that was not stored: `body` is its JSON, cut at 32 KB."""

    source: str
    reason: str
    body: str = field(repr=False)
    at: datetime

    @property
    def id(self) -> str:
        """The same for the same item, however often it is sent."""
        return hashlib.sha256("\0".join((self.source, self.reason, self.body)).encode("utf-8", "replace")).hexdigest()


def add_refused(tx: Connection, items: Sequence[RefusedItem]) -> list[RefusedItem]:
    """Keep these; those of them that were not kept already, each once."""
    by_id = {one.id: one for one in items}
    known = set(tx.execute(select(rows.c.id).where(rows.c.id.in_(list(by_id)))).scalars())
    fresh = {i: one for i, one in sorted(by_id.items()) if i not in known}
    written = [{"id": i, "source": o.source, "reason": o.reason, "body": o.body, "at": o.at} for i, o in fresh.items()]
    put_rows(tx, rows, written, key=("id",), over=False)
    return list(fresh.values())


def latest_refused(tx: Connection, source: str, reason: str, limit: int) -> list[RefusedItem]:
    """The latest items of a source that were refused for one reason."""
    c = rows.c
    found = tx.execute(select(rows).where(c.source == source, c.reason == reason).order_by(c.at.desc(), c.id).limit(limit))
    return [RefusedItem(row.source, row.reason, row.body, row.at) for row in found]


def forget_old(tx: Connection, now: datetime) -> int:
    """Take away what was kept for 30 days; how many."""
    return tx.execute(delete(rows).where(rows.c.at < now - KEPT)).rowcount
