"""A variant that truly adds four points is found in most shops, and its twin without effect is hardly ever called anything."""

from datetime import date

from tests.core.stats.simulated_shop import as_read_on, first_word, log, sample, tried

SEEDS = 200


def test_four_points_are_found_in_most_of_200_shops_and_never_called_worse() -> None:
    """Expected 0.89 in the long run: 178 of 200, give or take 4 standard errors."""
    seen = tried(SEEDS, 0.04)
    assert 160 <= seen.found <= 196
    assert seen.worse == 0
    assert seen.found + seen.missed == SEEDS


def test_the_twin_without_effect_is_wrongly_called_in_no_more_than_one_of_twenty() -> None:
    """Expected 0.04: 8 of 200, give or take 4 standard errors."""
    seen = tried(SEEDS, 0.0)
    assert seen.found + seen.worse <= 19


def test_the_log_of_a_shop_goes_from_too_early_over_no_difference_yet_to_better() -> None:
    words = [line.split()[1] for line in log(3, 0.06)]
    assert words[0] == "too_early"
    assert words[-1] == "better"
    assert list(dict.fromkeys(words)) == ["too_early", "no_clear_difference", "better"]


def test_the_report_itself_names_the_day_on_which_the_first_verdict_came() -> None:
    for seed in (0, 1, 2):
        only = as_read_on(date(2025, 4, 12), sample(seed, 0.04)).comparisons[0]
        assert only.first_excluded_on == first_word(seed, 0.04)[1]
