"""Tells why something happened to a user, or did not: each run with its touches, starts refused, and what keeps others from starting."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from sop_engine.actions.evidence import level_evidence
from sop_engine.actions.fresh import FitTrouble, troubles
from sop_engine.actions.halting import scopes_of, stop_told
from sop_engine.app import Work
from sop_engine.core.conditions import Condition, Facts, Value, holds
from sop_engine.core.explain import Reason, reasons
from sop_engine.core.interest import user_names
from sop_engine.core.models import tier_conditions
from sop_engine.core.playbook import Flow
from sop_engine.core.project import Project
from sop_engine.core.run import Run
from sop_engine.core.tiers import Level, Placer, Tier
from sop_engine.store import facts as store_facts
from sop_engine.store import history, levels, people, runs
from sop_engine.store.behind import Behind
from sop_engine.store.history import PastMove, PastTouch
from sop_engine.store.scope import Scope

MASK = "•••"


@dataclass(frozen=True, slots=True)
class RunTold:
    """One run with its touches, in order of time."""

    flow: str
    version: int
    started_at: datetime
    cause: str
    anchor_on: date
    variant: str | None
    held_out: bool
    state: str
    end_reason: str | None
    ended_at: datetime | None
    goal_at: datetime | None
    touches: tuple[PastTouch, ...]


@dataclass(frozen=True, slots=True)
class StartRefused:
    """A start that was refused, and why."""

    flow: str
    at: datetime
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class NotStarted:
    """A flow the user is not in: what starts it, what was asked, and whether all of it holds now."""

    flow: str
    place: str
    starts: str
    holds: bool
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Why:
    """Everything about one user and the flows asked for."""

    user: str
    at: datetime
    runs: tuple[RunTold, ...]
    refused: tuple[StartRefused, ...]
    not_started: tuple[NotStarted, ...]


@dataclass(frozen=True, slots=True)
class LevelTold:
    """One level of a model: whether its rule holds now, and each comparison of it."""

    level: str
    place: str
    holds: bool
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class WhyLevel:
    """Why a user is in a level: the rules in the order they are asked, the moves so far, and what was set by hand."""

    user: str
    tier: str
    level: str | None
    by_rules: str | None  # the level the rules give now: another one where a move waits for `min_stay`, or a level was set by hand
    since: date | None
    by_hand: str | None  # the level somebody set, if one did; `unscored` for none
    only: tuple[Reason, ...]
    levels: tuple[LevelTold, ...]
    moves: tuple[PastMove, ...]
    events: tuple[Behind, ...] = ()  # behind the rule of the level the user is in, as far as it holds now
    frozen: tuple[FitTrouble, ...] = ()  # numbers of everybody behind the model whose latest fit is not used


def why(work: Work, key: str, flow: str | None = None) -> Why:
    """What happened to this user in a flow (a playbook means all its flows; None: all). Raises NotFound for an unknown user."""
    user_id = people.get_id(work.tx, key)
    listed = [r for r in runs.list_runs(work.tx, user_id) if _asked(r.flow, flow)]
    touched = _touches_by_run(work, [r.id for r in listed])
    open_flows = {r.flow for r in listed if r.open}
    refused = [r for r in runs.list_refused(work.tx, user_id) if _asked(r.flow, flow)]
    others = [f for f in work.project.flows.values() if _asked(f.id, flow) and f.id not in open_flows] if flow else []
    facts = _facts_for(work, user_id, [c for f in others for c in _conditions(f)])
    return Why(
        people.people(work.tx, [user_id])[user_id].key,
        work.now,
        tuple(_run_told(r, [_held(work, r, t) for t in touched.get(r.id, ())]) for r in listed),
        tuple(StartRefused(r.flow, r.at, r.reason, r.detail) for r in refused),
        tuple(_not_started(work.project, f, facts) for f in others),
    )


def why_level(work: Work, key: str, tier: Tier) -> WhyLevel:
    """Why this user is in that level: which rules hold, with their values. Raises NotFound for an unknown user."""
    user_id = people.get_id(work.tx, key)
    facts = _facts_for(work, user_id, tier_conditions(tier))
    placed = levels.current_levels(work.tx, [user_id]).get(user_id, {}).get(tier.name)
    by_hand = levels.levels_by_hand(work.tx, [user_id], work.day).get(user_id, {})
    here = placed.level if placed else None
    return WhyLevel(
        people.people(work.tx, [user_id])[user_id].key,
        tier.name,
        here,
        Placer(tier).level_of(facts, here),
        date.fromordinal(placed.since_day) if placed else None,
        (by_hand[tier.name] or "unscored") if tier.name in by_hand else None,
        told_reasons(work.project, tier.only, facts),
        tuple(_level_told(work.project, tier, one, facts, here) for one in tier.levels),
        tuple(history.list_moves(work.tx, user_id, tier.name)),
        next((level_evidence(work, user_id, one.rule) for one in tier.levels if one.name == here), ()),
        tuple(troubles(work, work.live.interest.fitted_read.get(tier.name, frozenset()))),
    )


def _level_told(project: Project, tier: Tier, level: Level, facts: Facts, here: str | None) -> LevelTold:
    """The rule of a level; for those who are in it, `keep` too."""
    kept = level.keep if here == level.name else None
    told = (*told_reasons(project, level.rule, facts), *told_reasons(project, kept, facts))
    true_now = holds(level.rule, facts) or (kept is not None and holds(kept, facts))
    return LevelTold(level.name, tier.places.get(level.name, ""), true_now, told)


def _asked(flow_id: str, asked: str | None) -> bool:
    return asked is None or flow_id == asked or flow_id.startswith(f"{asked}/")


def _touches_by_run(work: Work, run_ids: Sequence[int]) -> dict[int, list[PastTouch]]:
    found: dict[int, list[PastTouch]] = {}
    for touch in history.list_past_touches(work.tx, run_ids=run_ids):
        found.setdefault(touch.run_id, []).append(touch)
    return found


def _held(work: Work, run: Run, touch: PastTouch) -> PastTouch:
    """The touch, and if a stop holds it, which one."""
    if touch.state != "planned" or touch.reason != "paused":
        return touch
    told = stop_told(work.tx, work.app.settings, scopes_of(work.app, work, run.flow, run.version, touch.step))
    return replace(touch, detail=told or "no longer stopped: it is looked at again soon")


def _run_told(run: Run, listed: Sequence[PastTouch]) -> RunTold:
    return RunTold(
        run.flow,
        run.version,
        run.started_at,
        run.cause,
        run.anchor_day,
        run.variant,
        run.held_out,
        run.state,
        run.end_reason,
        run.ended_at,
        run.goal_at,
        tuple(sorted(listed, key=lambda t: t.at)),
    )


def _conditions(flow: Flow) -> list[Condition]:
    return [c for c in (flow.start.condition, flow.only) if c is not None]


def _facts_for(work: Work, user_id: int, conditions: Sequence[Condition]) -> dict[str, Value | None]:
    tiers = {flow.start.tier for flow in work.project.flows.values() if flow.start.tier}
    names = user_names(conditions) | tiers
    return dict(store_facts.read_facts(work.tx, work.project, names, Scope.of([user_id]), work.now).get(user_id, {}))


def _not_started(project: Project, flow: Flow, facts: Facts) -> NotStarted:
    start = flow.start
    asked = [r for c in _conditions(flow) for r in told_reasons(project, c, facts)]
    told = {
        "level": f"enters {start.tier} = {start.level or 'unscored'}",
        "enter": "comes to fit the condition",
        "leave": "no longer fits the condition",
        "event": f"does {', '.join(start.events)}",
    }.get(start.kind, "is reached by its schedule")
    if start.kind == "level":
        here = facts.get(start.tier)
        level = start.level or "unscored"
        asked.insert(0, Reason(f"{start.tier} = {level}", (here or "unscored") == level, ((start.tier, here),)))
    return NotStarted(flow.id, flow.place, told, all(r.holds for r in asked), tuple(asked))


def told_reasons(project: Project, condition: Condition | None, facts: Facts) -> tuple[Reason, ...]:
    """Each comparison with the values it read; values that must not be shown are masked."""
    listed = reasons(condition, facts) if condition is not None else []
    return tuple(Reason(r.text, r.holds, tuple((k, masked(project, k, v)) for k, v in r.values)) for r in listed)


def masked(project: Project, name: str, value: Value | None) -> Value | None:
    """The value as it may be shown: phone numbers, mail addresses and whatever is sensitive are not."""
    attribute = project.attributes.get(name)
    hidden = attribute is not None and (attribute.sensitive or attribute.type in ("phone", "email"))
    return MASK if hidden and value is not None else value
