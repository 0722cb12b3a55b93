"""Decides whether a benefit is given or declined, and how its codes are written and read."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from sop_engine.core.calendar import DAY, midnight, valid_until
from sop_engine.core.catalog import Benefit
from sop_engine.core.errors import BadInput

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""32 signs without I, L, O and U: none is taken for another, and no words come about."""

RANDOM_BYTES = 10
CODE_LENGTH = 17  # 16 signs of 5 bits and the check character
_MISREAD = str.maketrans({"O": "0", "I": "1", "L": "1"} | dict.fromkeys(" -\u2010\u2011\u2012\u2013\u2014\u2212"))


@dataclass(frozen=True, slots=True)
class BenefitState:
    """What is counted in the transaction of the gift. None means without end."""

    given: int = 0  # to this user, in the window of `limit`
    spent: Decimal = Decimal(0)  # by everybody, in the window of `budget`
    pool_left: int | None = None
    pool_ends_at: datetime | None = None
    user_holds_unused: bool = False  # any benefit that is neither used nor over
    flow_budget_left: Decimal | None = None
    codes: bool = True  # whether the pool hands out a code per gift


@dataclass(frozen=True, slots=True)
class Give:
    """The benefit is given, valid until just before `expires_at`."""

    benefit: str
    code_needed: bool
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Decline:
    """The benefit is not given; `reason` is limit, stack, budget or empty."""

    reason: str


def choose(benefit: Benefit, state: BenefitState, *, now: datetime, zone: ZoneInfo) -> Give | Decline:
    """Give or decline this benefit at `now`, by the user's limit, what the user holds, the budgets and the stock, in this order."""
    reason = _refusal(benefit, state, now)
    if reason:
        return Decline(reason)
    return Give(benefit.name, state.codes, expires_at(benefit, now, zone, state.pool_ends_at))


def expires_at(benefit: Benefit, now: datetime, zone: ZoneInfo, ends_at: datetime | None) -> datetime:
    """The first instant at which the benefit, given at `now`, is no longer valid; `ends_at`: when its stock is over."""
    valid = valid_until(benefit.valid, now, zone)
    return valid if ends_at is None else min(valid, ends_at)


def pool_end(benefit: Benefit, zone: ZoneInfo) -> datetime | None:
    """The first instant at which nothing of it is valid any more, in the shop's zone; None without an end."""
    return None if benefit.ends is None else midnight(benefit.ends + DAY, zone)


def accepted_until(benefit: Benefit, said: datetime | None, now: datetime, zone: ZoneInfo, ends_at: datetime | None) -> datetime | None:
    """Until when a benefit is valid whose message was accepted at `now`: counted from then, and never less than what the text has said."""
    return None if said is None else max(said, expires_at(benefit, now, zone, ends_at))


def _refusal(benefit: Benefit, state: BenefitState, now: datetime) -> str:
    if state.given >= benefit.limit.most:
        return "limit"
    if not benefit.stack and state.user_holds_unused:
        return "stack"
    flow_spent = state.flow_budget_left is not None and benefit.cost > state.flow_budget_left
    if flow_spent or state.spent + benefit.cost > benefit.budget.most:
        return "budget"
    sold_out = state.pool_left is not None and state.pool_left < 1
    over = state.pool_ends_at is not None and state.pool_ends_at <= now
    return "empty" if sold_out or over else ""


def next_choice(benefit: Benefit, decline: Decline, benefits: Mapping[str, Benefit]) -> Benefit | None:
    """The benefit that stands in (`if_empty`) when budget or stock is used up; None when there is none, or for another reason."""
    if decline.reason not in ("budget", "empty") or benefit.if_empty is None:
        return None
    return benefits.get(benefit.if_empty)


def code_from_bytes(raw: bytes) -> str:
    """The code of 10 random bytes: 16 signs and a check character. Raises BadInput for another number of bytes."""
    if len(raw) != RANDOM_BYTES:
        raise BadInput(f"A code is made from {RANDOM_BYTES} bytes, not {len(raw)}.")
    number = int.from_bytes(raw, "big")
    body = "".join(ALPHABET[(number >> shift) & 31] for shift in range(75, -1, -5))
    return body + ALPHABET[-_luhn_sum(body, 2) % 32]


def read_code(text: str) -> str | None:
    """The code a person typed, without spaces and hyphens, O read as 0, I and L as 1; None if it cannot be one."""
    code = unicodedata.normalize("NFKC", text).upper().translate(_MISREAD)
    if len(code) != CODE_LENGTH or any(sign not in ALPHABET for sign in code):
        return None
    return code if _luhn_sum(code, 1) % 32 == 0 else None


def shown(code: str) -> str:
    """The code in groups of four, as it is written to people."""
    return "-".join(code[i : i + 4] for i in range(0, len(code), 4))


def _luhn_sum(signs: str, factor: int) -> int:
    """Luhn's sum to the base of 32, from the right; `factor` is that of the last sign."""
    total = 0
    for sign in reversed(signs):
        product = ALPHABET.index(sign) * factor
        total += product // 32 + product % 32
        factor = 3 - factor
    return total
