"""Decides what follows a provider's answer that is not success: Retry, GiveUp, Unknown or NextChannel."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from sop_engine.core.errors import DeliveryError

RETRIES = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=2))
JITTER = 0.2  # at most this share of the wait is added, so that a wave does not come back as a wave


@dataclass(frozen=True, slots=True)
class Retry:
    """Proven not accepted: the touch is planned again for `at`."""

    at: datetime


@dataclass(frozen=True, slots=True)
class GiveUp:
    """It failed for good, for the provider's reason; `late` when only the late allowance stopped the next try."""

    reason: str
    late: bool = False


@dataclass(frozen=True, slots=True)
class Unknown:
    """It may have been accepted: never repeated blindly, never through another channel."""

    reason: str


@dataclass(frozen=True, slots=True)
class NextChannel:
    """The user cannot be reached here; the next template of the list may be tried after a fresh look."""

    reason: str


Next = Retry | GiveUp | Unknown | NextChannel


def after_error(error: DeliveryError, attempts: int, *, touch_id: str, now: datetime, give_up_at: datetime) -> Next:
    """What follows the error of attempt number `attempts` (the first is 1) of a touch that may be sent until `give_up_at`.

    Only what is proven not to be accepted is tried again: after 1, 5, 30 minutes and 2 hours, or later if the provider says so.
    """
    match error.kind:
        case "permanent":
            return GiveUp(error.reason)
        case "user_unreachable":
            return NextChannel(error.reason)
        case "retry_after":
            return _again(error, attempts, touch_id, now, give_up_at)
    return Unknown(error.reason)  # an unclear kind too: a second message on a guess is worse than a look by a person


def _again(error: DeliveryError, attempts: int, touch_id: str, now: datetime, give_up_at: datetime) -> Retry | GiveUp:
    if attempts > len(RETRIES):
        return GiveUp(error.reason)
    wait = max(RETRIES[max(attempts, 1) - 1], timedelta(seconds=error.retry_after_s or 0))
    at = now + wait * (1 + JITTER * _fraction(touch_id, attempts))
    return Retry(at) if at <= give_up_at else GiveUp(error.reason, late=True)


def _fraction(touch_id: str, attempts: int) -> float:
    """A number in [0, 1) from the touch and the attempt: core knows no chance, and a replay must give the same history."""
    return int.from_bytes(hashlib.sha256(f"{touch_id}\u001f{attempts}".encode()).digest()[:4], "big") / 2**32
