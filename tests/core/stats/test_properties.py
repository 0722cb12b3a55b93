"""What must hold of any comparison whatever: symmetry of the intervals, users whose window is open, and a word for every small sample."""

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sop_engine.cli.compared import in_text
from sop_engine.core.comparison.compare import Known, compare
from sop_engine.core.comparison.design import Design
from sop_engine.core.comparison.exported import as_csv, as_json
from sop_engine.core.comparison.html import as_html
from sop_engine.core.comparison.phrases import WORDS
from sop_engine.core.comparison.sample import Sample, undated
from sop_engine.core.comparison.values import Report, Source
from sop_engine.core.stats.intervals import lift, newcombe

pytestmark = pytest.mark.slow

KNOWN = Known(Source("csv", "made up", 0, ""), "test")
DAY, WINDOW = date(2025, 3, 31), 14
EXACT = 1e-9

counted = st.integers(1, 5_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
multiplier = st.floats(0.5, 60)
many = settings(deadline=None, database=None, max_examples=200)
some = settings(deadline=None, database=None, max_examples=25)


def interval(one: tuple[int, int], two: tuple[int, int], m: float) -> tuple[float, float]:
    """Limits of the first rate minus the second, of (back, users)."""
    low, high = newcombe(one[0] / one[1], one[1], two[0] / two[1], two[1], m)
    return float(low), float(high)


@many
@given(counted, counted, multiplier)
def test_swapping_the_arms_negates_the_interval(one: tuple[int, int], two: tuple[int, int], m: float) -> None:
    low, high = interval(one, two, m)
    assert interval(two, one, m) == pytest.approx((-high, -low), abs=EXACT)


@many
@given(counted, counted, multiplier)
def test_counting_who_stayed_away_instead_negates_the_interval(one: tuple[int, int], two: tuple[int, int], m: float) -> None:
    low, high = interval(one, two, m)
    away = [(n - x, n) for x, n in (one, two)]
    assert interval(away[0], away[1], m) == pytest.approx((-high, -low), abs=EXACT)


@many
@given(counted, counted, multiplier, st.integers(2, 20))
def test_both_arms_so_many_times_as_large_make_the_interval_narrower(
    one: tuple[int, int], two: tuple[int, int], m: float, times: int
) -> None:
    low, high = interval(one, two, m)
    larger = [(times * x, times * n) for x, n in (one, two)]
    closer = interval(larger[0], larger[1], m)
    assert closer[1] - closer[0] < high - low
    assert low <= closer[0] + EXACT and closer[1] <= high + EXACT


@many
@given(counted, counted, multiplier, st.floats(1.0, 3.0))
def test_a_larger_multiplier_contains_the_smaller(one: tuple[int, int], two: tuple[int, int], m: float, more: float) -> None:
    low, high = interval(one, two, m)
    wide = interval(one, two, m * more)
    assert wide[0] <= low + EXACT and high <= wide[1] + EXACT


@many
@given(counted, counted, multiplier)
def test_the_lift_excludes_no_effect_exactly_when_the_difference_does(one: tuple[int, int], two: tuple[int, int], m: float) -> None:
    low, high = interval(one, two, m)
    if min(abs(low), abs(high)) < EXACT:
        return  # rounding decides
    _, low_lift, high_lift = lift(one[0] / one[1], one[1], two[0] / two[1], two[1], m)
    assert (low > 0) == (low_lift > 0)
    assert (high < 0) == (high_lift is not None and high_lift < 0)


# users whose window is open

User = tuple[int, int, int]  # arm, days before DAY on which the clock started, days to the return (-1: none)
user = st.tuples(st.integers(0, 2), st.integers(0, 40), st.integers(-1, 30))


def dated(users: Sequence[User], arms: tuple[str, ...] = ("holdout", "A", "B")) -> Sample:
    """The users as the engine has them: back is a return inside the window that has been seen by DAY."""
    arm, ago, after = (np.array(column, dtype=int) for column in (zip(*users, strict=True) if users else ([], [], [])))
    start = DAY.toordinal() - ago
    seen = np.where(after <= ago, after, -1)
    yes = np.ones(len(users), dtype=bool)
    back = (seen >= 0) & (seen <= WINDOW)
    return Sample(arms, arm, back, yes, ~yes, start, start, start + WINDOW, seen)


def plan(shares: Mapping[str, float] | None, planned: int | None, mode: str) -> Design:
    """Read through DAY."""
    return Design(
        "holdout", mode, planned, shares, hold_out=True, window_days=WINDOW, data_through=DAY, dated=True,
    )  # fmt: skip


@pytest.mark.slow
@some
@given(
    st.lists(user, min_size=15, max_size=60),
    st.lists(user.map(lambda u: (u[0], u[1] % WINDOW, u[2])), min_size=10, max_size=60),
    st.sampled_from([{"holdout": 0.2, "A": 0.4, "B": 0.4}, None]),
    st.sampled_from([("open_ended", None), ("hybrid", 60), ("fixed", 60)]),
)
def test_users_whose_window_is_open_change_no_rate_and_no_interval(
    users: list[User], open_ones: list[User], shares: dict[str, float] | None, mode: tuple[str, int | None]
) -> None:
    over = [u for u in users if u[1] >= WINDOW]
    design = plan(shares, mode[1], mode[0])
    without, with_them = (compare(dated(listed), design, KNOWN) for listed in (over, [*over, *open_ones]))
    for before, after in zip(without.arms, with_them.arms, strict=True):
        assert (before.mature, before.won_back, before.rate, before.low, before.high) == (
            after.mature, after.won_back, after.rate, after.low, after.high,
        )  # fmt: skip
        assert after.immature == sum(1 for u in open_ones if with_them.arms[u[0]] is after)
    for one, two in zip(without.comparisons, with_them.comparisons, strict=True):
        assert (one.difference, one.low, one.high, one.lift_low, one.lift_high, one.p) == (
            two.difference, two.low, two.high, two.lift_low, two.lift_high, two.p,
        )  # fmt: skip


# small samples

ROWS = st.lists(st.tuples(st.integers(0, 2), st.booleans(), st.integers(0, 3), st.integers(0, 2)), max_size=70)
MODES = st.sampled_from([("open_ended", None), ("hybrid", 1), ("hybrid", 1_000_000), ("fixed", None), ("fixed", 40)])


def told(report: Report) -> str:
    """The report in every form, one after the other."""
    forms = [as_json(report), as_csv(report)]
    for lang in WORDS:
        forms += [in_text(report, lang), as_html(report, lang)]
    return "\n".join(forms)


def assert_a_word(sample: Sample, design: Design) -> Report:
    """A word of the list, told in every form without NaN or warning, and the same again to the byte."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = compare(sample, design, KNOWN)
        text = told(report)
        assert told(compare(sample, design, KNOWN)) == text
    assert {report.answer.verdict, *(c.verdict for c in report.comparisons)} <= {*WORDS["en"]}
    assert report.answer.sentence["en"] and report.answer.sentence["zh"]
    assert re.search(r"\bnan\b|Infinity", text, re.IGNORECASE) is None
    return report


def several(rows: Sequence[tuple[int, bool, int, int]], arms: tuple[str, ...] = ("holdout", "A", "B")) -> Sample:
    """Users with money, a tier and a guardrail; rows of (arm, back, money, tier)."""
    sample = undated(arms, [r[0] for r in rows], [r[1] for r in rows], [float(r[2]) for r in rows])
    return replace(
        sample,
        stratum=np.array([r[3] for r in rows], dtype=int),
        strata=("gold", "silver", "bronze"),
        guards={"unsubscribe": np.array([r[2] % 2 for r in rows], dtype=float), "messages": np.array([r[3] for r in rows], dtype=float)},
        reached=np.array([r[2] != 3 for r in rows], dtype=bool),
    )


@pytest.mark.slow
@some
@given(ROWS, MODES, st.sampled_from([{"holdout": 0.2, "A": 0.4, "B": 0.4}, None]), st.booleans())
def test_any_handful_of_users_gives_a_word_and_the_same_bytes_again(
    rows: list[tuple[int, bool, int, int]], mode: tuple[str, int | None], shares: dict[str, float] | None, control_known: bool
) -> None:
    design = Design(
        "holdout", mode[0], mode[1], shares, hold_out=control_known, control_known=control_known, guard_limits={"messages": 1.0}
    )
    assert_a_word(several(rows), design)


@pytest.mark.slow
@some
@given(st.lists(user, max_size=70), MODES, st.sampled_from([{"holdout": 0.2, "A": 0.4, "B": 0.4}, None]))
def test_any_handful_of_days_gives_a_word_and_the_same_bytes_again(
    users: list[User], mode: tuple[str, int | None], shares: dict[str, float] | None
) -> None:
    assert_a_word(dated(users), plan(shares, mode[1], mode[0]))


def pair(control: tuple[int, int], variant: tuple[int, int]) -> list[tuple[int, bool, int, int]]:
    """Rows of (back, users) of two arms; who came back spent 2."""
    return [(arm, n < x, 2 * (n < x), 0) for arm, (x, size) in enumerate((control, variant)) for n in range(size)]


@pytest.mark.parametrize(
    ("control", "variant", "word", "reason"),
    [
        ((0, 0), (0, 0), "too_early", "no_users"),
        ((3, 40), (0, 0), "too_early", "no_users"),
        ((0, 0), (40, 40), "too_early", "no_users"),
        ((0, 1), (0, 0), "too_early", "no_users"),
        ((1, 1), (1, 1), "too_early", "under_30"),
        ((0, 40), (0, 40), "no_clear_difference", None),
        ((40, 40), (40, 40), "no_clear_difference", None),
        ((0, 40), (40, 40), "better", None),
        ((40, 40), (0, 40), "worse", None),
    ],
)
def test_empty_arms_nobody_and_everybody_back_and_one_user_have_their_word(
    control: tuple[int, int], variant: tuple[int, int], word: str, reason: str | None
) -> None:
    design: dict[str, Any] = {"mode": "fixed", "shares": {"holdout": 0.5, "A": 0.5}}
    sample = several(pair(control, variant), ("holdout", "A"))
    veto = bool(control[1]) != bool(variant[1]) and max(control[1], variant[1]) > 1
    report = assert_a_word(sample, Design("holdout", **design))
    assert report.answer.verdict == ("do_not_trust" if veto else word)  # shares of one half and nobody in one arm: users were lost
    unknown = assert_a_word(sample, Design("holdout", mode="fixed"))
    assert (unknown.answer.verdict, unknown.comparisons[0].reason) == (word, reason)
