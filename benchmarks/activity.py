"""Makes the standard activity: seeded, lognormal, mean 20 events a user over 400 days, by users who sign up and lapse."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import numpy as np

SEED = 20_250_701
DAYS = 400
MEAN_EVENTS = 20
SPREAD = 1.1  # sigma of the lognormal: a few users do very much
KINDS = ("order", "open", "click", "message")
SHARES = (0.10, 0.50, 0.25, 0.15)
MEAN_STAY = 250  # days from signing up to lapsing, exponential
ZONE = ZoneInfo("Asia/Shanghai")
TODAY = date(2025, 7, 1)  # the day after the last day of activity
DAY = 86_400
ZONE_SECONDS = 8 * 3600  # Shanghai has had no other offset in these years
Ints = np.ndarray[tuple[int], np.dtype[np.int64]]
Floats = np.ndarray[tuple[int], np.dtype[np.float64]]


@dataclass(frozen=True)
class Activity:
    """Events in order of time. `user` counts from 1; `at` and `joined` are seconds of UTC since 1970; `amount` is of orders only."""

    joined: Ints
    user: Ints
    kind: Ints
    at: Ints
    amount: Floats

    @property
    def users(self) -> int:
        """How many users there are."""
        return len(self.joined)

    @property
    def day(self) -> Ints:
        """Local day ordinals."""
        return local_days(self.at)

    @property
    def hour(self) -> Ints:
        """Local hours."""
        return (self.at + ZONE_SECONDS) % DAY // 3600


def local_days(at: Ints) -> Ints:
    """Local day ordinals of these seconds."""
    return (at + ZONE_SECONDS) // DAY + date(1970, 1, 1).toordinal()


def midnight_of(day: date) -> datetime:
    """The midnight with which a local day begins, aware UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=ZONE).astimezone(UTC)


def make(users: int, seed: int = SEED, mean: float = MEAN_EVENTS) -> Activity:
    """The same activity for the same numbers, always."""
    draw = np.random.default_rng(seed)
    end = int(midnight_of(TODAY).timestamp())
    begin = end - DAYS * DAY
    joined = begin + (draw.random(users) * (DAYS - 1) * DAY).astype(np.int64)
    lapsed = np.minimum(joined + (draw.exponential(MEAN_STAY, users) + 1) * DAY, end - 1)
    many = np.rint(draw.lognormal(np.log(mean) - SPREAD**2 / 2, SPREAD, users)).astype(np.int64)
    user = np.repeat(np.arange(users), many)
    at = (joined[user] + draw.random(len(user)) * (lapsed - joined)[user]).astype(np.int64)
    order = np.argsort(at, kind="stable")
    user, at = user[order], at[order]
    kind = np.searchsorted(np.cumsum(SHARES)[:-1], draw.random(len(user)), side="right")
    amount = np.where(kind == 0, np.round(draw.lognormal(4.2, 0.8, len(user)), 2), 0.0)
    return Activity(joined, user + 1, kind, at, amount)
