"""Counts what became of delivered messages: opened, clicked, blocked, woken, answered by an order; by channel, level and flow.

Every query is one grouped pass over the touches and receipts of a window, joined to events by user through their index: it grows
with the messages of the window, and hands back a row for each channel, level or flow, never one for each user.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, exists, func, or_, select

from sop_engine.core.consent import ANY, MARKETING
from sop_engine.core.project import BUILT_IN_EVENTS
from sop_engine.store.columns import table_of
from sop_engine.store.counting import Span
from sop_engine.store.run_tables import AssignmentRow, OptOutRow, ReceiptRow, RunRow, TouchRow
from sop_engine.store.tables import EventRow

touches = table_of(TouchRow)
receipts = table_of(ReceiptRow)
runs = table_of(RunRow)
assignments = table_of(AssignmentRow)
opt_outs = table_of(OptOutRow)
events = table_of(EventRow)


def done_by_user(e: Any, kinds: Sequence[str]) -> ColumnElement[bool]:
    """Events of these kinds that count and that the user did (built-in ones by anybody); `e` are the columns of events."""
    mine = or_(e.actor == "user", e.kind.in_(BUILT_IN_EVENTS))
    return and_(e.kind.in_(list(kinds)), e.counted.is_(True), mine)


def _came(kind: str) -> Any:
    return receipts.alias(kind)


def _delivered(span: Span) -> tuple[Any, Any, ColumnElement[bool]]:
    """(the join, the receipt, the condition) of marketing messages delivered in the window."""
    came = _came("came")
    joined = touches.join(came, and_(came.c.touch_id == touches.c.id, came.c.kind == "delivered"))
    t = touches.c
    inside = and_(t.state == "sent", t.purpose == "marketing", came.c.at >= span.start, came.c.at < span.end)
    return joined, came, inside


def deliveries(tx: Connection, span: Span) -> list[tuple[str, str, int, int, int]]:
    """(channel, level at the send or "", delivered, opened, clicked) of marketing messages delivered in the window."""
    joined, _, inside = _delivered(span)
    opened, clicked = _came("opened"), _came("clicked")
    for receipt in (opened, clicked):
        joined = joined.outerjoin(receipt, and_(receipt.c.touch_id == touches.c.id, receipt.c.kind == receipt.name))
    level = func.coalesce(touches.c.level, "")
    counted = (func.count(), func.count(opened.c.touch_id), func.count(clicked.c.touch_id))
    statement = select(touches.c.channel, level, *counted).select_from(joined).where(inside)
    rows = tx.execute(statement.group_by(touches.c.channel, level).order_by(touches.c.channel, level))
    return [(row[0], row[1], int(row[2]), int(row[3]), int(row[4])) for row in rows]


def left_in(o: Any, span: Span) -> ColumnElement[bool]:
    """Rows of `opt_outs` of a period that refuse all promotion of their channel, and not one topic alone."""
    return and_(o.topic.in_((ANY, MARKETING)), o.at >= span.start, o.at < span.end)


def refusals(tx: Connection, span: Span) -> list[tuple[str, int, int]]:
    """(channel, users reached, users of them who blocked or refused this channel or everything in the window)."""
    joined, _, inside = _delivered(span)
    o = opt_outs.c
    refused = exists().where(
        o.user_id == touches.c.user_id,
        or_(o.channel == touches.c.channel, o.channel == "*"),
        left_in(o, span),
    )
    users = func.count(func.distinct(touches.c.user_id))
    left = func.count(func.distinct(case((refused, touches.c.user_id))))
    statement = select(touches.c.channel, users, left).select_from(joined).where(inside)
    return [(row[0], int(row[1]), int(row[2])) for row in tx.execute(statement.group_by(touches.c.channel).order_by(touches.c.channel))]


def came_back(tx: Connection, span: Span, kinds: Sequence[str], within: int, closed: int) -> dict[str, tuple[int, int, int]]:
    """By flow: distinct users with a delivered message whose window is over, of them who did one of these within so many days, too young.

    Of several messages to one user any may be the one. A window ends with the local day `within` days after that of the message;
    `closed` is the last complete day. The total over the flows counts a user once, under "".
    """
    joined, came, inside = _delivered(span)
    t, e = touches.c, events.c
    old = t.intent_day <= closed - within
    back = exists().where(e.user_id == t.user_id, done_by_user(e, kinds), e.at > came.c.at, e.day <= t.intent_day + within)
    users = _distinct(t.user_id, old), _distinct(t.user_id, and_(old, back)), func.count(func.distinct(t.user_id))
    by_flow = select(t.flow, *users).select_from(joined).where(inside).group_by(t.flow).order_by(t.flow)
    return {row[0]: (int(row[1]), int(row[2]), int(row[3]) - int(row[1])) for row in tx.execute(by_flow)}


def _distinct(user: Any, where: Any) -> Any:
    return func.count(func.distinct(case((where, user))))


def answers_by_recency(
    tx: Connection, span: Span, order: str, within: int, closed: int, content_type: str | None
) -> dict[str, tuple[int, int, int]]:
    """By days since the last order at the send (`recent`: up to 30, `between`, `lapsed`: 60 and more): messages, answered, too young.

    A message is answered by an order after it, up to `within` local days later. Users who had never bought are left out.
    """
    joined, came, inside = _delivered(span)
    t, e, before = touches.c, events.c, events.alias("before")
    last = (
        select(func.max(before.c.day)).where(before.c.user_id == t.user_id, done_by_user(before.c, [order]), before.c.at < came.c.at)
    ).scalar_subquery()
    back = exists().where(e.user_id == t.user_id, done_by_user(e, [order]), e.at > came.c.at, e.day <= t.intent_day + within)
    chosen = inside if content_type is None else and_(inside, t.content_type == content_type)
    old = t.intent_day <= closed - within
    each = (
        select((t.intent_day - last).label("days"), case((old, 1), else_=0).label("old"), case((and_(old, back), 1), else_=0).label("back"))
        .select_from(joined)
        .where(chosen)
        .subquery()
    )
    band = case((each.c.days <= 30, "recent"), (each.c.days >= 60, "lapsed"), else_="between").label("band")
    statement = select(band, func.sum(each.c.old), func.sum(each.c.back), func.count()).where(each.c.days.is_not(None)).group_by(band)
    return {row[0]: (int(row[1]), int(row[2]), int(row[3]) - int(row[1])) for row in tx.execute(statement)}


def conversions(tx: Connection, span: Span, closes: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    """By flow: messages delivered, and runs whose goal was reached after one of them.

    `closes`: by flow, the last local day of a message whose goal window is over; other flows are left out.
    """
    if not closes:
        return {}
    joined, came, inside = _delivered(span)
    t, r = touches.c, runs.c
    old = or_(*(and_(t.flow == flow, t.intent_day <= day) for flow, day in closes.items()))
    joined = joined.join(runs, r.id == t.run_id)
    reached = func.count(func.distinct(case((r.goal_at >= came.c.at, r.id))))
    statement = select(t.flow, func.count(), reached).select_from(joined).where(inside, old).group_by(t.flow).order_by(t.flow)
    return {row[0]: (int(row[1]), int(row[2])) for row in tx.execute(statement)}


def arms(tx: Connection, experiment: str, flow: str, span: Span, kinds: Sequence[str], within: int) -> dict[bool, tuple[int, int]]:
    """By held out or not: users assigned whose first run of the flow began on these local days, and of them who did one of these
    events from then to `within` local days later. The clock is the start for both, so that both are counted alike.
    """
    r, e, a = runs.c, events.c, assignments.c
    first = select(func.min(r.id).label("id")).where(r.flow == flow).group_by(r.user_id).subquery()
    back = exists().where(e.user_id == r.user_id, done_by_user(e, kinds), e.at > r.started_at, e.day <= r.started_day + within)
    joined = runs.join(first, first.c.id == r.id).join(assignments, and_(a.user_id == r.user_id, a.experiment == experiment))
    statement = select(a.held_out, func.count(), func.sum(case((back, 1), else_=0))).select_from(joined)
    rows = tx.execute(statement.where(r.started_day >= span.first_day, r.started_day <= span.last_day).group_by(a.held_out))
    return {bool(row[0]): (int(row[1]), int(row[2])) for row in rows}
