"""Makes the parts of a report about messages: funnel, cross table, experiments, coverage, health, tasks."""

from collections.abc import Iterator
from datetime import date, timedelta

from sop_engine.actions.compare import report_of
from sop_engine.actions.cross import cross as cross_cells
from sop_engine.actions.measure_asked import Asked, Missing, days_of
from sop_engine.actions.report_levels import ladder_of, tiers_of
from sop_engine.app import Work
from sop_engine.core.calendar import midnight
from sop_engine.core.catalog import Report as Declared
from sop_engine.core.comparison.declared import all_declared
from sop_engine.core.errors import Refused
from sop_engine.core.playbook import Flow, Step
from sop_engine.core.reports.funnel import HEAD, rates
from sop_engine.core.reports.tables import Cell, Table, ratio, table
from sop_engine.store import reporting_reach, reporting_ring
from sop_engine.store.watching_rates import seen_channels

BY = ("playbook", "step", "level", "variant")
HUMAN_DAYS = 30


def flows_of(asked: Asked, of: str) -> list[Flow]:
    """The flows a report is of: a flow, those of a playbook, that act on a tier, or send through a channel or give a benefit; or all."""
    flows = list(asked.project.flows.values())
    named = [f for f in flows if of in (f.id, f.playbook, f.experiment_name)]
    acting = [f for f in flows if f.start.kind == "level" and f.start.tier == of.partition("=")[0].strip()]
    reaching = [f for f in flows if any(of in _reached_by(asked, step) for step in f.steps)]
    return named or acting or reaching or flows


def _reached_by(asked: Asked, step: Step) -> frozenset[str]:
    return _channels(asked, step) | frozenset(step.give.names() if step.give else ())


def _channels(asked: Asked, step: Step) -> frozenset[str]:
    names = step.send.names() if step.send else ()
    return frozenset(text.channel for name in names for text in asked.project.templates.get(name, {}).values())


def funnel(asked: Asked, declared: Declared) -> Iterator[Table]:
    """Distinct users by stage and the rates between, by playbook, step, level and variant; and the goals that newcomers reach."""
    steps = {(f.id, s.name): _channels(asked, s) for f in flows_of(asked, declared.of) for s in f.steps if s.send is not None}
    by = declared.by or BY
    if steps:
        found = reporting_reach.funnel(asked.work.tx, asked.span, by, asked.project.settings.primary_tier, list(steps))
        seen = {kind: seen_channels(asked.work.tx, asked.span.end, kind) for kind in ("opened", "clicked")}
        rows = [[*one.labels, *rates(_stages(one, by, steps, seen))] for one in found]
        yield table("funnel", (*("flow" if name == "playbook" else name for name in by), *HEAD), rows)
    yield _reached(asked)


def _stages(
    one: reporting_reach.Stages, by: tuple[str, ...], steps: dict[tuple[str, str], frozenset[str]], seen: dict[str, frozenset[str]]
) -> list[int | None]:
    """Openings and clicks are unknown where none of the channels ever told of one."""
    labels = dict(zip(by, one.labels, strict=True))
    channels = {
        channel for (flow, step), mine in steps.items() for channel in mine
        if flow == labels.get("playbook", flow) and step == labels.get("step", step)
    }  # fmt: skip
    opened = one.opened if channels & seen["opened"] else None
    clicked = one.clicked if channels & seen["clicked"] else None
    return [one.planned, one.sent, one.delivered, opened, clicked, one.converted]


def _reached(asked: Asked) -> Table:
    """Of users who joined so long before the end of the period that their days are over: who reached each goal by event."""
    rows: list[list[Cell]] = []
    for goal in asked.project.goals.values():
        if goal.events:
            within = days_of(goal.within)
            joined = asked.span.first_day - within, asked.span.last_day - within
            many, came, median = reporting_ring.reached(asked.work.tx, asked.project, joined, goal.events, within, goal.where)
            rows.append([goal.name, within, many, came, ratio(came, many), median])
    return table("reached", ("goal", "within:count", "users:count", "converted:count", "share:share", "median:days"), rows)


def cross(asked: Asked, declared: Declared) -> Iterator[Table]:
    """Rates of touches delivered in the period by any two things, weak and strong cells marked."""
    flows = [flow.id for flow in flows_of(asked, declared.of)] if declared.of else []
    cells = cross_cells(asked.work, flows or None, declared.by, since=asked.span.start, until=asked.span.end)
    rows: list[list[Cell]] = [[*c.labels, c.n, c.credited, round(c.rate, 6), round(c.low, 6), round(c.high, 6), c.mark] for c in cells]
    head = (*declared.by, "delivered:count", "credited:count", "rate:share", "low:share", "high:share", "mark")
    yield table("cross", head, rows)


def experiment(asked: Asked, declared: Declared) -> Iterator[Table]:
    """The arms of every experiment, or of the one the report is of, as they were known when the period closed."""
    then = Work(asked.work.app, asked.work.tx, asked.work.live, asked.span.end)
    of = {f.id for f in flows_of(asked, declared.of)}
    rows: list[list[Cell]] = []
    refused: list[tuple[str, str]] = []
    for one in all_declared(asked.project):
        if of & {flow.id for flow in one.flows}:
            try:
                arms = report_of(then, one).arms
            except Refused:
                refused.append(("no_name", f"goal by event: {one.name}"))
                continue
            for arm in arms:
                rate, low, high = (None if v is None else round(v, 6) for v in (arm.rate, arm.low, arm.high))
                rows.append([one.name, arm.name, arm.assigned, arm.mature, arm.won_back, rate, low, high])
    head = ("name", "arm", "users:count", "counted:count", "won_back:count", "rate:share", "low:share", "high:share")
    yield table("arms", head, rows, *refused)


def coverage(asked: Asked, declared: Declared) -> Iterator[Table]:
    """By level: users without any touch in the period. By flow of a level: messages to users who were in another one, which must be 0."""
    for tier in tiers_of(asked, declared):
        found = reporting_reach.untouched(asked.work.tx, asked.span, tier.name)
        rows: list[list[Cell]] = []
        for level in [*ladder_of(tier), *(name for name in found if name not in ladder_of(tier))]:
            users, without = found.get(level, (0, 0))
            rows.append([tier.name, level, users, users - without, without, ratio(without, users)])
        yield table("untouched", ("tier", "level", "users:count", "touched:count", "without:count", "share:share"), rows)
    undue_rows: list[list[Cell]] = []
    for flow in asked.project.flows.values():
        if flow.start.kind == "level" and "left" not in flow.keep_going:
            steps = [s.name for s in flow.steps if s.at is None or s.at.kind not in ("goal", "end")]
            sent, undue = reporting_reach.undue(asked.work.tx, asked.span, flow.id, steps, flow.start.tier, flow.start.level)
            undue_rows.append([flow.id, sent, undue])
    total = sum(int(row[2] or 0) for row in undue_rows)
    yield table("undue", ("flow", "touches:count", "of_it:count"), undue_rows, *([("undue", str(total))] if total else []))


def tasks(asked: Asked, declared: Declared) -> Iterator[Table]:
    """Tasks made in the period and how they went; users of the best level for whom no colleague completed one in 30 days."""
    made, done, late, open_, overdue = reporting_reach.tasks_of(asked.work.tx, asked.span.start, asked.span.end)
    head = ("made:count", "done:count", "late:count", "open:count", "overdue:count", "done_rate:share", "late_rate:share")
    yield table("tasks", head, [[made, done, late, open_, overdue, ratio(done, made), ratio(late, done)]])
    try:
        tier = tiers_of(asked, declared)[0]
    except Missing:
        return
    best = ladder_of(tier)[0]
    since = midnight(asked.until - timedelta(days=HUMAN_DAYS - 1), asked.work.live.zone)
    users = reporting_reach.unattended(asked.work.tx, tier.name, best, asked.span.last_day, since, asked.span.end)
    yield table("unattended", ("user", "level"), [[user, best] for user in users])


def day(ordinal: int) -> str:
    """A local day as ISO text."""
    return date.fromordinal(ordinal).isoformat()
