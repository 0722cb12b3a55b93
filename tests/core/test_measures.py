"""The arithmetic of measures, with the figures each row is accepted by; and that every quoted figure has its measure."""

import pytest

from sop_engine.core.measures.arithmetic import (
    against_plan,
    deviations,
    k_factor,
    means_compared,
    quotient,
    rate,
    rates_compared,
    rewarded,
    share,
    totals_compared,
)
from sop_engine.core.measures.listed import MEASURES
from sop_engine.core.measures.said import line, note
from sop_engine.core.measures.values import GROUPS, SORTS, Found
from sop_engine.core.measures.words import GROUP, LABEL, NOTES, WHY

QUOTED = {f"Q-{n:02d}" for n in range(1, 27)}
ROWS = {"S0-01", "S1-05", "S1-47", "S2-02", "S2-19", "S2-21", "S2-68", "S1-16", "X-21", "X-23"}
RATES = {
    "q_01 opens of a mass send": (40, 1000, 0.04),
    "q_03 diamond members": (12, 100, 0.12),
    "q_04 diamond members of the next year": (39, 50, 0.78),
    "q_06 new layer in 30 days": (29, 100, 0.29),
    "q_08 silent layer woken": (50, 200, 0.25),
    "q_23 retail woken": (42, 200, 0.21),
    "x_21 of 90 delivered, not of 100 planned": (18, 90, 0.20),
}
CHANGES = {
    "q_11 fresh VIPs": ((54, 100), (40, 100), False, 0.35, 14.0),
    "q_12 buyers against lapsed": ((8, 100), (2, 100), True, 4.0, 6.0),
    "q_13 seeds recommend": ((17, 100), (10, 100), False, 0.7, 7.0),
    "q_14 deep level": ((10, 100), (2, 100), True, 5.0, 8.0),
    "q_16 light level": ((127, 1000), (100, 1000), False, 0.27, 2.7),
    "q_20 repurchase": ((50, 100), (40, 100), False, 0.25, 10.0),
    "q_21 group-buy repurchase": ((33, 100), (25, 100), False, 0.32, 8.0),
    "q_22 coupon against hold-out": ((60, 1000), (25, 1000), True, 2.4, 3.5),
}
MEANS = {
    "q_05 diamond revenue": ((530_000, 100), (100_000, 100), True, 5.3),
    "q_07 order value": ((14_000, 100), (10_000, 100), False, 0.4),
    "q_15 consults a head": ((14, 100), (10, 100), False, 0.4),
    "q_18 tasks an hour": ((1300, 100), (1000, 100), False, 0.3),
    "q_21 cost an order": ((820, 100), (1000, 100), False, -0.18),
}


def notes(found: Found) -> dict[str, float | str]:
    return dict(found.notes)


@pytest.mark.parametrize(("x", "n", "value"), RATES.values(), ids=RATES)
def test_q_01_03_04_06_08_23_x_21_a_rate_is_the_quotient_and_lies_between_its_limits(x: int, n: int, value: float) -> None:
    found = rate(x, n)
    assert found.value == pytest.approx(value)
    assert (found.numerator, found.denominator) == (x, n)
    assert found.low is not None and found.high is not None
    assert found.low < value < found.high


@pytest.mark.parametrize(("one", "other", "times", "value", "points"), CHANGES.values(), ids=CHANGES)
def test_q_11_12_13_14_16_20_21_22_two_rates_compared_say_the_relative_change_and_the_points(
    one: tuple[int, int], other: tuple[int, int], times: bool, value: float, points: float
) -> None:
    found = rates_compared(one, other, times=times)
    assert found.value == pytest.approx(value)
    assert notes(found)["points"] == pytest.approx(points)
    assert found.low is not None and found.high is not None and found.low < value < found.high
    assert float(notes(found)["points_from"]) < points < float(notes(found)["points_to"])


@pytest.mark.parametrize(("one", "other", "times", "value"), MEANS.values(), ids=MEANS)
def test_q_05_07_15_18_21_two_means_compared(one: tuple[float, int], other: tuple[float, int], times: bool, value: float) -> None:
    assert means_compared(one, other, times=times).value == pytest.approx(value)


def test_q_09_conversions_for_each_thousand_tiered_against_not() -> None:
    assert rates_compared((30, 1000), (20, 1000)).value == pytest.approx(0.5)


def test_q_17_posts_of_one_window_against_the_one_before() -> None:
    assert totals_compared(250, 100).value == pytest.approx(1.5)
    assert totals_compared(250, 0).why == "no_base"


def test_q_25_what_a_conversion_costs() -> None:
    assert quotient(50, 100).value == pytest.approx(0.5)
    assert quotient(300, 100).value == pytest.approx(3)


def test_s0_01_share_of_costs_and_costs_a_head() -> None:
    spent, heads = {"core": 600, "ordinary": 300, "silent": 100}, {"core": 20, "ordinary": 70, "silent": 10}
    assert [share(x, 1000).value for x in spent.values()] == [0.6, 0.3, 0.1]
    assert [round(quotient(spent[n], heads[n]).value or 0, 2) for n in spent] == [30, 4.29, 10]


def test_s1_47_actual_share_less_the_planned_one() -> None:
    (found,) = against_plan({"high": 300, "low": 700}, {"high": 0.5})
    assert found.value == pytest.approx(-20) and "off_plan" in notes(found)


@pytest.mark.parametrize(("top", "points", "word"), [(800, 0, "on_plan"), (500, -30, "off_plan")])
def test_s2_02_a_plan_of_80_percent(top: float, points: float, word: str) -> None:
    (found,) = against_plan({"top": top, "others": 1000 - top}, {"top": 0.8})
    assert found.value == pytest.approx(points) and word in notes(found)


def test_s1_16_8_of_10_tags_unused() -> None:
    assert share(8, 10).value == 0.8


def test_s2_19_a_cohort_too_young_is_blank_and_not_0() -> None:
    assert (rate(4, 10).value, rate(3, 10).value) == (0.4, 0.3)
    young = rate(0, 0, left_out=10)
    assert (young.value, young.why, young.left_out) == (None, "young", 10)


@pytest.mark.parametrize(
    ("invites", "joined", "k", "word"), [(300, 120, 1.2, "k_above_1"), (250, 75, 0.75, "k_at_most_1"), (100, 100, 1, "k_at_most_1")]
)
def test_s2_21_k_is_invites_a_user_times_the_share_that_joins(invites: int, joined: int, k: float, word: str) -> None:
    found = k_factor(100, invites, joined)
    assert found.value == pytest.approx(k)
    assert notes(found)["invites_a_user"] == pytest.approx(invites / 100)
    assert notes(found)["joined_share"] == pytest.approx(joined / invites)
    assert word in notes(found)


def test_s2_68_less_a_head_for_the_top_level_is_under_rewarded() -> None:
    assert "under_rewarded" in notes(rewarded((500, 100), (600, 100), "top"))
    assert "not_under_rewarded" in notes(rewarded((600, 100), (600, 100), "top"))


def test_q_26_deviations_of_the_pyramid_in_points() -> None:
    targets = {"a": 0.1, "b": 0.15, "c": 0.2, "d": 0.55}
    found = deviations({"a": 3, "b": 10, "c": 30, "d": 157}, targets)
    assert [f.value for f in found] == pytest.approx([-8.5, -10, -5, 23.5])


def test_fewer_than_30_are_said_and_nobody_has_no_rate() -> None:
    assert (rate(1, 29).why, rate(1, 30).why) == ("few", "")
    assert (rate(0, 0).value, rate(0, 0).why) == (None, "nobody")
    assert rates_compared((1, 30), (1, 29)).why == "few"
    assert rates_compared((1, 30), (0, 30)).why == "no_base"
    assert means_compared((1, 0), (1, 30)).why == "nobody"
    assert k_factor(100, 0, 0).why == "no_invites"


def test_every_quoted_figure_has_a_measure_beside_its_reference() -> None:
    referred = {r.row for m in MEASURES.values() for r in m.references}
    assert referred >= QUOTED
    assert {row for m in MEASURES.values() for row in m.answers} >= ROWS


def test_every_measure_says_what_it_is_in_both_languages() -> None:
    for one in MEASURES.values():
        assert one.group in GROUPS and one.sort in SORTS
        for lang in ("zh", "en"):
            assert one.title(lang) and len(one.what(lang)) > 10


def test_x_23_the_reference_stands_beside_the_own_figure_with_its_row() -> None:
    one = MEASURES["silent_wake_up"]
    assert line(one, rate(18, 100), "zh") == "沉默层唤醒率 18.0%（参考 25%，Q-08）"
    assert line(one, rate(18, 100), "en") == "Wake-up of the silent layer 18.0% (reference 25 %, Q-08)"
    assert line(MEASURES["click_rate"], rate(1, 50), "zh") == "点击率（按渠道） 2.0%"


def test_a_change_is_told_with_its_points_and_what_it_is_compared_with() -> None:
    told = note(MEASURES["repurchase_change"], rates_compared((50, 100), (40, 100)), "en")
    assert told.startswith("against 40.0%, +10.0 points, from -3.")
    assert note(MEASURES["cost_per_order"], means_compared((820, 100), (1000, 100)), "zh") == "对比 10.00，对比基数 100"


def test_every_word_of_a_figure_is_known_in_both_languages() -> None:
    for words in (GROUP, LABEL, WHY, NOTES):
        assert set(words["zh"]) == set(words["en"])
    assert set(GROUP["en"]) == set(GROUPS)
