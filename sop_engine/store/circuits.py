"""Remembers how calls to accounts go; read before every intent, written when something changes."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import Connection, select, update

from sop_engine.core.circuit import Circuit
from sop_engine.store.bulk import put_rows
from sop_engine.store.columns import table_of
from sop_engine.store.safety_tables import CircuitRow

circuits = table_of(CircuitRow)


def read(tx: Connection) -> dict[str, Circuit]:
    """Every circuit that was ever disturbed, by account."""
    return {row.account: Circuit(**row._mapping) for row in tx.execute(select(circuits))}


def write(tx: Connection, changed: Iterable[Circuit]) -> None:
    """Store circuits as they are now."""
    put_rows(tx, circuits, [asdict(one) for one in sorted(changed, key=lambda c: c.account)], key=["account"])


def begin_trying(tx: Connection, circuit: Circuit, until: datetime) -> bool:
    """Take the one call with which an open circuit is tried, `until` then; False when another worker has it."""
    mine = circuits.c.account == circuit.account, circuits.c.until == circuit.until
    return tx.execute(update(circuits).where(*mine).values(state="probing", until=until)).rowcount == 1
