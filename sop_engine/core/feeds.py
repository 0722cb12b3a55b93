"""Decides what another system is told of our users, which entry it gets next, and when one is tried again."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from sop_engine.core.errors import DeliveryError

Subject = Literal["level", "touch", "run", "goal"]
TELLS: tuple[Subject, ...] = ("level", "touch", "run", "goal")
"""What a feed can tell: moves between levels, what became of touches, runs started and ended, goals reached."""

FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=5), timedelta(hours=1)
GIVEN_UP = timedelta(days=3)  # a receiver that takes others and never this one keeps its user's next ones waiting no longer


@dataclass(frozen=True, slots=True)
class Feed:
    """A system that is told: `tells` which subjects, `models` of which tiers (none named: all)."""

    name: str
    tells: tuple[Subject, ...] = TELLS
    models: tuple[str, ...] = ()

    def wants(self, subject: str, model: str = "") -> bool:
        """Whether it is told of this."""
        return subject in self.tells and (not model or not self.models or model in self.models)

    @property
    def account(self) -> str:
        """Under which name its circuit is kept."""
        return f"feed:{self.name}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing to tell. `key` is the same in every repeat; nothing in it is personal but the user's own id."""

    id: int
    user_id: int
    user_key: str = field(repr=False)
    kind: str
    at: datetime
    data: Mapping[str, object]
    tries: int = 0


def key_of(instance: str, feed: str, entry_id: int, written: str) -> str:
    """By what the receiver knows an entry again: of the instance, the feed, the entry and what it says."""
    return hashlib.sha256(f"{instance}|{feed}|{entry_id}|{written}".encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of an entry: taken, refused (never again), given_up, or waiting until `due_at`."""

    state: str
    due_at: datetime
    error: str = ""


def fate_of(entry: Entry, error: DeliveryError | None, now: datetime) -> Fate:
    """What becomes of an entry after a call; what may have been taken is told again, for the receiver knows its id."""
    if error is None:
        return Fate("taken", now)
    said = f"{error.reason} {error.detail}".strip()[:200]
    if error.kind in ("permanent", "user_unreachable"):
        return Fate("refused", now, said)
    about_this_one = error.kind == "unknown"  # a receiver that is away, or an account that is wrong, is no fault of the entry
    if about_this_one and now - entry.at > GIVEN_UP and entry.tries > 1:
        return Fate("given_up", now, said)
    asked = timedelta(seconds=error.retry_after_s) if error.retry_after_s else None
    return Fate("waiting", now + (asked or min(FIRST_WAIT * 2 ** min(entry.tries, 20), LONGEST_WAIT)), said)
