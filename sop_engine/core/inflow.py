"""Decides how much may wait in the broker: as much as workers take before it grows old, found out by trying."""

from dataclasses import dataclass, replace

BEGINNING = 200
LEAST = 20


@dataclass(frozen=True, slots=True)
class Inflow:
    """How many touches may be claimed and not yet begun, at most `most`."""

    most: int
    room: int = BEGINNING

    def after(self, *, expired: int, waiting: int) -> "Inflow":
        """What may wait from now on: half after some grew too old, twice once workers have taken more than half of it."""
        if expired:
            return replace(self, room=max(LEAST, self.room // 2))
        return replace(self, room=min(self.most, self.room * 2)) if waiting < self.room // 2 else self
