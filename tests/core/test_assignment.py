"""The draw of 100,000 users: evenly spread, independent of salt and of the other draw, the same again, and deaf to edits."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from functools import cache
from math import sqrt
from typing import Any

import numpy as np
import pytest
from scipy.stats import chi2_contingency, chisquare

from sop_engine.core.experiment import SEPARATOR, arm_for, bucket
from sop_engine.core.playbook import Flow, Start

pytestmark = pytest.mark.slow

MANY = 100_000
SALT, NAME = "shop", "winback"
HALVES = (("A", Decimal("0.5")), ("B", Decimal("0.5")))
FLOW = Flow(NAME, NAME, "win_back", Start("level"), (), holdout=Decimal("0.1"), variants=HALVES)


def ids(many: int) -> Iterator[str]:
    """User ids as shops have them: numbers in a row."""
    return (f"{n}" for n in range(1, many + 1))


@cache
def drawn(salt: str, draw: str) -> Any:
    """The draw of every id, as an array."""
    return np.array([float(bucket(salt, NAME, user, draw=draw)) for user in ids(MANY)])


@cache
def arms(many: int = MANY, holdout: str = "0.1", variants: tuple[tuple[str, Decimal], ...] = HALVES) -> tuple[str, ...]:
    """The arm of every id."""
    flow = replace(FLOW, holdout=Decimal(holdout), variants=variants)
    found = (arm_for(flow, user, SALT) for user in ids(many))
    return tuple("holdout" if arm.held_out else str(arm.variant) for arm in found)


@pytest.mark.parametrize("draw", ["holdout", "variant"])
def test_a_draw_is_spread_evenly_over_20_bins(draw: str) -> None:
    counts = np.histogram(drawn(SALT, draw), bins=20, range=(0, 1))[0]
    assert counts.sum() == MANY
    assert chisquare(counts).pvalue > 0.001


@pytest.mark.parametrize(
    ("one", "two"),
    [((SALT, "holdout"), (SALT, "variant")), ((SALT, "variant"), ("other", "variant")), ((SALT, "holdout"), ("", "holdout"))],
)
def test_two_draws_and_two_salts_are_independent(one: tuple[str, str], two: tuple[str, str]) -> None:
    table = np.histogram2d(drawn(*one), drawn(*two), bins=10, range=((0, 1), (0, 1)))[0]
    assert table.sum() == MANY
    assert chi2_contingency(table, correction=False).pvalue > 0.001


def test_drawing_again_gives_everybody_the_same_arm_and_more_users_move_nobody() -> None:
    fewer = arms(MANY // 2)
    assert arms()[: len(fewer)] == fewer
    arms.cache_clear()
    assert arms(MANY // 2) == fewer


def test_editing_the_shares_of_variants_moves_nobody_across_the_edge_that_stays() -> None:
    before = arms()
    wider = arms(variants=(("A", Decimal("0.7")), ("B", Decimal("0.3"))))
    moved = {(old, new) for old, new in zip(before, wider, strict=True) if old != new}
    assert moved == {("B", "A")}
    held = arms(holdout="0.3")
    assert {new for old, new in zip(before, held, strict=True) if old != new} == {"holdout"}
    assert before.count("holdout") < held.count("holdout")


@pytest.mark.parametrize("share", ["0.05", "0.1", "0.5"])
def test_the_hold_out_has_its_share_within_three_standard_errors(share: str) -> None:
    p = float(share)
    assert abs(arms(holdout=share).count("holdout") / MANY - p) < 3 * sqrt(p * (1 - p) / MANY)


def test_the_shares_of_variants_hold_among_those_not_held_out() -> None:
    rest = [arm for arm in arms() if arm != "holdout"]
    assert abs(rest.count("A") / len(rest) - 0.5) < 3 * sqrt(0.25 / len(rest))


def test_ids_that_run_into_each_other_are_told_apart_by_the_separator() -> None:
    assert bucket("a", "b", "c", draw="d") != bucket("a", "bd", "c", draw="") != bucket("ab", "", "c", draw="d")
    assert len(SEPARATOR) == 1 and ord(SEPARATOR) == 0x1F
