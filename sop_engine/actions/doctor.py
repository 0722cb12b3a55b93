"""Examines an installation: how the database and the broker are set up, who leads, what waits, and every invariant. Writes nothing."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sop_engine.actions.doctor_settings import Check, broker_checks, database_checks, environment_checks
from sop_engine.actions.doctor_sources import ingestion_checks
from sop_engine.actions.fresh import troubles
from sop_engine.actions.halting import refusal
from sop_engine.actions.invariants import ask_invariants
from sop_engine.actions.liability import low_stocks
from sop_engine.actions.linking import lacking
from sop_engine.app import App, Work
from sop_engine.core.broker_report import BrokerReport
from sop_engine.core.errors import NotFound
from sop_engine.store import audit, health, leases, redemptions
from sop_engine.store.engine import reading
from sop_engine.store.halts import read_halts
from sop_engine.store.invariants import Broken
from sop_engine.store.migrate import is_current, revision
from sop_engine.store.stops import list_stopped

OVERDUE = timedelta(minutes=5)
MISSED = 3  # so many rounds a job may miss


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the door knows: the environment, what the broker says of itself (None: there is none), and how to read the host's clock."""

    environment: Mapping[str, str]
    broker: BrokerReport | None
    clock: Callable[[], datetime]


def examine(app: App, now: datetime, around: Surroundings) -> list[Check]:
    """Every check, in the order in which a person would look."""
    found = list(environment_checks(around.environment)) + list(broker_checks(around.broker))
    at = revision(app.engine) or "nothing"
    if not is_current(app.engine):
        return [*found, Check("schema", "failed", f"the database is at {at}: run 'sop db upgrade'")]
    with reading(app.engine) as tx:
        found += [Check("schema", "good", f"the database is at {at}"), *database_checks(tx, around.clock)]
        try:
            work = Work(app, tx, app.live(tx), now)
        except NotFound as error:
            return [*found, Check("project", "warning", str(error))]
        found += [
            *_sending(work),
            *_leading(work, around.broker),
            *_waiting(work),
            *_stocks(work),
            *_calendar(work),
            *_fits(work),
            *ingestion_checks(work),
            *_audit(work),
        ]
        found += _invariants(work)
    return found


def _sending(work: Work) -> Iterator[Check]:
    halts = read_halts(work.tx)
    against = refusal(halts, work.app.settings)
    mode = "live" if work.app.settings.sending == "live" else "off: messages stay in the outbox"
    yield Check("instance", "failed" if against else "good", against or f"{halts.name}; sending is {mode}")
    stops = list_stopped(work.tx)
    told = "; ".join(f"{s.scope} since {s.at:%Y-%m-%d %H:%M} UTC by {s.by}: {s.why}" for s in stops)
    lacks = lacking(work.project.settings.links, work.app.settings)
    yield Check("links", "warning" if lacks else "good", lacks or _links(work))
    yield Check("stops", "warning" if stops else "good", told or "nothing is stopped")


def _links(work: Work) -> str:
    return "tracked" if work.project.settings.links.tracked else "not tracked: the project says nothing of links, or 'tracked: false'"


def _leading(work: Work, broker: BrokerReport | None) -> Iterator[Check]:
    lease, at = leases.read(work.tx), work.app.lease_time(work.tx, work.now)
    if lease is None:
        yield Check("leader", "warning" if broker else "good", "nobody has led yet" if broker else "none is needed: one process does all")
        return
    leads = lease.until > at
    yield Check(
        "leader", "good" if leads else "failed", f"{lease.holder}, epoch {lease.epoch}" if leads else "nobody leads: start a scheduler"
    )
    for job in health.list_jobs(work.tx):
        late = job.ok_at is None or at - job.ok_at > MISSED * timedelta(seconds=job.every_s) + OVERDUE
        failing = bool(job.error) and (job.ok_at is None or (job.failed_at is not None and job.failed_at > job.ok_at))
        ok = f"last went well {job.ok_at:%Y-%m-%d %H:%M:%S} UTC" if job.ok_at else "has never gone well"
        grade = "failed" if late and leads else "warning" if failing else "good"
        yield Check(f"job {job.name}", grade, ok + (f"; then failed: {job.error}" if failing else ""))
    seen = health.list_processes(work.tx, at - OVERDUE)
    workers = [p for p in seen if p.kind == "worker"]
    yield Check("workers", "good" if workers or broker is None else "failed", f"{len(workers)} of {len(seen)} processes seen lately")


def _waiting(work: Work) -> Iterator[Check]:
    many, oldest = health.oldest_due(work.tx, work.now)
    late = oldest is not None and work.now - oldest > OVERDUE
    since = f", the oldest since {oldest:%Y-%m-%d %H:%M} UTC" if oldest else ""
    yield Check("due", "warning" if late else "good", f"{many} touches are due and not sent{since}")
    lost, since_at, operators = health.unknown_outcomes(work.tx)
    told = f"{lost} outcomes are unknown, {operators} of them wait for an operator" + (
        f"; since {since_at:%Y-%m-%d %H:%M} UTC" if since_at else ""
    )
    yield Check("unknown", "warning" if lost else "good", told + ("; see 'sop unknown list'" if lost else ""))


def _stocks(work: Work) -> Iterator[Check]:
    low = low_stocks(work)
    told = "; ".join(f"'{name}': {why}" for name, why in low.items())
    yield Check("codes", "warning" if low else "good", told or "no stock of codes runs low")
    late = redemptions.counts(work.tx).get("parked", 0)
    if late:
        yield Check("uses", "good", f"{late} reports of uses wait for what they speak of")


def _calendar(work: Work) -> Iterator[Check]:
    until, today = work.project.covered_until(), work.now.astimezone(work.live.zone).date()
    steps = [s for flow in work.project.flows.values() for s in flow.steps]
    longest = max([s.at.day for s in steps if s.at is not None] + [(s.after or timedelta()).days for s in steps], default=0)
    if until is None:
        yield Check("calendar", "good", "no calendar with holidays is used")
    elif until < today + timedelta(days=longest):
        yield Check("calendar", "warning", f"holidays are known until {until}, and the longest wait of a step is {longest} days")
    else:
        yield Check("calendar", "good", f"holidays are known until {until}")


def _fits(work: Work) -> Iterator[Check]:
    wrong = troubles(work)
    for one in wrong:
        yield Check(f"fit {one.metric}", "warning", one.says)
    if not wrong:
        yield Check("fits", "good", "every number that is fitted to everybody is valid")


def _audit(work: Work) -> Iterator[Check]:
    wrong = audit.broken(work.tx)
    yield Check("audit", "failed" if wrong else "good", "; ".join(wrong[:5]) or "the chain of the audit log and its seals is whole")


def _invariants(work: Work) -> list[Check]:
    answer = ask_invariants(work)
    found = [Check(one.invariant.id, "failed" if one.count else "good", _told(one)) for one in answer.asked]
    return found + [Check(one.id, "not asked", f"{one.says}: {one.absent}") for one in answer.absent]


def _told(one: Broken) -> str:
    if not one.count:
        return one.invariant.says
    more = "" if one.count == len(one.subjects) else f" and {one.count - len(one.subjects)} more"
    return f"BROKEN: {one.invariant.says}: {', '.join(one.subjects)}{more}"
