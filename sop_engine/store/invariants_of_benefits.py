"""Says what must always be so of benefits: never more than there are, a code for one gift, kept while the message may be there."""

from sop_engine.store.dialect import Dialect
from sop_engine.store.invariant_terms import Invariant, Most, Terms, window

MAYBE_THERE = "(t.state IN ('sending', 'sent', 'unknown') OR (t.state = 'failed' AND t.reason = 'outcome_unknown'))"
COUNTED = "('reserved', 'issued', 'redeemed', 'expired')"


def of_benefits(to: Dialect, terms: Terms) -> list[Invariant]:
    """I13, I14 and I15."""
    return [
        Invariant("I13", "no pool gave more codes than it has, and it counts as many as its grants", _pools()),
        _budgets(to, terms),
        Invariant("I14", "a code belongs to one grant", _shared_codes()),
        Invariant("I14", "a coupon of a provider was asked for before it was promised, under one key", _provided()),
        Invariant("I14", "a message that may have been sent keeps the benefit it promised, and no other touch holds one", _kept()),
        Invariant("I15", "a code is used at most once, after it was given", _used()),
    ]


def _pools() -> str:
    taken = (
        "CASE WHEN p.kind = 'uploaded' THEN (SELECT COUNT(*) FROM pool_codes c WHERE c.pool = p.name AND c.grant_id IS NOT NULL) "
        "ELSE (SELECT COUNT(*) FROM grants g WHERE g.pool = p.name AND g.kind = 'code' AND g.state <> 'released') END"
    )
    return (
        "SELECT 'pool ' || p.name AS subject FROM pools p "
        f"WHERE p.taken > p.size OR p.taken < 0 OR p.taken <> {taken}"
    )  # fmt: skip


def _budgets(to: Dialect, terms: Terms) -> Invariant:
    says = "no benefit and no flow has promised more money than its budget allows"
    parts = [_over(to, "benefit", one) for one in terms.benefit_budgets] + [_over(to, "flow", one) for one in terms.flow_budgets]
    return Invariant("I13", says, " UNION ALL ".join(parts)) if parts else Invariant("I13", says, absent="the project has no benefits")


def _over(to: Dialect, column: str, budget: Most) -> str:
    frame = window(to, f"g.{column}", budget, day="g.given_day", at="g.given_at")
    return (
        f"SELECT 'grant ' || o.id || ' of {column} ' || o.name AS subject FROM (SELECT g.id, g.{column} AS name, g.given_at, "
        f"SUM(g.cost) OVER {frame} AS spent FROM grants g WHERE g.{column} = {to.quoted(budget.name or '')} AND g.state IN {COUNTED}) o "
        f"WHERE o.spent > {to.number(budget.most)} + 0.000001 AND o.given_at >= {to.param('since')}"
    )


def _shared_codes() -> str:
    return (
        "SELECT 'code of grant ' || MIN(id) AS subject FROM grants WHERE state <> 'released' AND kind IN ('code', 'external') "
        "GROUP BY pool, code HAVING COUNT(*) > 1 UNION ALL "
        "SELECT 'grant ' || g.id FROM grants g LEFT JOIN touches t ON t.id = g.touch_id "
        "WHERE t.id IS NULL OR t.user_id <> g.user_id OR t.run_id <> g.run_id"
    )


def _provided() -> str:
    return (
        "SELECT 'grant ' || g.id AS subject FROM grants g JOIN asked_benefits a ON a.touch_id = g.touch_id AND a.benefit = g.benefit "
        "WHERE g.state <> 'released' AND (g.code <> a.code OR a.state NOT IN ('issued', 'kept', 'voiding', 'voided')) UNION ALL "
        "SELECT 'grant ' || g.id FROM grants g WHERE g.kind = 'external' AND g.tied IS NOT NULL AND g.state IN ('issued', 'redeemed') "
        "AND EXISTS (SELECT 1 FROM asked_benefits a WHERE a.touch_id = g.touch_id AND a.benefit = g.benefit AND a.state = 'voided')"
    )


def _kept() -> str:
    return (
        "SELECT 'touch ' || t.id AS subject FROM touches t LEFT JOIN grants g ON g.touch_id = t.id AND g.benefit = t.benefit "
        f"WHERE t.benefit IS NOT NULL AND {MAYBE_THERE} "
        "AND (g.id IS NULL OR g.state = 'released' OR (t.state = 'sent' AND g.state = 'reserved')) UNION ALL "
        f"SELECT 'grant ' || g.id || ' of touch ' || t.id FROM grants g JOIN touches t ON t.id = g.touch_id "
        f"WHERE g.state = 'reserved' AND NOT {MAYBE_THERE}"
    )


def _used() -> str:
    return (
        "SELECT 'code of grant ' || MIN(id) AS subject FROM grants WHERE used_at IS NOT NULL GROUP BY pool, code HAVING COUNT(*) > 1 "
        "UNION ALL SELECT 'grant ' || g.id FROM grants g "
        "WHERE (g.state = 'redeemed') <> (g.used_at IS NOT NULL) OR g.used_at < g.given_at"
    )
