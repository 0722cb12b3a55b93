"""What closes with a local day: alerts are asked, reports are made, colleagues are told. The same in one process and in many."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sop_engine.actions.alerting import ASKED, alerts_due, ask_alert, days_of
from sop_engine.actions.noticing import send_notices
from sop_engine.actions.reporting import MADE, make_report, next_dues, reports_due
from sop_engine.actions.sweep import missed_days
from sop_engine.actions.telling import tell
from sop_engine.app import App, Work
from sop_engine.core.errors import Refused
from sop_engine.core.project import Project
from sop_engine.core.reports.periods import block_before
from sop_engine.store.versions import forget_mark, get_marks, keep_marks, set_mark

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
        later = _later(work) if due else {}
    if due and not missed_days(app, now):
        for kind, do, name in due:
            if later.get(kind + name, now) <= now:
                _close(app, now, kind, do, name)
    return send_notices(app, now)


def _close(app: App, now: datetime, kind: str, do: Do, name: str) -> None:
    what = kind + name
    try:
        with app.work(now) as work:
            do(work, name)
            forget_mark(work.tx, LATER + what)
    except Refused:
        raise
    except app.told_to_end:
        raise
    except Exception as error:
        tell("period_not_closed", level="error", what=what, error=type(error).__name__)
        with app.transaction() as tx:  # where the database is away, this says so
            set_mark(tx, LATER + what, (now + AGAIN).isoformat())


def _later(work: Work) -> dict[str, datetime]:
    """When what failed is tried again."""
    return {what: datetime.fromisoformat(at) for what, at in get_marks(work.tx, LATER).items()}


def begin_periods(tx: "Connection", project: Project, now: datetime) -> None:
    """At a release: what is new is asked and made from now on, and what comes back later has missed nothing."""
    keep_marks(tx, ASKED, project.alerts)
    keep_marks(tx, MADE, project.reports)
    today = now.astimezone(project.zone).date()
    asked, made = get_marks(tx, ASKED), get_marks(tx, MADE)
    for alert in project.alerts.values():
        if alert.name not in asked:
            set_mark(tx, ASKED + alert.name, str(block_before(today, days_of(alert)).last.toordinal()))
    for report in project.reports.values():
        if report.every and report.name not in made:
            set_mark(tx, MADE + report.name, now.isoformat())


def next_close(work: Work) -> datetime | None:
    """When the next report is due; alerts are asked at midnights, which come anyhow. None in stories and backtests."""
    if work.app.rehearsal is not None:
        return None
    dues = next_dues(work)
    later = _later(work) if dues else {}
    return min((max(at, later.get(MADE + name, at)) for name, at in dues.items()), default=None)
