"""Decides whether a comparison may be believed: sample ratio by arm, tier and day, contamination, and every warning."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sop_engine.core.comparison.design import Design
from sop_engine.core.comparison.sample import Sample
from sop_engine.core.comparison.values import WARNINGS, Comparison, RatioTold
from sop_engine.core.stats.shares import AMBER, RED, sample_ratio

SMALL_HOLDOUT = 0.1
MOST_TWO_ARMS = 0.01
FEW_RETURNS = 5
FEWEST_EXPECTED = 5  # in a cell, for a chi-square by tier or day
AMBER_WARNINGS = {"sample_ratio_amber", "tier_ratio", "day_ratio", "sign_differs"}


@dataclass(frozen=True, slots=True)
class Checked:
    """The sample ratio as it is told, and what vetoes: sample_ratio, holdout_was_sent, two_arms, or nothing."""

    ratio: RatioTold
    veto: str | None
    known: bool
    number: int = 0  # users concerned by the veto


def expected_users(sample: Sample, design: Design, mask: Any = None) -> dict[str, float]:
    """Users by arm as the recorded shares say (of each user those in force at the time); equal ones where shares are unknown."""
    total = sample.size() if mask is None else int(mask.sum())
    if sample.period is not None and sample.periods:
        periods = sample.period if mask is None else sample.period[mask]
        return {name: sum(p.get(name, 0.0) * int((periods == i).sum()) for i, p in enumerate(sample.periods)) for name in sample.arms}
    shares = design.shares or dict.fromkeys(sample.arms, 1 / (len(sample.arms) or 1))
    return {name: shares.get(name, 0.0) * total for name in sample.arms}


def check_ratio(sample: Sample, design: Design, contamination: Mapping[str, int]) -> Checked:
    """Of those assigned, and of those whose clock started; the worse one is told."""
    known = design.shares is not None
    found: list[tuple[float, float | None, dict[str, float], dict[str, int]]] = []
    for mask in (None, sample.started):
        counts, expected = sample.users(mask), expected_users(sample, design, mask)
        one = sample_ratio(list(counts.values()), [expected[name] for name in counts])
        if one is not None:
            found.append((one.p, one.chi2, expected, counts))
    if not found:
        found.append((1.0, None, expected_users(sample, design), sample.users()))
    p, chi2, expected, counts = min(found, key=lambda one: one[0])
    veto = "sample_ratio" if known and p < RED else _contaminated(sample, contamination)
    number = contamination.get({"holdout_was_sent": "holdout_sent"}.get(str(veto), str(veto)), 0)
    return Checked(RatioTold(None if chi2 is None else p, chi2, expected, counts), veto, known, number)


def _contaminated(sample: Sample, contamination: Mapping[str, int]) -> str | None:
    if contamination.get("holdout_sent"):
        return "holdout_was_sent"
    return "two_arms" if contamination.get("two_arms", 0) > MOST_TWO_ARMS * max(sample.size(), 1) else None


def parts_off(sample: Sample, design: Design, column: Any) -> bool:
    """Whether the arms of any tier, or of any day, miss their shares at 0.001 / number of tests."""
    import numpy as np
    from scipy.stats import chi2

    if column is None or design.shares is None or not sample.size():
        return False
    _, index = np.unique(column, return_inverse=True)
    counts = np.stack([np.bincount(index[sample.of_arm(a)], minlength=index.max() + 1) for a in sample.arms])
    expected = np.stack([_expected_by(sample, design, a, index) for a in sample.arms])
    usable = (expected >= FEWEST_EXPECTED).all(axis=0)
    if len(sample.arms) < 2 or not usable.any():
        return False
    statistic = ((counts - expected)[:, usable] ** 2 / expected[:, usable]).sum(axis=0)
    return bool((chi2.sf(statistic, len(sample.arms) - 1) < RED / usable.sum()).any())


def _expected_by(sample: Sample, design: Design, arm: str, index: Any) -> Any:
    import numpy as np

    if sample.period is not None and sample.periods:
        weights = np.array([p.get(arm, 0.0) for p in sample.periods])[sample.period]
    else:
        weights = np.full(sample.size(), (design.shares or {}).get(arm, 0.0))
    return np.bincount(index, weights=weights)


def warnings_of(
    sample: Sample, design: Design, checked: Checked, comparisons: Sequence[Comparison], more: Sequence[str]
) -> tuple[str, ...]:
    """Every warning that holds, in the order of the closed list."""
    ratio = checked.ratio.p
    found = {
        "no_holdout": not design.control_known,
        "no_plan": design.mode == "open_ended" and design.planned is None and design.dated,
        "shares_assumed": not checked.known,
        "sample_ratio_amber": ratio is not None and ratio < AMBER and checked.veto != "sample_ratio",
        "tier_ratio": parts_off(sample, design, sample.stratum),
        "day_ratio": design.dated and parts_off(sample, design, sample.assigned_day),
        "small_holdout": design.hold_out and 0 < (design.shares or {}).get(design.control, 1.0) < SMALL_HOLDOUT,
        "window_too_short": design.differs_late,
        "allocation_changed": len(sample.periods) > 1,
        "sign_differs": any(_sign_differs(c, sample) for c in comparisons),
        "borderline": any(c.borderline for c in comparisons),
        "revenue_tail": any(_tail(c) for c in comparisons),
        **dict.fromkeys(more, True),
    }
    return tuple(w for w in WARNINGS if found.get(w))


def _sign_differs(c: Comparison, sample: Sample) -> bool:
    """Whether the crude and the standardised difference point to different sides."""
    if c.stratified is None:
        return False
    x, n = sample.won_back(), sample.users()
    if not n[c.variant] or not n[c.control]:
        return False
    crude = x[c.variant] / n[c.variant] - x[c.control] / n[c.control]
    return crude * c.stratified.difference < 0


def _tail(c: Comparison) -> bool:
    v = c.value
    if v is None or v.p is None or v.p_permutation is None:
        return False
    return (v.p <= c.alpha) != (v.p_permutation <= c.alpha)
