"""When a watched figure rings: fixed bounds, what is usual, few users, nothing that varies; and which days a period has."""

from collections.abc import Sequence
from datetime import date

import pytest

from sop_engine.core.catalog import Calendar
from sop_engine.core.reports.alarms import Figure, judge
from sop_engine.core.reports.periods import Period, block_before, blocks_since, closed_by, earlier
from sop_engine.language.forms import SCHEDULE

WEEKS = (2.0, 2.1, 1.9, 2.0, 2.2, 1.8, 2.0, 2.0)  # percent
USERS = 1000


def rings(now: float, weeks: Sequence[float] = WEEKS, *, side: str = "above", users: int = USERS) -> bool:
    """Whether a weekly rate in percent rings after these weeks."""

    def figure(rate: float) -> Figure:
        return Figure(rate / 100, round(users * rate / 100), users)

    return judge(figure(now), [figure(week) for week in weeks], side, "usual").rings


def test_s1_75_a_jump_of_the_weekly_churn_rings_and_a_little_more_than_usual_does_not() -> None:
    judged = judge(Figure(0.05, 50, USERS), [Figure(week / 100, 20, USERS) for week in WEEKS], "above", "usual")
    assert judged.rings and round(judged.before or 0, 6) == 0.02
    assert not rings(2.2)


def test_s1_75_both_bounds_must_be_passed() -> None:
    restless = (1.0, 3.0, 1.0, 3.0, 1.0, 3.0, 1.0, 3.0)
    assert not rings(4.5, restless)  # more than twice the mean, and within three deviations of it
    assert rings(5.3, restless)
    assert not rings(2.9)  # eight deviations above the mean, and not half as much again
    assert rings(3.0)


def test_s1_75_with_fewer_than_eight_weeks_the_ratio_alone_decides() -> None:
    restless = (1.0, 3.0, 1.0, 3.0, 1.0, 3.0, 2.0)
    assert rings(3.1, restless) and not rings(2.9, restless)
    assert not rings(50.0, ())


def test_s1_75_fewer_than_five_users_never_ring() -> None:
    assert rings(5.0, users=100) and not rings(4.0, users=100)


def test_s1_75_where_no_week_differs_any_week_is_three_deviations_away_and_the_ratio_decides() -> None:
    assert rings(3.0, (2.0,) * 8) and not rings(2.9, (2.0,) * 8)
    assert rings(1.0, (0.0,) * 8) and not rings(0.0, (0.0,) * 8)


def test_a_fall_rings_at_two_thirds_and_only_where_five_users_were_to_be_expected() -> None:
    assert rings(1.2, side="below") and not rings(1.4, side="below")
    assert rings(0.0, side="below", users=250) and not rings(0.0, side="below", users=240)


@pytest.mark.parametrize(
    ("value", "side", "bound", "expected"),
    [(0.049, "below", "5%", True), (0.05, "below", "5%", False), (0.81, "above", "80%", True), (0.8, "above", "80%", False),
     (0.99, "below", "1", True), (3.0, "above", "2.5", True), (None, "below", "5%", False)],
)  # fmt: skip
def test_a_fixed_bound_is_passed_and_not_reached_and_what_is_not_known_never_rings(
    value: float | None, side: str, bound: str, expected: bool
) -> None:
    judged = judge(Figure(value, 1, 20), [Figure(0.5, 10, 20)], side, bound)
    assert (judged.rings, judged.before) == (expected, 0.5)


def test_periods_without_a_value_are_not_among_the_eight_before() -> None:
    assert judge(Figure(0.5, 10, 20), [Figure(None)] * 8, "above", "usual").before is None


def test_seven_days_are_a_week_from_monday_and_longer_blocks_follow_each_other() -> None:
    week = block_before(date(2025, 6, 30), 7)
    assert (week.first.isoformat(), week.last.isoformat(), week.first.isoweekday()) == ("2025-06-23", "2025-06-29", 1)
    assert block_before(date(2025, 7, 6), 7) == week
    month = block_before(date(2025, 6, 30), 30)
    assert month.days == 30 and block_before(month.first, 30).last.toordinal() == month.first.toordinal() - 1
    assert [p.last.isoformat() for p in blocks_since(date(2025, 6, 15), date(2025, 7, 1), 7)] == ["2025-06-22", "2025-06-29"]
    assert list(blocks_since(date(2025, 6, 29), date(2025, 7, 6), 7)) == []
    assert earlier(week, 2)[0].first.isoformat() == "2025-06-09"


@pytest.mark.parametrize(
    ("schedule", "on", "first", "last"),
    [("mon 08:00", "2025-06-30", "2025-06-23", "2025-06-29"), ("day 08:00", "2025-06-30", "2025-06-29", "2025-06-29"),
     ("month day 1 08:00", "2025-07-01", "2025-06-01", "2025-06-30"), ("month day 31 08:00", "2025-02-28", "2025-01-31", "2025-02-27"),
     ("workday 09:00", "2025-06-30", "2025-06-27", "2025-06-29"), ("14d 09:00", "2025-06-30", "2025-06-16", "2025-06-29")],
)  # fmt: skip
def test_s1_77_a_report_is_about_the_closed_days_since_it_was_made_before(schedule: str, on: str, first: str, last: str) -> None:
    found = closed_by(SCHEDULE.parse(schedule), date.fromisoformat(on), Calendar(""))
    assert found == Period(date.fromisoformat(first), date.fromisoformat(last))
