"""Holds the lengths of time that keep a slow call from being taken for a dead one: each is shorter than the next."""

from dataclasses import dataclass
from datetime import timedelta

from sop_engine.core.errors import BadInput

LEASE_S = 120.0


@dataclass(frozen=True, slots=True)
class Ladder:
    """From a provider's answer up to the broker's patience. Raises BadInput when a rung is not below the next.

    A call waits at most `call`; no new touch of a message begins after `begin`; a task is asked to end after `soft` and ended
    after `hard`; a hint nobody took dies after `expiry`; what a worker holds is its own for `lease`; the broker hands a message
    it has no answer for to another worker after `visibility`.
    """

    call: timedelta
    begin: timedelta
    soft: timedelta
    hard: timedelta
    expiry: timedelta
    lease: timedelta
    visibility: timedelta

    def __post_init__(self) -> None:
        rungs = (
            (self.call, self.begin, "a call must be over before no new one begins"),
            (self.begin + self.call, self.soft, "the last call must be over before the task is asked to end"),
            (self.soft, self.hard, "a task is asked to end before it is ended"),
            (self.expiry + self.hard, self.lease + timedelta(microseconds=1), "a hint and its task must be over before the lease is"),
            (self.lease, self.visibility, "the lease must be over before the broker hands a message out again"),
        )
        for lower, upper, why in rungs:
            if not timedelta(0) < lower < upper:
                raise BadInput(f"the lengths of time do not fit together: {lower} is not below {upper}, but {why}")


def ladder_of(lease_s: float = LEASE_S) -> Ladder:
    """The ladder for a lease of so many seconds: 10 s a call, 30, 45, 60, 60, 120, 300 for the usual 120, and in proportion."""
    names = ("call", "begin", "soft", "hard", "expiry", "lease", "visibility")
    return Ladder(**dict(zip(names, (timedelta(seconds=lease_s * n / LEASE_S) for n in (10, 30, 45, 60, 60, 120, 300)), strict=True)))
