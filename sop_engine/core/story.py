"""A story: a test written in the language, played on the real engine with a made-up clock."""

from dataclasses import dataclass, field
from datetime import date

from sop_engine.core.conditions import Condition, Value


@dataclass(frozen=True, slots=True)
class StoryEvent:
    """An event in a story: local day and minute, what happened, how often, with which fields (`id` and `actor` among them)."""

    day: int
    minute: int
    event: str
    fields: tuple[tuple[str, Value], ...] = ()
    times: int = 1


@dataclass(frozen=True, slots=True)
class StoryLine:
    """One line of a story. `kind`: event, set, check, expect, skip or end; only what belongs to the kind is set."""

    kind: str
    day: int
    minute: int
    place: str = field(default="", compare=False)
    event: StoryEvent | None = None
    sets: tuple[tuple[str, Value], ...] = ()
    check: Condition | None = None
    level: str | None = None  # of 层级/步骤
    name: str = ""  # a step, or the reason of an end
    expected: tuple[tuple[str, str], ...] = ()  # channel, template, benefit, void, text
    because: str = ""


@dataclass(frozen=True, slots=True)
class Story:
    """What should happen, in words, and the lines that say it. `start_minute` is the local minute at which the user appears on day 0."""

    title: str
    day_0: date
    start_minute: int
    lines: tuple[StoryLine, ...]
    playbooks: tuple[str, ...] = ()
    variant: str | None = None
    given: tuple[tuple[str, Value], ...] = ()
    history: tuple[StoryEvent, ...] = ()
    place: str = field(default="", compare=False)
