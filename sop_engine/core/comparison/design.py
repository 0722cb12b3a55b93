"""What was said before a comparison: arms and shares, the window, the planned size, the mode, guardrails; and until when data is read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from sop_engine.core.stats.bounds import Bound


@dataclass(frozen=True, slots=True)
class Design:
    """Fixed before the start. `planned`: users over all arms at the declared end; `shares` by arm, None when unknown."""

    control: str
    mode: str = "open_ended"  # hybrid, open_ended, fixed
    planned: int | None = None
    shares: Mapping[str, float] | None = None
    hold_out: bool = False  # the control is sent nothing
    control_known: bool = True  # False: there is no hold-out; variants are compared with each other alone
    window_days: int | None = None
    guard_limits: Mapping[str, float] = field(default_factory=dict)
    revenue_cap: float | None = None
    data_through: date | None = None
    dated: bool = False  # users have a day on which their clock started
    differs_late: bool = False  # variants first differ after the window is over
    seed: int = 0  # of permutations, from the input

    def share(self, arm: str, counts: Mapping[str, int]) -> float:
        """The arm's part of all users: as declared, else as observed in these users by arm."""
        if self.shares is not None:
            return self.shares.get(arm, 0.0)
        return counts[arm] / (sum(counts.values()) or 1)

    def bound(self, pair: Sequence[str], n: int, counts: Mapping[str, int], *, final: bool, family: int) -> Bound:
        """How a comparison of these two arms is judged."""
        total = self.planned
        if total is None and self.mode == "open_ended":
            from sop_engine.core.stats.bounds import UNPLANNED

            total = UNPLANNED
        planned = None if total is None else max(1.0, total * sum(self.share(arm, counts) for arm in pair))  # of two empty arms: 1
        return Bound(self.mode, final, max(n, 1), planned, family)
