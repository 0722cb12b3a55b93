"""Finds the figure an alert watches in one period, whatever it is of: a level, a tier, a flow, a channel or a benefit."""

from collections.abc import Callable

from sop_engine.actions.measure_asked import Asked, Missing, days_of
from sop_engine.actions.measure_effort import EFFORT
from sop_engine.core.catalog import Alert
from sop_engine.core.project import Project
from sop_engine.core.reports.alarms import Figure
from sop_engine.store import cohorts, liability, tallies
from sop_engine.store import watching_rates as rates

NOTHING = Figure(None)


def figure_of(asked: Asked, alert: Alert) -> Figure:
    """The figure; its value is None where there is nobody or nothing it could be a share of, or no name the project has."""
    try:
        return FIGURES[alert.watch](asked, alert)
    except Missing:
        return NOTHING


def _share(part: float, whole: float) -> Figure:
    return Figure(part / whole, part, whole) if whole > 0 else NOTHING


def levels_of(project: Project, of: str) -> tuple[str, tuple[str, ...]]:
    """(model, levels) of a subject: one level, all of a tier, or the best level of the primary tier. Raises Missing."""
    tier, sign, level = (part.strip() for part in of.partition("="))
    if sign:
        return tier, (level,)
    if tier in project.tiers:
        return tier, project.tiers[tier].level_names
    primary = project.tiers.get(project.settings.primary_tier)
    if primary is None:
        raise Missing("no_primary", "primary_tier")
    return primary.name, (primary.ladder or primary.level_names)[:1]


def _only(asked: Asked, of: str) -> dict[str, str]:
    """Which touches a subject means; a level is that of the primary tier at the send. Raises Missing for another tier."""
    tier, sign, level = (part.strip() for part in of.partition("="))
    if sign or tier in asked.project.tiers:
        if tier != asked.project.settings.primary_tier:
            raise Missing("no_primary", tier)
        return {"level": level} if sign else {}
    for kind, named in (("channel", asked.project.channels), ("benefit", asked.project.benefits)):
        if of in named:
            return {kind: of}
    return {"flow": of} if of else {}


def _leaving(asked: Asked, alert: Alert) -> Figure:
    model, levels = levels_of(asked.project, alert.of)
    began = cohorts.size(asked.work.tx, cohorts.at_level(model, levels, asked.span.first_day - 1))
    ladder = bool(asked.project.tiers[model].ladder)
    return _share(rates.left(asked.work.tx, asked.span, model, levels, ladder=ladder), began)


def _entering(asked: Asked, alert: Alert) -> Figure:
    model, levels = levels_of(asked.project, alert.of)
    began = cohorts.size(asked.work.tx, cohorts.at_level(model, levels, asked.span.first_day - 1))
    return _share(rates.entered(asked.work.tx, asked.span, model, levels), began)


def _held(asked: Asked, alert: Alert) -> Figure:
    model, levels = levels_of(asked.project, alert.of)
    counts = tallies.levels_on(asked.work.tx, model, asked.until)
    return _share(sum(counts.get(level, 0) for level in levels), sum(counts.values()))


def _unscored(asked: Asked, alert: Alert) -> Figure:
    counts = tallies.levels_on(asked.work.tx, levels_of(asked.project, alert.of)[0], asked.until)
    return _share(counts.get(None, 0), sum(counts.values()))


def _opened(asked: Asked, alert: Alert) -> Figure:
    only = _only(asked, alert.of)
    delivered, opened, _ = rates.deliveries(asked.work.tx, asked.span, only)
    seen = rates.seen_channels(asked.work.tx, asked.span.end)
    invisible = only["channel"] not in seen if "channel" in only else not seen
    return NOTHING if invisible else _share(opened, delivered)


def _clicked(asked: Asked, alert: Alert) -> Figure:
    delivered, _, clicked = rates.deliveries(asked.work.tx, asked.span, _only(asked, alert.of))
    return _share(clicked, delivered)


def _blocked(asked: Asked, alert: Alert) -> Figure:
    reached, refused = rates.refusals(asked.work.tx, asked.span, _only(asked, alert.of))
    return _share(refused, reached)


def _failed(asked: Asked, alert: Alert) -> Figure:
    tried, failed = rates.failures(asked.work.tx, asked.span, _only(asked, alert.of))
    return _share(failed, tried)


def _goals(asked: Asked, alert: Alert) -> Figure:
    ended, reached = rates.goals(asked.work.tx, asked.span, _only(asked, alert.of).get("flow", ""))
    return _share(reached, ended)


def _k(asked: Asked, _alert: Alert) -> Figure:
    found = EFFORT["k_factor"](asked)[0]
    return Figure(found.value, found.numerator or 0, found.denominator or 0)


def _budget(asked: Asked, alert: Alert) -> Figure:
    """The days a budget looks back end with the period."""
    benefit, flow = asked.project.benefits.get(alert.of), asked.project.flows.get(alert.of)
    budget = benefit.budget if benefit else flow.budget if flow else None
    if budget is None:
        raise Missing("no_budget", alert.of)
    days = asked.span.last_day - days_of(budget.per) + 1, asked.span.last_day
    used = rates.spent(asked.work.tx, days, benefit=benefit.name if benefit else "", flow=flow.id if flow else "")
    return _share(used, float(budget.most))


def _stock(asked: Asked, alert: Alert) -> Figure:
    """Of the codes of a benefit that has a stock with an end."""
    benefit = asked.project.benefits.get(alert.of)
    found = liability.left_at(asked.work.tx, benefit.pool, asked.span.end) if benefit is not None and benefit.holds == "code" else None
    return _share(*found) if found is not None else NOTHING


def _overdue(asked: Asked, alert: Alert) -> Figure:
    many = rates.overdue(asked.work.tx, asked.span.end, _only(asked, alert.of))
    return Figure(float(many), many, 1)


FIGURES: dict[str, Callable[[Asked, Alert], Figure]] = {
    "leave_rate": _leaving,
    "enter_rate": _entering,
    "share": _held,
    "goal_rate": _goals,
    "open_rate": _opened,
    "click_rate": _clicked,
    "block_rate": _blocked,
    "fail_rate": _failed,
    "unscored_share": _unscored,
    "k_factor": _k,
    "budget_used": _budget,
    "stock_left": _stock,
    "overdue_tasks": _overdue,
}
COUNTS = frozenset({"overdue_tasks"})
NUMBERS = COUNTS | {"k_factor"}
"""Figures that are no shares."""
