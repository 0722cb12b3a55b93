"""Judges the lines of a story against what the engine stored."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sop_engine.app import Work
from sop_engine.core.conditions import holds
from sop_engine.core.explain import reasons
from sop_engine.core.interest import user_names
from sop_engine.core.story import Story, StoryLine
from sop_engine.store import facts as store_facts
from sop_engine.store import runs, touches
from sop_engine.store.scope import Scope

MINUTE = timedelta(minutes=1)


def judge(work: Work, user_id: int, line: StoryLine, seen: set[int]) -> list[str]:
    """What is wrong with a check, expect, skip or end line at this moment; `seen` collects the touches that were expected."""
    told = {"check": _check, "expect": _expect, "skip": _skip, "end": _end}[line.kind](work, user_id, line, seen)
    return [f"{line.place}: {sentence}" for sentence in told]


def unexpected(work: Work, story: Story, seen: set[int]) -> list[str]:
    """Whatever was sent or given and not expected."""
    rows = [t for t in touches.list_touches(work.tx) if t.state in ("sent", "unknown") and t.id not in seen]
    return [f"{story.place}: {_what(work, t)} was sent on {_when(work, t)} and not expected" for t in rows if t.template or t.benefit]


def _check(work: Work, user_id: int, line: StoryLine, _seen: set[int]) -> list[str]:
    assert line.check is not None
    facts = store_facts.read_facts(work.tx, work.project, user_names([line.check]), Scope.of([user_id]), work.now).get(user_id, {})
    if holds(line.check, facts):
        return []
    return ["does not hold: " + "; ".join(str(r) for r in reasons(line.check, facts))]


def _matching(work: Work, line: StoryLine, states: Sequence[str]) -> list[Any]:
    found = [t for t in touches.list_touches(work.tx, step=line.name) if t.state in states]
    return [t for t in found if line.level is None or t.flow.endswith(f"/{line.level}")]


def _at(work: Work, touch: Any) -> bool:
    return touch.done_at is not None and work.now - MINUTE < touch.done_at <= work.now


def _expect(work: Work, user_id: int, line: StoryLine, seen: set[int]) -> list[str]:
    mine = [t for t in _matching(work, line, ("sent",)) if t.id not in seen]
    now = [t for t in mine if _at(work, t)]
    if not now:
        return [f"'{line.name}' was not sent now; {_instead(work, line)}"]
    seen.add(now[0].id)
    wrong = []
    for what, wanted in line.expected:
        is_so = _property(work, now[0], what)
        if (wanted not in is_so) if what == "text" else (is_so != wanted):
            wrong.append(f"'{line.name}' has the {what} '{is_so}', not '{wanted}'")
    return wrong


def _property(work: Work, touch: Any, what: str) -> str:
    column = {"text": "body"}.get(what, what)
    return str(getattr(touch, column) or "")


def _instead(work: Work, line: StoryLine) -> str:
    rows = _matching(work, line, ("planned", "queued", "sending", "sent", "skipped", "failed", "cancelled", "unknown"))
    if not rows:
        return "it was never planned"
    last = rows[-1]
    why = f" ({last.reason})" if last.reason else ""
    return f"it is {last.state}{why}, {_when(work, last)}" + (f": {last.detail}" if last.detail else "")


def _skip(work: Work, user_id: int, line: StoryLine, _seen: set[int]) -> list[str]:
    if line.name == "start":
        listed = [r for r in runs.list_refused(work.tx, user_id) if r.at <= work.now]
        refused = [r for r in listed if line.level is None or r.flow.endswith(f"/{line.level}")]
        fitting = [r for r in refused if not line.because or r.reason == line.because]
        told = ", ".join(r.reason for r in refused) or "none was"
        return [] if fitting else [f"no start was refused because of '{line.because}' ({told})"]
    rows = [t for t in _matching(work, line, ("skipped",)) if _at(work, t)]
    if not rows:
        return [f"'{line.name}' was not skipped now; {_instead(work, line)}"]
    if line.because and rows[-1].reason != line.because:
        return [f"'{line.name}' was skipped because of '{rows[-1].reason}', not '{line.because}': {rows[-1].detail or ''}"]
    return []


def _end(work: Work, user_id: int, line: StoryLine, _seen: set[int]) -> list[str]:
    mine = [r for r in runs.list_runs(work.tx, user_id) if line.level is None or r.flow.endswith(f"/{line.level}")]
    ended = [r for r in mine if r.ended_at is not None and work.now - MINUTE < r.ended_at <= work.now]
    if any(r.end_reason == line.name for r in ended):
        return []
    told = "; ".join(f"{r.flow} {r.state}" + (f" ({r.end_reason}, {r.ended_at:%Y-%m-%d %H:%M} UTC)" if r.ended_at else "") for r in mine)
    return [f"no run ended '{line.name}' now: {told or 'none ever started'}"]


def _what(work: Work, touch: Any) -> str:
    return f"'{touch.flow} {touch.step}'" + (f" ({touch.template})" if touch.template else "")


def _when(work: Work, touch: Any) -> str:
    at = touch.done_at or touch.due_at
    return f"{at.astimezone(work.live.zone):%Y-%m-%d %H:%M}"
