"""Tells what comes in from each source: how much was stored, what was refused with examples, and names the catalogue does not have."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from sop_engine.app import Work
from sop_engine.core.ingested import REFUSALS
from sop_engine.language.names import normal
from sop_engine.store import api_keys, source_counts
from sop_engine.store.refused_items import latest_refused
from sop_engine.store.source_counts import SourceCount

if TYPE_CHECKING:
    from sqlalchemy import Connection

CLEANED = {
    "nan": "NaN or Infinity, stored as null",
    "surrogate": "broken characters, stored as U+FFFD",
    "nul": "texts with NUL, stored without",
    "number": "numbers of more than 38 digits, left out",
    "deep": "values nested deeper than 20, stored as null",
}
"""What is put right in items, in words."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Items refused for one reason: how many, when last, and the latest as they were sent."""

    reason: str
    means: str
    number: int
    last_at: datetime
    examples: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Name:
    """A name the catalogue does not have, or of which a value did not fit: how often, and when last."""

    name: str
    number: int
    last_at: datetime


@dataclass(frozen=True, slots=True)
class SourceTold:
    """One source and what is counted of it."""

    source: str
    keys: int
    accepted: int = 0
    repeated: int = 0
    differing: int = 0
    dropped: int = 0
    no_message_id: int = 0
    bad_timestamp: int = 0
    last_at: datetime | None = None
    refused: tuple[Refused, ...] = ()
    unknown_events: tuple[Name, ...] = ()
    unknown_traits: tuple[Name, ...] = ()
    unfit: tuple[Name, ...] = ()
    cleaned: tuple[Name, ...] = ()


def list_sources(work: Work, *, examples: int = 1) -> list[SourceTold]:
    """Every source that has a key or ever sent anything, with so many examples of what was refused for each reason."""
    keys = [key for key in api_keys.list_keys(work.tx) if key.revoked_at is None]
    by_source: dict[str, list[SourceCount]] = {key.source: [] for key in api_keys.list_keys(work.tx)}
    for count in source_counts.list_counts(work.tx):
        by_source.setdefault(count.source, []).append(count)
    return [_told(work, source, sum(k.source == source for k in keys), counts, examples) for source, counts in sorted(by_source.items())]


def _told(work: Work, source: str, keys: int, counts: list[SourceCount], examples: int) -> SourceTold:
    totals = {c.what: c.number for c in counts if not c.name}
    return SourceTold(
        source,
        keys,
        **{what: totals.get(what, 0) for what in ("accepted", "repeated", "differing", "dropped", "no_message_id", "bad_timestamp")},
        last_at=max((c.last_at for c in counts), default=None),
        refused=tuple(_refused(work.tx, c, examples) for c in counts if c.what == "refused"),
        unknown_events=_names(counts, "event", frozenset(work.project.events)),
        unknown_traits=_names(counts, "trait", frozenset(work.project.attributes)),
        unfit=_names(counts, "unfit"),
        cleaned=tuple(Name(CLEANED[c.what], c.number, c.last_at) for c in counts if c.what in CLEANED and c.number),
    )


def _refused(tx: "Connection", count: SourceCount, examples: int) -> Refused:
    kept = tuple(one.body for one in latest_refused(tx, count.source, count.name, examples))
    return Refused(count.name, REFUSALS.get(count.name, ""), count.number, count.last_at, kept)


def _names(counts: list[SourceCount], what: str, known: frozenset[str] = frozenset()) -> tuple[Name, ...]:
    """The names counted under a word, without those that the catalogue has got since."""
    return tuple(Name(c.name, c.number, c.last_at) for c in counts if c.what == what and normal(c.name) not in known)
