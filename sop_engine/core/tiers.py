"""Levels of users: ordered rules, keep, min_stay; and the decision Move | Stay for one user."""

from dataclasses import dataclass, field

from sop_engine.core.conditions import Condition, Facts
from sop_engine.core.predicates import predicate


@dataclass(frozen=True, slots=True)
class Level:
    """One level: the rule that places a user in it, and what is added to the rule for those already there."""

    name: str
    rule: Condition
    keep: Condition | None = None
    mark: str = ""  # new or silent


@dataclass(frozen=True, slots=True)
class Tier:
    """One model: a user has the first level whose rule holds, or none (unscored). `ladder` is best to worst, empty for none."""

    name: str
    levels: tuple[Level, ...]
    ladder: tuple[str, ...] = ()
    only: Condition | None = None
    min_stay: int = 0
    min_window: int | None = None
    note: str = ""
    places: dict[str, str] = field(default_factory=dict, compare=False, hash=False)  # level -> file:line of its rule

    @property
    def level_names(self) -> tuple[str, ...]:
        """Level names in the order they are asked."""
        return tuple(level.name for level in self.levels)

    @property
    def silent(self) -> frozenset[str]:
        """Levels marked silent: no promotions but from win-back flows."""
        return frozenset(level.name for level in self.levels if level.mark == "silent")


@dataclass(frozen=True, slots=True)
class Stay:
    """The user keeps the level."""

    level: str | None


@dataclass(frozen=True, slots=True)
class Move:
    """The user changes level; None is unscored. `up` is None where the model has no ladder or a side is unscored."""

    old: str | None
    new: str | None
    up: bool | None


def is_up(tier: Tier, old: str | None, new: str | None) -> bool | None:
    """Whether a move goes up the ladder; None without a ladder or when a side is unscored."""
    if old not in tier.ladder or new not in tier.ladder:
        return None
    return tier.ladder.index(new) < tier.ladder.index(old)


class Placer:
    """A model made ready to place many users, one at a time."""

    def __init__(self, tier: Tier) -> None:
        self.tier = tier
        self._only = predicate(tier.only) if tier.only is not None else None
        self._rules = [(level.name, predicate(level.rule), predicate(level.keep) if level.keep else None) for level in tier.levels]

    def level_of(self, facts: Facts, now_in: str | None) -> str | None:
        """The level whose rule holds first, given the level the user is in now; None when no rule holds or `only` is false."""
        if self._only is not None and not self._only(facts):
            return None
        for name, rule, keep in self._rules:
            if rule(facts) or (keep is not None and now_in == name and keep(facts)):
                return name
        return None

    def decide(self, facts: Facts, now_in: str | None, days_in: int) -> Move | Stay:
        """Move or Stay: a move down (any move without a ladder) waits until `min_stay` local days have passed; unscored is immediate."""
        new = self.level_of(facts, now_in)
        if new == now_in:
            return Stay(now_in)
        up = is_up(self.tier, now_in, new)
        waits = now_in is not None and new is not None and up is not True and days_in < self.tier.min_stay
        return Stay(now_in) if waits else Move(now_in, new, up)
