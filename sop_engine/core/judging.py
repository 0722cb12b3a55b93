"""Tests a learnt chance on a later period than it was learnt from, against the best plain rule: one number, larger or smaller."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from sop_engine.core.metrics import Fit
from sop_engine.core.scoring import chances_of

BINS = 5
TOP = 0.1  # the share of users a shop would call first
FEWEST = 20  # users for whom it came true, and for whom not: fewer say nothing


Examples = tuple[Sequence[Sequence[float]], Sequence[bool]]
"""Values of users in the order of the names, and for whom of them it came true."""


@dataclass(frozen=True, slots=True)
class Bin:
    """A fifth of the users by their chance, lowest first: the mean chance said, and the share for whom it came true."""

    users: int
    said: float
    came_true: float


@dataclass(frozen=True, slots=True)
class ScoreTest:
    """How good the chances are. `auc` 0.5 is a coin, 1 is perfect; `brier` is the mean squared error, 0 is perfect."""

    learnt_from: int
    tested_on: int
    came_true: float  # share of those tested on
    auc: float | None  # None: too few users to tell
    rule: str  # the number that alone told the two kinds apart best in the period learnt from
    rule_auc: float | None
    brier: float | None
    brier_of_share: float | None  # of saying the share of the period learnt from to everybody
    lift: float | None  # came true among the top tenth ÷ among all
    bins: tuple[Bin, ...]
    verdict: str  # better, not_better or too_few


def judge_score(fit: Fit, names: Sequence[str], before: Examples, after: Examples) -> ScoreTest:
    """Test a fit learnt from the examples `before` on those `after`; `names` are those of the values.

    Ranks are compared by the area under the curve (Hanley and McNeil 1982), chances by the Brier score (1950).
    """
    import numpy as np
    from sklearn.metrics import brier_score_loss, roc_auc_score

    rows, labels = np.asarray(after[0], dtype=float), after[1]
    happened = sum(labels)
    share = happened / len(labels) if labels else 0.0
    kinds = [sum(said[1]) for said in (before, after)]
    if min(*kinds, len(before[1]) - kinds[0], len(labels) - happened) < FEWEST:
        return ScoreTest(len(before[1]), len(labels), share, None, "", None, None, None, None, (), "too_few")
    said, earlier = chances_of(rows, fit), np.asarray(before[0], dtype=float)
    alone = [float(roc_auc_score(before[1], earlier[:, n])) for n in range(len(names))]
    best = max(range(len(names)), key=lambda n: abs(alone[n] - 0.5))
    sign = 1 if alone[best] >= 0.5 else -1
    auc, rule_auc = float(roc_auc_score(labels, said)), float(roc_auc_score(labels, sign * rows[:, best]))
    brier = float(brier_score_loss(labels, said))
    plain = float(brier_score_loss(labels, [kinds[0] / len(before[1])] * len(labels)))
    order = np.argsort(said, kind="stable").tolist()
    top = order[-max(1, round(TOP * len(order))) :]
    lift = sum(labels[n] for n in top) / len(top) / share
    verdict = "better" if auc > rule_auc and brier < plain else "not_better"
    return ScoreTest(
        len(before[1]), len(labels), share, auc, names[best], rule_auc, brier, plain, lift, _bins(order, said.tolist(), labels), verdict
    )  # fmt: skip


def with_verdict(fit: Fit, test: ScoreTest) -> Fit:
    """The fit with what its test said; one that is `not_better` is refused."""
    return replace(fit, verdict=test.verdict, auc=test.auc, rule=test.rule, rule_auc=test.rule_auc)


def _bins(order: Sequence[int], said: Sequence[float], labels: Sequence[bool]) -> tuple[Bin, ...]:
    edges = [round(n * len(order) / BINS) for n in range(BINS + 1)]
    groups = [order[a:b] for a, b in pairwise(edges)]
    return tuple(Bin(len(g), sum(said[n] for n in g) / len(g), sum(labels[n] for n in g) / len(g)) for g in groups if g)
