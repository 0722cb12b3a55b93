"""F56: holidays that are published while touches are planned: what was planned by the weekend alone moves to the days that turn out."""

import pytest
from sqlalchemy import Engine

from sop_engine.actions.invariants import ask_invariants
from tests.shop import Shop
from tests.shop_project import CATALOGUE

DAILY = "playbook: p\nintent: serve\nstart: {event: cart}\ngoal: joins\nsteps:\n  daily: {every: DAYS 10:00, send: receipt}\n"


def catalogue(*, holidays: str = "", workdays: str = "", until: str) -> str:
    """A calendar that is known until a day."""
    return f"{CATALOGUE}---\ncalendars:\n  cn: {{holidays: [{holidays}], workdays: [{workdays}], until: {until}}}\n"


def begin(engine: Engine, days: str, known: str) -> Shop:
    """A user inside since Wednesday, 31 December 2025, 12:00; the first of January is no holiday yet."""
    shop = Shop(engine, start="2025-12-31 12:00", project={"calendar": "cn"})
    shop.apply(DAILY.replace("DAYS", days), catalogue=known)
    shop.event(shop.user("u1"), "cart")
    return shop


def test_f56_a_holiday_that_is_published_moves_what_was_planned_for_it_and_taken_back_moves_it_back(engine: Engine) -> None:
    old = catalogue(until="2025-12-31")
    shop = begin(engine, "workday", old)
    assert shop.planned() == ["daily@01-01 10:00"]
    shop.apply(
        DAILY.replace("DAYS", "workday"),
        catalogue=catalogue(holidays="2026-01-01 to 2026-01-03", workdays="2026-01-04", until="2026-12-31"),
    )
    assert shop.planned() == ["daily@01-04 10:00"]  # a Sunday that is made up for
    shop.until("2026-01-04 09:59")
    assert shop.sent() == []
    shop.until("2026-01-05 12:00")
    assert shop.sent() == ["daily@01-04 10:00", "daily@01-05 10:00"]
    assert {t.occurrence for t in shop.touches()} == {"2026-01-04", "2026-01-05", "2026-01-06"}
    shop.apply(DAILY.replace("DAYS", "workday"), catalogue=old)
    assert shop.planned() == ["daily@01-06 10:00"]
    with shop.app.work(shop.now) as work:
        assert ask_invariants(work).broken == []


def test_f56_a_day_that_was_sent_already_is_not_sent_again_and_nothing_is_moved_to_the_past(engine: Engine) -> None:
    known = catalogue(holidays="2026-01-02", until="2026-12-31")
    shop = begin(engine, "workday", known)
    shop.until("2026-01-02 15:00")
    assert (shop.sent(), shop.planned()) == (["daily@01-01 10:00"], ["daily@01-05 10:00"])
    shop.apply(DAILY.replace("DAYS", "workday"), catalogue=catalogue(until="2026-12-31"))  # the second was a workday after all: too late
    assert shop.planned() == ["daily@01-05 10:00"]
    shop.until("2026-01-05 12:00")
    assert shop.sent() == ["daily@01-01 10:00", "daily@01-05 10:00"]


@pytest.mark.parametrize(("days", "planned"), [("weekend", "daily@01-03 10:00"), ("day", "daily@01-01 10:00")])
def test_f56_a_make_up_workday_is_no_weekend_and_what_goes_by_no_calendar_stays(engine: Engine, days: str, planned: str) -> None:
    shop = begin(engine, days, catalogue(until="2025-12-31"))
    assert shop.planned() == [planned]
    shop.apply(DAILY.replace("DAYS", days), catalogue=catalogue(workdays="2026-01-03", until="2026-12-31"))
    assert shop.planned() == [planned if days == "day" else "daily@01-04 10:00"]
