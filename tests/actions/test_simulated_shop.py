"""The whole engine read every morning: a variant that truly brings more back is found, its twin without effect is not called anything."""

import sqlite3

import pytest

from tests.actions.simulated_shop import Size, live_all

pytestmark = pytest.mark.slow

SIZE = Size(days=8, a_day=30)


def test_a_true_effect_is_found_by_the_daily_reading_of_most_shops_and_never_called_worse(migrated_sqlite: sqlite3.Connection) -> None:
    """40 points more, 240 users in all: a shop misses it in fewer than one of 10,000."""
    lived = list(live_all(migrated_sqlite, range(2), 0.40, SIZE))
    assert [one.verdict for one in lived] == ["better", "better"]
    for one in lived:
        words = [line.split(" ", 1)[1] for line in one.lines]
        assert words[0] == "too_early (no_users)"
        assert "too_early (under_30)" in words
        assert words[-1] == "better"
        assert [w for w in words if w in ("better", "worse")] == ["better"]


def test_the_twin_without_effect_is_called_nothing_to_its_end(migrated_sqlite: sqlite3.Connection) -> None:
    """One of 25 would be called something: these seeds are not among them."""
    lived = list(live_all(migrated_sqlite, range(2), 0.0, SIZE))
    assert [one.verdict for one in lived] == ["missed", "missed"]
    assert all(one.lines[-1].endswith(" no_clear_difference") for one in lived)
