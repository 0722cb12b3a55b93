"""Tells the database's own time: leases and rates are counted in it, for the clocks of hosts differ. Nothing else reads it."""

from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import Connection

LeaseClock = Callable[[Connection], datetime]


def database_time(tx: Connection) -> datetime:
    """The database's time now (not that of the transaction's begin), aware UTC."""
    if tx.dialect.name == "postgresql":
        at: datetime = tx.exec_driver_sql("SELECT clock_timestamp()").scalar_one()
        return at.astimezone(UTC)
    return datetime.fromisoformat(tx.exec_driver_sql("SELECT strftime('%Y-%m-%d %H:%M:%f+00:00', 'now')").scalar_one())
