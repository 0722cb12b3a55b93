"""Counts over runs, touches and grants of a period; every query is one grouped pass over an index range or table."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, func, select

from sop_engine.core.calendar import midnight
from sop_engine.store.columns import table_of
from sop_engine.store.run_tables import GrantRow, RefusedStartRow, RunRow, TouchRow
from sop_engine.store.tables import EventRow

runs = table_of(RunRow)
touches = table_of(TouchRow)
grants = table_of(GrantRow)
refused_starts = table_of(RefusedStartRow)
events = table_of(EventRow)


@dataclass(frozen=True, slots=True)
class Span:
    """A period: instants with start <= t < end, and local days as ordinals, both included."""

    start: datetime
    end: datetime
    first_day: int
    last_day: int

    @staticmethod
    def of_days(first: date, last: date, zone: ZoneInfo) -> "Span":
        """The local days from first to last."""
        return Span(midnight(first, zone), midnight(last + timedelta(days=1), zone), first.toordinal(), last.toordinal())

    def between(self, first_day: int, last_day: int) -> "Span":
        """The same instants with other days, for what is counted by day alone."""
        return replace(self, first_day=first_day, last_day=last_day)


def _counted(tx: Connection, columns: Sequence[ColumnElement[Any]], *where: ColumnElement[bool]) -> dict[Any, int]:
    rows = tx.execute(select(*columns, func.count()).where(*where).group_by(*columns).order_by(*columns))
    return {(row[0] if len(columns) == 1 else tuple(row[:-1])): row[-1] for row in rows}


def _inside(column: ColumnElement[Any], span: Span) -> ColumnElement[bool]:
    return (column >= span.start) & (column < span.end)


def starts(tx: Connection, span: Span) -> dict[str, int]:
    """Runs started, by flow."""
    return _counted(tx, [runs.c.flow], _inside(runs.c.started_at, span))


def refused(tx: Connection, span: Span) -> dict[tuple[str, str], int]:
    """Starts refused, by flow and reason."""
    return _counted(tx, [refused_starts.c.flow, refused_starts.c.reason], _inside(refused_starts.c.at, span))


def ends(tx: Connection, span: Span) -> dict[tuple[str, str], int]:
    """Runs ended, by flow and reason."""
    return _counted(tx, [runs.c.flow, runs.c.end_reason], _inside(runs.c.ended_at, span))


def goals(tx: Connection, span: Span) -> dict[str, int]:
    """Runs whose goal was reached, by flow."""
    return _counted(tx, [runs.c.flow], _inside(runs.c.goal_at, span))


def _sent(span: Span) -> ColumnElement[bool]:
    return (touches.c.state == "sent") & touches.c.channel.is_not(None) & _inside(touches.c.done_at, span)


def sent(tx: Connection, span: Span) -> dict[str, int]:
    """Messages sent, by flow."""
    return _counted(tx, [touches.c.flow], _sent(span))


def skipped(tx: Connection, span: Span) -> dict[tuple[str, str], int]:
    """Steps skipped, by flow and reason."""
    return _counted(tx, [touches.c.flow, touches.c.reason], touches.c.state == "skipped", _inside(touches.c.done_at, span))


def sent_by_day(tx: Connection, span: Span) -> dict[str, int]:
    """Messages sent, by local day (ISO)."""
    counted = _counted(tx, [touches.c.intent_day], _sent(span))
    return {date.fromordinal(day).isoformat(): many for day, many in counted.items()}


def sent_by_channel(tx: Connection, span: Span) -> dict[str, int]:
    """Messages sent, by channel."""
    return _counted(tx, [touches.c.channel], _sent(span))


def sent_by_level(tx: Connection, span: Span) -> dict[tuple[str, str], int]:
    """Messages sent, by flow and level of the primary tier at the intent ("" for unscored)."""
    return _counted(tx, [touches.c.flow, func.coalesce(touches.c.level, "")], _sent(span))


def benefit_costs(tx: Connection, span: Span) -> dict[tuple[str, str], tuple[int, Decimal]]:
    """By flow and benefit: how many were given and what they cost (released and voided ones left out)."""
    c = grants.c
    kept = c.state.in_(("reserved", "issued", "redeemed", "expired")) & c.given_day.between(span.first_day, span.last_day)
    rows = tx.execute(select(c.flow, c.benefit, func.count(), func.sum(c.cost)).where(kept).group_by(c.flow, c.benefit).order_by(c.flow))
    return {(flow, benefit): (many, Decimal(cost or 0)) for flow, benefit, many, cost in rows}


def send_costs(tx: Connection, span: Span) -> dict[str, Decimal]:
    """What the messages themselves cost, by flow."""
    rows = tx.execute(select(touches.c.flow, func.sum(touches.c.cost)).where(_sent(span)).group_by(touches.c.flow))
    return {flow: Decimal(cost or 0) for flow, cost in rows}


def overlap(tx: Connection, span: Span) -> dict[tuple[str, str], int]:
    """Users with runs of both flows that were open at the same time in the period, by pair of flows."""
    one, two = runs.alias("one"), runs.alias("two")
    together = (
        (one.c.user_id == two.c.user_id)
        & (one.c.flow < two.c.flow)
        & (one.c.started_at < func.coalesce(two.c.ended_at, span.end))
        & (two.c.started_at < func.coalesce(one.c.ended_at, span.end))
    )
    statement = select(one.c.flow, two.c.flow, func.count(func.distinct(one.c.user_id))).join(two, together)
    rows = tx.execute(statement.where(_inside(one.c.started_at, span), _inside(two.c.started_at, span)).group_by(one.c.flow, two.c.flow))
    return {(a, b): many for a, b, many in rows}


def most_a_day(tx: Connection, span: Span) -> int:
    """Marketing messages one user got on one local day at most."""
    many = func.count().label("many")
    daily = select(many).where(_sent(span), touches.c.purpose == "marketing").group_by(touches.c.user_id, touches.c.intent_day).subquery()
    return tx.execute(select(func.max(daily.c.many))).scalar() or 0


def natural_returns(
    tx: Connection, kinds: Sequence[str], on: date, quiet_days: int, within_days: int, known_by: datetime | None = None
) -> tuple[int, int]:
    """(lapsed, returned) on a local day: users quiet for so long; of them, those with an event within the next days.

    What a win-back must beat: nobody contacted them for it. `known_by`: only events that had come in by then.
    """
    e, day = events.c, on.toordinal()
    real = e.kind.in_(kinds) & e.counted
    if known_by is not None:
        real &= e.received_at <= known_by
    last = select(e.user_id).where(real, e.day <= day).group_by(e.user_id).having(func.max(e.day) <= day - quiet_days).subquery()
    lapsed = tx.execute(select(func.count()).select_from(last)).scalar_one()
    again = select(func.count(func.distinct(e.user_id))).join(last, last.c.user_id == e.user_id)
    return lapsed, tx.execute(again.where(real, e.day > day, e.day <= day + within_days)).scalar_one()


def entered_quiet(tx: Connection, kinds: Sequence[str], today: int, quiet_days: int, span: int) -> int:
    """Users whose last of these events was so many days before one of the last `span` local days: who became silent lately."""
    e = events.c
    last = func.max(e.day)
    real = e.kind.in_(kinds) & e.counted & (e.day < today)
    quiet = select(e.user_id).where(real).group_by(e.user_id)
    found = quiet.having(last >= today - quiet_days - span, last < today - quiet_days).subquery()
    return int(tx.execute(select(func.count()).select_from(found)).scalar_one())
