"""Decides where the steps of a playbook stand on its days: a lane for each flow, a column for each day on which something is done."""

from collections.abc import Mapping
from dataclasses import dataclass

from sop_engine.core.forms import Moment
from sop_engine.core.matrix import deed_of
from sop_engine.core.pages.words import page_words
from sop_engine.core.playbook import Flow, Playbook, Step
from sop_engine.core.project import Project
from sop_engine.core.say_forms import clock, step_time
from sop_engine.core.say_words import Words, words_of

DAY = 24 * 60
START, DAYS, REPEATS, GOAL, END = range(5)
Place = tuple[int, int]
"""What it counts from, and minutes after that; days of an anchor are not those of the start."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A step in a lane. `kind`: message, task (everything goes to colleagues) or quiet (nothing is sent)."""

    column: int
    step: str
    when: str
    channels: tuple[str, ...]
    benefits: tuple[str, ...]
    kind: str
    asks: bool  # whether it has a condition


@dataclass(frozen=True, slots=True)
class Lane:
    """A flow, or a level with none and the reason."""

    name: str
    intent: str
    marks: tuple[Mark, ...] = ()
    none: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A day, or what stands for one: the start, what is repeated, the goal, the end. `gap`: days were left out before it."""

    label: str
    gap: bool


@dataclass(frozen=True, slots=True)
class Timeline:
    """A playbook on its days."""

    title: str
    columns: tuple[Column, ...]
    lanes: tuple[Lane, ...]


def timeline_of(playbook: Playbook, project: Project, *, locale: str = "zh-CN") -> Timeline:
    """The lanes of a playbook in the order of its file, then the levels it leaves alone."""
    flows = [project.flows[name] for name in playbook.flows]
    places = {flow.id: _places(flow) for flow in flows}
    used = sorted({_column(place) for found in places.values() for place in found.values()})
    index = {key: i for i, key in enumerate(used)}
    lanes = [_lane(flow, project, places[flow.id], index, locale) for flow in flows]
    lanes += [Lane(level, "", none=reason) for level, reason in playbook.none]
    return Timeline(playbook.name, tuple(_columns(used, locale)), tuple(lanes))


def _places(flow: Flow) -> dict[str, Place]:
    """Where each step stands; a step counts from the start, from the anchor's day, or from an earlier step."""
    found: dict[str, Place] = {}
    for step in flow.steps:
        found[step.name] = _place(step, found[step.source] if step.source else None, anchored=flow.anchor is not None)
    return found


def _place(step: Step, source: Place | None, *, anchored: bool) -> Place:
    group, minutes = source or (START if anchored else DAYS, 0)
    if step.every is not None:
        return REPEATS, 0
    if step.after is not None:
        return group, minutes + int(step.after.total_seconds()) // 60
    at = step.at or Moment("now")
    match at.kind:
        case "goal":
            return GOAL, 0
        case "end":
            return END, 0
        case "now":
            return group, minutes
    day = at.day + (minutes // DAY if source else 0)
    return (group if source else DAYS), day * DAY + (at.minute or 0)


def _column(place: Place) -> Place:
    return place[0], place[1] // DAY


def _columns(used: list[Place], locale: str) -> list[Column]:
    words, said = page_words(locale), words_of(locale)
    named: Mapping[int, str] = {START: words["start"], REPEATS: words["repeats"], GOAL: said["goal"], END: said["end"]}
    found = []
    for i, (group, day) in enumerate(used):
        base = named.get(group, "")
        label = words["day_of"].format(day) if group == DAYS else words["plus"].format(base, day) if day else base
        found.append(Column(label, i > 0 and (group, day - 1) != used[i - 1]))
    return found


def _lane(flow: Flow, project: Project, places: Mapping[str, Place], index: Mapping[Place, int], locale: str) -> Lane:
    steps = sorted(flow.steps, key=lambda step: places[step.name])
    marks = [_mark(step, project, index[_column(places[step.name])], locale) for step in steps]
    name = flow.level or (page_words(locale)["unscored"] if flow.start.kind == "level" else flow.playbook)
    return Lane(name, page_words(locale)[flow.intent], tuple(marks))


def _mark(step: Step, project: Project, column: int, locale: str) -> Mark:
    deed = deed_of(step, project, locale=locale)
    names = step.send.names() if step.send else ()
    purposes = {project.template(name, None).purpose for name in names}
    kind = "quiet" if not purposes else "task" if purposes == {"internal"} else "message"
    when = _time(step, words_of(locale))
    return Mark(column, step.name, when, deed.channels, deed.benefits, kind, step.when is not None)


def _time(step: Step, words: Words) -> str:
    """The time of day where the column says the day already, else when the step happens in words; nothing for a goal and an end."""
    if step.at is not None and step.source is None:
        return "" if step.at.kind in ("goal", "end") else words["now"] if step.at.kind == "now" else clock(step.at, words)
    return step_time(step, words)
