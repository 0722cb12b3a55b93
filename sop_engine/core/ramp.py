"""Decides who starts a new version of a flow while it opens: a hundredth on its first day, a tenth on the second, then everybody."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from sop_engine.core.experiment import bucket

SHARES = (Decimal("0.01"), Decimal("0.1"))  # of its first day and its second
AT_LEAST = 20  # users a day
FROM = 1000  # a flow with more starts a day than this opens slowly
DAY = timedelta(days=1)
LOOKED_BACK = 14  # days over which starts are counted for the forecast


@dataclass(frozen=True, slots=True)
class Ramp:
    """A version that opens slowly: since when, and how many starts a day were forecast then."""

    number: int
    since: datetime
    forecast: int


@dataclass(frozen=True, slots=True)
class Switched:
    """A stop, or its end, that concerns a flow."""

    scope: str
    stopped: bool
    at: datetime


def forecast_of(starts: int) -> int | None:
    """Starts a day, from those of the last 14 days, if they are so many that a new version opens slowly; else None."""
    a_day = starts // LOOKED_BACK
    return a_day if a_day > FROM else None


def share_of(forecast: int, quiet_days: int) -> Decimal:
    """The share of users who start the version after so many days on which nothing was stopped."""
    if quiet_days >= len(SHARES):
        return Decimal(1)
    return max(SHARES[quiet_days], Decimal(AT_LEAST) / max(forecast, AT_LEAST))


def quiet_days(since: datetime, now: datetime, switched: Iterable[Switched]) -> int:
    """How many whole days (of 24 hours, counted from `since`) have passed on which no stop stood at any time."""
    stops = _stops(switched, now)
    whole = (now - since) // DAY
    days = ((since + n * DAY, since + (n + 1) * DAY) for n in range(whole))
    return sum(not any(at < end and until > begin for at, until in stops) for begin, end in days)


def _stops(switched: Iterable[Switched], now: datetime) -> list[tuple[datetime, datetime]]:
    """When stops stood: from and until; until now if they still do."""
    standing: dict[str, datetime] = {}
    found = []
    for one in switched:
        if one.stopped:
            standing.setdefault(one.scope, one.at)
        elif one.scope in standing:
            found.append((standing.pop(one.scope), one.at))
    return [*found, *((at, max(now, at)) for at in standing.values())]


def inside(flow: str, ramp: Ramp, share: Decimal, user_key: str, salt: str) -> bool:
    """Whether this user starts the version; a larger share only adds users, so that nobody changes side."""
    return bucket(salt, f"{flow} v{ramp.number}", user_key, draw="ramp") < share


def version_for(flow: str, newest: int, opening: Sequence[tuple[Ramp, Decimal]], user_key: str, salt: str) -> int:
    """The version this user starts: the newest that is open to them. `opening` holds the versions that are not open to all."""
    number = newest
    for ramp, share in sorted(opening, key=lambda pair: -pair[0].number):
        if ramp.number == number and not inside(flow, ramp, share, user_key, salt):
            number -= 1
    return number
