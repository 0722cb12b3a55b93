"""The row about a churn that is foreseen: a score that separates, and that cannot look ahead."""

from dataclasses import replace
from random import Random

import pytest

from sop_engine.core.fitting import fit_score
from sop_engine.core.scoring import score_of
from sop_engine.store import fits
from sop_engine.store.engine import transaction
from tests.requirements.shops import NOON, Base, at, bought, did, library


@pytest.mark.slow
def test_s2_63_a_churn_score_separates_and_longer_silence_never_lowers_it() -> None:
    random, metric = Random(3), replace(library().metrics["流失概率"], of=("未访问天数", "近30天活跃度"))

    def draw() -> tuple[list[float], bool]:
        silent, active = random.randrange(0, 60), random.randrange(0, 20)
        return [silent, active], random.random() < 1 / (1 + 2.718 ** (-(silent - 25) / 8 + active / 6))

    train, held_out = [draw() for _ in range(600)], [draw() for _ in range(400)]
    fit = fit_score(metric, [row for row, _ in train], [lost for _, lost in train])
    scored = [(float(score_of(row, fit) or 0), lost) for row, lost in held_out]
    lost, kept = [p for p, gone in scored if gone], [p for p, gone in scored if not gone]
    auc = sum((a > b) + (a == b) / 2 for a in lost for b in kept) / (len(lost) * len(kept))
    assert auc >= 0.75
    by_silence = [float(score_of([days, 5], fit) or 0) for days in range(0, 120)]
    assert by_silence == sorted(by_silence)


def test_s2_63_what_happens_after_a_day_never_changes_what_was_known_on_it() -> None:
    metric = library().metrics["流失概率"]
    found = []
    for later in ((), (did("visit", 5), bought(50, 3))):
        base = Base(fresh=True)
        base(did("visit", 40), bought(20, 45), *later)
        with transaction(base.engine) as tx:
            rows, labels = fits.examples_for(tx, library(), metric, at(NOON))
            found.append(([tuple(row) for row in rows], [bool(label) for label in labels]))
    (rows, labels), (same_rows, other_labels) = found
    assert rows == same_rows and rows
    assert (labels, other_labels) == ([True] * len(rows), [False] * len(rows))
