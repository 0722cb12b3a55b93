"""Decides a cross table: rates of delivered touches by any two things, with limits, and which cells are weak or strong."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sop_engine.core.stats.bounds import Bound
from sop_engine.core.stats.intervals import wilson
from sop_engine.core.stats.p_values import benjamini_hochberg, p_value

BY = ("content_type", "channel", "benefit", "level", "variant", "playbook", "step", "template", "choice")
FEW = 30
ONE_LOOK = Bound("fixed", True, 1, None)


@dataclass(frozen=True, slots=True)
class Delivered:
    """One delivered touch: what it was, and whether the goal was credited to it."""

    labels: tuple[str, ...]
    credited: bool


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: touches delivered, goals credited, the rate with 95 % limits. `mark`: weak or strong against the rest, few, or nothing."""

    labels: tuple[str, ...]
    n: int
    credited: int
    rate: float
    low: float
    high: float
    p_adjusted: float | None
    mark: str


def cross_table(rows: Iterable[Delivered]) -> list[Cell]:
    """The cells by their labels. Each is held against all the others together; p is adjusted for the number of cells
    (Benjamini and Hochberg), and only below 0.05 a cell is called weak or strong. Below 30 touches: few, never judged.
    """
    counts: dict[tuple[str, ...], list[int]] = {}
    for row in rows:
        found = counts.setdefault(row.labels, [0, 0])
        found[0] += 1
        found[1] += row.credited
    listed = sorted(counts.items())
    total, back = sum(n for _, (n, _) in listed), sum(x for _, (_, x) in listed)
    raw = [_p(x, n, back, total) for _, (n, x) in listed]
    known = iter(benjamini_hochberg([p for p in raw if p is not None]))
    adjusted = [None if p is None else next(known) for p in raw]
    return [_cell(labels, n, x, (back, total), p) for (labels, (n, x)), p in zip(listed, adjusted, strict=True)]


def _p(x: int, n: int, back: int, total: int) -> float | None:
    return p_value(x, n, back - x, total - n, ONE_LOOK)[0] if n >= FEW and total > n else None


def _cell(labels: tuple[str, ...], n: int, x: int, whole: tuple[int, int], p: float | None) -> Cell:
    low, high = wilson(x / n, n, 1.959963984540054)
    back, total = whole
    mark = "few" if n < FEW else ""
    if p is not None and p < 0.05:
        mark = "weak" if x / n < (back - x) / (total - n) else "strong"
    return Cell(labels, n, x, x / n, float(low), float(high), p, mark)


def in_rows(cells: Sequence[Cell]) -> list[list[str]]:
    """The table as text."""
    return [[*c.labels, f"{c.n:,}", f"{c.credited:,}", f"{c.rate:.1%}", f"{c.low:.1%} – {c.high:.1%}", c.mark] for c in cells]
