"""Remembers who leads. A leader's transactions hold the row against a change of leader; a renewal does not disturb them."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, insert, literal, select, update

from sop_engine.core.errors import Refused
from sop_engine.store.columns import table_of
from sop_engine.store.safety_tables import LeaseRow

leases = table_of(LeaseRow)

LEADER = "leader"


class LeadsNoMore(Refused):
    """A newer epoch has begun: nothing of the old leader is stored."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease as it was stored; `until` in the database's time."""

    holder: str
    epoch: int
    until: datetime
    pulse: int


def read(tx: Connection, name: str = LEADER) -> Lease | None:
    """Who has it, and until when."""
    row = tx.execute(select(leases).where(leases.c.name == name)).first()
    return None if row is None else Lease(row.holder, row.epoch, row.until, row.pulse)


def take(tx: Connection, holder: str, ttl: timedelta, at: datetime, *, name: str = LEADER, alone: bool = False) -> Lease | None:
    """Take a lease that nobody holds at this time (the database's), with a new epoch; None when somebody does.

    `alone`: it is known that no other process lives, so what an earlier one held is free.
    """
    found = read(tx, name)
    if found is not None and found.until > at and not alone:
        return None
    if found is None:
        return _first(tx, holder, ttl, at, name)
    # Waits for transactions of the old holder that are still open: after this, none of them can be committed.
    tx.execute(select(leases.c.epoch).where(leases.c.name == name).with_for_update())
    mine = leases.c.name == name, (leases.c.until <= at) | literal(alone)
    values = {"holder": holder, "epoch": leases.c.epoch + 1, "until": at + ttl, "pulse": leases.c.pulse + 1}
    row = tx.execute(update(leases).where(*mine).values(values).returning(leases)).first()
    return None if row is None else Lease(row.holder, row.epoch, row.until, row.pulse)


def _first(tx: Connection, holder: str, ttl: timedelta, at: datetime, name: str) -> Lease | None:
    from sqlalchemy.dialects.postgresql import insert as upsert_pg

    values = {"name": name, "holder": holder, "epoch": 1, "until": at + ttl, "pulse": 1}
    if tx.dialect.name == "postgresql":  # two may come first at the same moment
        if tx.execute(upsert_pg(leases).values(values).on_conflict_do_nothing()).rowcount == 0:
            return None
    else:
        tx.execute(insert(leases).values(values))
    return Lease(holder, 1, at + ttl, 1)


def renew(tx: Connection, lease: Lease, ttl: timedelta, at: datetime, *, name: str = LEADER) -> Lease | None:
    """Hold it for longer; None when another has taken it since."""
    mine = leases.c.name == name, leases.c.epoch == lease.epoch, leases.c.holder == lease.holder
    values = {"until": at + ttl, "pulse": leases.c.pulse + 1}
    row = tx.execute(update(leases).where(*mine).values(values).returning(leases)).first()
    return None if row is None else Lease(row.holder, row.epoch, row.until, row.pulse)


def release(tx: Connection, lease: Lease, at: datetime, *, name: str = LEADER) -> None:
    """Give it up, so that another need not wait."""
    mine = leases.c.name == name, leases.c.epoch == lease.epoch, leases.c.holder == lease.holder
    tx.execute(update(leases).where(*mine).values(until=at))


def fence(tx: Connection, epoch: int, *, name: str = LEADER) -> None:
    """Hold the leadership of this epoch until the end of the transaction. Raises LeadsNoMore when a newer epoch has begun."""
    found = tx.execute(select(leases.c.epoch).where(leases.c.name == name).with_for_update(read=True, key_share=True)).scalar()
    if found != epoch:
        raise LeadsNoMore("another process leads by now")
