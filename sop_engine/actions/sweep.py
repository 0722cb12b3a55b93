"""Sweeps a local midnight: windows whose edge passed, levels of everybody, and what follows for those who moved."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from sop_engine.actions.end import Endings, flow_of
from sop_engine.actions.existing import start_existing
from sop_engine.actions.fresh import expired_models
from sop_engine.actions.ingest import record_events
from sop_engine.actions.place import Cause, ask_runs, follow
from sop_engine.app import App, Work
from sop_engine.core.calendar import midnight
from sop_engine.core.conditions import Value
from sop_engine.core.records import EventRecord
from sop_engine.store import grants, placements, runs, tags, versions
from sop_engine.store import midnight as edges
from sop_engine.store.layers import known
from sop_engine.store.levels import Moved
from sop_engine.store.people import lock_everybody, people
from sop_engine.store.scope import Scope

SWEPT = "swept"  # the last local day whose midnight was swept
PAGE = 1000


def missed_days(app: App, now: datetime) -> list[date]:
    """The local days up to today whose midnight was not swept yet, in order."""
    with app.work(now) as work:
        last = versions.get_mark(work.tx, SWEPT)
        first = int(last) + 1 if last else work.day
        return [date.fromordinal(day) for day in range(first, work.day + 1)]


def sweep_day(app: App, day: date) -> int:
    """Sweep the midnight with which this local day begins, in one transaction; how many moves."""
    _tell_expired(app, day)
    with app.transaction() as tx:
        live = app.live(tx)
        work = Work(app, tx, live, midnight(day, live.zone))
        lock_everybody(tx)
        swept = versions.get_mark(tx, SWEPT)
        if swept is not None and int(swept) >= day.toordinal():
            return 0  # another process was first
        edges.sweep(tx, work.project, day, work.now)
        moves = place_everybody(work, "sweep")
        ask_open_runs(work)
        start_existing(work)
        grants.expire(tx, work.now)
        versions.set_mark(tx, SWEPT, str(day.toordinal()))
    return moves


def _tell_expired(app: App, day: date) -> None:
    """A benefit that ran out unused is an event, if anything looks at it; told before it is marked, so that a crash loses none."""
    with app.transaction() as tx:
        live = app.live(tx)
        now = midnight(day, live.zone)
        over = grants.list_over(tx, now) if "benefit_expired" in live.interest.event_kinds else []
        owners = people(tx, {grant.user_id for grant in over})
    told = [EventRecord(f"expired:{g.id}", owners[g.user_id].key, "benefit_expired", now, _about(g), "system", "sop") for g in over]
    record_events(app, told, now)


def _about(grant: Any) -> dict[str, Value]:
    playbook, _, level = grant.flow.partition("/")
    return {"playbook": playbook, "level": level, "step": grant.step, "benefit": grant.benefit, "code": grant.code}


def place_everybody(work: Work, cause: str, *, may_start: bool = True) -> int:
    """Place all users in every model inside the database, then follow those moves that concern a flow. How many of these."""
    tags.refresh_rule_tags(work.tx, work.project, Scope.everybody(), work.now)
    moved: dict[int, list[Moved]] = {}
    followed = may_start or runs.any_open(work.tx)  # otherwise a move leads to nothing, and nobody is streamed
    given, expired = known(work.tx, work.project, work.now), expired_models(work)
    for model in work.live.interest.models:
        if model.name in expired:
            continue
        watched = followed and model.name in work.live.interest.by_model
        movers = placements.place(
            work.tx, given, model, Scope.everybody(), work.now, cause=cause, release=work.live.release, stream=watched
        )
        for move in movers:
            moved.setdefault(move.user_id, []).append(move)
    for users in pages(sorted(moved)):
        follow(work, users, [m for u in users for m in moved[u]], Cause(cause, may_start=may_start))
    return sum(len(listed) for listed in moved.values())


def pages(user_ids: list[int]) -> Iterable[list[int]]:
    """The list in pieces of a page."""
    return (user_ids[i : i + PAGE] for i in range(0, len(user_ids), PAGE))


def ask_open_runs(work: Work) -> None:
    """Ask exits and goals by condition of every open run that has some: time alone may have made them true."""
    flows = list(work.live.interest.asking)
    after = 0
    while flows:
        page = runs.open_runs(work.tx, flows, after, PAGE)
        if not page:
            return
        pairs = [(run, flow) for run in page if (flow := flow_of(work, run)) is not None]
        endings = Endings()
        ask_runs(work, pairs, endings)
        endings.write(work)
        after = page[-1].id
