"""Places users anew and follows the moves: runs end, runs start. The same for an event, a midnight, a refresh and an apply."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sop_engine.actions.end import Endings, end_by_facts, flow_of, reads_steps, steps_seen, windows_of
from sop_engine.actions.feeding import tell_moves
from sop_engine.actions.fresh import expired_models
from sop_engine.actions.start import Candidate, start_runs
from sop_engine.app import Work
from sop_engine.core.conditions import Facts, Value
from sop_engine.core.interest import ends_by, flow_conditions, known_names, starts_by, user_names
from sop_engine.core.models import WATCH
from sop_engine.core.playbook import Flow
from sop_engine.core.run import Run
from sop_engine.core.tiers import Move, Placer, is_up
from sop_engine.store import facts as store_facts
from sop_engine.store import levels, runs
from sop_engine.store.levels import Moved, Placed
from sop_engine.store.scope import Scope

MutableFacts = dict[int, dict[str, Value | None]]


@dataclass(frozen=True, slots=True)
class Cause:
    """Why users are placed: event, sweep, refresh, apply, import or hand; and for events, which one by user."""

    word: str
    events: Mapping[int, int] = field(default_factory=dict)
    may_start: bool = True
    models: frozenset[str] | None = None  # only these can place anybody anew; None: all


def place_users(work: Work, user_ids: Sequence[int], cause: Cause, *, candidates: Sequence[Candidate] = ()) -> list[Moved]:
    """Place these users in every model, then follow the moves. `candidates` are starts by events found before. Returns the moves."""
    moved = move_users(work, user_ids, cause)
    follow(work, user_ids, moved, cause, candidates=candidates)
    return moved


def move_users(work: Work, user_ids: Sequence[int], cause: Cause) -> list[Moved]:
    """Decide the level of each user in every model, in order, and store the moves."""
    interest = work.live.interest
    expired = expired_models(work)
    placers = [p for p in interest.placers if (cause.models is None or p.tier.name in cause.models) and p.tier.name not in expired]
    if not placers:
        return []
    current = levels.current_levels(work.tx, user_ids)
    by_hand = levels.levels_by_hand(work.tx, user_ids, work.day)
    facts = _facts_with_tiers(work, user_ids, current)
    pending: list[Moved] = []
    moved: list[Moved] = []
    for placer in placers:
        model = placer.tier
        if interest.indirect[model.name] & {m.model for m in pending}:
            moved += _store(work, pending, cause)
            pending = []
            facts = _facts_with_tiers(work, user_ids, levels.current_levels(work.tx, user_ids))
        for user_id in user_ids:
            found = _decide(work, placer, user_id, facts[user_id], current.get(user_id, {}).get(model.name), by_hand.get(user_id, {}))
            if found is not None:
                pending.append(found)
    return moved + _store(work, pending, cause)


def _store(work: Work, moved: list[Moved], cause: Cause) -> list[Moved]:
    levels.write_moves(work.tx, moved, cause=cause.word, events=cause.events, release=work.live.release)
    tell_moves(work, moved, cause.word)
    return moved


def _facts_with_tiers(work: Work, user_ids: Sequence[int], current: Mapping[int, Mapping[str, Placed]]) -> MutableFacts:
    read = store_facts.read_facts(work.tx, work.project, work.live.interest.model_facts, Scope.of(user_ids), work.now)
    facts = {user_id: dict(read.get(user_id, {})) for user_id in user_ids}
    for user_id, placed in current.items():
        for name, one in placed.items():
            if not name.startswith(WATCH):
                facts[user_id].update(levels.facts_of(one, work.day))
    return facts


def _decide(
    work: Work, placer: Placer, user_id: int, facts: dict[str, Value | None], placed: Placed | None, by_hand: Mapping[str, str | None]
) -> Moved | None:
    model, now_in = placer.tier, placed.level if placed else None
    if model.name in by_hand:
        new = by_hand[model.name]
        found = Move(now_in, new, is_up(model, now_in, new)) if new != now_in else None
    else:
        decision = placer.decide(facts, now_in, work.day - placed.since_day if placed else 0)
        found = decision if isinstance(decision, Move) else None
    if found is None:
        return None
    at = work.moment(user_id)
    read = {k: facts.get(k) for k in work.live.interest.facts_read[model.name]}
    facts.update(levels.facts_of(Placed(model.name, found.new, now_in, work.day), work.day))
    return Moved(user_id, model.name, found.old, found.new, found.up, at, work.day, read)


def follow(work: Work, user_ids: Sequence[int], moved: Sequence[Moved], cause: Cause, *, candidates: Sequence[Candidate] = ()) -> int:
    """After moves: goals by condition, exits, levels left; then starts by events and by moves. How many runs started."""
    end_runs_of(work, user_ids, moved)
    if not cause.may_start:
        return 0
    return start_runs(work, [*candidates, *(_candidates(work, moved, cause))])


def end_runs_of(work: Work, user_ids: Sequence[int], moved: Sequence[Moved]) -> None:
    """End the open runs of these users whose goal or exit became true, or whose level or condition no longer holds.

    Goals that are conditions count after the end too, until their window closes, as goals by event do.
    """
    listed = [run for group in runs.runs_in_sight(work.tx, user_ids, work.now).values() for run in group]
    pairs = [(run, flow) for run in listed if (flow := flow_of(work, run)) is not None and (run.open or _waits(run, flow))]
    endings = Endings()
    ask_runs(work, pairs, endings)
    moves: dict[int, list[Moved]] = {}
    for move in moved:
        moves.setdefault(move.user_id, []).append(move)
    for run, flow in pairs:
        if run.open and "left" not in flow.keep_going and any(ends_by(flow, m.model, m.new) for m in moves.get(run.user_id, [])):
            endings.end(run, "left")
    endings.write(work)


def _waits(run: Run, flow: Flow) -> bool:
    """Whether a goal by condition was not reached yet."""
    own = flow.goal is not None and flow.goal.enter is not None and run.goal_at is None
    return own or any(g.enter is not None and g.name not in run.counted for g in flow.counts)


def ask_runs(work: Work, pairs: Sequence[tuple[Run, Flow]], endings: Endings) -> None:
    """Ask goals by condition and exits of these runs."""
    asking = [(run, flow) for run, flow in pairs if flow.exits or any(g.enter for g in (flow.goal, *flow.counts) if g)]
    if not asking:
        return
    names = known_names(work.project, user_names(c for _, flow in asking for c in flow_conditions(flow)))
    facts = store_facts.read_facts(work.tx, work.project, names, Scope.of({run.user_id for run, _ in asking}), work.now)
    steps = steps_seen(work, [run.id for run, flow in asking if reads_steps(flow)])
    touched = windows_of(work, [run.id for run, flow in asking if any(g.enter for g in (flow.goal, *flow.counts) if g)])
    for run, flow in asking:
        end_by_facts(work, run, flow, _run_facts(run, facts, steps), touched.get(run.id, []), endings)


def _run_facts(run: Run, facts: Mapping[int, Facts], steps: Mapping[int, Facts]) -> Facts:
    return {**facts.get(run.user_id, {}), **run.held, **steps.get(run.id, {})}


def _candidates(work: Work, moved: Iterable[Moved], cause: Cause) -> Iterable[Candidate]:
    by_model = work.live.interest.by_model
    for move in moved:
        for flow in by_model.get(move.model, ()):
            if starts_by(flow, move.model, move.old, move.new):
                why = _in_words(flow, move)
                yield Candidate(move.user_id, flow, why, move.at.isoformat(), cause.events.get(move.user_id))


def _in_words(flow: Flow, move: Moved) -> str:
    from sop_engine.core.explain import text_of, text_of_value

    if flow.start.kind == "level":
        what = f"entered {move.model} = {move.new or 'unscored'}"
    else:
        what = f"{'left' if flow.start.kind == 'leave' else 'entered'} {text_of(flow.start.condition) if flow.start.condition else ''}"
    read = ", ".join(f"{k} {text_of_value(v)}" for k, v in sorted(move.facts.items()) if v is not None)
    return f"{what} ({read})" if read else what
