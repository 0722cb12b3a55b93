"""Decides whether a variant does harm: more unsubscribing, complaints or refunds than its limit, or than the control."""

from dataclasses import dataclass

from sop_engine.core.stats.intervals import newcombe, wilson


@dataclass(frozen=True, slots=True)
class Guard:
    """One watched harm of one variant: breached or kept (a limit), harm or no_harm_seen (against the control), or unclear."""

    name: str
    variant: str
    rate: float | None
    low: float | None
    high: float | None
    limit: float | None
    state: str


def guard_limit(name: str, variant: str, x: int, n: int, limit: float, m: float) -> Guard:
    """Against a limit, for what only a message can cause: breached when surely above it, kept when surely below."""
    if n == 0:
        return Guard(name, variant, None, None, None, limit, "unclear")
    low, high = (float(v) for v in wilson(x / n, n, m))
    state = "breached" if low > limit else "kept" if high < limit else "unclear"
    return Guard(name, variant, x / n, low, high, limit, state)


def guard_control(name: str, variant: str, arm: tuple[int, int], control: tuple[int, int], m: float) -> Guard:
    """Against the control, as the main comparison: `low` and `high` are those of the difference."""
    (x1, n1), (x0, n0) = arm, control
    if n1 == 0 or n0 == 0:
        return Guard(name, variant, x1 / n1 if n1 else None, None, None, None, "unclear")
    low, high = (float(v) for v in newcombe(x1 / n1, n1, x0 / n0, n0, m))
    return Guard(name, variant, x1 / n1, low, high, None, "harm" if low > 0 else "no_harm_seen")


def guard_mean(name: str, variant: str, values: list[float], limit: float | None, m: float) -> Guard:
    """A number per user, such as messages: its mean against a limit; without one it is only told."""
    n = len(values)
    if n < 2:
        return Guard(name, variant, None, None, None, limit, "unclear")
    mean = sum(values) / n
    half = m * float((sum((v - mean) ** 2 for v in values) / (n - 1) / n) ** 0.5)
    if limit is None:
        return Guard(name, variant, mean, mean - half, mean + half, None, "unclear")
    state = "breached" if mean - half > limit else "kept" if mean + half < limit else "unclear"
    return Guard(name, variant, mean, mean - half, mean + half, limit, state)
