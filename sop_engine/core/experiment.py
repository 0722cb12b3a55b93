"""Decides by hash, the same every time: who is held out, who gets which variant, who is in a rollout, where in a span a touch falls."""

import hashlib
from dataclasses import dataclass
from decimal import Decimal

from sop_engine.core.playbook import Flow
from sop_engine.core.project import Settings

SEPARATOR = "\u001f"


@dataclass(frozen=True, slots=True)
class Arm:
    """What a user was drawn for. A held-out user has no variant; without variants and hold-out there is neither."""

    variant: str | None
    held_out: bool


def bucket(salt: str, name: str, user_key: str, *, draw: str) -> Decimal:
    """A number in [0, 1) that is the same for the same four texts on every machine and for ever.

    It is the first 53 bits of the SHA-256 of salt, name, draw and user in UTF-8, joined by U+001F, divided by 2**53. Other draws
    (`holdout`, `variant`, `rollout`) of the same name and user are independent of it, so changing one share reshuffles nothing else.
    """
    digest = hashlib.sha256(SEPARATOR.join((salt, name, draw, user_key)).encode()).hexdigest()
    return Decimal((int(digest[:16], 16) >> 11) / 2**53)  # a fraction of 53 bits is exact as float, and so as Decimal


def arm_for(flow: Flow, user_key: str, salt: str) -> Arm:
    """The arm of a user by the shares written now: the hold-out is carved out first, then variants by their cumulative shares.

    It is to be recorded when the user becomes eligible; the record, not this function, is read ever after.
    """
    name = flow.experiment_name
    if bucket(salt, name, user_key, draw="holdout") < flow.holdout:
        return Arm(None, held_out=True)
    return Arm(_variant(flow, bucket(salt, name, user_key, draw="variant")), held_out=False)


def _variant(flow: Flow, drawn: Decimal) -> str | None:
    reached = Decimal(0)
    for name, share in flow.variants:
        reached += share
        if drawn < reached:
            return name
    return flow.variants[-1][0] if flow.variants else None  # shares that miss 100% by a rounding


def in_rollout(flow: Flow, user_key: str, salt: str) -> bool:
    """Whether the user belongs to the part of the users this flow is open to; a larger share only adds users."""
    return bucket(salt, flow.id, user_key, draw="rollout") < flow.rollout


def salt_of(settings: Settings) -> str:
    """The salt of every draw of a project: what it says, else its name."""
    return settings.salt or settings.name


def in_global_holdout(settings: Settings, user_key: str) -> bool:
    """Whether the user is among those who get no marketing at all and enter no flow's arms."""
    return bucket(salt_of(settings), "", user_key, draw="global_holdout") < settings.holdout


def offset_in_span(salt: str, run_key: str, step: str, minutes: int) -> int:
    """Whole minutes after the start of a span of so many minutes, from 0 to `minutes` - 1, by hash of run and step."""
    return int(bucket(salt, step, run_key, draw="span") * max(minutes, 0))
