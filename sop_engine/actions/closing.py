"""What closes with a local day: alerts are asked, reports are made, colleagues are told. The same in one process and in many."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sop_engine.actions.alerting import ASKED, alerts_due, ask_alert, days_of
from sop_engine.actions.noticing import send_notices
from sop_engine.actions.reporting import MADE, make_report, next_due, reports_due
from sop_engine.actions.sweep import missed_days
from sop_engine.actions.telling import tell
from sop_engine.app import App, Work
from sop_engine.core.errors import Refused
from sop_engine.core.project import Project
from sop_engine.core.reports.periods import block_before
from sop_engine.store.versions import forget_mark, get_mark, keep_marks, set_mark

if TYPE_CHECKING:
    from sqlalchemy import Connection

LATER = "later:"  # begins the marks that say when one that failed is tried again
AGAIN = timedelta(minutes=10)
Do = Callable[[Work, str], object]


def close_periods(app: App, now: datetime) -> int:
    """Ask alerts and make reports of what has closed, once every midnight up to now is swept, and tell; how many messages went out.

    Each is a transaction of its own: one that fails keeps no other from being asked or made, and is tried again after ten minutes.
    Stories and backtests make none: there nobody is told of anything.
    """
    if app.rehearsal is not None:
        return 0
    with app.work(now) as work:
        due = [(ASKED, ask_alert, name) for name in alerts_due(work)] + [(MADE, make_report, name) for name in reports_due(work)]
        due = [one for one in due if (_later(work, one[0] + one[2]) or now) <= now]
    if due and not missed_days(app, now):
        for kind, do, name in due:
            _close(app, now, kind + name, lambda work, do=do, name=name: do(work, name))  # type: ignore[misc]  # bound now
    return send_notices(app, now)


def _close(app: App, now: datetime, what: str, do: Callable[[Work], object]) -> None:
    try:
        with app.work(now) as work:
            do(work)
            if _later(work, what) is not None:
                forget_mark(work.tx, LATER + what)
    except Refused:
        raise
    except app.told_to_end:
        raise
    except Exception as error:
        tell("period_not_closed", level="error", what=what, error=type(error).__name__)
        with app.transaction() as tx:  # where the database is away, this says so
            set_mark(tx, LATER + what, (now + AGAIN).isoformat())


def _later(work: Work, what: str) -> datetime | None:
    stored = get_mark(work.tx, LATER + what)
    return None if stored is None else datetime.fromisoformat(stored)


def begin_periods(tx: "Connection", project: Project, now: datetime) -> None:
    """At a release: what is new is asked and made from now on, and what comes back later has missed nothing."""
    keep_marks(tx, ASKED, project.alerts)
    keep_marks(tx, MADE, project.reports)
    today = now.astimezone(project.zone).date()
    for alert in project.alerts.values():
        if get_mark(tx, ASKED + alert.name) is None:
            set_mark(tx, ASKED + alert.name, str(block_before(today, days_of(alert)).last.toordinal()))
    for report in project.reports.values():
        if report.every and get_mark(tx, MADE + report.name) is None:
            set_mark(tx, MADE + report.name, now.isoformat())


def next_close(work: Work) -> datetime | None:
    """When the next report is due; alerts are asked at midnights, which come anyhow. None in stories and backtests."""
    if work.app.rehearsal is not None:
        return None
    due = [(at, _later(work, MADE + name)) for name, report in work.project.reports.items() if (at := next_due(work, report)) is not None]
    return min((max(at, later or at) for at, later in due), default=None)
