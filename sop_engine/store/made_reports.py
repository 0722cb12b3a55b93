"""Keeps the reports that were made, each period and format once, as the bytes they were."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from sop_engine.store.bulk import put_rows
from sop_engine.store.columns import table_of
from sop_engine.store.report_tables import MadeReportRow

made = table_of(MadeReportRow)
PATIENCE_MS = 600_000


@dataclass(frozen=True, slots=True)
class Kept:
    """A report as it was made: of local days (ordinals), when, in which format, and the file it stands in as well, if any."""

    name: str
    first_day: int
    last_day: int
    format: str
    place: str
    at: datetime


def keep(tx: Connection, name: str, days: tuple[int, int], bodies: Mapping[str, str], places: Mapping[str, str], at: datetime) -> None:
    """Keep a report in its formats; what was kept of the period before stays as it is."""
    common = {"name": name, "first_day": days[0], "last_day": days[1], "at": at}
    rows = [{**common, "format": form, "body": body, "place": places.get(form, "")} for form, body in bodies.items()]
    put_rows(tx, made, rows, key=("name", "last_day", "format"), over=False)


def find(tx: Connection, name: str, last_day: int, form: str) -> str | None:
    """The report of a period as it was made in a format; None if it was not."""
    c = made.c
    body: str | None = tx.execute(select(c.body).where(c.name == name, c.last_day == last_day, c.format == form)).scalar()
    return body


def latest(tx: Connection) -> dict[str, list[Kept]]:
    """By name: what was made of the latest period, one for each format."""
    newest = select(made.c.name, func.max(made.c.last_day).label("last_day")).group_by(made.c.name).subquery()
    c = made.c
    joined = select(c.name, c.first_day, c.last_day, c.format, c.place, c.at).join(
        newest, (newest.c.name == c.name) & (newest.c.last_day == c.last_day)
    )
    found: dict[str, list[Kept]] = {}
    for row in tx.execute(joined.order_by(c.name, c.format)):
        found.setdefault(row.name, []).append(Kept(**row._mapping))
    return found


def be_patient(tx: Connection) -> None:
    """Statements of this transaction may take longer than those of a worker: a report reads whole periods."""
    if tx.dialect.name == "postgresql":
        tx.exec_driver_sql(f"SET LOCAL statement_timeout = {PATIENCE_MS}")
