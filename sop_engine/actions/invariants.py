"""Asks whether what must always be so is so, of the project that is live and of every version runs are pinned to."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sop_engine.app import Live, Work
from sop_engine.core.calendar import is_open
from sop_engine.core.catalog import Channel
from sop_engine.core.errors import NotFound
from sop_engine.core.forms import Hours, Limit
from sop_engine.core.playbook import Flow, Step
from sop_engine.core.project import Project
from sop_engine.store import attempts, versions
from sop_engine.store.dialect import dialect
from sop_engine.store.invariant_terms import FlowTerms, Invariant, Most, StepTerms, Terms
from sop_engine.store.invariants import MOST_SHOWN, Broken, ask, invariants

HOURS = Invariant("I9", "no call begins in closed hours of the user's zone (of the last two days)")
LOOK_BACK = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Asked:
    """What asking gave: every invariant that can be asked with how often it is broken, and those that cannot, with why."""

    asked: Sequence[Broken]
    absent: Sequence[Invariant]

    @property
    def broken(self) -> list[Broken]:
        """Those that do not hold."""
        return [one for one in self.asked if one.count]


def ask_invariants(work: Work, *, sending: bool = True) -> Asked:
    """Ask all of them; nothing is written. `sending`: whether somebody delivers, so that nothing may hang."""
    terms = terms_of(work, sending=sending)
    asked = [*ask(work.tx, terms), _in_closed_hours(work, terms.since)]
    absent = [one for one in invariants(dialect(work.tx), terms) if one.absent]
    return Asked(sorted(asked, key=lambda found: int(found.invariant.id[1:])), absent)


def terms_of(work: Work, *, sending: bool = True) -> Terms:
    """What the queries are asked with."""
    project, since = work.project, versions.last_new_release(work.tx) or work.now
    flows = list(_every_version(work))
    projects = {id(p): p for _, _, p in flows}.values()
    return Terms(
        now=work.now,
        lease_now=work.app.lease_time(work.tx, work.now),
        since=since,
        sending=sending,
        flows=[_flow_terms(flow, number) for flow, number, _ in flows],
        steps=[StepTerms(flow.id, number, step.name, _kind(step)) for flow, number, _ in flows for step in flow.steps],
        windows={c.name: work.app.capability(c).idempotent_for for c in project.channels.values()},
        caps=[_most(limit, name) for limit, name in _caps(project)],
        benefit_budgets=_budgets([(b.name, b.budget) for p in projects for b in p.benefits.values()]),
        flow_budgets=_budgets([(f.id, f.budget) for f, _, _ in flows if f.budget is not None]),
    )


def _every_version(work: Work) -> Iterator[tuple[Flow, int, Project]]:
    live: Live = work.live
    for version in versions.all_versions(work.tx):
        if live.numbers.get(version.flow) == version.number and version.flow in live.project.flows:
            yield live.project.flows[version.flow], version.number, live.project
        elif (project := _project(work, version.release)) is not None and version.flow in project.flows:
            yield project.flows[version.flow], version.number, project


def _project(work: Work, release: str) -> Project | None:
    """None when the text of the release is gone: I18 names what was sent from it."""
    try:
        return work.app.project_of(work.tx, release)
    except NotFound:
        return None


def _flow_terms(flow: Flow, number: int) -> FlowTerms:
    length = flow.again.after
    exact = length.exact if length is not None else None
    experiment = flow.experiment_name if flow.variants or flow.holdout else None
    days, seconds = (length.days if length is not None else None), exact.total_seconds() if exact is not None else None
    return FlowTerms(flow.id, number, flow.again.kind, days, seconds, experiment, bool(flow.approve_by))


def _kind(step: Step) -> str:
    if step.at is not None and step.at.kind in ("goal", "end"):
        return "outlives"
    return "plain" if step.every is None and step.source is None else "other"


def _caps(project: Project) -> Iterator[tuple[Limit, str | None]]:
    yield from ((limit, None) for limit in project.settings.caps)
    yield from ((limit, channel.name) for channel in project.channels.values() for limit in channel.caps)


def _most(limit: Limit, name: str | None) -> Most:
    exact = limit.per.exact
    return Most(limit.most, limit.per.days, exact.total_seconds() if exact is not None else None, name)


def _budgets(written: Sequence[tuple[str, Limit]]) -> list[Most]:
    """The largest budget each name ever had: runs of older versions keep theirs. One whose length was changed is left out."""
    by_name: dict[str, list[Limit]] = {}
    for name, limit in written:
        by_name.setdefault(name, []).append(limit)
    same = {name: limits for name, limits in by_name.items() if len({limit.per for limit in limits}) == 1}
    return [_most(max(limits, key=lambda limit: limit.most), name) for name, limits in same.items()]


def _in_closed_hours(work: Work, since: datetime) -> Broken:
    """Zones are nothing a query can count in: the calls of the last days under the live release are looked at one by one."""
    settings, closed = work.project.settings, []
    for call in attempts.begun_since(work.tx, max(since, work.now - LOOK_BACK)):
        windows = _windows(work.project.channels.get(call.channel))
        if call.purpose == "marketing":
            windows = [*windows, settings.hours]
        if not is_open(call.began_at, windows, work.zone_of(call.timezone)):
            closed.append(f"attempt {call.id} of touch {call.touch_id}")
    return Broken(HOURS, len(closed), tuple(closed[:MOST_SHOWN]))


def _windows(channel: Channel | None) -> list[Hours]:
    return [channel.hours] if channel is not None and channel.hours else []
