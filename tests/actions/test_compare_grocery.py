"""An A/A test on real silences through the whole engine: the drawn arms, their natural returns, and no difference found."""

from datetime import date, timedelta

import pytest
from sqlalchemy import Engine

from sop_engine.actions.compare import compare_playbook
from sop_engine.actions.ingest import record_events
from sop_engine.core.comparison.values import Report
from sop_engine.core.records import UserRecord
from tests.actions.grocery import orders
from tests.shop import Shop

pytestmark = pytest.mark.slow

DAY = date(2006, 12, 31)
PLAYBOOK = """
playbook: winback
intent: win_back
start: {enter: quiet >= 30}
existing: enter
existing_per_day: 5000
goal: {event: order, within: 30d}
holdout: 50%
experiment: {name: winback, mode: fixed}
steps:
  hello: {at: day 0 20:30, send: hello_push}
"""


def lived(engine: Engine) -> Shop:
    """The log until the last day of 2006 is history; then the playbook is applied and January goes by."""
    shop = Shop(engine, start="2006-12-31 20:00", project={"salt": "shop"})
    shop.apply()
    known = [o for o in orders() if o[1] <= DAY]
    first: dict[str, date] = {}
    for user, day in known:
        first.setdefault(user, day)
    people = [UserRecord(user, shop.at(f"{day} 08:00"), {}) for user, day in first.items()]
    shop.load_history(people, [shop.record(user, "order", f"{day} 12:00", {"amount": 10}) for user, day in known])
    shop.apply(PLAYBOOK)
    shop.until("2006-12-31 23:00")
    january = [o for o in orders() if DAY < o[1] <= DAY + timedelta(days=31)]
    live = [shop.record(user, "order", f"{day} 12:00", {"amount": 10}) for user, day in sorted(january, key=lambda o: o[1])]
    record_events(shop.app, live, shop.at("2007-01-31 23:00"), at_event_time=True)
    return shop


@pytest.fixture
def report(engine: Engine) -> Report:
    shop = lived(engine)
    return compare_playbook(shop.app, "winback", shop.at("2007-02-01 09:00"))


def test_the_arms_and_their_natural_returns_are_those_of_the_log_and_no_difference_is_found(report: Report) -> None:
    held, sent = report.arms
    assert [(a.name, a.role, a.mature, a.won_back) for a in (held, sent)] == [
        ("holdout", "control", 647, 59),
        ("winback", "variant", 644, 48),
    ]
    only = report.comparisons[0]
    assert only.verdict == report.answer.verdict == "no_clear_difference"
    assert (round(100 * (only.low or 0), 2), round(100 * (only.high or 0), 2)) == (-4.71, 1.36)
    assert report.health.status == "green"
    assert report.health.contamination == {"holdout_sent": 0, "two_arms": 0, "merged": 0}
    assert held.funnel is not None and held.funnel["not_sent"] == {"holdout": 647}
    assert sent.funnel is not None and sent.funnel["sent"] == 644
