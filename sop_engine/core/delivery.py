"""Decides what follows a provider's answer that is not success, and how an unknown outcome is settled."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from sop_engine.core.errors import DeliveryError

UNKNOWN_HOLD = timedelta(minutes=30)  # so long a late answer or a receipt may still say what became of it
FIRST_LOOK = timedelta(seconds=30)
NEXT_LOOK = timedelta(days=1)  # of what waits for an operator
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
    if error.reason in ("configuration", "template"):  # a person has to put it right: until then everything waits, and nothing fails for it
        return Retry(now + RETRIES[1] * (1 + JITTER * _fraction(touch_id, attempts)))
    if attempts > len(RETRIES):
        return GiveUp(error.reason)
    wait = max(RETRIES[max(attempts, 1) - 1], timedelta(seconds=error.retry_after_s or 0))
    at = now + wait * (1 + JITTER * _fraction(touch_id, attempts))
    return Retry(at) if at <= give_up_at else GiveUp(error.reason, late=True)


@dataclass(frozen=True, slots=True)
class Ask:
    """The provider can be asked what became of the key."""


@dataclass(frozen=True, slots=True)
class Repeat:
    """The provider knows the key again: the same message may be handed over once more, after a fresh look."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing can be said yet: looked at again at `until`. `operator`: a person may decide meanwhile."""

    until: datetime
    operator: bool = False


@dataclass(frozen=True, slots=True)
class Uncertain:
    """A touch whose outcome is unknown: since when, what its channel can do, and whether it is marketing."""

    began_at: datetime  # the first call under this key
    marketing: bool
    idempotent_for: timedelta | None = None
    can_ask: bool = False


def settle_unknown(one: Uncertain, now: datetime, *, asked: bool = False, repeatable: bool = True) -> Ask | Repeat | Wait | GiveUp:
    """What to do about an unknown outcome: ask; repeat within the first half of the key's window; wait; then give marketing up.

    `asked`: asking has just said nothing. `repeatable`: false once a fresh look has refused the repeat. A service message is never
    given up on a guess: it waits for an operator.
    """
    if one.can_ask and not asked:
        return Ask()
    if repeatable and one.idempotent_for is not None and now - one.began_at < one.idempotent_for / 2:
        return Repeat()
    hold = one.began_at + UNKNOWN_HOLD
    if now < hold:
        return Wait(min(hold, now + timedelta(minutes=5)))
    return GiveUp("outcome_unknown") if one.marketing else Wait(now + NEXT_LOOK, operator=True)


def _fraction(touch_id: str, attempts: int) -> float:
    """A number in [0, 1) from the touch and the attempt: core knows no chance, and a replay must give the same history."""
    return int.from_bytes(hashlib.sha256(f"{touch_id}\u001f{attempts}".encode()).digest()[:4], "big") / 2**32
