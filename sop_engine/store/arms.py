"""Reads what a comparison rests on: who was assigned to which arm, their first runs with touches, what they did, and what it cost."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Select, and_, func, select

from sop_engine.core.consent import ANY, MARKETING
from sop_engine.core.project import Project
from sop_engine.core.records import EventRecord
from sop_engine.store.columns import table_of
from sop_engine.store.identity_tables import MovedRow
from sop_engine.store.merge_rows import REPEATS
from sop_engine.store.run_tables import AssignmentRow, GrantRow, OptOutRow, ReceiptRow, RunRow, TouchRow
from sop_engine.store.tables import EventRow, MoveRow, UserRow
from sop_engine.store.users import typed_values

assignments = table_of(AssignmentRow)
runs = table_of(RunRow)
touches = table_of(TouchRow)
receipts = table_of(ReceiptRow)
grants = table_of(GrantRow)
opt_outs = table_of(OptOutRow)
users = table_of(UserRow)
events = table_of(EventRow)
moves = table_of(MoveRow)
moved = table_of(MovedRow)


@dataclass(frozen=True, slots=True)
class Trial:
    """An experiment as it is read: its name, its flows, and the instant by which rows must have come in."""

    experiment: str
    flows: tuple[str, ...]
    as_of: datetime


@dataclass(frozen=True, slots=True)
class Assigned:
    """A user's recorded arm, and the first run since: it counts, later ones are repeats."""

    user_id: int
    key: str
    variant: str | None
    held_out: bool
    at: datetime
    run_id: int
    flow: str
    version: int
    started_at: datetime
    ended_at: datetime | None
    end_reason: str | None
    goal_at: datetime | None = None  # when the run's own goal was reached
    counted: Mapping[str, datetime] = field(default_factory=dict)  # when each of the flow's `counts` was


@dataclass(frozen=True, slots=True)
class ArmTouch:
    """A touch of a counted run, as it stood at the time of the question."""

    run_id: int
    step: str
    due_at: datetime  # as it was first planned
    state: str
    reason: str | None
    purpose: str | None
    channel: str | None
    cost: Decimal
    done_at: datetime | None
    delivered_at: datetime | None


def _mine(trial: Trial) -> Any:
    a = assignments.c
    return (a.experiment == trial.experiment) & (a.at <= trial.as_of)


def _came_with_another(run: Any) -> Any:
    """Runs of a user who became part of one who had an arm already: that arm stands, and the first run in it."""
    return select(moved.c.row_id).where(moved.c.kind == REPEATS, moved.c.row_id == run.c.id).exists()


def _first(trial: Trial) -> Any:
    """(user, first run) of everybody assigned."""
    joined = assignments.join(runs, and_(runs.c.user_id == assignments.c.user_id, runs.c.flow.in_(trial.flows)))
    counted = select(assignments.c.user_id, func.min(runs.c.id).label("run_id")).select_from(joined)
    return (
        counted.where(_mine(trial), runs.c.started_at <= trial.as_of, ~_came_with_another(runs)).group_by(assignments.c.user_id).subquery()
    )


def list_assigned(tx: Connection, trial: Trial) -> list[Assigned]:
    """Everybody with a recorded arm and a run, by user."""
    first, a, r = _first(trial), assignments.c, runs.c
    columns = (
        *(a.user_id, users.c.key, a.variant, a.held_out, a.at),
        *(r.id, r.flow, r.version, r.started_at, r.ended_at, r.end_reason, r.goal_at, r.counted_goals),
    )
    statement = (
        select(*columns)
        .join(first, first.c.user_id == a.user_id)
        .join(runs, r.id == first.c.run_id)
        .join(users, users.c.id == a.user_id)
        .where(_mine(trial))
    )
    return [_assigned(row, trial) for row in tx.execute(statement.order_by(a.user_id))]


def _assigned(row: Any, trial: Trial) -> Assigned:
    known = row.ended_at is not None and row.ended_at <= trial.as_of
    named = {f: getattr(row, f) for f in ("user_id", "key", "variant", "held_out", "at", "flow", "version", "started_at")}
    reached = {name: datetime.fromisoformat(at) for name, at in (row.counted_goals or {}).items()}
    return Assigned(
        **named,
        run_id=row.id,
        ended_at=row.ended_at if known else None,
        end_reason=row.end_reason if known else None,
        goal_at=row.goal_at if row.goal_at is not None and row.goal_at <= trial.as_of else None,
        counted={name: at for name, at in reached.items() if at <= trial.as_of},
    )


def list_arm_touches(tx: Connection, trial: Trial) -> Iterator[ArmTouch]:
    """The touches of the counted runs, in the order they were planned."""
    first, t = _first(trial), touches.c
    came = and_(receipts.c.touch_id == t.id, receipts.c.kind == "delivered")
    columns = (t.run_id, t.step, t.first_due_at, t.state, t.reason, t.purpose, t.channel, t.cost, t.done_at, receipts.c.at)
    statement = select(*columns).join(first, first.c.run_id == t.run_id).outerjoin(receipts, came)
    for row in tx.execute(statement.order_by(t.id)):
        late = row.done_at is not None and row.done_at > trial.as_of
        state = "planned" if late else row.state
        delivered = row.at if row.at is not None and row.at <= trial.as_of else None
        done = None if late else row.done_at
        yield ArmTouch(*row[:3], state, None if late else row.reason, *row[5:7], Decimal(row.cost or 0), done, delivered)


def list_arm_events(tx: Connection, trial: Trial, project: Project, kinds: Sequence[str]) -> Iterator[tuple[int, EventRecord, str | None]]:
    """(user, event, reference) of these kinds since the arm was recorded, received by then; by user and time."""
    e, typed = events.c, {n: {f.name: f.type for f in project.events[n].fields.values()} for n in kinds if n in project.events}
    first = _first(trial)
    since = select(events).join(first, first.c.user_id == e.user_id).join(runs, runs.c.id == first.c.run_id)
    statement = since.where(e.kind.in_(kinds), e.at >= runs.c.started_at, e.received_at <= trial.as_of)
    for row in tx.execute(statement.order_by(e.user_id, e.at, e.message_id)):
        fields = typed_values(row.fields, typed.get(row.kind, {}))
        yield row.user_id, EventRecord(row.message_id, "", row.kind, row.at, fields, row.actor, row.source), row.ref


def levels_at_assignment(tx: Connection, trial: Trial, model: str) -> dict[int, str | None]:
    """By user: the level of this model when the arm was recorded."""
    mine = and_(moves.c.user_id == assignments.c.user_id, moves.c.model == model, moves.c.at <= assignments.c.at)
    last = select(func.max(moves.c.id)).select_from(assignments.join(moves, mine)).where(_mine(trial)).group_by(assignments.c.user_id)
    return {row.user_id: row.new for row in tx.execute(select(moves.c.user_id, moves.c.new).where(moves.c.id.in_(last)))}


def first_opt_outs(tx: Connection, trial: Trial) -> dict[int, list[datetime]]:
    """By user: when they refused a channel, or everything."""
    found: dict[int, list[datetime]] = {}
    o = opt_outs.c
    for user, at in tx.execute(_of_assigned(trial, select(o.user_id, o.at).where(o.topic.in_((ANY, MARKETING))), opt_outs.c.user_id)):
        if at <= trial.as_of:
            found.setdefault(user, []).append(at)
    return found


def _of_assigned(trial: Trial, statement: Select[Any], column: Any) -> Select[Any]:
    return statement.join(assignments, assignments.c.user_id == column).where(_mine(trial))


@dataclass(frozen=True, slots=True)
class FirstStarts:
    """Users whose first run of some flows began in a time, and when the first of them did."""

    users: int
    since: datetime


def first_starts(tx: Connection, flows: Sequence[str], since: datetime, until: datetime) -> FirstStarts | None:
    """Those who are new to these flows; None when nobody is."""
    first = select(func.min(runs.c.started_at).label("at")).where(runs.c.flow.in_(flows)).group_by(runs.c.user_id).subquery()
    inside = select(func.count(), func.min(first.c.at)).where(first.c.at >= since, first.c.at < until)
    many, at = tx.execute(inside).one()
    return FirstStarts(int(many), at) if many else None


def benefit_costs(tx: Connection, trial: Trial) -> dict[int, Decimal]:
    """By counted run: what was given and stands, at its cost: used benefits where uses are known, else all that were given.

    Uses of a benefit are known from the first of its codes on that came back as used, in any flow.
    """
    first, g, other = _first(trial), grants.c, grants.alias("other")
    known = select(other.c.benefit).where(other.c.used_at <= trial.as_of)
    stands = g.state.in_(("reserved", "issued", "redeemed", "expired")) & (g.given_at <= trial.as_of)
    costs = (g.used_at <= trial.as_of) | g.benefit.not_in(known)
    statement = select(g.run_id, func.sum(g.cost)).join(first, first.c.run_id == g.run_id).where(stands, costs).group_by(g.run_id)
    return {run: Decimal(cost or 0) for run, cost in tx.execute(statement)}


@dataclass(frozen=True, slots=True)
class Besides:
    """Counted beside the arms: later runs of the same users, users of the project's hold-out, arms that do not agree.

    `merged`: users who became one across arms.
    """

    repeats: int
    project_holdout: int
    two_arms: int
    merged: int


def list_besides(tx: Connection, trial: Trial) -> Besides:
    """What else the runs of these flows show."""
    r, a = runs.c, assignments.c
    inside = r.flow.in_(trial.flows) & (r.started_at <= trial.as_of)
    joined = runs.outerjoin(assignments, and_(a.user_id == r.user_id, a.experiment == trial.experiment))
    counted = select(func.count(), func.count(func.distinct(r.user_id))).select_from(joined)
    all_runs, people = tx.execute(counted.where(inside, a.user_id.is_not(None))).one()
    apart = select(func.count(func.distinct(r.user_id))).select_from(joined).where(inside, a.user_id.is_(None), r.held_out)
    other = (func.coalesce(r.variant, "") != func.coalesce(a.variant, "")) | (r.held_out != a.held_out)
    different = select(func.count(func.distinct(r.user_id))).select_from(joined).where(inside, a.user_id.is_not(None), other)
    two, merged = (different.where(part) for part in (~_came_with_another(runs), _came_with_another(runs)))
    apart_, two_, merged_ = (int(tx.execute(statement).scalar_one()) for statement in (apart, two, merged))
    return Besides(int(all_runs) - int(people), apart_, two_, merged_)
