"""Runs: starting, ending, and what is known about a user's earlier ones."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert_pg
from sqlalchemy.dialects.sqlite import insert as upsert_lite

from sop_engine.core.conditions import Value
from sop_engine.core.enrolment import Past
from sop_engine.core.run import Run, from_json, to_json
from sop_engine.store.columns import table_of
from sop_engine.store.run_tables import AssignmentRow, RefusedStartRow, RunRow
from sop_engine.store.tables import EventRow

runs = table_of(RunRow)
assignments = table_of(AssignmentRow)
refused_starts = table_of(RefusedStartRow)


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run to be started."""

    user_id: int
    flow: str
    version: int
    start_key: str
    cause: str
    started_at: datetime
    started_day: int
    anchor_day: date
    variant: str | None
    held_out: bool
    held: Mapping[str, Value | None]
    start_event_id: int | None = None


def run_of(row: Row[Any]) -> Run:
    """The value of a row."""
    return Run(
        row.id,
        row.user_id,
        row.flow,
        row.version,
        row.start_key,
        row.cause,
        row.started_at,
        date.fromordinal(row.anchor_day),
        row.variant,
        row.held_out,
        row.state,
        row.end_reason,
        row.ended_at,
        row.goal_at,
        from_json(row.start_facts),
        row.start_event_id,
        row.close_at,
    )


def add_runs(tx: Connection, new: Sequence[NewRun]) -> list[int | None]:
    """Insert runs; the id of each, None where the same start is stored already."""
    upsert = upsert_pg if tx.dialect.name == "postgresql" else upsert_lite
    ids: list[int | None] = []
    statement = upsert(runs).on_conflict_do_nothing(index_elements=["flow", "user_id", "start_key"]).returning(runs.c.id)
    for one in new:
        values = {
            "user_id": one.user_id,
            "flow": one.flow,
            "version": one.version,
            "start_key": one.start_key,
            "cause": one.cause,
            "started_at": one.started_at,
            "started_day": one.started_day,
            "anchor_day": one.anchor_day.toordinal(),
            "variant": one.variant,
            "held_out": one.held_out,
            "state": "open",
            "start_facts": to_json(one.held),
            "start_event_id": one.start_event_id,
        }
        ids.append(tx.execute(statement, values).scalar())
    return ids


def get_runs(tx: Connection, ids: Iterable[int]) -> dict[int, Run]:
    """Runs by id."""
    rows = tx.execute(select(runs).where(runs.c.id.in_(list(ids))))
    return {row.id: run_of(row) for row in rows}


def runs_in_sight(tx: Connection, user_ids: Iterable[int], now: datetime) -> dict[int, list[Run]]:
    """By user: runs that are open, and ended ones whose goal window is still open, oldest first."""
    sight = or_(runs.c.state == "open", runs.c.close_at > now)
    found: dict[int, list[Run]] = {}
    for row in tx.execute(select(runs).where(runs.c.user_id.in_(list(user_ids)), sight).order_by(runs.c.id)):
        found.setdefault(row.user_id, []).append(run_of(row))
    return found


def runs_started_by(tx: Connection, event_ids: Sequence[int]) -> list[Run]:
    """Open runs that these events started."""
    rows = tx.execute(select(runs).where(runs.c.start_event_id.in_(event_ids), runs.c.state == "open"))
    return [run_of(row) for row in rows]


def past_runs(tx: Connection, user_ids: Iterable[int], flows: Iterable[str]) -> dict[tuple[int, str], Past]:
    """By (user, flow): when the last run started and whether one is open."""
    statement = (
        select(runs.c.user_id, runs.c.flow, func.max(runs.c.started_at), func.max(func.coalesce(func.nullif(runs.c.state, "ended"), "")))
        .where(runs.c.user_id.in_(list(user_ids)), runs.c.flow.in_(list(flows)))
        .group_by(runs.c.user_id, runs.c.flow)
    )
    return {(user, flow): Past(last, opened == "open") for user, flow, last, opened in tx.execute(statement)}


def end_runs(tx: Connection, ids: Sequence[int], reason: str, now: datetime) -> None:
    """Mark open runs as ended."""
    statement = update(runs).where(runs.c.id == bindparam("run"), runs.c.state == "open")
    tx.execute(statement.values(state="ended", end_reason=reason, ended_at=now), [{"run": i} for i in ids])


def note_goal(tx: Connection, run: Run, at: datetime, held: Mapping[str, Value | None]) -> None:
    """Remember when the goal was reached, and the fields of its event for `at: goal` steps."""
    tx.execute(update(runs).where(runs.c.id == run.id).values(goal_at=at, start_facts=to_json({**run.held, **held})))


def note_counted(tx: Connection, run_id: int, goal: str, at: datetime) -> None:
    """Remember the first time another counted goal was reached."""
    stored = tx.execute(select(runs.c.counted_goals).where(runs.c.id == run_id)).scalar() or {}
    if goal not in stored:
        tx.execute(update(runs).where(runs.c.id == run_id).values(counted_goals={**stored, goal: at.isoformat()}))


def set_close(tx: Connection, times: Mapping[int, datetime | None]) -> None:
    """Store when each run will be finished; None while a step is to come."""
    statement = update(runs).where(runs.c.id == bindparam("run")).values(close_at=bindparam("at"))
    if times:
        tx.execute(statement, [{"run": i, "at": at} for i, at in times.items()])


def runs_to_close(tx: Connection, now: datetime, limit: int = 1000) -> list[Run]:
    """Open runs that are finished by now."""
    statement = select(runs).where(runs.c.state == "open", runs.c.close_at <= now).order_by(runs.c.close_at).limit(limit)
    return [run_of(row) for row in tx.execute(statement)]


def next_close(tx: Connection) -> datetime | None:
    """When the next open run will be finished."""
    return tx.execute(select(func.min(runs.c.close_at)).where(runs.c.state == "open")).scalar()


def open_runs(tx: Connection, flows: Sequence[str], after_id: int, limit: int) -> list[Run]:
    """Open runs of these flows with a larger id, by id: a page."""
    statement = select(runs).where(runs.c.flow.in_(flows), runs.c.state == "open", runs.c.id > after_id)
    return [run_of(row) for row in tx.execute(statement.order_by(runs.c.id).limit(limit))]


def find_assignment(tx: Connection, experiment: str, user_id: int) -> tuple[str | None, bool] | None:
    """The arm recorded for a user: (variant, held out)."""
    c = assignments.c
    row = tx.execute(select(c.variant, c.held_out).where(c.experiment == experiment, c.user_id == user_id)).first()
    return None if row is None else (row.variant, row.held_out)


def add_assignment(tx: Connection, experiment: str, user_id: int, arm: tuple[str | None, bool], now: datetime) -> None:
    """Record the arm of a user who has none yet."""
    values = {"experiment": experiment, "user_id": user_id, "variant": arm[0], "held_out": arm[1], "at": now}
    tx.execute(insert(assignments), values)


def add_refused(tx: Connection, refused: Sequence[Mapping[str, Any]]) -> None:
    """Store starts that were refused: user_id, flow, at, reason, detail."""
    if refused:
        tx.execute(insert(refused_starts), list(refused))


def list_refused(tx: Connection, user_id: int, flow: str | None = None) -> list[Row[Any]]:
    """Refused starts of a user, oldest first."""
    statement = select(refused_starts).where(refused_starts.c.user_id == user_id)
    if flow is not None:
        statement = statement.where(refused_starts.c.flow == flow)
    return list(tx.execute(statement.order_by(refused_starts.c.id)))


def list_runs(tx: Connection, user_id: int, flow: str | None = None) -> list[Run]:
    """All runs of a user, oldest first."""
    statement = select(runs).where(runs.c.user_id == user_id)
    if flow is not None:
        statement = statement.where(runs.c.flow == flow)
    return [run_of(row) for row in tx.execute(statement.order_by(runs.c.id))]


def runs_undone(tx: Connection, user_ids: Iterable[int]) -> list[Run]:
    """Open runs of these users whose starting event no longer counts: it was taken back."""
    events = table_of(EventRow)
    gone = select(runs).join(events, events.c.id == runs.c.start_event_id)
    rows = tx.execute(gone.where(runs.c.user_id.in_(list(user_ids)), runs.c.state == "open", events.c.counted.is_(False)))
    return [run_of(row) for row in rows]


def count_open(tx: Connection) -> dict[tuple[str, int], int]:
    """Open runs by (flow, version)."""
    counted = select(runs.c.flow, runs.c.version, func.count()).where(runs.c.state == "open").group_by(runs.c.flow, runs.c.version)
    return {(flow, version): many for flow, version, many in tx.execute(counted)}


def set_version(tx: Connection, ids: Sequence[int], number: int) -> None:
    """Put runs on another version of their flow."""
    tx.execute(update(runs).where(runs.c.id.in_(ids)).values(version=number))
