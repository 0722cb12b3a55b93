"""Runs: starting, ending, and what is known about a user's earlier ones."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, exists, func, or_, select, update

from sop_engine.core.conditions import Value
from sop_engine.core.enrolment import Past
from sop_engine.core.run import Run, from_json, to_json
from sop_engine.store.bulk import add_rows, among, change_rows
from sop_engine.store.columns import table_of
from sop_engine.store.people import take_turns
from sop_engine.store.run_tables import AssignmentRow, RefusedStartRow, RunRow
from sop_engine.store.tables import EventRow

runs = table_of(RunRow)
assignments = table_of(AssignmentRow)
refused_starts = table_of(RefusedStartRow)

# The statements of every round of events are written once: building them anew costs more than running them.
_OF_USERS = among(runs.c.user_id)
_BY_ID = select(runs).where(among(runs.c.id))
_SEEN = or_(runs.c.state == "open", runs.c.close_at > bindparam("now", type_=runs.c.close_at.type))
_IN_SIGHT = select(runs).where(_OF_USERS, _SEEN).order_by(runs.c.id)


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
        row.counted_goals or {},
    )


def add_runs(tx: Connection, new: Sequence[NewRun]) -> list[int | None]:
    """Insert runs; the id of each, None where the same start is stored already."""
    known = _known_starts(tx, new)
    fresh = [one for one in new if (one.flow, one.user_id, one.start_key) not in known]
    if not fresh:
        return [None] * len(new)
    rows = add_rows(tx, runs, [_row(one) for one in fresh], returning=("id", "flow", "user_id", "start_key"))
    ids = {(row.flow, row.user_id, row.start_key): row.id for row in rows}
    return [ids.get((one.flow, one.user_id, one.start_key)) for one in new]


def _known_starts(tx: Connection, new: Sequence[NewRun]) -> set[tuple[str, int, str]]:
    c = runs.c
    mine = select(c.flow, c.user_id, c.start_key).where(_OF_USERS, c.start_key.in_({n.start_key for n in new}))
    return {(r.flow, r.user_id, r.start_key) for r in tx.execute(mine, {"ids": {n.user_id for n in new}})}


def _row(one: NewRun) -> dict[str, Any]:
    return {
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


def get_runs(tx: Connection, ids: Iterable[int]) -> dict[int, Run]:
    """Runs by id."""
    return {row.id: run_of(row) for row in tx.execute(_BY_ID, {"ids": list(ids)})}


def runs_in_sight(tx: Connection, user_ids: Iterable[int], now: datetime) -> dict[int, list[Run]]:
    """By user: runs that are open, and ended ones whose goal window is still open, oldest first."""
    found: dict[int, list[Run]] = {}
    for row in tx.execute(_IN_SIGHT, {"ids": list(user_ids), "now": now}):
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
        .where(_OF_USERS, runs.c.flow.in_(list(flows)))
        .group_by(runs.c.user_id, runs.c.flow)
    )
    return {(user, flow): Past(last, opened == "open") for user, flow, last, opened in tx.execute(statement, {"ids": user_ids})}


def end_runs(tx: Connection, times: Mapping[int, tuple[int, datetime]], reason: str) -> None:
    """Mark open runs as ended, each of a user at its time, under the user's next turn."""
    turns = take_turns(tx, {user for user, _ in times.values()})
    ended = {"state": "ended", "end_reason": reason}
    rows = [{"id": run, **ended, "ended_at": at, "end_turn": turns[user]} for run, (user, at) in times.items()]
    change_rows(tx, runs, rows, states=["open"])


def note_goals(tx: Connection, reached: Sequence[tuple[Run, datetime, Mapping[str, Value | None]]]) -> None:
    """Remember when goals were reached, and the fields of their events for `at: goal` steps."""
    change_rows(tx, runs, [{"id": run.id, "goal_at": at, "start_facts": to_json({**run.held, **held})} for run, at, held in reached])


def note_counted(tx: Connection, reached: Sequence[tuple[Run, str, datetime]]) -> None:
    """Remember the first time other counted goals were reached."""
    found: dict[int, dict[str, str]] = {}
    for run, goal, at in reached:
        found.setdefault(run.id, dict(run.counted)).setdefault(goal, at.isoformat())
    change_rows(tx, runs, [{"id": i, "counted_goals": counted} for i, counted in found.items()])


def set_close(tx: Connection, times: Mapping[int, datetime | None]) -> None:
    """Store when each run will be finished; None while a step is to come."""
    change_rows(tx, runs, [{"id": i, "close_at": at} for i, at in times.items()])


def runs_to_close(tx: Connection, now: datetime, limit: int = 1000) -> list[Run]:
    """Open runs that are finished by now."""
    statement = select(runs).where(runs.c.state == "open", runs.c.close_at <= now).order_by(runs.c.close_at).limit(limit)
    return [run_of(row) for row in tx.execute(statement)]


def next_close(tx: Connection) -> datetime | None:
    """When the next open run will be finished."""
    return tx.execute(select(func.min(runs.c.close_at)).where(runs.c.state == "open")).scalar()


def open_runs(tx: Connection, flows: Sequence[str], after_id: int, limit: int, *, of: tuple[int, int] | None = None) -> list[Run]:
    """Open runs of these flows with a larger id, by id: a page; `of` all users, or of those from one id to before another."""
    statement = select(runs).where(runs.c.flow.in_(flows), runs.c.state == "open", runs.c.id > after_id)
    if of is not None:
        statement = statement.where(runs.c.user_id >= of[0], runs.c.user_id < of[1])
    return [run_of(row) for row in tx.execute(statement.order_by(runs.c.id).limit(limit))]


Arms = dict[tuple[str, int], tuple[str | None, bool]]
"""By experiment and user: (variant, held out)."""


def arms_of(tx: Connection, experiments: Iterable[str], user_ids: Iterable[int]) -> Arms:
    """The arms recorded for these users."""
    c = assignments.c
    named = list(experiments)
    mine = select(assignments).where(c.experiment.in_(named), among(c.user_id))
    if not named:
        return {}
    return {(row.experiment, row.user_id): (row.variant, row.held_out) for row in tx.execute(mine, {"ids": user_ids})}


def arms_of_users(tx: Connection, user_ids: Iterable[int]) -> Arms:
    """All arms recorded for these users."""
    rows = tx.execute(select(assignments).where(assignments.c.user_id.in_(list(user_ids))))
    return {(row.experiment, row.user_id): (row.variant, row.held_out) for row in rows}


def add_arms(tx: Connection, arms: Arms, now: datetime) -> None:
    """Record the arms of users who have none yet."""
    rows = [{"experiment": e, "user_id": u, "variant": v, "held_out": h, "at": now} for (e, u), (v, h) in arms.items()]
    add_rows(tx, assignments, rows)


def add_refused(tx: Connection, refused: Sequence[Mapping[str, Any]]) -> None:
    """Store starts that were refused: user_id, flow, at, reason, detail."""
    add_rows(tx, refused_starts, refused)


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
    """Open runs of these users whose starting event no longer counts, nor any other telling of it: it was taken back."""
    events = table_of(EventRow)
    other = events.alias()
    same = (other.c.user_id == events.c.user_id) & (other.c.kind == events.c.kind) & (other.c.ref == events.c.ref) & other.c.counted
    gone = select(runs).join(events, events.c.id == runs.c.start_event_id).where(events.c.counted.is_(False), ~exists().where(same))
    rows = tx.execute(gone.where(_OF_USERS, runs.c.state == "open"), {"ids": user_ids})
    return [run_of(row) for row in rows]


def count_open(tx: Connection) -> dict[tuple[str, int], int]:
    """Open runs by (flow, version)."""
    counted = select(runs.c.flow, runs.c.version, func.count()).where(runs.c.state == "open").group_by(runs.c.flow, runs.c.version)
    return {(flow, version): many for flow, version, many in tx.execute(counted)}


def set_version(tx: Connection, ids: Sequence[int], number: int) -> None:
    """Put runs on another version of their flow."""
    tx.execute(update(runs).where(runs.c.id.in_(ids)).values(version=number))


def count_started(tx: Connection, flow: str, since: datetime, until: datetime) -> int:
    """Runs of a flow that started in this time."""
    mine = runs.c.flow == flow, runs.c.started_at >= since, runs.c.started_at < until
    return int(tx.execute(select(func.count()).select_from(runs).where(*mine)).scalar_one())


def any_open(tx: Connection) -> bool:
    """Whether any run is open."""
    return tx.execute(select(runs.c.id).where(runs.c.state == "open").limit(1)).first() is not None
