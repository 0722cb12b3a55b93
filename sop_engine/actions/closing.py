"""What closes with a local day: alerts are asked, reports are made, colleagues are told. The same in one process and in many."""

from datetime import date, datetime
from typing import TYPE_CHECKING

from sop_engine.actions.alerting import ASKED, ask_alerts, days_of
from sop_engine.actions.noticing import send_notices
from sop_engine.actions.reporting import MADE, make_due, next_report
from sop_engine.actions.sweep import missed_days
from sop_engine.app import App, Work
from sop_engine.core.project import Project
from sop_engine.core.reports.periods import block_before
from sop_engine.store.versions import get_mark, keep_marks, set_mark

if TYPE_CHECKING:
    from sqlalchemy import Connection


def close_periods(app: App, now: datetime) -> int:
    """Ask alerts and make reports of what has closed, once every midnight up to now is swept, and tell; how many messages went out.

    Stories and backtests make none: there nobody is told of anything.
    """
    if app.rehearsal is not None:
        return 0
    with app.work(now) as work:
        watched = work.project.alerts or work.project.reports
    if watched and not missed_days(app, now):
        ask_alerts(app, now)
        make_due(app, now)
    return send_notices(app, now)


def begin_periods(tx: "Connection", project: Project, now: datetime) -> None:
    """At a release: what is new is asked and made from now on, and what comes back later has missed nothing."""
    keep_marks(tx, ASKED, project.alerts)
    keep_marks(tx, MADE, project.reports)
    today = now.astimezone(project.zone).date()
    for alert in project.alerts.values():
        if get_mark(tx, ASKED + alert.name) is None:
            set_mark(tx, ASKED + alert.name, str(block_before(date.fromordinal(today.toordinal()), days_of(alert)).last.toordinal()))
    for report in project.reports.values():
        if report.every and get_mark(tx, MADE + report.name) is None:
            set_mark(tx, MADE + report.name, now.isoformat())


def next_close(work: Work) -> datetime | None:
    """When the next report is due; alerts are asked at midnights, which come anyhow. None in stories and backtests."""
    return None if work.app.rehearsal is not None else next_report(work)
