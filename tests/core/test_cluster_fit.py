"""Clusters: groups that are there are found, the same every time, and keep their numbers from refresh to refresh."""

from collections import Counter
from dataclasses import replace

import pytest

from sop_engine.core.clustering import fit_cluster
from sop_engine.core.metrics import Fit, Metric
from sop_engine.core.scoring import cluster_of

METRIC = Metric("场景簇", "cluster", "number", of=("午后占比", "拼单占比"), into=(2, 5))
THREE = replace(METRIC, into=(3, 3))
AFTERNOON, EVENING, WEEKEND = (0.9, 0.1), (0.1, 0.9), (0.5, 0.5)


def around(centre: tuple[float, float], count: int, *, moved: float = 0.0) -> list[list[float]]:
    """Rows near a centre, spread without chance."""
    return [[centre[0] + moved + (n * 7 % 11 - 5) / 100, centre[1] + (n * 5 % 13 - 6) / 100] for n in range(count)]


ROWS = around(AFTERNOON, 60) + around(EVENING, 50) + around(WEEKEND, 40)


def numbers(fit: Fit) -> list[int | None]:
    return [cluster_of(centre, fit) for centre in (AFTERNOON, EVENING, WEEKEND)]


@pytest.mark.parametrize("metric", [METRIC, THREE])
def test_three_groups_are_found_and_numbered_from_the_largest(metric: Metric) -> None:
    fit = fit_cluster(metric, ROWS)
    assert fit.numbers == (1, 2, 3)
    assert numbers(fit) == [1, 2, 3]
    assert Counter(cluster_of(row, fit) for row in ROWS) == {1: 60, 2: 50, 3: 40}
    assert not fit.degenerate


def test_the_same_people_in_another_order_give_the_same_fit() -> None:
    assert fit_cluster(METRIC, ROWS[::-1]) == fit_cluster(METRIC, ROWS)


def test_a_refit_keeps_the_number_of_each_group_though_sizes_and_centres_moved() -> None:
    before = fit_cluster(THREE, ROWS)
    later = around(AFTERNOON, 30, moved=-0.05) + around(EVENING, 70) + around(WEEKEND, 90, moved=0.05)
    assert numbers(fit_cluster(THREE, later)) == [3, 2, 1]
    assert numbers(fit_cluster(THREE, later, previous=before)) == numbers(before) == [1, 2, 3]


def test_a_group_that_vanishes_leaves_its_number_free_and_the_others_keep_theirs() -> None:
    before = fit_cluster(METRIC, ROWS)
    without = fit_cluster(METRIC, around(AFTERNOON, 60) + around(WEEKEND, 40), previous=before)
    assert without.numbers == (1, 3)
    assert (cluster_of(AFTERNOON, without), cluster_of(WEEKEND, without)) == (1, 3)
    assert numbers(fit_cluster(METRIC, ROWS, previous=without)) == [1, 2, 3]


def test_a_number_beyond_what_is_now_allowed_is_not_kept() -> None:
    before = replace(fit_cluster(THREE, ROWS), numbers=(4, 5, 2))
    assert sorted(fit_cluster(THREE, ROWS, previous=before).numbers) == [1, 2, 3]


def test_units_do_not_matter() -> None:
    in_percent = [[100 * a, b] for a, b in ROWS]
    fit, other = fit_cluster(THREE, ROWS), fit_cluster(THREE, in_percent)
    assert [cluster_of(row, fit) for row in ROWS] == [cluster_of(row, other) for row in in_percent]


def test_nobody_has_no_centres_and_all_alike_is_one_degenerate_group() -> None:
    nobody, alike = fit_cluster(METRIC, []), fit_cluster(METRIC, [[0.1, 0.7]] * 20)
    assert nobody == Fit("场景簇", degenerate=True)
    assert cluster_of([0.1, 0.7], nobody) is None
    assert alike.degenerate
    assert cluster_of([0.1, 0.7], alike) == 1


def test_fewer_different_people_than_groups_make_fewer_groups() -> None:
    fit = fit_cluster(replace(METRIC, into=(4, 4)), [[0.0, 0.0], [1.0, 1.0], [1.0, 1.0]])
    assert fit.numbers == (1, 2)
    assert cluster_of([0.9, 0.9], fit) == 1


def test_an_unknown_value_belongs_to_no_group_and_an_equal_distance_to_the_lower_number() -> None:
    fit = fit_cluster(replace(METRIC, into=(2, 2)), [[0.0, 0.0], [1.0, 1.0]])
    assert cluster_of([None, 0.5], fit) is None
    assert cluster_of([0.5, 0.5], fit) == 1
    assert cluster_of([0.5, 0.5], None) is None
