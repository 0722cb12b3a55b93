"""Measures what messages do: opens, clicks, refusals, wake-ups, win-backs, answers, conversions, and the lift over the hold-out."""

from collections.abc import Callable

from sop_engine.actions.measure_asked import Asked, Missing
from sop_engine.core.measures.arithmetic import rate, rates_compared
from sop_engine.core.measures.values import Found
from sop_engine.core.playbook import Flow
from sop_engine.store import measuring

WAKE, BACK = 7, 14  # days
NEW_THINGS = "新品"


def _summed(asked: Asked, by: int, what: int) -> list[Found]:
    """Rates of deliveries by channel (0) or level (1): opened (3) or clicked (4)."""
    counted: dict[str, list[int]] = {}
    for row in measuring.deliveries(asked.work.tx, asked.span):
        cell = counted.setdefault(str(row[by]) or "unscored", [0, 0])
        cell[0] += int(row[2])
        cell[1] += int(row[what])
    return [rate(done, n, label=label) for label, (n, done) in counted.items()]


def _refused(asked: Asked) -> list[Found]:
    return [rate(left, n, label=channel) for channel, n, left in measuring.refusals(asked.work.tx, asked.span)]


def _came_back(asked: Asked, flows: list[Flow], kinds: tuple[str, ...], within: int) -> list[Found]:
    found = measuring.came_back(asked.work.tx, asked.span, kinds, within, asked.closed)
    return [rate(back, n, left_out=young, label=flow) for flow, (n, back, young) in found.items() if flow in {f.id for f in flows}]


def _flows(asked: Asked, wanted: Callable[[Flow], bool], name: str) -> list[Flow]:
    flows = [f for f in asked.project.flows.values() if wanted(f)]
    if not flows:
        raise Missing("no_flow", name)
    return flows


def _silent_wake_up(asked: Asked) -> list[Found]:
    tier, level = asked.level("三层", "沉默层")
    flows = _flows(asked, lambda f: f.start.kind == "level" and (f.start.tier, f.start.level) == (tier, level), f"{tier} = {level}")
    return _came_back(asked, flows, asked.active, WAKE)


def _retail_wake_up(asked: Asked) -> list[Found]:
    flows = _flows(asked, lambda f: f.playbook == "零售流失召回", "零售流失召回")
    return _came_back(asked, flows, asked.active, WAKE)


def _win_backs(asked: Asked) -> list[Flow]:
    return _flows(asked, lambda f: f.intent == "win_back", "intent: win_back")


def _efficiency(asked: Asked) -> list[Found]:
    flows = asked.project.flows
    closes = {f.id: asked.closed - asked.goal_of(f)[1] for f in flows.values()}
    sides = {True: [0, 0], False: [0, 0]}
    for flow, (n, goals) in measuring.conversions(asked.work.tx, asked.span, closes).items():
        side = sides[flows[flow].level is not None]
        side[0] += goals
        side[1] += n
    tiered, plain = (tuple(sides[key]) for key in (True, False))
    if not tiered[1] or not plain[1]:
        return [Found(why="one_side")]
    return [rates_compared((tiered[0], tiered[1]), (plain[0], plain[1]))]


def _by_recency(asked: Asked) -> list[Found]:
    new = NEW_THINGS if NEW_THINGS in asked.project.settings.content_types else None
    found = measuring.answers_by_recency(asked.work.tx, asked.span, asked.purchase[0], BACK, asked.closed, new)
    (n1, x1, young1), (n0, x0, young0) = (found.get(band, (0, 0, 0)) for band in ("recent", "lapsed"))
    return [rates_compared((x1, n1), (x0, n0), times=True, left_out=young1 + young0)]


def _lifts(asked: Asked) -> list[Found]:
    found = []
    for flow in _flows(asked, lambda f: bool(f.holdout), "holdout"):
        kinds, within = asked.goal_of(flow)
        last = min(asked.span.last_day, asked.closed - within)
        spans = [
            asked.span.between(asked.span.first_day, last),
            asked.span.between(max(last + 1, asked.span.first_day), asked.span.last_day),
        ]
        arms, young = (measuring.arms(asked.work.tx, flow.experiment_name, flow.id, s, kinds, within) for s in spans)
        (n1, x1), (n0, x0) = arms.get(False, (0, 0)), arms.get(True, (0, 0))
        left = sum(n for n, _ in young.values())
        found.append(rates_compared((x1, n1), (x0, n0), times=True, left_out=left, label=flow.id))
    return found


REACH: dict[str, Callable[[Asked], list[Found]]] = {
    "open_rate": lambda a: _summed(a, 0, 3),
    "open_rate_by_level": lambda a: _summed(a, 1, 3),
    "click_rate": lambda a: _summed(a, 0, 4),
    "block_rate": _refused,
    "reach_efficiency": _efficiency,
    "silent_wake_up": _silent_wake_up,
    "retail_wake_up": _retail_wake_up,
    "wake_up": lambda a: _came_back(a, _win_backs(a), a.active, WAKE),
    "win_back": lambda a: _came_back(a, _win_backs(a), (a.purchase[0],), BACK),
    "response_by_recency": _by_recency,
    "canvas_lift": _lifts,
}
