"""Works on all users, slice by slice: what a midnight changes, levels in every model, and what follows for those who moved."""

from collections.abc import Iterable
from datetime import date

from sop_engine.actions.end import Endings, flow_of
from sop_engine.actions.feeding import tell_movers
from sop_engine.actions.fresh import expired_models
from sop_engine.actions.place import Cause, ask_runs, follow
from sop_engine.app import Work
from sop_engine.store import metric_values, placements, runs, set_aside, tags
from sop_engine.store import midnight as edges
from sop_engine.store.layers import known
from sop_engine.store.levels import Moved
from sop_engine.store.people import SLICE, filled
from sop_engine.store.scope import Scope

PAGE = 1000
Span = tuple[int, int]
"""The users with these ids: from the first on, so many."""


def place_everybody(work: Work, cause: str, *, may_start: bool = True) -> int:
    """Place all users in every model, slice by slice in this transaction, and follow the moves. How many moves concern a flow."""
    return sum(place_span(work, span, cause, may_start=may_start) for span in _spans(work))


def sweep_everybody(work: Work, day: date) -> int:
    """What the midnight with which this day begins changes, for all users in this transaction; how many moves."""
    return sum(sweep_span(work, span, day) for span in _spans(work))


def _spans(work: Work) -> list[Span | None]:
    """All users in slices; for so few that one will do, simply everybody."""
    firsts = filled(work.tx, SLICE)
    return [(first, SLICE) for first in firsts] if len(firsts) > 1 else [None]


def sweep_span(work: Work, span: Span | None, day: date) -> int:
    """Windows whose edge passed, tags and levels of these users (None: all), and what follows; how many moves."""
    again = set_aside.list_set_aside(work.tx, *span) if span is not None else []
    if again:  # the midnights they missed are made up for
        metric_values.recompute(work.tx, work.project, Scope.of(again), work.now)
        set_aside.take_back(work.tx, again)
    edges.sweep(work.tx, work.project, day, work.now, _scope(span))
    moves = place_span(work, span, "sweep")
    ask_open_runs(work, span)
    return moves


def _scope(span: Span | None) -> Scope:
    return Scope.everybody() if span is None else Scope.between(*span)


def place_span(work: Work, span: Span | None, cause: str, *, may_start: bool = True) -> int:
    """Place these users in every model inside the database, then follow those moves that concern a flow. How many of these."""
    scope = _scope(span)
    tags.refresh_rule_tags(work.tx, work.project, scope, work.now)
    moved: dict[int, list[Moved]] = {}
    followed = may_start or runs.any_open(work.tx)  # otherwise a move leads to nothing, and nobody is streamed
    given, expired = known(work.tx, work.project, work.now), expired_models(work)
    for model in work.live.interest.models:
        if model.name in expired:
            continue
        watched = followed and model.name in work.live.interest.by_model
        movers = placements.place(work.tx, given, model, scope, work.now, cause=cause, release=work.live.release, stream=watched)
        tell_movers(work, model.name, cause)
        for move in movers:
            moved.setdefault(move.user_id, []).append(move)
    for users in pages(sorted(moved)):
        follow(work, users, [m for u in users for m in moved[u]], Cause(cause, may_start=may_start))
    return sum(len(listed) for listed in moved.values())


def pages(user_ids: list[int]) -> Iterable[list[int]]:
    """The list in pieces of a page."""
    return (user_ids[i : i + PAGE] for i in range(0, len(user_ids), PAGE))


def ask_open_runs(work: Work, span: Span | None = None) -> None:
    """Ask exits and goals by condition of every open run that has some, of all users or of these: time alone may have made them true."""
    flows = list(work.live.interest.asking)
    after = 0
    while flows:
        page = runs.open_runs(work.tx, flows, after, PAGE, of=None if span is None else (span[0], sum(span)))
        if not page:
            return
        pairs = [(run, flow) for run in page if (flow := flow_of(work, run)) is not None]
        endings = Endings()
        ask_runs(work, pairs, endings)
        endings.write(work)
        after = page[-1].id
