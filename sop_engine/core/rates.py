"""Reads how fast an account may be called, and works out how many calls fit now."""

import re
from dataclasses import dataclass
from datetime import timedelta

from sop_engine.core.errors import BadInput

UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}


@dataclass(frozen=True, slots=True)
class Rate:
    """So many calls in a length of time."""

    most: int
    per: timedelta

    @property
    def apart(self) -> timedelta:
        """The time between two calls at full speed."""
        return self.per / self.most


def rate_of(text: str) -> Rate | None:
    """The rate that was written, like 50/second or 1000/hour; None for an empty text. Raises BadInput."""
    if not text.strip():
        return None
    found = re.fullmatch(r"(\d{1,9})\s*/\s*(second|minute|hour|day)", text.strip())
    if found is None or int(found[1]) == 0:
        raise BadInput(f"'{text}' is no rate. Write a number above 0 and second, minute, hour or day: 50/second.")
    return Rate(int(found[1]), timedelta(seconds=UNITS[found[2]]))
