"""A learnt chance is judged on a later period, against the best number alone."""

from random import Random

import numpy as np
import pytest

from sop_engine.core.fitting import fit_score
from sop_engine.core.judging import judge_score
from sop_engine.core.metrics import Fit, Metric
from sop_engine.core.scoring import chances_of, score_of

NAMES = ("silent", "orders")


def period(seed: int, users: int, weight: float) -> tuple[list[tuple[float, float]], list[bool]]:
    """Users who stay away the likelier the longer they were silent and, by `weight`, the fewer orders they have."""
    random = Random(seed)
    rows = [(random.uniform(0, 30), random.uniform(0, 10)) for _ in range(users)]
    chances = [min(0.95, max(0.05, 0.5 + (silent - 15) / 40 - weight * (orders - 5) / 12)) for silent, orders in rows]
    return rows, [random.random() < chance for chance in chances]


def churn() -> Metric:
    return Metric("churn", "score", "number", of=NAMES, predicts=("visit", True))


def test_a_chance_of_two_numbers_that_matter_is_better_than_either_alone_and_well_calibrated() -> None:
    before, after = period(1, 4000, 1.0), period(2, 4000, 1.0)
    judged = judge_score(fit_score(churn(), *before), NAMES, before, after)
    assert judged.verdict == "better"
    assert judged.auc is not None and judged.rule_auc is not None and judged.brier is not None and judged.brier_of_share is not None
    assert judged.auc > judged.rule_auc > 0.6
    assert judged.brier < judged.brier_of_share
    assert judged.lift is not None and judged.lift > 1.5
    assert [b.users for b in judged.bins] == [800] * 5
    assert all(b.said == pytest.approx(b.came_true, abs=0.06) for b in judged.bins)
    assert [b.said for b in judged.bins] == sorted(b.said for b in judged.bins)


def test_a_chance_learnt_from_a_world_that_turned_round_is_not_better_than_the_rule() -> None:
    before, after = period(1, 2000, 2.0), period(2, 2000, -2.0)
    judged = judge_score(fit_score(churn(), *before), NAMES, before, after)
    assert judged.verdict == "not_better"


def test_nineteen_who_stayed_away_say_nothing() -> None:
    before, after = period(1, 500, 1.0), ([(1.0, 1.0)] * 100, [True] * 19 + [False] * 81)
    judged = judge_score(fit_score(churn(), *before), NAMES, before, after)
    assert (judged.verdict, judged.auc, judged.came_true) == ("too_few", None, 0.19)


def test_the_chances_of_many_at_once_are_those_of_each_alone() -> None:
    rows, labels = period(3, 200, 1.0)
    rows += [(1e6, -1e6), (-1e6, 1e6)]
    fit = fit_score(churn(), rows[:200], labels)
    assert chances_of(np.asarray(rows), fit).tolist() == pytest.approx([float(score_of(row, fit) or 0) for row in rows], abs=1e-6)
    assert chances_of(np.asarray(rows), Fit("churn")).tolist() == [0.0] * 202
