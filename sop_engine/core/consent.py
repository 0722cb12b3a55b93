"""Decides what a person has agreed to and refused, out of everything they ever said: silence, permission, withdrawal."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

ANY = "*"
MARKETING = "marketing"  # the topic of everything that is promotion; a content type is a narrower one, `*` a wider one
GRANTED, WITHDRAWN, PENDING = "granted", "withdrawn", "pending"
STATES = (PENDING, GRANTED, WITHDRAWN)


@dataclass(frozen=True, slots=True)
class Key:
    """What was said about: one channel or `*`, and a topic: a content type, `marketing`, or `*`."""

    channel: str = ANY
    topic: str = ANY

    def covers(self, other: "Key") -> bool:
        """Whether whatever the other is about is covered by this one."""
        return self.channel in (ANY, other.channel) and _wider(self.topic, other.topic)

    @property
    def word(self) -> str:
        """The key as one word: `sms`, `*`, `sms/marketing`."""
        return self.channel if self.topic == ANY else f"{self.channel}/{self.topic}"


def key_of(word: str) -> Key:
    """The key a word stands for."""
    channel, _, topic = word.partition("/")
    return Key(channel, topic or ANY)


def _wider(one: str, other: str) -> bool:
    return one in (ANY, other) or (one == MARKETING and other != ANY)


@dataclass(frozen=True, slots=True)
class Said:
    """One line of the ledger. Lines are in order by (`at`, `id`)."""

    key: Key
    state: str
    at: datetime
    id: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands of all that was said, as words of keys: refusals, and permissions that no later refusal took back."""

    refused: frozenset[str] = frozenset()
    granted: frozenset[str] = frozenset()


def standing(said: Iterable[Said]) -> Standing:
    """The state that follows from the ledger, in whatever order its lines are given.

    The last word about a key counts, `pending` being none. A refusal takes back every older permission it covers; a permission that is
    narrower than a refusal and came after it stands.
    """
    last: dict[Key, Said] = {}
    for one in sorted(said, key=lambda s: (s.at, s.id)):
        if one.state != PENDING:
            last[one.key] = one
    refusals = [s for s in last.values() if s.state == WITHDRAWN]
    granted = [s for s in last.values() if s.state == GRANTED and not any(_takes_back(r, s) for r in refusals)]
    return Standing(frozenset(s.key.word for s in refusals), frozenset(s.key.word for s in granted))


def _takes_back(refusal: Said, grant: Said) -> bool:
    return refusal.key.covers(grant.key) and (refusal.at, refusal.id) > (grant.at, grant.id)


def refused(now: Standing, channel: str, purpose: str, topic: str = MARKETING) -> bool:
    """Whether a message must not be sent for what its reader said.

    Promotion minds every refusal; a service message only that of its channel as a whole; a message to a colleague none.
    """
    if purpose == "internal" or not now.refused:
        return False
    if purpose != MARKETING:
        return channel in now.refused
    message = Key(channel, topic or MARKETING)
    allowed = [key for key in map(key_of, now.granted) if key.covers(message)]
    return any(key.covers(message) and not any(key.covers(grant) for grant in allowed) for key in map(key_of, now.refused))


def agreed(now: Standing, channel: str, topic: str = MARKETING) -> bool:
    """Whether promotion was expressly agreed to: silence is none."""
    message = Key(channel, topic or MARKETING)
    return any(key_of(word).covers(message) for word in now.granted) and not refused(now, channel, MARKETING, topic)


def refuses_all(words: Iterable[str]) -> bool:
    """Whether all marketing is refused: then runs end."""
    return not {ANY, f"{ANY}/{MARKETING}"}.isdisjoint(words)


def strictest(one: Standing, other: Standing) -> frozenset[str]:
    """The words whose refusal must be said once more when two people turn out to be one: what either refused and the other allows."""
    washed = {w for w in one.granted if _refuses(other, w)} | {w for w in other.granted if _refuses(one, w)}
    return one.refused | other.refused | frozenset(washed)


def _refuses(now: Standing, word: str) -> bool:
    asked = key_of(word)
    allowed = [key for key in map(key_of, now.granted) if key.covers(asked)]
    return any(key.covers(asked) and not any(key.covers(a) for a in allowed) for key in map(key_of, now.refused))
