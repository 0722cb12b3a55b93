"""Remembers what operators did, each row chained to the one before by its hash, and seals the changes of touches into that chain."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select

from sop_engine.store.columns import table_of
from sop_engine.store.safety_tables import AuditRow, TouchChangeRow
from sop_engine.store.versions import get_mark, set_mark

audit = table_of(AuditRow)
changes = table_of(TouchChangeRow)

CHAIN = 0x736F73  # the number of the lock
SEALED = "sealed"
SEALING = "sealing"  # the mark of what waits to be sealed
BLOCK = 100_000  # changes in one seal, at most
PAGE = 5000

_LAST_HASH = select(audit.c.hash).order_by(audit.c.id.desc()).limit(1)
_LAST_SEAL = select(audit.c.about).where(audit.c.what == SEALED).order_by(audit.c.id.desc()).limit(1)


def note(tx: Connection, who: str, what: str, about: Mapping[str, Any], at: datetime) -> int:
    """Note that somebody did something; the row's id. `about` holds ids, names and counts alone, nothing personal."""
    _alone(tx)
    before = tx.execute(_LAST_HASH).scalar() or ""
    values = {"at": at, "who": who, "what": what, "about": dict(about)}
    statement = insert(audit).values(**values, hash=chained(before, values)).returning(audit.c.id)
    return int(tx.execute(statement).scalar_one())


def chained(before: str, values: Mapping[str, Any]) -> str:
    """The hash of a row that follows the row with the hash `before`."""
    at = values["at"].astimezone(UTC).isoformat(timespec="microseconds")
    row = {"at": at, "who": values["who"], "what": values["what"], "about": values["about"]}
    text = json.dumps(row, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256((before + text).encode()).hexdigest()


def list_noted(tx: Connection, limit: int = 50) -> Sequence[Row[Any]]:
    """What was done, the latest first, without the seals."""
    return tx.execute(select(audit).where(audit.c.what != SEALED).order_by(audit.c.id.desc()).limit(limit)).all()


def broken(tx: Connection) -> list[str]:
    """What does not fit in the chain, and sealed changes of touches that are no longer as they were; empty when all is well."""
    return [*_broken_links(tx), *_broken_seals(tx)]


def _broken_links(tx: Connection) -> Iterator[str]:
    before = ""
    for row in tx.execute(select(audit).order_by(audit.c.id).execution_options(yield_per=PAGE)):
        if row.hash != chained(before, row._asdict()):
            yield f"row {row.id} of the audit log, or the one before it, is not as it was written"
        before = row.hash


def _broken_seals(tx: Connection) -> Iterator[str]:
    for seal in tx.execute(select(audit.c.id, audit.c.about).where(audit.c.what == SEALED).order_by(audit.c.id)).all():
        first, last = seal.about["first"], seal.about["last"]
        if _digest(tx, first, last) != (seal.about["count"], seal.about["digest"]):
            yield f"the changes of touches {first} to {last} are not as row {seal.id} of the audit log sealed them"


def seal(tx: Connection, at: datetime) -> int:
    """Seal the changes of touches since the last seal into the chain; how many. To be called each minute."""
    _alone(tx)
    until = _certain(tx)
    first = int((tx.execute(_LAST_SEAL).scalar() or {"last": 0})["last"]) + 1
    sealed = 0
    while first <= until:
        last = min(until, first + BLOCK - 1)
        count, digest = _digest(tx, first, last)
        note(tx, "sop", SEALED, {"first": first, "last": last, "count": count, "digest": digest}, at)
        first, sealed = last + 1, sealed + count
    return sealed


def _digest(tx: Connection, first: int, last: int) -> tuple[int, str]:
    c = changes.c
    statement = select(changes).where(c.id >= first, c.id <= last).order_by(c.id).execution_options(yield_per=PAGE)
    count, digest = 0, hashlib.sha256()
    for count, row in enumerate(tx.execute(statement), 1):  # noqa: B007 - the last number is the count
        digest.update(f"{row.id}|{row.touch_id}|{row.old}|{row.new}|{row.reason or ''}|{row.epoch}\n".encode())
    return count, digest.hexdigest()


def _certain(tx: Connection) -> int:
    """The number up to which no more changes can appear.

    On PostgreSQL a transaction that is open may hold a smaller number than one we see. So a number seen in one call is dated by the
    transaction of the next call, which is younger than whatever took a smaller number, and sealed once nothing older is open.
    """
    newest = int(tx.execute(select(func.coalesce(func.max(changes.c.id), 0))).scalar_one())
    if tx.dialect.name != "postgresql":
        return newest
    waiting = json.loads(get_mark(tx, SEALING) or "{}")
    certain = 0
    if waiting.get("dated") and waiting["dated"]["xact"] <= tx.execute(select(_OLDEST_OPEN)).scalar_one():
        certain = waiting.pop("dated")["until"]
    if waiting.get("seen") is not None and not waiting.get("dated"):
        waiting["dated"] = {"until": waiting["seen"], "xact": tx.execute(select(_MINE)).scalar_one()}
    set_mark(tx, SEALING, json.dumps({**waiting, "seen": newest}))
    return int(certain)


def _number(transaction: Any) -> Any:
    from sqlalchemy import BigInteger, Text, cast

    return cast(cast(transaction, Text), BigInteger)


_OLDEST_OPEN = _number(func.pg_snapshot_xmin(func.pg_current_snapshot()))
_MINE = _number(func.pg_current_xact_id())


def _alone(tx: Connection) -> None:
    """Nobody else adds to the chain until the end of the transaction."""
    if tx.dialect.name == "postgresql":
        tx.execute(select(func.pg_advisory_xact_lock(CHAIN)))
