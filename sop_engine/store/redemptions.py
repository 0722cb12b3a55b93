"""Reports that benefits were used, or that this was taken back: each event once."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from sop_engine.store.benefit_tables import OPEN_USES, RedemptionRow
from sop_engine.store.bulk import put_rows
from sop_engine.store.columns import table_of

redemptions = table_of(RedemptionRow)


@dataclass(frozen=True, slots=True)
class Report:
    """One report as it came: kind is redeemed or reversed; `code` is the grant's code, or what was written where it is not known."""

    event: str
    kind: str
    code: str
    order_id: str
    user_key: str
    amount: Decimal | None
    currency: str
    at: datetime


def get(tx: Connection, event: str) -> Row[Any] | None:
    """What became of a report."""
    return tx.execute(select(redemptions).where(redemptions.c.event == event)).first()


def put(tx: Connection, report: Report, state: str, now: datetime, *, grant_id: int | None = None, flags: str = "") -> None:
    """Store a report, or what has become of one that waited; what was decided before, by this call's twin, stays."""
    after = {"state": state, "grant_id": grant_id, "flags": flags}
    waited = redemptions.c.event == report.event, redemptions.c.state.in_(("parked", "lapsed"))
    if not tx.execute(update(redemptions).where(*waited).values(**after)).rowcount:
        values = {f: getattr(report, f) for f in Report.__dataclass_fields__}
        put_rows(tx, redemptions, [{**values, "received_at": now, **after}], key=["event"], over=False)


def set_state(tx: Connection, event: str, old: str, new: str) -> bool:
    """A report comes from one state into another; False when it was not in that one."""
    mine = redemptions.c.event == event, redemptions.c.state == old
    return bool(tx.execute(update(redemptions).where(*mine).values(state=new)).rowcount)


def is_order_of(tx: Connection, grant_id: int, order_id: str, kind: str) -> bool:
    """Whether this order used the grant, or took that back."""
    c = redemptions.c
    mine = c.grant_id == grant_id, c.order_id == order_id, c.kind == kind, c.state.in_(("taken", "accepted"))
    return tx.execute(select(c.id).where(*mine).limit(1)).first() is not None


def in_state(tx: Connection, state: str, limit: int = 500) -> list[Row[Any]]:
    """Reports that wait, the oldest first."""
    c = redemptions.c
    return list(tx.execute(select(redemptions).where(OPEN_USES, c.state == state).order_by(c.received_at, c.id).limit(limit)))


def parked_reversals(tx: Connection, code: str, order_id: str) -> list[Row[Any]]:
    """Reports that this order was taken back which came before the use."""
    c = redemptions.c
    return list(tx.execute(select(redemptions).where(c.code == code, c.order_id == order_id, c.kind == "reversed", c.state == "parked")))


def shared_uses(tx: Connection) -> dict[str, int]:
    """How often each public code was used."""
    c = redemptions.c
    used = select(c.code, func.count()).where(c.kind == "redeemed", c.grant_id.is_(None), c.state == "accepted")
    return {code: int(many) for code, many in tx.execute(used.group_by(c.code))}


def counts(tx: Connection) -> dict[str, int]:
    """How many reports are in each state, and how many carry each flag."""
    c = redemptions.c
    rows = tx.execute(select(c.state, c.flags, func.count()).group_by(c.state, c.flags))
    found: dict[str, int] = {}
    for state, flags, many in rows:
        for word in [state, *(flags.split(",") if flags else [])]:
            found[word] = found.get(word, 0) + int(many)
    return found
