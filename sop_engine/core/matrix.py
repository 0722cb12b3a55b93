"""Decides what happens to each level of a tier on each day: the page that shows a whole model at once."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from sop_engine.core.playbook import Flow, Step
from sop_engine.core.project import Project
from sop_engine.core.say_forms import step_time
from sop_engine.core.say_words import Words, words_of
from sop_engine.core.tiers import Tier

FEW = 30  # users: fewer in a level are too few to learn anything from


@dataclass(frozen=True, slots=True)
class Row:
    """One level (None: unscored) in one playbook: its users, what is done at which time, or why nothing is."""

    level: str | None
    playbook: str
    users: int | None  # None: not known
    cells: Mapping[str, str]
    nothing: str = ""

    @property
    def few(self) -> bool:
        """Whether too few users are here to learn anything from."""
        return self.users is not None and self.users < FEW


@dataclass(frozen=True, slots=True)
class Matrix:
    """A tier: the times at which something is done, and a row for each level and playbook."""

    tier: str
    times: tuple[str, ...]
    rows: tuple[Row, ...]


def matrix_of(tier: Tier, project: Project, users: Mapping[str | None, int] | None, *, locale: str = "zh-CN") -> Matrix:
    """What happens to each level: channels, content type and benefit by time. `users` counts the levels, where that is known."""
    words = words_of(locale)
    rows = [row for level in _levels(tier, project) for row in _rows(tier, level, project, users, words)]
    orders = {when: _order(step) for step in _steps(tier, project) for when in [step_time(step, words)]}
    used = {when for row in rows for when in row.cells}
    times = sorted(used, key=lambda when: orders.get(when, (9, 0, 0)))
    return Matrix(tier.name, tuple(times), tuple(rows))


def _levels(tier: Tier, project: Project) -> list[str | None]:
    ladder: list[str | None] = [*(tier.ladder or tier.level_names)]
    unscored = any(f.start.kind == "level" and f.start.tier == tier.name and f.start.level is None for f in project.flows.values())
    return [*ladder, None] if unscored else ladder


def _steps(tier: Tier, project: Project) -> Iterator[Step]:
    for flow in project.flows.values():
        if flow.start.kind == "level" and flow.start.tier == tier.name:
            yield from flow.steps


def _rows(tier: Tier, level: str | None, project: Project, users: Mapping[str | None, int] | None, words: Words) -> Iterator[Row]:
    many = None if users is None else users.get(level, 0)
    found = False
    for playbook in project.playbooks.values():
        if playbook.tier != tier.name:
            continue
        found = True
        flow = next((f for f in _flows(project, playbook.flows) if f.start.level == level), None)
        if flow is not None:
            yield Row(level, playbook.name, many, _cells(flow, project, words))
        elif level is not None:
            yield Row(level, playbook.name, many, {}, dict(playbook.none).get(level, "") or "not mapped")
    if not found:
        yield Row(level, "", many, {}, "no playbook acts on this tier")


def _flows(project: Project, ids: Iterable[str]) -> list[Flow]:
    return [project.flows[i] for i in ids if i in project.flows]


def _cells(flow: Flow, project: Project, words: Words) -> dict[str, str]:
    cells: dict[str, list[str]] = {}
    for step in flow.steps:
        cells.setdefault(step_time(step, words), []).append(str(deed_of(step, project)))
    return {when: " + ".join(dict.fromkeys(does)) for when, does in cells.items()}


def _order(step: Step) -> tuple[int, int, int]:
    """Times in the order they come: at once, lengths after, days, repeated ones, the goal and the end last."""
    if step.every is not None:
        return (3, step.every.number, step.every.minute)
    if step.after is not None:
        return (1, 0, int(step.after.total_seconds() // 60))
    at = step.at
    if at is None or at.kind in ("goal", "end"):
        return (4 if at is None or at.kind == "goal" else 5, 0, 0)
    return (0, 0, 0) if at.kind == "now" else (2, at.day, at.minute or 0)


@dataclass(frozen=True, slots=True)
class Deed:
    """What one step does at its time: ways of sending, kinds of content and benefits, each once; what it makes void and sets."""

    when: str
    step: str
    channels: tuple[str, ...] = ()
    content_types: tuple[str, ...] = ()
    benefits: tuple[str, ...] = ()
    other: tuple[str, ...] = ()

    def __str__(self) -> str:
        parts = ["/".join(self.channels), "/".join(self.content_types), "/".join(self.benefits), *self.other]
        return " · ".join(p for p in parts if p) or self.step


def deed_of(step: Step, project: Project, *, locale: str = "zh-CN") -> Deed:
    """What a step does, over all its variants and choices."""
    names = step.send.names() if step.send else ()
    templates = [project.template(name, None) for name in names if name in project.templates]
    void = (f"void {step.void}",) if step.void else ()
    sets = (", ".join(f"{name} = {value}" for name, value in step.sets),) if step.sets else ()
    return Deed(
        step_time(step, words_of(locale)),
        step.name,
        tuple(dict.fromkeys(t.channel for t in templates)),
        tuple(dict.fromkeys(t.content_type for t in templates if t.content_type)),
        step.give.names() if step.give else (),
        (*void, *sets),
    )
