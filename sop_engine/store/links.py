"""Remembers where tracked links lead and who followed them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, select, update

from sop_engine.store.bulk import put_rows
from sop_engine.store.columns import table_of
from sop_engine.store.link_tables import ClickRow, LinkRow
from sop_engine.store.run_tables import TouchRow
from sop_engine.store.tables import UserRow

links, clicks = table_of(LinkRow), table_of(ClickRow)
touches, users = table_of(TouchRow), table_of(UserRow)
REPEATED = ("touch_id", "n")


def add(tx: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Store links (touch_id, n, name, url, at); a touch that is written anew has its links written over."""
    put_rows(tx, links, rows, key=REPEATED)


@dataclass(frozen=True, slots=True)
class Target:
    """Where a link leads, and when its message was accepted (None: it was not yet)."""

    touch_id: int
    n: int
    url: str
    at: datetime
    accepted_at: datetime | None


def find(tx: Connection, touch_id: int, n: int) -> Target | None:
    """The target of a link, if there is one."""
    known = select(links.c.url, links.c.at, touches.c.state, touches.c.done_at, touches.c.intent_at)
    joined = known.join(touches, touches.c.id == links.c.touch_id)
    row = tx.execute(joined.where(links.c.touch_id == touch_id, links.c.n == n)).first()
    if row is None:
        return None
    accepted = row.done_at if row.state == "sent" else row.intent_at if row.state in ("unknown", "failed") else None
    return Target(touch_id, n, row.url, row.at, accepted)


def note_visit(tx: Connection, touch_id: int, n: int, why: str, at: datetime) -> None:
    """Note that a link was followed; `why` it is suspect. The first visit counts, and the first that is not suspect."""
    state, mine = ("suspect" if why else "pending"), (clicks.c.touch_id == touch_id, clicks.c.n == n)
    known = tx.execute(select(clicks.c.state).where(*mine)).scalar()
    if known is None:
        put_rows(tx, clicks, [{"touch_id": touch_id, "n": n, "state": state, "why": why, "at": at}], key=REPEATED, over=False)
    elif known == "suspect" and not why:
        tx.execute(update(clicks).where(*mine, clicks.c.state == "suspect").values(state=state, why="", at=at))


@dataclass(frozen=True, slots=True)
class Click:
    """A visit that is not judged yet, with what its event says."""

    touch_id: int
    n: int
    name: str
    at: datetime
    user_key: str
    flow: str
    step: str
    channel: str
    template: str


def pending(tx: Connection, until: datetime, limit: int) -> list[Click]:
    """Visits until then that wait to be judged, the oldest first."""
    t = touches.c
    listed = select(clicks.c.touch_id, clicks.c.n, links.c.name, clicks.c.at, users.c.key, t.flow, t.step, t.channel, t.template)
    joined = listed.join(links, (links.c.touch_id == clicks.c.touch_id) & (links.c.n == clicks.c.n))
    joined = joined.join(touches, t.id == clicks.c.touch_id).join(users, users.c.id == t.user_id)
    rows = tx.execute(joined.where(clicks.c.state == "pending", clicks.c.at <= until).order_by(clicks.c.at).limit(limit))
    return [Click(*row) for row in rows]


def next_pending(tx: Connection) -> datetime | None:
    """When the oldest visit came that is not judged."""
    return tx.execute(select(func.min(clicks.c.at)).where(clicks.c.state == "pending")).scalar()


def times_of(tx: Connection, touch_ids: Iterable[int]) -> dict[int, tuple[int, list[datetime]]]:
    """By touch: how many links it has, and when those that were followed were."""
    ids = list(touch_ids)
    counted = select(links.c.touch_id, func.count()).where(links.c.touch_id.in_(ids)).group_by(links.c.touch_id)
    found: dict[int, tuple[int, list[datetime]]] = {row[0]: (row[1], []) for row in tx.execute(counted)}
    for row in tx.execute(select(clicks.c.touch_id, clicks.c.at).where(clicks.c.touch_id.in_(ids))):
        found.setdefault(row.touch_id, (0, []))[1].append(row.at)
    return found


def judge(tx: Connection, judged: Mapping[tuple[int, int], str]) -> None:
    """Write what visits turned out to be: why they are suspect, by (touch, n); empty: a person's."""
    for (touch_id, n), why in sorted(judged.items()):
        mine = clicks.c.touch_id == touch_id, clicks.c.n == n, clicks.c.state == "pending"
        tx.execute(update(clicks).where(*mine).values(state="suspect" if why else "genuine", why=why))


def list_clicks(tx: Connection, touch_ids: Iterable[int]) -> list[tuple[int, int, str, str, datetime]]:
    """(touch, n, state, why, at) of what was followed of these touches, in order."""
    c = clicks.c
    rows = tx.execute(select(c.touch_id, c.n, c.state, c.why, c.at).where(c.touch_id.in_(list(touch_ids))).order_by(c.touch_id, c.n))
    return [tuple(row) for row in rows]


def forget(tx: Connection, before: datetime) -> None:
    """Let go of links written before then, and of what is known of their visits."""
    old = select(links.c.touch_id).where(links.c.at < before)
    tx.execute(delete(clicks).where(clicks.c.touch_id.in_(old), clicks.c.state != "pending"))
    tx.execute(delete(links).where(links.c.at < before))
