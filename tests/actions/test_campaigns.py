"""Flows that start at a date or by a schedule, for all who fit: once per occasion and user, missed ones too."""

from datetime import date

import pytest
from sqlalchemy import Engine

from sop_engine.actions.scheduled import start_scheduled
from sop_engine.core.records import UserRecord
from tests.shop import Shop, keys

pytestmark = pytest.mark.slow

ONCE = """
playbook: launch
intent: maintain
start: {date: 2025-03-18 10:00}
only: ONLY
goal: joins
steps:
  first: {at: day 0 10:00-11:00, when: start.spent >= 100, send: hello}
  second: {at: day 1 10:00, when: start.spent < 100, send: again}
"""

EVERY = """
playbook: day
intent: serve
start: {every: SCHEDULE}
only: ONLY
goal: joins
MORE
steps:
  note: {at: now, send: receipt}
"""


def every(schedule: str, only: str = "everyone", more: str = "") -> str:
    """A flow by a schedule."""
    return EVERY.replace("SCHEDULE", schedule).replace("ONLY", only).replace("MORE", more)


def test_a_campaign_starts_once_for_all_who_fit_at_that_moment_in_waves_by_what_they_were(engine: Engine) -> None:
    shop = Shop(engine, ONCE.replace("ONLY", "orders > 0"), start="2025-03-17 12:00")
    for key, amount in (("rich", 200), ("poor", 50), ("none", 0)):
        shop.user(key)
        if amount:
            shop.event(key, "order", order_id=key, amount=amount)
    shop.event("poor", "order", at="2025-03-18 12:00", order_id="more", amount=500)
    shop.until("2025-03-25 12:00")
    assert [s.split("@")[0] for s in shop.sent("rich")] == ["first"]
    assert shop.sent("poor") == ["second@03-19 10:00"]
    assert shop.runs("none") == []
    assert all(len(shop.runs(key)) == 1 for key in ("rich", "poor"))


def test_a_campaign_missed_by_an_hour_is_caught_up_and_one_whose_date_was_over_at_its_release_never_starts(engine: Engine) -> None:
    late = ONCE.replace("ONLY", "everyone")
    over = late.replace("playbook: launch", "playbook: over").replace("2025-03-18", "2025-03-16")
    shop = Shop(engine, late, over, start="2025-03-17 12:00")
    shop.user("u1")
    shop.jump("2025-03-18 11:30")
    assert shop.beat().started == 1
    assert shop.beat().started == 0
    assert [r.flow for r in shop.runs("u1")] == ["launch"]


def test_c_12_a_schedule_firing_twice_starts_each_user_once_an_occasion(engine: Engine) -> None:
    shop = Shop(engine, every("month day 28 10:00"), start="2025-02-20 12:00")
    for key in keys(3):
        shop.user(key)
    shop.jump("2025-02-28 10:00")
    assert [start_scheduled(shop.app, shop.now) for _ in range(2)] == [3, 0]
    shop.until("2025-03-31 10:00")
    assert all(
        [f"{r.started_at.astimezone(shop.zone):%m-%d %H:%M}" for r in shop.runs(key)] == ["02-28 10:00", "03-28 10:00"] for key in keys(3)
    )


def test_missed_occasions_start_with_their_true_time_or_not_at_all_when_all_is_too_late(engine: Engine) -> None:
    shop = Shop(engine, every("mon 10:00"), start="2025-03-02 12:00")
    shop.user("u1")
    shop.jump("2025-03-18 09:00")  # the Mondays 3, 10 and 17 March
    shop.beat()
    assert [f"{r.started_at.astimezone(shop.zone):%m-%d}" for r in shop.runs("u1")] == ["03-03", "03-10", "03-17"]
    assert shop.states() == ["note:skipped:late", "note:skipped:late", "note:sent"]


OCCASIONS = [
    ("month day 31 10:00", ["02-28", "03-31"]),
    ("14d 10:00", ["03-06", "03-20"]),
    ("weekend 10:00", ["02-22", "02-23", "03-01"]),
    ("workday 10:00", ["02-21", "02-24", "02-25"]),
]


@pytest.mark.parametrize(("schedule", "days"), OCCASIONS)
def test_every_kind_of_schedule_comes_on_its_days(engine: Engine, schedule: str, days: list[str]) -> None:
    shop = Shop(engine, every(schedule), start="2025-02-20 12:00")
    shop.user("u1")
    shop.until(f"2025-{days[-1]} 12:00")
    assert shop.sent() == [f"note@{day} 10:00" for day in days]


def test_only_is_asked_again_at_each_occasion(engine: Engine) -> None:
    shop = Shop(engine, every("day 10:00", "vip"), start="2025-03-01 12:00")
    shop.user("u1")
    shop.until("2025-03-02 10:00")
    shop.set("u1", vip=True)
    shop.until("2025-03-04 10:00")
    shop.set("u1", vip=False)
    shop.until("2025-03-06 10:00")
    assert shop.sent() == ["note@03-03 10:00", "note@03-04 10:00"]


def test_a_flow_that_comes_back_after_a_month_has_missed_nothing(engine: Engine) -> None:
    shop = Shop(engine, every("day 10:00"), start="2025-02-01 12:00")
    shop.user("u1")
    shop.apply("tags:\n  unused: {}\n")
    shop.until("2025-03-01 12:00")
    shop.apply(every("day 10:00"))
    shop.until("2025-03-03 12:00")
    assert shop.states() == ["note:sent", "note:sent"]


def test_two_thousand_users_start_page_by_page_and_nobody_twice(engine: Engine) -> None:
    shop = Shop(engine, ONCE.replace("ONLY", "everyone").replace("10:00-11:00", "23:00"), start="2025-03-18 09:00")
    shop.load_history([UserRecord(key, shop.now, {"birthday": date(2000, 1, 1)}) for key in keys(2100)], [])
    shop.until("2025-03-18 10:00")
    touched = [t.user_id for t in shop.touches() if t.step == "first"]
    assert len(touched) == len(set(touched)) == 2100
