"""Reads what one user did in order, with who it was before users became one, and the common ways of many to their first order."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, or_, select

from sop_engine.core.conditions import Always, Ref
from sop_engine.core.project import Project
from sop_engine.store.columns import table_of
from sop_engine.store.dialect import run
from sop_engine.store.identity_tables import FormerUserRow, MergeRow, MovedRow
from sop_engine.store.layers import Layers, known
from sop_engine.store.scope import Scope
from sop_engine.store.splits import named_sql
from sop_engine.store.tables import EventRow, UserRow

STEPS = 5  # of a way, before the order
events, moved, merges = table_of(EventRow), table_of(MovedRow), table_of(MergeRow)
users, former = table_of(UserRow), table_of(FormerUserRow)


@dataclass(frozen=True, slots=True)
class Did:
    """An event, and the id of the user who did it at the time: another one where users became one since."""

    id: int
    kind: str
    at: datetime
    source: str
    actor: str
    owner: int


@dataclass(frozen=True, slots=True)
class Way:
    """The kinds of events before a first order, oldest first; how many users of a segment went so, and how many have an order."""

    segment: str | None
    steps: tuple[str, ...]
    users: int
    of: int


def events_in_order(tx: Connection, user_id: int, limit: int) -> list[Did]:
    """The first so many events of a user, by time."""
    these = moved.c.kind == "events", moved.c.row_id == events.c.id, merges.c.state == "done"
    by_merge = select(merges.c.younger_id).join(moved, moved.c.merge_id == merges.c.id).where(*these)
    owner = by_merge.order_by(merges.c.id).limit(1).correlate(events).scalar_subquery()  # of several the first: there it began
    c = events.c
    statement = select(c.id, c.kind, c.at, c.source, c.actor, func.coalesce(owner, c.user_id)).where(c.user_id == user_id)
    return [Did(*row) for row in tx.execute(statement.order_by(c.at, c.id).limit(limit))]


def identities_by_owner(tx: Connection, user_id: int, owners: Iterable[int], names: Sequence[str]) -> dict[int, set[str]]:
    """By user as they were before they became one: the identities each had."""
    c = merges.c
    first = select(c.before).where(c.older_id == user_id, c.state == "done").order_by(c.id).limit(1)
    united = tx.execute(first).scalar()
    mine = united["older"]["user"]["attributes"] if united else None
    if mine is None:
        mine = tx.execute(select(users.c.attributes).where(users.c.id == user_id)).scalar() or {}
    found = {user_id: {name for name in names if mine.get(name) is not None}}
    for row in tx.execute(select(former.c.id, former.c.attributes).where(former.c.id.in_(list(owners)))):
        found[row.id] = {name for name in names if row.attributes.get(name) is not None}
    return found


def united_since(tx: Connection, user_id: int) -> datetime | None:
    """When another user first became part of this one; None if nobody did."""
    c = merges.c
    return tx.execute(select(func.min(c.at)).where(c.older_id == user_id, c.state == "done")).scalar()


def shared_by_owner(tx: Connection, owners: Iterable[int]) -> dict[int, set[str]]:
    """By user: the identities by which it became one with another."""
    ids, found = list(owners), dict[int, set[str]]()
    c = merges.c
    these = c.state == "done", or_(c.older_id.in_(ids), c.younger_id.in_(ids))
    for row in tx.execute(select(c.older_id, c.younger_id, c.attribute).where(*these)):
        for user in (row.older_id, row.younger_id):
            found.setdefault(user, set()).add(row.attribute)
    return found


def ways_to_first_order(
    tx: Connection, project: Project, by: Ref | None, now: datetime, *, kinds: Sequence[str], top: int
) -> list[Way]:  # fmt: skip
    """The most common ways to the first order, per value of `by` (None: of everybody) as it is now: the largest segments first.

    The database counts them by windows over the log; a row for each way that is told comes back. Done by the user, of these kinds;
    repeats in a row are one step, and only the last STEPS are looked at.
    """
    layers = Layers(known(tx, project, now), Scope.everybody())
    to = layers.to
    if by is not None:
        layers.add([by])
    layers.condition(Always())
    segment = "''" if by is None else named_sql(by, layers.read(by))
    backs = [f"b{n}" for n in range(STEPS, 0, -1)]
    purchase = to.quoted(project.settings.purchase[0])
    done = "e.actor = 'user' AND e.counted IS TRUE"
    listed = ", ".join(backs)
    sql = f"""
WITH orders AS (SELECT e.user_id, e.at, e.id, ROW_NUMBER() OVER (PARTITION BY e.user_id ORDER BY e.at, e.id) AS n
  FROM events e WHERE e.kind = {purchase} AND {done}),
firsts AS (SELECT user_id, at, id FROM orders WHERE n = 1),
steps AS (SELECT e.user_id, e.kind, e.at, e.id, LAG(e.kind) OVER (PARTITION BY e.user_id ORDER BY e.at, e.id) AS before
  FROM firsts o JOIN events e ON e.user_id = o.user_id
  WHERE (e.at < o.at OR (e.at = o.at AND e.id < o.id)) AND {done} AND e.kind IN {to.one_of(kinds)}),
kept AS (SELECT user_id, kind, ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY at DESC, id DESC) AS back
  FROM steps WHERE before IS NULL OR before <> kind),
ways AS (SELECT user_id, {", ".join(f"MAX(CASE WHEN back = {b[1:]} THEN kind END) AS {b}" for b in backs)} FROM kept GROUP BY user_id),
parts AS (SELECT user_id, {segment} AS g FROM {layers.query()}),
counted AS (SELECT p.g, {listed}, COUNT(*) AS n FROM firsts o JOIN parts p ON p.user_id = o.user_id
  LEFT JOIN ways w ON w.user_id = o.user_id GROUP BY p.g, {listed}),
placed AS (SELECT g, {listed}, n, SUM(n) OVER (PARTITION BY g) AS total,
  ROW_NUMBER() OVER (PARTITION BY g ORDER BY n DESC, {", ".join(f"COALESCE({b}, '')" for b in backs)}) AS place FROM counted)
SELECT g, {listed}, n, total FROM placed WHERE place <= {int(top)} ORDER BY total DESC, g, place"""
    return [_way(row, by) for row in run(tx, sql, layers.params)]


def _way(row: Any, by: Ref | None) -> Way:
    segment, *steps, users, total = row
    return Way(None if by is None else segment, tuple(step for step in steps if step is not None), int(users), int(total))
