"""Decides whether the clocks of a host and of the database agree well enough to send by."""

from datetime import timedelta

WARNS, STOPS = timedelta(seconds=2), timedelta(seconds=30)


def too_far(skew: timedelta) -> bool:
    """Whether nothing may be sent by a clock that is `skew` ahead of the database's (below 0: behind)."""
    return abs(skew) > STOPS


def told(skew: timedelta) -> str:
    """Why nothing is sent by this clock, and what to do; empty when it agrees well enough."""
    if not too_far(skew):
        return ""
    seconds = skew.total_seconds()
    way = "ahead of" if seconds > 0 else "behind"
    return f"this host's clock is {abs(seconds):.0f} s {way} the database's: nothing is sent by it. Repair time synchronisation."
