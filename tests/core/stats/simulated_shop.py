"""A made-up shop: 100 users a day for 28 days, half held out; one in ten comes back within 14 days by itself, with the message more."""

from dataclasses import dataclass
from datetime import date

import numpy as np

from sop_engine.core.comparison.compare import Known, compare
from sop_engine.core.comparison.design import Design
from sop_engine.core.comparison.over_time import daily, end_of, path_of
from sop_engine.core.comparison.sample import Sample
from sop_engine.core.comparison.values import Report, Source

FIRST = date(2025, 3, 1)
DAYS, A_DAY, WINDOW = 28, 100, 14
NATURAL = 0.10
KNOWN = Known(Source("playbook", "B", 0, ""), "test")


def sample(seed: int, effect: float) -> Sample:
    """Everybody who was drawn, with the day of their return."""
    random = np.random.default_rng(seed)
    many = DAYS * A_DAY
    arm = (random.random(many) < 0.5).astype(int)
    start = FIRST.toordinal() + np.repeat(np.arange(DAYS), A_DAY)
    back = random.random(many) < np.where(arm == 1, NATURAL + effect, NATURAL)
    after = np.where(back, random.integers(1, WINDOW + 1, many), -1)
    yes = np.ones(many, dtype=bool)
    return Sample(("holdout", "B"), arm, back, yes, ~yes, start, start, start + WINDOW, after)


def as_read_on(day: date, whole: Sample) -> Report:
    """The report of that evening."""
    return compare(whole.where(whole.assigned_day <= day.toordinal()), design(day), KNOWN)


def design(day: date) -> Design:
    """The plan, read through a day."""
    return Design(
        "holdout",
        mode="hybrid",
        planned=DAYS * A_DAY,
        shares={"holdout": 0.5, "B": 0.5},
        hold_out=True,
        window_days=WINDOW,
        data_through=day,
        dated=True,
    )


@dataclass(frozen=True)
class Tried:
    """What came of many seeds: found (better on some day or at the end), on which day in the middle, missed, wrongly claimed worse."""

    found: int
    missed: int
    worse: int
    median_day: float | None


def tried(seeds: int, effect: float) -> Tried:
    """Each seed is read every day to the end: a word on any day counts, as somebody would have acted on it."""
    found = [first_word(seed, effect) for seed in range(seeds)]
    words = [word for word, _ in found]
    days = [(date.fromisoformat(day) - FIRST).days for _, day in found if day is not None]
    median = float(np.median(days)) if days else None
    return Tried(words.count("better"), words.count("missed"), words.count("worse"), median)


def first_word(seed: int, effect: float) -> tuple[str, str | None]:
    """The first verdict of a shop and its day, as the report's own path has it; missed when there is none to the end."""
    whole, last = sample(seed, effect), date.fromordinal(FIRST.toordinal() + DAYS + WINDOW)
    plan = design(last)
    days = daily(whole, ("B", "holdout"), last)
    assert days is not None
    n = int(days.n1[-1] + days.n0[-1])
    path, first = path_of(days, plan.bound(("B", "holdout"), n, whole.users(), final=False, family=1), end_of(whole, plan))
    low = next((p[3] for p in path if p[0] == first), 0.0)
    return ("missed" if first is None else "better" if low > 0 else "worse"), first


def log(seed: int, effect: float) -> list[str]:
    """The verdict of every day until one is reached, or the end."""
    whole, told = sample(seed, effect), []
    for day in range(DAYS + WINDOW + 1):
        today = date.fromordinal(FIRST.toordinal() + day)
        only = as_read_on(today, whole).comparisons[0]
        told.append(f"{today} {only.verdict}" + (f" ({only.reason})" if only.reason else ""))
        if only.verdict in ("better", "worse"):
            break
    return told
