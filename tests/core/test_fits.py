"""Fits: cut points, places and coefficients of a population, read back the same; when they are due and when too old."""

import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sop_engine.core.calendar import resolve
from sop_engine.core.fitting import RANK_POINTS, expired, fit_cuts, fit_rank, fit_score, is_due
from sop_engine.core.metrics import Fit, Metric
from sop_engine.core.scoring import grade_of, rank_of, score_of

SHANGHAI = ZoneInfo("Asia/Shanghai")
quick = settings(deadline=None, database=None)

# The 18 golden users: (days since the last order, orders and amount of 365 days) of the 15 who ever ordered; contribution of all.
RECENCY = [5, 30, 29, 30, 2, 7, 6, 149, 149, 90, 90, 10, 10, 20, 20]
ORDERS = [1, 2, 2, 3, 12, 10, 10, 1, 1, 1, 1, 2, 2, 1, 1]
AMOUNTS = [120, 400, 400, 600, 3600, 800, 800, 500, 500, 90, 90, 180, 180, 5000, 5001]
CONTRIBUTION = [1, 4, 0, 3, 1, 1, 1, 6, 4, 4, 0, 0, 0, 0, 2, 2, 11, 11]


def grade(cuts: str | tuple[Decimal, ...], best: str = "high", names: tuple[str, ...] = ()) -> Metric:
    return Metric("档", "grade", "words" if names else "number", of=("值",), cuts=cuts, best=best, names=names)


def rank(best: str = "high") -> Metric:
    return Metric("排名", "rank", "number", of=("值",), best=best)


@pytest.mark.parametrize(
    ("values", "best", "median", "low_value", "high_value"),
    [(RECENCY, "low", 20, 29, 20), (ORDERS, "high", 2, 1, 2), (AMOUNTS, "high", 500, 400, 500)],
)
def test_the_golden_users_are_split_at_their_medians(values: list[int], best: str, median: int, low_value: int, high_value: int) -> None:
    metric = grade("median", best, ("低", "高"))
    fit = fit_cuts(metric, values)
    assert fit == Fit("档", cuts=(float(median),), people=15)
    assert grade_of(metric, low_value, fit) == "低"
    assert grade_of(metric, high_value, fit) == "高"


@pytest.mark.parametrize(("share", "cut"), [("0.10", 11), ("0.25", 4), ("0.45", 2)])
def test_the_golden_pyramid_is_cut_at_11_4_and_2(share: str, cut: int) -> None:
    fit = fit_rank(rank(), CONTRIBUTION)
    reached = {value for value in range(20) if (place := rank_of(rank(), value, fit)) is not None and place <= Decimal(share)}
    assert reached == set(range(cut, 20))


@pytest.mark.parametrize(
    ("cuts", "values", "expected"),
    [
        ("median", [4, 1, 3, 2], (2.5,)),
        ("median", [0.1, 0.2], (0.15,)),
        ("quartiles", [1, 2, 3, 4], (1.75, 2.5, 3.25)),
        ("quintiles", [1, 2, 3, 4, 5, 6], (2.0, 3.0, 4.0, 5.0)),
        ("quintiles", [10], (10.0, 10.0, 10.0, 10.0)),
    ],
)
def test_quantiles_lie_between_two_values_in_proportion(cuts: str, values: list[float], expected: tuple[float, ...]) -> None:
    assert fit_cuts(grade(cuts), values).cuts == expected


@pytest.mark.parametrize(
    ("values", "best", "degenerate"),
    [
        ([], "high", True),
        ([7], "high", True),
        ([7, 7, 7], "low", True),
        ([0, 0, 0, 5], "high", True),  # everybody reaches the median of 0
        ([0, 0, 0, 5], "low", False),  # one does not
        ([1, 2], "high", False),
    ],
)
def test_cuts_that_put_everybody_into_one_grade_are_degenerate(values: list[float], best: str, degenerate: bool) -> None:
    assert fit_cuts(grade("median", best), values).degenerate is degenerate


@pytest.mark.parametrize(("days", "score"), [(0, 5), (7, 5), (8, 4), (30, 4), (60, 3), (90, 2), (91, 1)])
def test_written_cuts_need_no_fit(days: int, score: int) -> None:
    cuts = tuple(Decimal(c) for c in (7, 30, 60, 90))
    assert grade_of(grade(cuts, "low"), Decimal(days), None) == score


def test_what_is_unknown_has_no_grade_rank_or_score() -> None:
    median = grade("median")
    assert grade_of(median, None, fit_cuts(median, [1, 2])) is None
    assert grade_of(median, 1, None) is None
    assert grade_of(median, 1, fit_cuts(median, [])) is None
    assert rank_of(rank(), None, fit_rank(rank(), [1, 2])) is None
    assert rank_of(rank(), 1, fit_rank(rank(), [])) is None
    assert rank_of(rank(), 1, None) is None
    assert score_of([1], None) is None
    assert score_of([1], fit_score(SCORE, [], [])) is None


def test_a_value_equal_to_a_cut_with_decimals_reaches_it() -> None:
    metric = grade("median")
    fit = fit_cuts(metric, [0.1, 0.2, 0.3])
    assert grade_of(metric, Decimal("0.2"), fit) == 2
    assert grade_of(metric, Decimal("0.199999"), fit) == 1


numbers = st.lists(st.integers(0, 30), min_size=1, max_size=60)


@quick
@given(numbers, st.sampled_from(["high", "low"]), st.integers(-5, 35))
def test_a_rank_counts_who_is_strictly_better_and_half_a_person(values: list[int], best: str, asked: int) -> None:
    better = sum(value > asked if best == "high" else value < asked for value in values)
    exact = Decimal(2 * better + 1) / (2 * len(values))
    found = rank_of(rank(best), asked, fit_rank(rank(best), values))
    assert found is not None
    assert abs(found - exact) <= Decimal("0.0000005")


@quick
@given(numbers, st.integers(1, 100))
def test_a_rank_up_to_p_is_the_value_at_place_p_n_and_a_half(values: list[int], percent: int) -> None:
    place = (2 * percent * len(values) + 100) // 200
    fit = fit_rank(rank(), values)
    for value in set(values):
        found = rank_of(rank(), value, fit)
        assert found is not None
        assert (found <= Decimal(percent) / 100) == (place >= 1 and value >= sorted(values, reverse=True)[place - 1])


@quick
@given(st.permutations(CONTRIBUTION))
def test_the_order_of_people_changes_no_fit(values: list[int]) -> None:
    assert fit_rank(rank(), values) == fit_rank(rank(), CONTRIBUTION)
    assert fit_cuts(grade("quintiles"), values) == fit_cuts(grade("quintiles"), CONTRIBUTION)


@pytest.mark.parametrize("best", ["high", "low"])
def test_a_large_population_keeps_few_points_and_every_hundredth_of_a_percent(best: str) -> None:
    people = 32_123
    values = [float((n * 7919) % people) for n in range(people)]  # each of 0…32,122 once, mixed
    fit = fit_rank(rank(best), values)
    assert len(fit.cuts) <= RANK_POINTS + 1
    assert list(fit.cuts) == sorted(fit.cuts)
    assert fit.sizes[-1] == fit.people == people
    best_first = sorted(values, reverse=best == "high")
    for hundredths in (1, 7, 100, 1000, 2500, 4501, 9999, 10_000):
        place = (2 * hundredths * people + RANK_POINTS) // (2 * RANK_POINTS)
        share = Decimal(hundredths) / 10_000
        ranks = [rank_of(rank(best), value, fit) for value in best_first[max(0, place - 2) : place + 2]]
        inside = [found is not None and found <= share for found in ranks]
        assert inside == [n < place for n in range(max(0, place - 2), min(place + 2, people))]


def test_a_rank_where_all_are_equal_is_degenerate() -> None:
    fit = fit_rank(rank(), [3, 3, 3, 3])
    assert fit.degenerate
    assert rank_of(rank(), 3, fit) == Decimal("0.125")


SCORE = Metric("流失概率", "score", "number", of=("未访问天数", "活跃度"), predicts=("visit", True))


def people(count: int) -> tuple[list[list[float]], list[bool]]:
    """Made-up users: the longer the silence and the less the activity, the more often lost; spread without chance."""
    rows, labels = [], []
    for n in range(count):
        silence, activity = n * 37 % 60, n * 17 % 20
        spread = (n * 7919 % 1000) / 1000
        rows.append([float(silence), float(activity)])
        labels.append(spread < 1 / (1 + math.exp(-(silence / 10 - activity / 5 - 1))))
    return rows, labels


def test_a_score_rises_with_what_goes_before_the_event() -> None:
    rows, labels = people(2000)
    fit = fit_score(SCORE, rows, labels)
    assert not fit.degenerate
    chances = [score_of([days, 5], fit) for days in range(0, 60, 5)]
    assert all(chance is not None and 0 < chance < 1 for chance in chances)
    assert chances == sorted(chances, key=lambda c: c or Decimal(0))
    assert fit_score(SCORE, rows, labels) == fit


def test_scores_are_right_on_average_and_tell_the_lost_from_the_others() -> None:
    rows, labels = people(2000)
    fit = fit_score(SCORE, rows[:1000], labels[:1000])
    chances = [float(score_of(row, fit) or 0) for row in rows[1000:]]
    assert sum(chances) / 1000 == pytest.approx(sum(labels[1000:]) / 1000, abs=0.05)
    lost = [c for c, label in zip(chances, labels[1000:], strict=True) if label]
    others = [c for c, label in zip(chances, labels[1000:], strict=True) if not label]
    assert sum(a > b for a in lost for b in others) / (len(lost) * len(others)) > 0.75  # the area under the curve


def test_a_score_of_something_far_out_is_a_chance_still() -> None:
    fit = fit_score(SCORE, *people(500))
    assert score_of([1e9, 0], fit) == 1
    assert score_of([-1e9, 0], fit) == 0
    assert score_of([None, 0], fit) is None


@pytest.mark.parametrize(
    ("rows", "labels", "chance"),
    [
        ([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], [True, True, True], "0.875"),  # everybody did
        ([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], [False, False, False], "0.125"),
        ([[0.1, 0.2]] * 3, [True, False, False], "0.375"),  # nothing differs
    ],
)
def test_a_score_that_cannot_separate_is_degenerate_and_gives_everybody_the_same_chance(
    rows: list[list[float]], labels: list[bool], chance: str
) -> None:
    fit = fit_score(SCORE, rows, labels)
    assert fit.degenerate
    assert score_of([100, -3], fit) == Decimal(chance)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).astimezone(UTC)


@pytest.mark.parametrize(
    ("refresh", "last", "now", "due"),
    [
        ("monthly", None, "2025-06-30 12:00", True),
        ("monthly", "2025-06-01 03:00", "2025-06-30 12:00", False),
        ("monthly", "2025-06-01 03:00", "2025-07-01 02:59", False),
        ("monthly", "2025-06-01 03:00", "2025-07-01 03:00", True),
        ("monthly", "2025-06-15 10:00", "2025-07-01 03:00", True),
        ("monthly", "2025-07-01 03:00", "2025-07-01 03:00", False),
        ("weekly", "2025-06-23 03:00", "2025-06-30 02:59", False),
        ("weekly", "2025-06-23 03:00", "2025-06-30 03:00", True),  # a Monday
        ("daily", "2025-06-29 03:00", "2025-06-30 02:59", False),
        ("daily", "2025-06-29 03:00", "2025-06-30 03:00", True),
        ("daily", "2025-06-01 03:00", "2025-06-30 03:00", True),
    ],
)
def test_a_refresh_is_due_once_a_period_and_is_caught_up(refresh: str, last: str | None, now: str, due: bool) -> None:
    assert is_due(refresh, at(last) if last else None, at(now), SHANGHAI) is due


def test_a_refresh_on_a_day_the_zone_left_out_is_due_once() -> None:
    apia = ZoneInfo("Pacific/Apia")  # 30 December 2011 was left out
    fitted_at, next_at = resolve(date(2011, 12, 29), 180, apia), resolve(date(2011, 12, 31), 180, apia)
    assert not is_due("daily", fitted_at, next_at - timedelta(minutes=1), apia)
    assert is_due("daily", fitted_at, next_at, apia)
    assert not is_due("daily", next_at, next_at + timedelta(hours=23), apia)


@pytest.mark.parametrize(
    ("refresh", "fitted", "now", "expected"),
    [
        ("monthly", "2025-05-01 03:00", "2025-06-05 23:59", False),
        ("monthly", "2025-05-01 03:00", "2025-06-06 00:00", True),
        ("weekly", "2025-06-02 03:00", "2025-06-14 23:59", False),
        ("weekly", "2025-06-02 03:00", "2025-06-15 00:00", True),
        ("daily", "2025-06-02 03:00", "2025-06-08 23:59", False),
        ("daily", "2025-06-02 03:00", "2025-06-09 00:00", True),
    ],
)
def test_a_fit_expires_after_its_period_and_five_days(refresh: str, fitted: str, now: str, expected: bool) -> None:
    metric = Metric("档", "grade", "number", cuts="median", refresh=refresh)
    assert expired(metric, at(fitted), at(now), SHANGHAI) is expected
