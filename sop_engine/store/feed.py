"""Remembers what other systems are still to be told: in order for each user, at least once."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, delete, func, select, update

from sop_engine.core.feeds import Entry, Fate
from sop_engine.store.bulk import add_rows, among
from sop_engine.store.columns import table_of
from sop_engine.store.dialect import dialect, run
from sop_engine.store.feed_tables import FeedRow
from sop_engine.store.run_tables import TouchRow
from sop_engine.store.tables import UserRow

feed, users, touches = table_of(FeedRow), table_of(UserRow), table_of(TouchRow)


def add(tx: Connection, feeds: Iterable[str], told: Sequence[tuple[int, str, datetime, Mapping[str, Any]]]) -> None:
    """Write (user, kind, at, body) for each of these feeds."""
    fresh = {"state": "waiting", "tries": 0, "error": ""}
    rows = [
        {"feed": name, "user_id": user, "kind": kind, "at": at, "body": dict(body), "due_at": at, **fresh}
        for user, kind, at, body in told
        for name in feeds
    ]
    add_rows(tx, feed, rows)


def add_movers(tx: Connection, feeds: Iterable[str], model: str, cause: str, at: datetime) -> None:
    """Write the moves that `placements.place` has just made, inside the database."""
    to = dialect(tx)
    said = [("model", f"CAST({to.quoted(model)} AS TEXT)", "text"), ("from", "old", "text"), ("to", "new", "text")]
    body = to.json_object([*said, ("cause", f"CAST({to.quoted(cause)} AS TEXT)", "text")])
    p = to.param("at")
    for name in feeds:
        columns = "feed, user_id, kind, at, body, state, tries, due_at, error"
        values = f"{to.quoted(name)}, user_id, 'level.moved', {p}, {body}, 'waiting', 0, {p}, ''"
        run(tx, f"INSERT INTO feed ({columns}) SELECT {values} FROM movers ORDER BY user_id", {"at": to.instant(at)})


def outcomes_of(tx: Connection, touch_ids: Iterable[int]) -> list[tuple[int, str, dict[str, Any]]]:
    """(user, state, what is told) of touches, in order."""
    t = touches.c
    listed = select(t.id, t.user_id, t.run_id, t.flow, t.step, t.state, t.reason, t.channel, t.template, t.benefit).where(among(t.id))
    rows = tx.execute(listed.order_by(t.id), {"ids": list(touch_ids)})
    same = ("step", "channel", "template", "benefit", "reason")
    return [(r.user_id, r.state, {"flow": r.flow, "run": r.run_id, "touch": r.id, **{n: getattr(r, n) for n in same}}) for r in rows]


def claim(tx: Connection, name: str, now: datetime, until: datetime, limit: int) -> list[Entry]:
    """Take entries that are due and the first of their user, oldest first; nobody else takes them before `until`."""
    due = feed.c.due_at <= now
    first = select(feed.c.id).where(*_first_of_user(name), due).order_by(feed.c.due_at, feed.c.id).limit(limit)
    ids = list(tx.execute(first.with_for_update(skip_locked=True, of=feed)).scalars())
    if not ids:
        return []
    tx.execute(update(feed).where(feed.c.id.in_(ids), feed.c.state == "waiting", due).values(due_at=until))
    c = feed.c
    told = select(c.id, c.user_id, users.c.key, c.kind, c.at, c.body, c.tries).join(users, users.c.id == c.user_id)
    return [Entry(*row) for row in tx.execute(told.where(c.id.in_(ids)).order_by(c.id))]


def settle(tx: Connection, fates: Mapping[int, Fate], now: datetime) -> None:
    """Write what became of entries that were tried."""
    rows = [
        {"entry": i, "new": one.state, "due": one.due_at, "said": one.error, "done": None if one.state == "waiting" else now}
        for i, one in fates.items()
    ]
    mine = update(feed).where(feed.c.id == bindparam("entry"), feed.c.state == "waiting")
    values: dict[str, Any] = {
        "state": bindparam("new"),
        "due_at": bindparam("due"),
        "error": bindparam("said"),
        "done_at": bindparam("done"),
    }
    if rows:
        tx.execute(mine.values(**values, tries=feed.c.tries + 1), rows)


def give_back(tx: Connection, ids: Iterable[int], now: datetime) -> None:
    """Entries that were taken and not tried are due again."""
    tx.execute(update(feed).where(feed.c.id.in_(list(ids)), feed.c.state == "waiting").values(due_at=now))


def next_due(tx: Connection, name: str) -> datetime | None:
    """When the next entry of a feed is tried."""
    return tx.execute(select(func.min(feed.c.due_at)).where(*_first_of_user(name))).scalar()


def _first_of_user(name: str) -> tuple[ColumnElement[bool], ...]:
    """Waiting entries of a feed before which no other of the same user waits."""
    earlier = feed.alias("earlier")
    behind = (earlier.c.feed == name) & (earlier.c.user_id == feed.c.user_id) & (earlier.c.id < feed.c.id) & (earlier.c.state == "waiting")
    return feed.c.feed == name, feed.c.state == "waiting", ~select(earlier.c.id).where(behind).exists()


def standing(tx: Connection, name: str) -> tuple[int, datetime | None, dict[str, int], str]:
    """(how many wait, since when, how many are taken, refused and given up, the last error) of a feed."""
    mine = feed.c.feed == name
    counted = {row[0]: row[1] for row in tx.execute(select(feed.c.state, func.count()).where(mine).group_by(feed.c.state))}
    waiting = counted.pop("waiting", 0)
    oldest = tx.execute(select(func.min(feed.c.at)).where(mine, feed.c.state == "waiting")).scalar()
    last = select(feed.c.error).where(mine, feed.c.error != "").order_by(feed.c.id.desc()).limit(1)
    return waiting, oldest, counted, tx.execute(last).scalar() or ""


def drop(tx: Connection, before: datetime, done_before: datetime) -> int:
    """Let go of entries done before `done_before`, and of those that wait since `before`; how many of the latter."""
    tx.execute(delete(feed).where(feed.c.done_at < done_before))
    return tx.execute(delete(feed).where(feed.c.state == "waiting", feed.c.at < before)).rowcount
