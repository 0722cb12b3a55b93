"""Remembers how calls to accounts go; read before every intent, written when something changes."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects.postgresql import insert as upsert_pg
from sqlalchemy.dialects.sqlite import insert as upsert_lite

from sop_engine.core.circuit import Circuit
from sop_engine.store.columns import table_of
from sop_engine.store.safety_tables import CircuitRow

circuits = table_of(CircuitRow)


def read(tx: Connection) -> dict[str, Circuit]:
    """Every circuit that was ever disturbed, by account."""
    return {row.account: Circuit(**row._mapping) for row in tx.execute(select(circuits))}


def write(tx: Connection, changed: Iterable[Circuit]) -> None:
    """Store circuits as they are now."""
    upsert = (upsert_pg if tx.dialect.name == "postgresql" else upsert_lite)(circuits)
    kept = {name: upsert.excluded[name] for name in [c.name for c in circuits.c] if name != "account"}
    rows = [asdict(one) for one in sorted(changed, key=lambda c: c.account)]
    if rows:
        tx.execute(upsert.on_conflict_do_update(index_elements=["account"], set_=kept), rows)


def begin_trying(tx: Connection, circuit: Circuit, until: datetime) -> bool:
    """Take the one call with which an open circuit is tried, `until` then; False when another worker has it."""
    mine = circuits.c.account == circuit.account, circuits.c.until == circuit.until
    return tx.execute(update(circuits).where(*mine).values(state="probing", until=until)).rowcount == 1
