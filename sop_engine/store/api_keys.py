"""Remembers the keys by which sources send and programs read; of a key itself only its hash."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from sop_engine.store.columns import table_of
from sop_engine.store.ingest_tables import ApiKeyRow

keys = table_of(ApiKeyRow)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it may be shown: never the key itself."""

    id: str
    source: str
    scopes: tuple[str, ...]
    made_at: datetime
    made_by: str
    revoked_at: datetime | None
    revoked_by: str


def add_key(tx: Connection, key: ApiKey, sha256: str) -> None:
    """Store a key that was made just now."""
    c = keys.c
    values = {c.id: key.id, c.source: key.source, c.scopes: " ".join(key.scopes), c.sha256: sha256, c.made_at: key.made_at}
    tx.execute(insert(keys).values({**values, c.made_by: key.made_by, c.revoked_by: ""}))


def find_hashes(tx: Connection, ids: Iterable[str]) -> dict[str, tuple[ApiKey, str]]:
    """The keys of these ids that are not revoked, each with its hash."""
    c = keys.c
    rows = tx.execute(select(keys).where(c.id.in_(list(ids)), c.revoked_at.is_(None)))
    return {row.id: (_key(row), row.sha256) for row in rows}


def list_keys(tx: Connection) -> list[ApiKey]:
    """All keys, the revoked ones too, by source and age."""
    return [_key(row) for row in tx.execute(select(keys).order_by(keys.c.source, keys.c.made_at, keys.c.id))]


def revoke_key(tx: Connection, key_id: str, now: datetime, by: str) -> bool:
    """Let a key open nothing any more; False when there is none with this id, or it was revoked before."""
    mine = keys.c.id == key_id, keys.c.revoked_at.is_(None)
    return tx.execute(update(keys).where(*mine).values(revoked_at=now, revoked_by=by)).rowcount > 0


def _key(row: Row[Any]) -> ApiKey:
    return ApiKey(row.id, row.source, tuple(row.scopes.split()), row.made_at, row.made_by, row.revoked_at, row.revoked_by)
