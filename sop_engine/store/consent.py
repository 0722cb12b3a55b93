"""Keeps the ledger of consent, the refusals that stand by it, and tasks that hold a user's flows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Table, and_, delete, insert, or_, select, update

from sop_engine.core.consent import ANY, WITHDRAWN, Key, Said, Standing, key_of, standing, strictest
from sop_engine.store.bulk import among
from sop_engine.store.columns import table_of
from sop_engine.store.consent_tables import ConsentRow
from sop_engine.store.outbox import ESCALATED
from sop_engine.store.people import take_turns
from sop_engine.store.run_tables import OptOutRow, TaskRow

consents = table_of(ConsentRow)
opt_outs = table_of(OptOutRow)
tasks = table_of(TaskRow)

NOTHING = Standing()


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the ledger as it is shown: who said what about which channel and topic, when, and where that can be seen."""

    channel: str
    topic: str
    state: str
    at: datetime
    source: str = ""
    wording: str = ""
    evidence: str = field(default="", repr=False)
    id: int = 0


def opt_outs_of(tx: Connection, user_ids: Sequence[int]) -> dict[int, frozenset[str]]:
    """By user: the refusals that stand, as words: a channel, `*` for all marketing, `CHANNEL/TOPIC`."""
    found: dict[int, set[str]] = {}
    c = opt_outs.c
    for row in tx.execute(select(c.user_id, c.channel, c.topic).where(among(c.user_id)), {"ids": user_ids}):
        found.setdefault(row.user_id, set()).add(Key(row.channel, row.topic).word)
    return {user: frozenset(words) for user, words in found.items()}


def standing_of(tx: Connection, user_ids: Iterable[int]) -> dict[int, Standing]:
    """By user: what stands of all they ever said; who never said anything is missing. One statement."""
    c = consents.c
    said: dict[int, list[Said]] = {}
    columns = (c.user_id, c.channel, c.topic, c.state, c.at, c.id)
    for row in tx.execute(select(*columns).where(among(c.user_id)), {"ids": list(user_ids)}):
        said.setdefault(row.user_id, []).append(Said(Key(row.channel, row.topic), row.state, row.at, row.id))
    return {user: standing(lines) for user, lines in said.items()}


def ledger_of(tx: Connection, user_id: int) -> list[Line]:
    """Everything a user said, oldest first."""
    c = consents.c
    columns = (c.channel, c.topic, c.state, c.at, c.source, c.wording, c.evidence, c.id)
    rows = tx.execute(select(*columns).where(c.user_id == user_id).order_by(c.at, c.id))
    return [Line(*row) for row in rows]


def add_opt_out(tx: Connection, user_id: int, channel: str, now: datetime, source: str, *, topic: str = ANY) -> bool:
    """Record a refusal, under the user's next turn; False when it stands already."""
    return record(tx, user_id, Line(channel, topic, WITHDRAWN, now, source))


def record(tx: Connection, user_id: int, line: Line) -> bool:
    """Add a line to the ledger under the user's next turn, so that no later intent misses it; False when it changes nothing.

    A permission is recorded though one stands: it is evidence. A refusal that stands, with no permission within it, is not.
    """
    key = Key(line.channel, line.topic)
    before = standing_of(tx, [user_id]).get(user_id, NOTHING)
    if line.state == WITHDRAWN and key.word in before.refused and not any(key.covers(key_of(w)) for w in before.granted):
        return False
    turn = take_turns(tx, [user_id])[user_id]
    _append(tx, user_id, line, turn)
    _derive(tx, user_id)
    return True


def _append(tx: Connection, user_id: int, line: Line, turn: int | None) -> None:
    names = ("channel", "topic", "state", "at", "source", "wording", "evidence")
    tx.execute(insert(consents).values(user_id=user_id, turn=turn, **{name: getattr(line, name) for name in names}))


def _derive(tx: Connection, user_id: int) -> None:
    """Make the refusals what follows from the ledger: those that stand keep their row as it is."""
    words = standing_of(tx, [user_id]).get(user_id, NOTHING).refused
    there = opt_outs_of(tx, [user_id]).get(user_id, frozenset())
    for word in sorted(there - words):
        gone = key_of(word)
        tx.execute(delete(opt_outs).where(opt_outs.c.user_id == user_id, _is(opt_outs, gone)))
    for word in sorted(words - there):
        key, c = key_of(word), consents.c
        last = select(c.at, c.source, c.turn).where(c.user_id == user_id, c.state == WITHDRAWN, _is(consents, key))
        row = tx.execute(last.order_by(c.at.desc(), c.id.desc()).limit(1)).one()
        mine = {"user_id": user_id, "channel": key.channel, "topic": key.topic}
        tx.execute(insert(opt_outs).values(**mine, at=row.at, source=row.source, turn=row.turn))


def _is(table: Table, key: Key) -> ColumnElement[bool]:
    return and_(table.c.channel == key.channel, table.c.topic == key.topic)


def unite_ledgers(tx: Connection, user_id: int, both: tuple[Standing, Standing], now: datetime) -> None:
    """Two users are one, whose ledger holds the lines of both: what either refused is refused, whatever the other allowed."""
    _insist(tx, user_id, strictest(*both), Line(ANY, ANY, WITHDRAWN, now, "merge"))


def part_ledgers(tx: Connection, user_ids: Sequence[int], now: datetime) -> None:
    """Two users are two again, each with own lines: refusals that stood stay with both."""
    for user, words in opt_outs_of(tx, user_ids).items():
        _insist(tx, user, words, Line(ANY, ANY, WITHDRAWN, now, "merge undone"))
    for user in user_ids:
        _derive(tx, user)


def _insist(tx: Connection, user_id: int, words: Iterable[str], line: Line) -> None:
    for word in sorted(words):
        key = key_of(word)
        now = standing_of(tx, [user_id]).get(user_id, NOTHING)
        if word not in now.refused or any(key.covers(key_of(w)) for w in now.granted):
            _append(tx, user_id, Line(key.channel, key.topic, WITHDRAWN, line.at, line.source), None)
    _derive(tx, user_id)


def users_handed_off(tx: Connection, user_ids: Sequence[int]) -> frozenset[int]:
    """Users with an open hand-off to a person."""
    mine = select(tasks.c.user_id).where(among(tasks.c.user_id), tasks.c.state == "open", tasks.c.key.startswith("handoff:"))
    return frozenset(tx.execute(mine, {"ids": user_ids}).scalars())


def close_tasks(tx: Connection, user_id: int, state: str, now: datetime, *, touch_id: int | None = None) -> int:
    """Open tasks of a user (of one touch, or the hand-offs), and those that escalate them, end; how many."""
    mine = update(tasks).where(tasks.c.user_id == user_id, tasks.c.state == "open")
    handed_off = or_(tasks.c.key.startswith("handoff:"), tasks.c.key.startswith(f"{ESCALATED}handoff:"))
    which = tasks.c.touch_id == touch_id if touch_id is not None else handed_off
    return tx.execute(mine.where(which).values(state=state, done_at=now)).rowcount
