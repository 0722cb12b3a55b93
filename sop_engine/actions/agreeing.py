"""Records what a person told a colleague about our messages, and shows everything they ever said."""

from collections.abc import Sequence
from dataclasses import dataclass

from sop_engine.actions.end import end_refused
from sop_engine.app import Work
from sop_engine.core.consent import ANY, GRANTED, MARKETING, STATES, Key, Standing
from sop_engine.core.errors import BadInput
from sop_engine.store import audit, consent
from sop_engine.store.consent import Line
from sop_engine.store.people import get_id, people


@dataclass(frozen=True, slots=True)
class Agreed:
    """What was recorded: of whom, about what, and whether it changes anything."""

    user: str
    word: str
    state: str
    changed: bool


@dataclass(frozen=True, slots=True)
class Ledger:
    """Everything a user said, oldest first, and what stands of it."""

    user: str
    lines: Sequence[Line]
    refused: frozenset[str]
    granted: frozenset[str]


def agree(work: Work, user: str, key: Key, state: str, shown: tuple[str, str]) -> Agreed:
    """Record one word of a user; `shown`: where it can be seen, and who says so.

    Raises NotFound, or BadInput for an unknown channel, topic or state, or a permission nobody can show.
    """
    (channel, topic), (evidence, by) = (key.channel, key.topic), shown
    _check(work, channel, topic, state)
    if state == GRANTED and not evidence.strip():
        raise BadInput("a permission must be shown one day: say where it is written with --evidence.")
    one = get_id(work.tx, user)
    changed = consent.record(work.tx, one, Line(channel, topic, state, work.now, f"by {by}", "", evidence.strip()))
    end_refused(work, one)
    word = key.word
    audit.note(work.tx, by, f"noted that a user said: {state}", {"user": one, "about": word}, work.now)
    return Agreed(people(work.tx, [one])[one].key, word, state, changed)


def _check(work: Work, channel: str, topic: str, state: str) -> None:
    channels, topics = work.project.channels, (MARKETING, *work.project.settings.content_types)
    if channel != ANY and channel not in channels:
        raise BadInput(f"there is no channel '{channel}'. There are: {', '.join(channels)}.")
    if topic != ANY and topic not in topics:
        raise BadInput(f"there is no topic '{topic}'. There are: {', '.join(topics)}.")
    if state not in STATES:
        raise BadInput(f"a word is one of {', '.join(STATES)}, not '{state}'.")


def agreed_by(work: Work, user: str) -> Ledger:
    """Everything a user ever said. Raises NotFound."""
    one = get_id(work.tx, user)
    stands = consent.standing_of(work.tx, [one]).get(one, Standing())
    return Ledger(people(work.tx, [one])[one].key, consent.ledger_of(work.tx, one), stands.refused, stands.granted)
