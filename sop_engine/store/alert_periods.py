"""Remembers what alerts saw in each closed period, and which of them rang; once a period."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from sop_engine.store.bulk import put_rows
from sop_engine.store.columns import table_of
from sop_engine.store.report_tables import AlertPeriodRow

periods = table_of(AlertPeriodRow)


@dataclass(frozen=True, slots=True)
class AlertPeriod:
    """One alert asked about one period of local days (ordinals, both included); what is None could not be known."""

    name: str
    first_day: int
    last_day: int
    value: float | None
    before: float | None
    bound: float | None
    counted: float
    rang: bool
    at: datetime


def put(tx: Connection, asked: AlertPeriod) -> None:
    """Remember it; what was remembered about the period before stays as it is."""
    put_rows(tx, periods, [asdict(asked)], key=("name", "last_day"), over=False)


def list_periods(tx: Connection, *, rang: bool | None = None, names: Sequence[str] = (), limit: int = 50) -> list[AlertPeriod]:
    """The latest periods first; only those that rang or did not, only of these alerts."""
    c = periods.c
    statement = select(periods).order_by(c.last_day.desc(), c.name).limit(limit)
    if rang is not None:
        statement = statement.where(c.rang.is_(rang))
    if names:
        statement = statement.where(c.name.in_(list(names)))
    return [AlertPeriod(**row._mapping) for row in tx.execute(statement)]
