"""Decides before the start how many users and days a test needs, and what it could find after some weeks, for several hold-outs."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from sop_engine.core.stats.bounds import END
from sop_engine.core.stats.power import detectable, total_needed

HOLD_OUTS = (0.5, 0.3, 0.2, 0.1, 0.05)
WEEKS = (2, 4, 8)
MOST_DAYS = 90  # a test that takes longer is hardly ever read to its end
LONG = "over_90_days"


@dataclass(frozen=True, slots=True)
class HoldOutPlan:
    """For one hold-out: users over all arms, per smallest arm, days at the present rate (window included), findable points by weeks."""

    holdout: float
    users: int
    planned_per_arm: int
    days: int | None
    findable: dict[int, float | None]


@dataclass(frozen=True, slots=True)
class AsDeclared:
    """The size a playbook declares: users over all arms, new users a day, days until all windows are over (None: nobody enters)."""

    users: int
    users_a_day: float
    days: int | None
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Planning:
    """What is assumed, and what follows for each hold-out."""

    natural: float
    users_a_day: float
    effect: float
    power: float
    variants: int
    window_days: int
    rows: tuple[HoldOutPlan, ...]


def as_declared(users: int, users_a_day: float, window_days: int) -> AsDeclared:
    """How long the declared size takes at the present rate; with the warning `over_90_days` where it is longer, or for ever."""
    days = days_for(users, users_a_day, window_days)
    return AsDeclared(users, users_a_day, days, (LONG,) if days is None or days > MOST_DAYS else ())


def days_for(users: int, users_a_day: float, window_days: int) -> int | None:
    """Days until so many users have entered and had their window; None when nobody enters."""
    return ceil(users / users_a_day) + window_days if users_a_day > 0 else None


def plan_for(natural: float, users_a_day: float, asked: tuple[float, float], variants: int, window_days: int) -> Planning:
    """The plan. `asked`: (difference to find, chance to find it); the variants share equally what the hold-out leaves."""
    rows = [_row(natural, users_a_day, asked, variants, window_days, held) for held in HOLD_OUTS]
    return Planning(natural, users_a_day, asked[0], asked[1], variants, window_days, tuple(rows))


def _row(natural: float, rate: float, asked: tuple[float, float], variants: int, window: int, held: float) -> HoldOutPlan:
    effect, power = asked
    share = (1 - held) / variants
    alpha = END["hybrid"] / variants
    users = total_needed(natural, min(natural + effect, 1.0), (held, share), alpha, power)
    findable = {w: _findable(natural, rate * max(0, 7 * w - window), (held, share), alpha, power) for w in WEEKS}
    return HoldOutPlan(held, users, ceil(users * min(held, share)), days_for(users, rate, window), findable)


def _findable(natural: float, users: float, shares: tuple[float, float], alpha: float, power: float) -> float | None:
    """With the users whose window is over by then; None while an arm has fewer than 30."""
    if users * min(shares) < 30:
        return None
    return detectable(natural, users * shares[0], users * shares[1], alpha, power)


def told(plan: Planning) -> Sequence[Sequence[str]]:
    """The rows as text."""
    return [
        [
            f"{r.holdout:.0%}",
            f"{r.users:,}",
            f"{r.planned_per_arm:,}",
            "-" if r.days is None else f"{r.days:,}",
            *("-" if (d := r.findable[w]) is None else f"{100 * d:.1f}" for w in WEEKS),
        ]
        for r in plan.rows
    ]
