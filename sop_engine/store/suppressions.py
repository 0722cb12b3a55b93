"""Keeps the addresses that are not written to, by their keyed hash: no user's row, so that merges and erasure leave them alone."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, delete, func, or_, select

from sop_engine.core.errors import BadInput
from sop_engine.core.suppression import ENDED_BY, KINDS, REASONS, SCOPES, address_hmac, normal_form
from sop_engine.store.bulk import put_rows
from sop_engine.store.columns import table_of
from sop_engine.store.consent_tables import SuppressionRow

suppressions = table_of(SuppressionRow)
UNIQUE = ("address_hmac", "channel", "scope", "reason", "pair")
MOST_AT_ONCE = 500  # names in one statement


@dataclass(frozen=True, slots=True)
class Suppressed:
    """Why an address is not written to: over which channel (`*`: any), marketing or all, since and until when."""

    channel: str
    scope: str
    reason: str
    pair: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One address that is to be suppressed; `kind` is phone, email or id."""

    kind: str
    value: str
    channel: str = "*"
    reason: str = "manual"
    scope: str = "marketing"
    pair: str = ""
    until: datetime | None = None


def suppress(tx: Connection, key: bytes, entry: Entry, now: datetime) -> bool:
    """Put one address on the list; False when it stood there. Raises BadInput for what is no address, reason or scope."""
    return suppress_all(tx, key, [entry], now) == 1


def suppress_all(tx: Connection, key: bytes, entries: Iterable[Entry], now: datetime) -> int:
    """Put addresses on the list; how many were not there. Raises BadInput."""
    rows = {tuple(str(row[name]) for name in UNIQUE): row for row in (_row(key, entry, now) for entry in entries)}
    there = _there(tx, sorted({str(row["address_hmac"]) for row in rows.values()}))
    put_rows(tx, suppressions, list(rows.values()), key=UNIQUE)
    return len(rows.keys() - there)


def _there(tx: Connection, hashes: Sequence[str]) -> set[tuple[str, ...]]:
    columns = [suppressions.c[name] for name in UNIQUE]
    parts = (hashes[start : start + MOST_AT_ONCE] for start in range(0, len(hashes), MOST_AT_ONCE))
    return {tuple(row) for part in parts for row in tx.execute(select(*columns).where(suppressions.c.address_hmac.in_(part)))}


def _row(key: bytes, entry: Entry, now: datetime) -> dict[str, object]:
    if entry.kind not in KINDS or entry.reason not in REASONS or entry.scope not in SCOPES:
        raise BadInput(f"an address is suppressed by kind ({', '.join(KINDS)}), reason ({', '.join(REASONS)}) and scope.")
    normal = normal_form(entry.kind, entry.value)
    if normal is None:
        raise BadInput("this is no address: a phone number, a mail address, or the id a channel writes to.")
    own = {"channel": entry.channel, "scope": entry.scope, "reason": entry.reason, "pair": entry.pair}
    return {"address_hmac": address_hmac(key, entry.kind, normal), **own, "at": now, "until": entry.until}


def ended_by(tx: Connection, keys: Sequence[bytes], address: tuple[str, str], channel: str, event: str, *, pair: str = "") -> int:
    """The opposite event came: suppressions it ends are over, those of this pair and those of no pair; how many."""
    reasons = ENDED_BY.get(event, ())
    normal = normal_form(*address)
    if not reasons or normal is None:
        return 0
    c = suppressions.c
    hashes = [address_hmac(key, address[0], normal) for key in keys]
    mine = and_(c.address_hmac.in_(hashes), c.channel.in_((channel, "*")), c.reason.in_(reasons), c.pair.in_({"", pair}))
    return tx.execute(delete(suppressions).where(mine)).rowcount


def lift(tx: Connection, keys: Sequence[bytes], address: tuple[str, str], channel: str | None = None) -> int:
    """A colleague takes an address off the list, over one channel or all; how many rows. An erased person stays on it."""
    normal = normal_form(*address)
    c = suppressions.c
    hashes = [address_hmac(key, address[0], normal) for key in keys] if normal is not None else []
    mine = [c.address_hmac.in_(hashes), c.reason != "erasure", *([c.channel == channel] if channel else [])]
    return tx.execute(delete(suppressions).where(*mine)).rowcount


def of_hashes(tx: Connection, hashes: Iterable[str], now: datetime) -> dict[str, list[Suppressed]]:
    """By keyed hash: what stands against it now, in one statement for a batch; who is not on the list is missing."""
    c, found = suppressions.c, dict[str, list[Suppressed]]()
    asked = sorted(set(hashes))
    for start in range(0, len(asked), MOST_AT_ONCE):
        part = c.address_hmac.in_(asked[start : start + MOST_AT_ONCE])
        stands = or_(c.until.is_(None), c.until > now)
        rows = tx.execute(select(c.address_hmac, c.channel, c.scope, c.reason, c.pair).where(part, stands).order_by(c.id))
        for row in rows:
            found.setdefault(row.address_hmac, []).append(Suppressed(row.channel, row.scope, row.reason, row.pair))
    return found


def counted(tx: Connection, now: datetime) -> list[tuple[str, str, str, int, datetime]]:
    """(channel, scope, reason, addresses, the latest): what is on the list, of what still stands."""
    c = suppressions.c
    stands = or_(c.until.is_(None), c.until > now)
    grouped = select(c.channel, c.scope, c.reason, func.count(), func.max(c.at)).where(stands)
    rows = tx.execute(grouped.group_by(c.channel, c.scope, c.reason).order_by(c.channel, c.scope, c.reason))
    return [(row[0], row[1], row[2], int(row[3]), row[4]) for row in rows]
