"""Touches: planned, claimed, and what became of them. Every change of state is one conditional UPDATE."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, select, union_all, update

from sop_engine.core.guard import Sent
from sop_engine.core.playbook import Flow
from sop_engine.core.project import Project
from sop_engine.core.run import Run, Touch
from sop_engine.core.schedule import Existing, Plan, Wanted
from sop_engine.store.bulk import add_rows, among, change_rows
from sop_engine.store.columns import table_of
from sop_engine.store.identity_tables import CountedBesideRow
from sop_engine.store.run_tables import ReceiptRow, TouchRow
from sop_engine.store.runs import runs
from sop_engine.store.tables import UserRow

touches = table_of(TouchRow)
receipts = table_of(ReceiptRow)
counted_beside = table_of(CountedBesideRow)

_BRIEF_OF = attrgetter(*Touch.__dataclass_fields__)
BRIEF = [touches.c[f] for f in Touch.__dataclass_fields__]
_OF_RUNS = select(*BRIEF).where(among(touches.c.run_id)).order_by(touches.c.id)  # written once: it is hot


def touch_of(row: Row[Any]) -> Touch:
    """The value of a row that has the columns of a Touch."""
    return Touch(*_BRIEF_OF(row))


def touch_row(project: Project, run_id: int, user_id: int, flow: Flow, wanted: Wanted) -> dict[str, Any]:
    """A planned touch, as it is inserted."""
    return {
        "run_id": run_id,
        "user_id": user_id,
        "flow": flow.id,
        "step": wanted.step,
        "occurrence": wanted.occurrence,
        "state": "planned",
        "due_at": wanted.due_at,
        "first_due_at": wanted.due_at,
        "late_at": wanted.late_at,
        "rank": flow.rank,
        "lane": project.lane(flow, wanted.step),
        "epoch": 0,
        "attempts": 0,
        "proof": 0,
    }


def add_touches(tx: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert planned touches."""
    add_rows(tx, touches, rows)


def carry_out(tx: Connection, project: Project, run: Run, flow: Flow, plan: Plan, now: datetime) -> None:
    """Write a plan for one run: nothing but planned touches changes."""
    add_touches(tx, [touch_row(project, run.id, run.user_id, flow, w) for w in plan.add])
    by_reason: dict[str, list[int]] = {}
    for touch_id, reason in plan.cancel:
        by_reason.setdefault(reason, []).append(touch_id)
    for reason, ids in by_reason.items():
        cancel_touches(tx, dict.fromkeys(ids, now), reason)
    for touch_id, wanted in plan.shift:
        shifted = {"due_at": wanted.due_at, "first_due_at": wanted.due_at, "late_at": wanted.late_at}
        tx.execute(update(touches).where(touches.c.id == touch_id, touches.c.state == "planned").values(shifted))


def reschedule(tx: Connection, wanted: Sequence[tuple[int, Wanted]]) -> None:
    """Give planned touches another time, and the occurrence that goes with it."""
    for touch_id, one in wanted:
        values = {"occurrence": one.occurrence, "due_at": one.due_at, "first_due_at": one.due_at, "late_at": one.late_at}
        tx.execute(update(touches).where(touches.c.id == touch_id, touches.c.state == "planned").values(values))


def cancel_touches(tx: Connection, times: Mapping[int, datetime], reason: str) -> None:
    """Cancel touches that are planned or queued, each at its time; what is being sent goes on."""
    cancelled = {"state": "cancelled", "reason": reason, "lease_until": None}
    rows = [{"id": touch, **cancelled, "done_at": at} for touch, at in times.items()]
    change_rows(tx, touches, rows, states=["planned", "queued"])


def existing_of(tx: Connection, run_id: int) -> list[Existing]:
    """What is there for one run."""
    c = touches.c
    rows = tx.execute(select(c.id, c.step, c.occurrence, c.state, c.due_at).where(c.run_id == run_id))
    return [Existing(*row) for row in rows]


def touches_of_runs(tx: Connection, run_ids: Iterable[int]) -> dict[int, list[Touch]]:
    """Touches by run, in the order they were planned."""
    found: dict[int, list[Touch]] = {}
    for row in tx.execute(_OF_RUNS, {"ids": run_ids}):
        found.setdefault(row.run_id, []).append(touch_of(row))
    return found


def write(tx: Connection, state: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Leave `state`: each row names its touch (`touch`), held by the caller, and the columns to set."""
    by_columns: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        by_columns.setdefault(tuple(sorted(row)), []).append(row)
    for group in by_columns.values():
        change_rows(tx, touches, [{("id" if c == "touch" else c): v for c, v in sorted(row.items())} for row in group], states=[state])


def lift(tx: Connection, accepted: Mapping[int, str | None], now: datetime) -> list[Touch]:
    """Touches whose outcome was unknown, or given up as such, were sent after all (provider id by touch); those it was true of."""
    lost = (touches.c.state == "unknown") | ((touches.c.state == "failed") & (touches.c.reason == "outcome_unknown"))
    statement = update(touches).where(touches.c.id == bindparam("touch"), lost)
    values = statement.values(state="sent", reason=None, done_at=now, look_at=None, provider_id=bindparam("given"))
    before = select(touches.c.id).where(touches.c.id.in_(list(accepted)), lost).order_by(touches.c.id).with_for_update()
    ids = list(tx.execute(before).scalars())
    if ids:
        tx.execute(values, [{"touch": i, "given": accepted[i]} for i in ids])
    return [touch_of(row) for row in tx.execute(select(*BRIEF).where(touches.c.id.in_(ids)))]


def next_due(tx: Connection) -> datetime | None:
    """When the next planned touch is due."""
    return tx.execute(select(func.min(touches.c.due_at)).where(touches.c.state == "planned")).scalar()


def add_receipts(tx: Connection, rows: Sequence[tuple[int, str, datetime]]) -> list[int]:
    """Store what came back, each kind once per touch; returns the touches for which it is new."""
    if not rows:
        return []
    known = select(receipts.c.touch_id, receipts.c.kind).where(among(receipts.c.touch_id))
    seen = {tuple(row) for row in tx.execute(known, {"ids": [r[0] for r in rows]})}
    fresh = [r for r in dict.fromkeys(rows) if (r[0], r[1]) not in seen]
    add_rows(tx, receipts, [{"touch_id": t, "kind": k, "at": at} for t, k, at in fresh])
    return [r[0] for r in fresh]


def forget_receipt(tx: Connection, touch_id: int, kind: str) -> None:
    """What came back is taken back."""
    tx.execute(delete(receipts).where(receipts.c.touch_id == touch_id, receipts.c.kind == kind))


def receipts_of_runs(tx: Connection, run_ids: Iterable[int]) -> dict[int, set[tuple[str, str]]]:
    """By run: (step, receipt kind) of everything that came back."""
    joined = select(touches.c.run_id, touches.c.step, receipts.c.kind).join(receipts, receipts.c.touch_id == touches.c.id)
    found: dict[int, set[tuple[str, str]]] = {}
    for row in tx.execute(joined.where(among(touches.c.run_id)), {"ids": run_ids}):
        found.setdefault(row.run_id, set()).add((row.step, row.kind))
    return found


def find_sent(tx: Connection, user_id: int, step: str, playbook: str | None) -> tuple[int, int] | None:
    """(touch, run) of the latest touch of this step sent to the user: what a receipt without an id is about."""
    c = touches.c
    perhaps = c.state.in_(("sent", "unknown", "sending")) | ((c.state == "failed") & (c.reason == "outcome_unknown"))
    statement = select(c.id, c.run_id).where(c.user_id == user_id, c.step == step, perhaps)
    if playbook:
        statement = statement.join(runs, runs.c.id == c.run_id).where((c.flow == playbook) | c.flow.startswith(f"{playbook}/"))
    row = tx.execute(statement.order_by(c.id.desc()).limit(1)).first()
    return None if row is None else (row.id, row.run_id)


def list_touches(tx: Connection, **where: Any) -> list[Row[Any]]:
    """Whole rows, oldest first, by equality of columns."""
    statement = select(touches).order_by(touches.c.id)
    for column, value in where.items():
        statement = statement.where(touches.c[column] == value)
    return list(tx.execute(statement))


def counted_of(tx: Connection, user_ids: Iterable[int], since_day: int) -> dict[int, list[Sent]]:
    """By user: marketing messages that count in caps since a local day (sent, being sent, or possibly sent)."""
    c = touches.c
    counts = c.state.in_(("sending", "sent", "unknown")) | ((c.state == "failed") & (c.reason == "outcome_unknown"))
    statement = select(c.user_id, c.intent_at, c.intent_day, c.channel).where(among(c.user_id), c.intent_day >= since_day)
    found: dict[int, list[Sent]] = {}
    beside = select(counted_beside.c.user_id, c.intent_at, c.intent_day, c.channel).join(touches, c.id == counted_beside.c.touch_id)
    beside = beside.where(among(counted_beside.c.user_id), c.user_id != counted_beside.c.user_id, c.intent_day >= since_day)
    both = union_all(statement.where(c.purpose == "marketing", counts), beside.where(c.purpose == "marketing", counts))
    for row in tx.execute(both, {"ids": user_ids}):
        found.setdefault(row.user_id, []).append(Sent(row.intent_at, row.intent_day, row.channel))
    return found


def planned_of(tx: Connection, user_ids: Iterable[int], until: datetime) -> dict[int, list[Touch]]:
    """By user: touches planned until then."""
    found: dict[int, list[Touch]] = {}
    c = touches.c
    for row in tx.execute(select(*BRIEF).where(among(c.user_id), c.state == "planned", c.due_at <= until), {"ids": user_ids}):
        found.setdefault(row.user_id, []).append(touch_of(row))
    return found


def get_touch(tx: Connection, touch_id: int) -> Touch | None:
    """One touch."""
    row = tx.execute(select(*BRIEF).where(touches.c.id == touch_id)).first()
    return None if row is None else touch_of(row)


@dataclass(frozen=True, slots=True)
class Said:
    """What the last intent of a touch wrote: its purpose, to whom, and the text."""

    purpose: str
    address: str
    text: str


def said_of(tx: Connection, touch_ids: Iterable[int]) -> dict[int, Said]:
    """By touch, what its last intent wrote."""
    c = touches.c
    rows = tx.execute(select(c.id, c.purpose, c.address, c.body).where(c.id.in_(list(touch_ids))))
    return {row.id: Said(row.purpose or "", row.address or "", row.body or "") for row in rows}


def channel_of(tx: Connection, touch_id: int) -> str:
    """The channel of the last attempt."""
    return tx.execute(select(touches.c.channel).where(touches.c.id == touch_id)).scalar() or ""


def template_of(tx: Connection, touch_id: int) -> str:
    """The template of the last intent."""
    return tx.execute(select(touches.c.template).where(touches.c.id == touch_id)).scalar() or ""


def users_due(tx: Connection, until: datetime) -> set[str]:
    """Keys of the users with a touch planned before then."""
    users = table_of(UserRow)
    mine = select(users.c.key).join(touches, touches.c.user_id == users.c.id)
    return set(tx.execute(mine.where(touches.c.state == "planned", touches.c.due_at < until).distinct()).scalars())
