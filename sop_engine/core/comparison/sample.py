"""The users of a comparison as columns: arm, days, returned or not, money; and the counts that are read from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

Column = Any  # a numpy array with one entry per user
NEVER = -1


@dataclass(frozen=True, eq=False)
class Sample:
    """Every assigned user once. Days are ordinals of local dates, -1 where there is none."""

    arms: tuple[str, ...]  # in the order of the file
    arm: Column  # index into `arms`
    back: Column  # won back inside the window
    started: Column  # the clock started
    ended_before: Column  # the run was over before the clock would have started
    assigned_day: Column
    start_day: Column  # of the clock
    mature_day: Column  # the last day of the window
    after: Column  # days from the start to the first return seen, -1 for none
    value: Column | None = None  # money inside the window
    stratum: Column | None = None  # index into `strata`
    strata: tuple[str, ...] = ()
    period: Column | None = None  # index into `periods`: times with other shares
    periods: tuple[Mapping[str, float], ...] = ()
    reached: Column | None = None  # the first touch passed the last look, or would have
    guards: Mapping[str, Column] = field(default_factory=dict)

    def where(self, mask: Column) -> "Sample":
        """Only these users."""
        columns = {f.name: getattr(self, f.name)[mask] for f in fields(self) if f.name in _COLUMNS and getattr(self, f.name) is not None}
        return replace(self, **columns, guards={name: column[mask] for name, column in self.guards.items()})

    def size(self) -> int:
        """Users."""
        return len(self.arm)

    def users(self, mask: Column | None = None) -> dict[str, int]:
        """Users by arm."""
        return self._count(self.arm if mask is None else self.arm[mask])

    def won_back(self) -> dict[str, int]:
        """Users by arm who came back inside their window."""
        return self._count(self.arm[self.back])

    def _count(self, arm: Column) -> dict[str, int]:
        import numpy as np

        found = np.bincount(arm, minlength=len(self.arms))
        return {name: int(many) for name, many in zip(self.arms, found, strict=True)}

    def of_arm(self, name: str) -> Column:
        """Which users are of this arm."""
        return self.arm == self.arms.index(name)


_COLUMNS = {
    "arm", "back", "started", "ended_before", "assigned_day", "start_day", "mature_day", "after", "value", "stratum", "period", "reached",
}  # fmt: skip


def undated(arms: Sequence[str], arm: Sequence[int], back: Sequence[bool], value: Sequence[float] | None = None) -> Sample:
    """Users without dates: all of them are mature."""
    import numpy as np

    size = len(arm)
    never, yes = np.full(size, NEVER), np.ones(size, dtype=bool)
    came = np.asarray(back, dtype=bool)
    money = None if value is None else np.asarray(value, dtype=float)
    return Sample(tuple(arms), np.asarray(arm, dtype=int), came, yes, ~yes, never, never, never, never, money)


def counted(arms: Mapping[str, tuple[int, int]]) -> Sample:
    """A sample of (back, users) by arm."""
    import numpy as np

    order = np.repeat(np.arange(len(arms)), [n for _, n in arms.values()])
    back = np.concatenate([np.arange(n) < x for x, n in arms.values()]) if arms else np.array([], dtype=bool)
    return undated(tuple(arms), order.tolist(), back.tolist())
