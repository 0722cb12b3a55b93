"""Says what has run out or will: a calendar that ends before a flow does, a fit older than its period."""

from collections.abc import Mapping
from datetime import date, timedelta

from sop_engine.core.playbook import Flow
from sop_engine.language.lint_places import Lint, flow_path
from sop_engine.language.lint_steps import day_of

PERIODS = {"daily": 1, "weekly": 7, "monthly": 31}
GRACE = 5


def lint_calendar(lint: Lint, today: date | None) -> None:
    """Add 720: workdays are asked for later than the calendar knows holidays. `today` is where flows without a date begin."""
    until = lint.project.covered_until()
    for flow in lint.project.flows.values():
        begins = flow.start.instant.local.date() if flow.start.instant else today
        if until is None or begins is None or not _asks_workdays(flow):
            continue
        longest = max([day for step in flow.steps if (day := day_of(flow, step)) is not None], default=0)
        if begins + timedelta(days=longest) > until:
            sentence = (
                f"the calendar ends on {until}, before the last step of this flow. Add the holidays that follow, and a later 'until'."
            )
            lint.report.warn(lint.key(*flow_path(flow)), 720, sentence)


def lint_fits(lint: Lint, fitted_on: Mapping[str, date], today: date) -> None:
    """Add 722: numbers fitted longer ago than `refresh` and 5 days. `fitted_on` holds the day of the last fit by metric."""
    for metric in lint.project.metrics.values():
        day = fitted_on.get(metric.name)
        if metric.fitted and day is not None and (today - day).days > PERIODS.get(metric.refresh, 31) + GRACE:
            sentence = f"'{metric.name}' was fitted on {day}, and 'refresh: {metric.refresh}' is over. Run the refresh; labels are frozen."
            lint.report.warn(lint.key("metrics", metric.name), 722, sentence)


def _asks_workdays(flow: Flow) -> bool:
    schedules = [flow.start.schedule, *(step.every for step in flow.steps)]
    return any(s is not None and s.kind in ("workday", "weekend") for s in schedules)
