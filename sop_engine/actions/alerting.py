"""Asks every alert once for each closed period, and tells colleagues of those that ring. Nothing of it is per user."""

from datetime import date

from sop_engine.actions.measure_asked import Asked, Given
from sop_engine.actions.noticing import plan_notice
from sop_engine.actions.watched import COUNTS, NUMBERS, figure_of
from sop_engine.app import Work
from sop_engine.core.catalog import Alert
from sop_engine.core.reports.alarms import PERIODS, USUAL, judge
from sop_engine.core.reports.periods import Period, blocks_since, earlier
from sop_engine.store import alert_periods
from sop_engine.store.alert_periods import AlertPeriod
from sop_engine.store.versions import get_mark, get_marks, set_mark

ASKED = "alert:"  # begins the marks that say up to which local day an alert was asked
WEEK = 7
UNKNOWN = "—"


def asked_in(work: Work, period: Period) -> Asked:
    """What figures of a closed period are computed from."""
    return Asked(work, period.first, period.last, period.last.toordinal(), Given())


def alerts_due(work: Work) -> list[str]:
    """The alerts of which a period has closed since they were last asked."""
    asked = get_marks(work.tx, ASKED) if work.project.alerts else {}
    return [alert.name for alert in work.project.alerts.values() if _missed(work, alert, asked.get(alert.name))]


def ask_alert(work: Work, name: str) -> list[AlertPeriod]:
    """Ask an alert about the periods that closed since it was last asked; those that rang.

    After a longer time down the last 8 periods are asked: what came before is no news.
    """
    alert = work.project.alerts[name]
    missed = _missed(work, alert, get_mark(work.tx, ASKED + name))
    if missed:
        set_mark(work.tx, ASKED + name, str(missed[-1].last.toordinal()))
    return [found for period in missed if (found := _ask(work, alert, period)).rang]


def _missed(work: Work, alert: Alert, asked: str | None) -> list[Period]:
    if asked is None:
        return []
    return list(blocks_since(date.fromordinal(int(asked)), date.fromordinal(work.day), days_of(alert)))[-PERIODS:]


def days_of(alert: Alert) -> int:
    """The length of its period in days; a week where none is said."""
    return (alert.per.days if alert.per else None) or WEEK


def _ask(work: Work, alert: Alert, period: Period) -> AlertPeriod:
    found = look(work, alert, period)
    alert_periods.put(work.tx, found)
    if found.rang:
        values = {"alert.name": alert.name, "alert.value": said(alert, found.value), "alert.before": said(alert, found.before)}
        plan_notice(work, "alert", alert.name, found.last_day, alert.send, values)
    return found


def look(work: Work, alert: Alert, period: Period) -> AlertPeriod:
    """What an alert sees in a period, held against the periods before it; nothing is stored."""
    now = figure_of(asked_in(work, period), alert)
    before = earlier(period, PERIODS if alert.value == USUAL else 1)
    judged = judge(now, [figure_of(asked_in(work, one), alert) for one in before], alert.bound, alert.value)
    days = period.first.toordinal(), period.last.toordinal()
    return AlertPeriod(alert.name, *days, now.value, judged.before, judged.bound, now.counted, judged.rings, work.now)


def said(alert: Alert, value: float | None) -> str:
    """A figure as colleagues read it: a share in percent with one decimal, a number as it is."""
    if value is None:
        return UNKNOWN
    if alert.watch in COUNTS:
        return f"{value:,.1f}".removesuffix(".0")
    return f"{value:.2f}" if alert.watch in NUMBERS else f"{value:.1%}"
