"""Decides what differs between two versions of a flow, key by key, in the words of the language."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import timedelta
from typing import Any

from sop_engine.core.conditions import Always, And, Compare, Has, In, Known, Not, Or, Ref, Truth
from sop_engine.core.explain import text_of, text_of_value
from sop_engine.core.forms import Again, Hours, Instant, Length, Limit, Moment, Schedule
from sop_engine.core.playbook import Choice, Flow
from sop_engine.core.project import Project
from sop_engine.core.say_forms import limit, moment, schedule
from sop_engine.core.say_words import ENGLISH

WRITTEN = ENGLISH | {"now": "now", "goal": "goal", "end": "end", "day": "day {0} {1}", "open": "(opening)"}
CONDITIONS = (Always, And, Compare, Has, In, Known, Not, Or, Ref, Truth)
NOT_COMPARED = ("order", "id", "playbook", "level")


@dataclass(frozen=True, slots=True)
class Difference:
    """One key that differs: where it stands, and what stood and stands there; empty for what is not there."""

    path: str
    old: str
    new: str

    @property
    def sign(self) -> str:
        """`+` for what is new, `-` for what is gone, `~` for what changed."""
        return "+" if not self.old else "-" if not self.new else "~"


def differences(old: tuple[Flow, Project], new: tuple[Flow, Project]) -> tuple[Difference, ...]:
    """Everything that differs between two versions of a flow: its keys, its steps by name, its templates and benefits."""
    found = [*_compared("", _whole(*old), _whole(*new))]
    return tuple(Difference(path, before, after) for path, before, after in found)


def _whole(flow: Flow, project: Project) -> Mapping[str, Any]:
    """The flow as a tree of maps: steps by name, and the texts and benefits they use."""
    keys = {name: value for name, value in _keys(flow).items() if name not in NOT_COMPARED}
    sent = dict.fromkeys(name for step in flow.steps if step.send for name in step.send.names())
    given = dict.fromkeys(name for step in flow.steps if step.give for name in step.give.names())
    return {
        **keys,
        "steps": {step.name: step for step in flow.steps},
        "templates": {name: project.templates.get(name) for name in sent},
        "benefits": {name: project.benefits.get(name) for name in given},
    }


def _keys(value: Any) -> dict[str, Any]:
    return {f.name: getattr(value, f.name) for f in fields(value) if f.compare}


def _compared(path: str, old: Any, new: Any) -> Iterator[tuple[str, str, str]]:
    if old == new:
        return
    before, after = _branches(old), _branches(new)
    if before is None or after is None:
        yield path, _shown(old), _shown(new)
        return
    for key in dict.fromkeys([*before, *after]):
        yield from _compared(f"{path}.{key}" if path else key, before.get(key), after.get(key))


def _branches(value: Any) -> Mapping[str, Any] | None:
    """What is compared key by key: maps, and values with keys of their own; None for what is shown whole."""
    if isinstance(value, Mapping):
        return value
    if is_dataclass(value) and not isinstance(value, (type, *CONDITIONS, *_FORMS)):
        return _keys(value)
    return None


def _shown(value: Any) -> str:
    if value is None or value in ((), "", frozenset()):
        return ""
    if isinstance(value, CONDITIONS):
        return text_of(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{k}: {_shown(v)}" for k, v in value.items())
    if isinstance(value, tuple | frozenset):
        listed = value if isinstance(value, tuple) else sorted(value)
        return ", ".join(_shown(v) for v in listed)
    return _form(value)


_FORMS: Mapping[type, Callable[[Any], str]] = {
    Moment: lambda v: moment(v, WRITTEN),
    Schedule: lambda v: schedule(v, WRITTEN),
    Limit: lambda v: limit(v, WRITTEN),
    Choice: lambda v: "; ".join(f"{word}: {', '.join(names)}" if word else ", ".join(names) for word, names in v.options),
    timedelta: lambda v: str(Length(exact=v)),
    Length: str,
    Again: lambda v: f"after {v.after}" if v.after else v.kind,
    Hours: lambda v: f"{v.start // 60:02d}:{v.start % 60:02d}-{v.end // 60:02d}:{v.end % 60:02d}",
    Instant: lambda v: f"{v.local:%Y-%m-%d %H:%M}",
}


def _form(value: Any) -> str:
    if type(value) in _FORMS:
        return _FORMS[type(value)](value)
    if is_dataclass(value):
        told = {name: text for name, part in _keys(value).items() if (text := _shown(part))}
        return ", ".join(f"{name} {text}" for name, text in told.items())
    return text_of_value(value)
