"""What was learnt is told: which numbers tell a cluster apart, how far it moved, and how good a chance is on days it had not seen."""

import pytest
from sqlalchemy import Engine

from sop_engine.actions.fitted import centres_of, chance_tested, fitted
from sop_engine.actions.refresh import refresh_due
from sop_engine.core.errors import BadInput
from sop_engine.core.metrics import Fit, Metric
from tests.shop import Shop, keys
from tests.shop_project import CATALOGUE

LEARNT = """
---
metrics:
  halves: {grade: orders, cuts: median}
  leaving: {score: [orders, quiet], predicts: no order, within: 10d}
"""


def test_a_cluster_is_told_by_the_numbers_half_a_deviation_from_the_mean_the_farthest_first() -> None:
    metric = Metric("groups", "cluster", "number", of=("a", "b", "c"))
    fit = Fit("groups", centres=((0.5, -2.0, 0.1), (0.2, 0.1, 0.0)), numbers=(1, 2), means=(10, 20, 30), scales=(1, 2, 3), people=9)
    first, second = centres_of(metric, fit, None)
    assert (first.number, first.told_by, first.moved) == (1, (("b", -2.0), ("a", 0.5)), None)
    assert second.told_by == ()


def test_a_cluster_says_how_far_it_moved_and_one_that_is_new_does_not() -> None:
    metric = Metric("groups", "cluster", "number", of=("a",))
    before = Fit("groups", centres=((1.0,),), numbers=(1,), means=(10.0,), scales=(2.0,), people=9)
    fit = Fit("groups", centres=((0.0,), (3.0,)), numbers=(1, 3), means=(14.0,), scales=(4.0,), people=9)
    assert [one.moved for one in centres_of(metric, fit, before)] == [0.5, None]  # from 12 to 14, in deviations of 4


def test_all_that_was_learnt_is_listed_and_a_chance_is_tested_on_later_days_than_it_was_learnt_from(engine: Engine) -> None:
    shop = Shop(engine, start="2025-03-26 12:00")
    shop.apply("tier: some\nnote: x\nlevels: {all: orders >= 0, other: otherwise}\n", catalogue=CATALOGUE + LEARNT)
    users = list(keys(100))
    bought = [(key, day) for key in users[:50] for day in ("02-20", "03-02", "03-12", "03-22")] + [(key, "03-02") for key in users[50:]]
    shop.history(*[(k, "order", f"2025-{d} 12:00", {"order_id": f"{k}-{d}", "amount": 5}) for k, d in bought])
    refresh_due(shop.app, shop.now, force=True)
    with shop.app.work(shop.now) as work:
        listed = {one.metric: one for one in fitted(work)}
        assert (listed["halves"].verb, listed["halves"].in_use, listed["halves"].people) == ("grade", True, 100)
        tested = chance_tested(work, "leaving")
        with pytest.raises(BadInput, match="'halves' is a grade"):
            chance_tested(work, "halves")
        with pytest.raises(BadInput, match="'orders' is not fitted"):
            fitted(work, ["orders"])
    assert (tested.tested_on, tested.came_true, tested.auc) == (100, 0.5, 1.0)
    assert tested.verdict == "not_better"  # one number alone tells them apart as well
