"""Decides whether a watched figure rings: beyond a fixed bound, or far from what the periods before it were like."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from statistics import fmean, stdev

PERIODS = 8  # periods before that say what is usual
DEVIATIONS, TIMES, FALL, FEWEST = 3, 1.5, 2 / 3, 5
USUAL = "usual"


@dataclass(frozen=True, slots=True)
class Figure:
    """A watched figure of one period: its value (None: it cannot be known), the users or messages it counts, and those it is a share of."""

    value: float | None
    counted: float = 0
    whole: float = 0


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of looking: whether it rings, what it was before (None: not known), and the bound that was asked (None: there is none)."""

    rings: bool
    before: float | None
    bound: float | None


def judge(now: Figure, earlier: Sequence[Figure], side: str, bound: str) -> Judged:
    """Hold a figure against its bound. `earlier` are the periods before, oldest first; `side` is above or below; `bound` as written."""
    known = [f.value for f in earlier[-PERIODS:] if f.value is not None]
    if bound == USUAL:
        return _unusual(now, known, side)
    limit, before = bound_of(bound), known[-1] if known else None
    if now.value is None:
        return Judged(False, before, limit)
    return Judged(now.value > limit if side == "above" else now.value < limit, before, limit)


def bound_of(text: str) -> float:
    """A bound as it is written: `5%` is 0.05, `1.5` is 1.5."""
    return float(Decimal(text[:-1]) / 100) if text.endswith("%") else float(text)


def _unusual(now: Figure, known: Sequence[float], side: str) -> Judged:
    """Both bounds must be passed: three standard deviations (of all eight periods) and half as much again, or two thirds.

    Where nothing varied the deviations ask for any difference at all. Fewer than 5 users never ring; of a fall, fewer than 5 that
    were to be expected.
    """
    if not known:
        return Judged(False, None, None)
    mean = fmean(known)
    spread = DEVIATIONS * stdev(known) if len(known) >= PERIODS else 0.0
    up = side == "above"
    bound = max(mean + spread, TIMES * mean) if up else min(mean - spread, FALL * mean)
    if now.value is None:
        return Judged(False, mean, bound)
    enough = (now.counted if up else mean * now.whole) >= FEWEST - 1e-9
    return Judged(enough and _past(now.value, mean, spread, up=up), mean, bound)


def _past(value: float, mean: float, spread: float, *, up: bool) -> bool:
    if up:
        return value > mean + spread and value >= TIMES * mean - 1e-12
    return value < mean - spread and value <= FALL * mean + 1e-12
