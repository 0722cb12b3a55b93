"""The page of a mapped tier has no blank: every level has a row, and each row says what happens or why nothing does."""

import pytest

from sop_engine.core.matrix import matrix_of
from tests.shipped.library import mapped_tiers, shipped


@pytest.mark.parametrize("tier", mapped_tiers())
def test_every_level_of_a_mapped_tier_says_what_happens_or_why_nothing_does(tier: str) -> None:
    rows = matrix_of(shipped().tiers[tier], shipped(), None).rows
    assert {row.level for row in rows} >= set(shipped().tiers[tier].level_names)
    assert [(row.playbook, row.level) for row in rows if not row.cells and not row.nothing] == []
    assert [(row.level, when) for row in rows for when, cell in row.cells.items() if not cell.strip()] == []
