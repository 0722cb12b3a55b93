"""Stops everything, a playbook or a channel, and lets it go on: each noted with who did it and why."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sop_engine.actions.halting import ALL, CHANNEL, PLAYBOOK, in_words
from sop_engine.app import Work
from sop_engine.core.errors import BadInput, NotFound, Refused
from sop_engine.language.report import did_you_mean
from sop_engine.store import audit, runs, stops
from sop_engine.store.waits import spread_paused


@dataclass(frozen=True, slots=True)
class Stopped:
    """Something that is stopped: since when, by whom, and why."""

    scope: str
    since: datetime
    by: str
    why: str


@dataclass(frozen=True, slots=True)
class Resumed:
    """Something that goes on: how many touches waited for it, and over how long they are spread now."""

    scope: str
    waiting: int
    spread: timedelta


def scope_of(work: Work, *, everything: bool, playbook: str | None, channel: str | None) -> str:
    """The scope that was asked for. Raises BadInput unless it is exactly one, NotFound with a close name for one that is not there."""
    if sum((everything, playbook is not None, channel is not None)) != 1:
        raise BadInput("say what: --all, --playbook NAME or --channel NAME, one of them.")
    if playbook is not None:
        known = {*work.project.playbooks, *(flow.partition("/")[0] for flow, _ in runs.count_open(work.tx))}
        return PLAYBOOK + _known(playbook, known, "playbook")
    if channel is not None:
        return CHANNEL + _known(channel, set(work.project.channels), "channel")
    return ALL


def _known(name: str, names: set[str], what: str) -> str:
    if name not in names:
        raise NotFound(f"there is no {what} '{name}'.{did_you_mean(name, sorted(names))}")
    return name


def stop(work: Work, scope: str, *, by: str, why: str = "") -> Stopped:
    """Stop it: no intent of it is written after this is committed. What is stopped already stays as it is."""
    already = next((s for s in list_stops(work) if s.scope == scope), None)
    if already is not None:
        return already
    version = stops.add(work.tx, scope, stop=True, at=work.now, by=by, why=why)
    audit.note(work.tx, by, "stopped", {"scope": scope, "version": version}, work.now)
    return Stopped(scope, work.now, by, why)


def resume(work: Work, scope: str, *, by: str, why: str) -> Resumed:
    """Let it go on, and spread what waited for it. Raises BadInput without a reason, Refused when it is not stopped."""
    if not why.strip():
        raise BadInput("say why it may go on, with --why TEXT: whoever reads this later wants to know.")
    if scope not in {s.scope for s in list_stops(work)}:
        held = "; ".join(in_words(s.scope) for s in list_stops(work))
        raise Refused(f"'{scope}' is not stopped. Now {held or 'nothing is'}.")
    version = stops.add(work.tx, scope, stop=False, at=work.now, by=by, why=why)
    playbook = scope.removeprefix(PLAYBOOK) if scope.startswith(PLAYBOOK) else None
    waiting, spread = spread_paused(work.tx, work.now, playbook)
    audit.note(work.tx, by, "resumed", {"scope": scope, "version": version, "waiting": waiting}, work.now)
    return Resumed(scope, waiting, spread)


def list_stops(work: Work) -> list[Stopped]:
    """What is stopped now, the latest first."""
    return [Stopped(row.scope, row.at, row.by, row.why) for row in stops.list_stopped(work.tx)]
