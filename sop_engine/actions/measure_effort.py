"""Measures what reaching users costs and who gets it, who brings whom, and how levels and definitions are spread."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date

from sop_engine.actions.measure_asked import Asked, Missing
from sop_engine.core.measures.arithmetic import against_plan, deviations, k_factor, means_compared, quotient, rewarded, share
from sop_engine.core.measures.values import Found
from sop_engine.core.unused import unused
from sop_engine.store import measuring, measuring_orders, tallies
from sop_engine.store import measuring_effort as effort

INVITEE = ("invitee", "to", "被邀请人")
INVITER = ("inviter", "invited_by", "邀请人")
SOURCE = ("来源渠道", "转介绍")
COMMUNITY = {"管理者": 0.1, "协作者": 0.15, "高价值": 0.2, "普通": 0.55}
CONTRIBUTION = {"塔尖": 0.1, "骨干": 0.15, "高价值": 0.2, "普通": 0.55}


def _costs(asked: Asked, by: str) -> dict[str, float]:
    given, sent = effort.benefits_by(asked.work.tx, asked.span, by), effort.sends_by(asked.work.tx, asked.span, by)
    return {label: given.get(label, 0.0) + sent.get(label, 0.0) for label in sorted({*given, *sent})}


def _heads(asked: Asked, tier: str) -> dict[str, int]:
    return {level or "": users for level, users in tallies.levels_on(asked.work.tx, tier, asked.until).items()}


def _ordered(asked: Asked, spent: dict[str, float]) -> list[str]:
    """The levels of the primary tier, best first, then those that were spent on and are no levels any more."""
    _, levels = asked.primary()
    return [*levels, *(label for label in spent if label not in levels)]


def _cost_share(asked: Asked) -> list[Found]:
    spent, made = _costs(asked, "level"), effort.tasks_by(asked.work.tx, asked.span, "level")
    whole = sum(spent.values())
    if not whole:
        return [Found(why="nothing_spent")]
    found = [share(spent.get(level, 0.0), whole, label=level or "unscored") for level in _ordered(asked, spent)]
    minutes = [asked.given.task_minutes * made.get(level, 0) for level in _ordered(asked, spent)]
    return [replace(one, notes=(("minutes", m),)) for one, m in zip(found, minutes, strict=True)]


def _cost_per_head(asked: Asked) -> list[Found]:
    heads, spent = _heads(asked, asked.primary()[0]), _costs(asked, "level")
    return [quotient(spent.get(level, 0.0), heads.get(level, 0), label=level or "unscored") for level in _ordered(asked, spent)]


def _plan(asked: Asked) -> list[Found]:
    tier, levels = asked.primary()
    if not asked.given.plan:
        raise Missing("no_plan", tier)
    for level in asked.given.plan:
        if level not in levels:
            raise Missing("no_level", f"{tier} = {level}")
    return against_plan(effort.benefits_by(asked.work.tx, asked.span, "level"), asked.given.plan)


def _rewards(asked: Asked) -> list[Found]:
    tier, (top, *others) = asked.primary()
    heads, given = _heads(asked, tier), effort.benefits_by(asked.work.tx, asked.span, "level")
    rest = sum(given.get(level, 0.0) for level in others), sum(heads.get(level, 0) for level in others)
    return [rewarded((given.get(top, 0.0), heads.get(top, 0)), rest, top)]


def _per_hour(asked: Asked) -> list[Found]:
    now, then = (effort.staff_hours(asked.work.tx, a.span.start, a.span.end) for a in (asked, asked.before()))
    return [means_compared(now, then)]


def _per_order(asked: Asked) -> list[Found]:
    def of(window: Asked) -> tuple[float, int]:
        days = window.span.first_day, window.span.last_day
        return sum(_costs(window, "flow").values()), measuring_orders.doers(asked.work.tx, None, [asked.purchase[0]], days)[1]

    return [means_compared(of(asked), of(asked.before()))]


def _per_conversion(asked: Asked) -> list[Found]:
    every = dict.fromkeys(asked.project.flows, asked.span.last_day)
    reached = measuring.conversions(asked.work.tx, asked.span, every)
    spent = {flow: cost for flow, cost in _costs(asked, "flow").items() if cost}
    if not spent:
        return [Found(why="nothing_spent")]
    found = [quotient(cost, reached.get(flow, (0, 0))[1], label=flow) for flow, cost in spent.items()]
    return [replace(f, numerator=spent[f.label], denominator=0, why="no_conversion") if f.value is None else f for f in found]


def _k(asked: Asked) -> list[Found]:
    tx, kind = asked.work.tx, asked.event("invite")
    sent = effort.invites(tx, asked.span, kind, _field(asked, kind, INVITEE))
    return [k_factor(effort.registered(tx, asked.span.last_day), sent, _credited(asked))]


def _field(asked: Asked, kind: str, names: tuple[str, ...]) -> str | None:
    event = asked.project.events.get(kind)
    return next((n for n in names if event is not None and n in event.fields), None)


def _credited(asked: Asked) -> int:
    """Sign-ups credited to an invite: by a field that names who brought them, else by the attribute that says where they came from."""
    inviter = _field(asked, "register", INVITER)
    if inviter is not None:
        return effort.credited_by_event(asked.work.tx, asked.span, "register", inviter)
    attribute = asked.project.attributes.get(SOURCE[0])
    if attribute is None or SOURCE[1] not in attribute.words:
        raise Missing("no_inviter", " / ".join(INVITER))
    return effort.credited_by_attribute(asked.work.tx, asked.span, *SOURCE)


def _unused(asked: Asked) -> list[Found]:
    left = unused(asked.project)
    names = [*left["attributes"], *left["tags"]]
    one = share(len(names), len(asked.project.attributes) + len(asked.project.tags))
    return [replace(one, notes=(("names", ", ".join(names)),)) if names else one]


def _pyramid(asked: Asked, tier: str, targets: dict[str, float]) -> list[Found]:
    for level in targets:
        asked.level(tier, level)
    counts = tallies.levels_on(asked.work.tx, tier, date.fromordinal(asked.span.last_day))
    return deviations({level: users for level, users in counts.items() if level is not None}, targets)


EFFORT: dict[str, Callable[[Asked], list[Found]]] = {
    "cost_share": _cost_share,
    "cost_per_head": _cost_per_head,
    "cost_plan": _plan,
    "under_rewarded": _rewards,
    "tasks_per_hour": _per_hour,
    "cost_per_order": _per_order,
    "cost_per_conversion": _per_conversion,
    "growth_cost": lambda a: [Found(why="context")],
    "k_factor": _k,
    "unused_share": _unused,
    "pyramid": lambda a: _pyramid(a, "社区金字塔", COMMUNITY),
    "contribution_pyramid": lambda a: _pyramid(a, "贡献金字塔", CONTRIBUTION),
}
