"""Measures what groups of users do: who converts, comes back, buys again, and how their money is spread."""

from collections.abc import Callable, Sequence
from datetime import date

from sop_engine.actions.measure_asked import Asked, Missing
from sop_engine.core.measures.arithmetic import means_compared, rate, rates_compared, share, totals_compared
from sop_engine.core.measures.values import Found
from sop_engine.store import cohorts, measuring_orders
from sop_engine.store import measuring_effort as effort

TOP, MOST = 0.2, 0.8
YEAR = 365
REFERRING = ("recommend", "invite")


def _days(asked: Asked) -> tuple[int, int]:
    return asked.since.toordinal(), asked.until.toordinal()


def _did(asked: Asked, tier: str, levels: Sequence[str], kinds: Sequence[str]) -> tuple[int, int, int]:
    """(users in these levels when the window begins, users of them who did one of these in it, how often)."""
    first, last = _days(asked)
    group = asked.in_level(tier, tuple(levels), first - 1)
    return cohorts.size(asked.work.tx, group), *measuring_orders.doers(asked.work.tx, group, kinds, (first, last))


def _new_layer(asked: Asked) -> list[Found]:
    at = asked.level("三层", "新客层")
    n, back, young = measuring_orders.entered_and_did(asked.work.tx, asked.span, at, [asked.purchase[0]], 30, asked.closed)
    return [rate(back, n, left_out=young)]


def _referrers(asked: Asked) -> list[Found]:
    kinds = [k for k in REFERRING if k in asked.project.events]
    if not kinds:
        raise Missing("no_event", " / ".join(REFERRING))
    first, last = _days(asked)
    tx, group = asked.work.tx, asked.tagged("转介种子", first - 1)
    seeds = cohorts.size(tx, group)
    active, _ = measuring_orders.doers(tx, group, kinds, (first, last))
    all_users = cohorts.everybody(first - 1)
    everybody, did = cohorts.size(tx, all_users), measuring_orders.doers(tx, all_users, kinds, (first, last))[0]
    return [rates_compared((active, seeds), (did - active, everybody - seeds))]


def _deep(asked: Asked) -> list[Found]:
    tier, level = asked.level("内容互动", "深度")
    others = [name for name in asked.project.tiers[tier].level_names if name != level]
    order = [asked.purchase[0]]
    (n1, x1, _), (n0, x0, _) = _did(asked, tier, [level], order), _did(asked, tier, others, order)
    return [rates_compared((x1, n1), (x0, n0), times=True)]


def _consults(asked: Asked) -> list[Found]:
    (tier, level), kinds = asked.level("内容互动", "中度"), asked.kinds("consult")
    (n1, _, often1), (n0, _, often0) = _did(asked, tier, [level], kinds), _did(asked.before(), tier, [level], kinds)
    return [means_compared((often1, n1), (often0, n0))]


def _light(asked: Asked) -> list[Found]:
    (tier, level), kinds = asked.level("内容互动", "轻度"), asked.kinds("互动")
    now = asked.last(30)
    (n1, x1, _), (n0, x0, _) = _did(now, tier, [level], kinds), _did(now.before(), tier, [level], kinds)
    return [rates_compared((x1, n1), (x0, n0))]


def _posts(asked: Asked) -> list[Found]:
    kinds = asked.kinds("post")
    now, then = (measuring_orders.doers(asked.work.tx, None, kinds, _days(a))[1] for a in (asked, asked.before()))
    return [totals_compared(now, then)]


def _retained(asked: Asked, after: int) -> list[Found]:
    rows = measuring_orders.cohorts(asked.work.tx, asked.span, asked.active, after)
    old = [row for row in rows if row[0] + after <= asked.closed]
    young = sum(n for day, n, _ in rows if day + after > asked.closed)
    every = [_cohort(*row, young=row[0] + after > asked.closed) for row in rows]
    return [rate(sum(back for _, _, back in old), sum(n for _, n, _ in old), left_out=young), *every]


def _cohort(day: int, n: int, back: int, *, young: bool) -> Found:
    label = date.fromordinal(day).isoformat()
    return rate(0, 0, left_out=n, label=label) if young else rate(back, n, label=label)


def _next_year(asked: Asked) -> list[Found]:
    last = asked.until.toordinal()
    group = asked.tagged("钻石会员", last - YEAR)
    back, _ = measuring_orders.doers(asked.work.tx, group, [asked.purchase[0]], (last - YEAR + 1, last))
    return [rate(back, cohorts.size(asked.work.tx, group))]


def _fresh(asked: Asked) -> list[Found]:
    def of(window: Asked) -> tuple[int, int]:
        first, last = _days(window)
        group = asked.tagged("生鲜尊享", first - 1)
        return measuring_orders.doers(asked.work.tx, group, [asked.purchase[0]], (first, last))[0], cohorts.size(asked.work.tx, group)

    return [rates_compared(of(asked), of(asked.before()))]


def _repurchase(asked: Asked) -> list[Found]:
    (n1, _, x1), (n0, _, x0) = (measuring_orders.buyers(asked.work.tx, a.span, asked.purchase) for a in (asked, asked.before()))
    return [rates_compared((x1, n1), (x0, n0))]


def _pareto(asked: Asked) -> list[Found]:
    found = measuring_orders.concentration(asked.work.tx, asked.span, asked.purchase, TOP, MOST)
    one = share(float(found.top_revenue), float(found.revenue))
    if one.value is None:
        return [one]
    notes: tuple[tuple[str, float | str], ...] = (("buyers", found.buyers), ("top_buyers", found.top_buyers))
    few = "few" if found.buyers < 30 else ""
    return [Found("", one.numerator, one.denominator, one.value, why=few, notes=(*notes, ("give_80", found.needed / found.buyers)))]


def _diamonds(asked: Asked) -> list[Found]:
    last = asked.until.toordinal()
    group = asked.tagged("钻石会员", last)
    return [rate(cohorts.size(asked.work.tx, group), effort.registered(asked.work.tx, last))]


def _diamond_revenue(asked: Asked) -> list[Found]:
    group = asked.tagged("钻石会员", asked.until.toordinal())
    n1, money1, _ = measuring_orders.buyers(asked.work.tx, asked.span, asked.purchase, group)
    n, money, _ = measuring_orders.buyers(asked.work.tx, asked.span, asked.purchase)
    return [means_compared((money1, n1), (money - money1, n - n1), times=True)]


def _active_aov(asked: Asked) -> list[Found]:
    at = asked.level("三层", "活跃层")
    after, before, young = measuring_orders.orders_around(asked.work.tx, asked.span, at, asked.purchase, 30, asked.closed)
    return [means_compared(after, before, left_out=young)]


USERS: dict[str, Callable[[Asked], list[Found]]] = {
    "new_layer_conversion": _new_layer,
    "referrer_share": _referrers,
    "deep_conversion": _deep,
    "medium_consults": _consults,
    "light_interaction": _light,
    "ugc_change": _posts,
    "retention_d1": lambda a: _retained(a, 1),
    "retention_d7": lambda a: _retained(a, 7),
    "diamond_next_year": _next_year,
    "fresh_vip_repurchase": _fresh,
    "repurchase_change": _repurchase,
    "pareto": _pareto,
    "diamond_share": _diamonds,
    "diamond_revenue": _diamond_revenue,
    "active_layer_aov": _active_aov,
}
