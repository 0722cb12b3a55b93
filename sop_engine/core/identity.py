"""Decides whether two users are one person: they share an identity, and no stronger one differs."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sop_engine.core.ingested import ANONYMOUS

MOST_USERS = 5  # an identity of more users than this belongs to a shop, a family or a till: a person looks
NO_VALUE = frozenset({"unknown", "none", "null", "nil", "test", "n/a", "na", "无", "未知", "暂无", "没有"})

Identities = Mapping[str, frozenset[str]]
"""By attribute: the values a user has. More than one where users have become one who had different ones."""


@dataclass(frozen=True, slots=True)
class Shared:
    """The strongest identity two users have in common."""

    attribute: str
    value: str


@dataclass(frozen=True, slots=True)
class Merge:
    """They are one person."""

    shared: Shared


@dataclass(frozen=True, slots=True)
class Wait:
    """They may be one person; why somebody has to decide. `differs`: a stronger identity speaks against it."""

    shared: Shared
    why: str
    differs: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """A user as far as it says who is older: the earlier registration, of equal ones the smaller key."""

    id: int
    key: str
    joined_at: datetime


def strongest_shared(order: Sequence[str], one: Identities, other: Identities) -> Shared | None:
    """What two users have in common, by the first of the attributes in `order`; None when nothing."""
    for attribute in order:
        common = one.get(attribute, frozenset()) & other.get(attribute, frozenset())
        if common:
            return Shared(attribute, min(common, key=lambda v: (is_placeholder(v), v)))
    return None


def decide(order: Sequence[str], one: Identities, other: Identities) -> Merge | Wait | None:
    """Whether two users become one; `order` names the attributes, strongest first. None: they have nothing in common."""
    shared = strongest_shared(order, one, other)
    if shared is None:
        return None
    if is_placeholder(shared.value):
        return Wait(shared, f"their {shared.attribute} is what is written where there is none")
    for stronger in order[: list(order).index(shared.attribute)]:
        mine, theirs = one.get(stronger), other.get(stronger)
        if mine and theirs:  # nothing in common, or it would be what they share
            return Wait(shared, f"their {stronger} differs", differs=True)
    return Merge(shared)


def is_placeholder(value: str) -> bool:
    """Whether a value stands for none: 13800000000, 123456789, 000, unknown."""
    digits = re.sub(r"\D", "", value)
    plain = re.sub(r"[\s+()-]", "", value).lower()
    if not plain or plain in NO_VALUE or re.fullmatch(r"0+|(.)\1{3,}", plain):
        return True
    if digits != plain.lstrip("+") or len(digits) < 7:
        return False
    rising = "01234567890123456789"
    return len(set(digits[-8:])) == 1 or digits[-9:] in rising or digits[-9:] in rising[::-1]


def older_first(one: Known, other: Known) -> tuple[Known, Known]:
    """The one who stays, and the one who becomes part of it: a visitor who never said who it is has registered later than anybody."""
    return (one, other) if _age(one) <= _age(other) else (other, one)


def _age(user: Known) -> tuple[bool, datetime, str]:
    return is_visitor(user.key), user.joined_at, user.key


def is_visitor(key: str) -> bool:
    """Whether the key of a user is that of a visitor nobody knows."""
    return key.startswith(ANONYMOUS)


def candidates(order: Sequence[str], user: int, known: Mapping[int, Identities]) -> tuple[dict[int, Merge], dict[int, Wait]]:
    """With whom of the others the user becomes one, and with whom the pair waits.

    The strongest identity goes first: who shares a weaker one is looked at again once those are one. Others who cannot be one person
    among themselves all wait: nobody can say which of them the user is.
    """
    merges: dict[int, Merge] = {}
    waits: dict[int, Wait] = {}
    for other in sorted(known.keys() - {user}):
        found = decide(order, known[user], known[other])
        if isinstance(found, Merge):
            merges[other] = found
        elif found is not None:
            waits[other] = found
    first = min((order.index(m.shared.attribute) for m in merges.values()), default=0)
    strongest = {other: m for other, m in merges.items() if m.shared.attribute == order[first]}
    if any(isinstance(decide(order, known[a], known[b]), Wait) for a in strongest for b in strongest if a < b):
        contested = {o: Wait(m.shared, f"several users who are not one have this {m.shared.attribute}") for o, m in strongest.items()}
        return {}, waits | contested
    return strongest, waits
