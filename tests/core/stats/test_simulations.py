"""What is claimed falsely, found and missed in simulated experiments is what the methods promise; `make simulate` runs more."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import binom

from sop_engine.core.stats.intervals import lift, newcombe
from tests.core.stats import simulations as s
from tests.core.stats.simulated_checks import QUICK, checks
from tests.core.stats.simulations import Z95
from tests.core.stats.whole_comparison import whole_comparison

pytestmark = pytest.mark.slow


def test_every_simulation_check_holds_in_the_quick_version() -> None:
    listed = list(checks(QUICK))
    assert len(listed) == 42
    assert [str(c) for c in listed if not c.holds] == []


@pytest.mark.parametrize(
    ("sizes", "rates", "expected"),
    [
        ((30, 30), (0.01, 0.01), 1.0000),
        ((30, 30), (0.05, 0.05), 0.9929),
        ((30, 30), (0.1, 0.3), 0.9552),
        ((30, 30), (0.5, 0.8), 0.9484),
        ((30, 30), (0.97, 0.03), 0.9023),
        ((270, 30), (0.1, 0.1), 0.9583),
        ((900, 100), (0.02, 0.02), 0.9611),
        ((900, 100), (0.05, 0.02), 0.9586),
    ],
)
def test_the_interval_of_the_difference_covers_the_truth_as_often_as_it_was_counted(
    sizes: tuple[int, int], rates: tuple[float, float], expected: float
) -> None:
    x1, x0 = np.meshgrid(np.arange(sizes[0] + 1), np.arange(sizes[1] + 1), indexing="ij")
    low, high = newcombe(x1 / sizes[0], sizes[0], x0 / sizes[1], sizes[1], Z95)
    chance = np.outer(binom.pmf(np.arange(sizes[0] + 1), sizes[0], rates[0]), binom.pmf(np.arange(sizes[1] + 1), sizes[1], rates[1]))
    truth = rates[0] - rates[1]
    assert chance[(low <= truth) & (truth <= high)].sum() == pytest.approx(expected, abs=0.0005)


@pytest.mark.parametrize(("sizes", "rate", "expected"), [((30, 30), 0.1, 0.9740), ((900, 100), 0.02, 0.9611), ((450, 50), 0.1, 0.9522)])
def test_the_interval_of_the_lift_covers_no_effect_as_often_as_it_was_counted(sizes: tuple[int, int], rate: float, expected: float) -> None:
    likely = [[x for x in range(n + 1) if binom.pmf(x, n, rate) > 1e-9] for n in sizes]
    covered = 0.0
    for x1, x0 in product(*likely):
        _, low, high = lift(x1 / sizes[0], sizes[0], x0 / sizes[1], sizes[1], Z95)
        if low <= 0 and (high is None or high >= 0):
            covered += float(binom.pmf(x1, sizes[0], rate) * binom.pmf(x0, sizes[1], rate))
    assert covered == pytest.approx(expected, abs=0.0005)


@pytest.mark.parametrize(("paths", "rates", "mode"), [(20, (0.1, 0.2), "hybrid"), (5, (0.1, 0.1), "hybrid"), (5, (0.1, 0.2), "open_ended")])
def test_the_whole_comparison_says_on_every_day_what_the_vectorised_simulation_says(
    paths: int, rates: tuple[float, float], mode: str
) -> None:
    seen = whole_comparison(paths, 7, rates, mode)
    assert seen.looks == paths * s.LOOKS
    assert seen.unlike == []
    assert {"too_early", "no_clear_difference"} <= set(seen.words)
    assert ("better" in seen.words) == (rates[0] < rates[1])
