"""Says what must always be so of touches: one of a kind, none hangs, none over the caps, every change recorded."""

from sop_engine.store.dialect import Dialect
from sop_engine.store.invariant_terms import Invariant, Most, Terms, before_merge, window

NEWEST = 200_000
COUNTED = "(t.state IN ('sending', 'sent', 'unknown') OR (t.state = 'failed' AND t.reason = 'outcome_unknown'))"


def of_touches(to: Dialect, terms: Terms) -> list[Invariant]:
    """I3, I5, I10, I12 (its first half) and I25."""
    return [
        Invariant("I3", "one touch for each run, step and occurrence", _twice()),
        _hanging(to, terms),
        _over_caps(to, terms),
        Invariant(
            "I12",
            "every unknown outcome has a reason, and a time at which it is looked at again",
            "SELECT 'touch ' || t.id AS subject FROM touches t WHERE t.state = 'unknown' AND (t.reason IS NULL OR t.look_at IS NULL)",
        ),
        Invariant("I25", f"the last recorded change of a touch is the state it is in (of the newest {NEWEST:,})", _unrecorded()),
        Invariant("I25", f"recorded changes of a touch follow one from the other (of the newest {NEWEST:,})", _torn()),
    ]


def _twice() -> str:
    return (
        "SELECT 'run ' || run_id || ' step ' || step || ' ' || occurrence AS subject FROM touches "
        "GROUP BY run_id, step, occurrence HAVING COUNT(*) > 1"
    )


def _hanging(to: Dialect, terms: Terms) -> Invariant:
    says = "nothing hangs: no touch is planned long after its late allowance, none is held long after its lease"
    if not terms.sending:
        return Invariant("I5", says, absent="nobody delivers at the moment")
    overdue, lost = to.param("overdue"), to.param("lost")
    return Invariant(
        "I5",
        says,
        "SELECT 'touch ' || t.id AS subject FROM touches t "
        f"WHERE t.state = 'planned' AND t.due_at < {overdue} AND t.late_at < {overdue} UNION ALL "
        "SELECT 'touch ' || t.id FROM touches t "
        f"WHERE t.state IN ('queued', 'sending') AND (t.lease_until IS NULL OR t.lease_until < {lost})",
    )


def _over_caps(to: Dialect, terms: Terms) -> Invariant:
    says = "nobody has more marketing messages in a window than the caps of the live release allow"
    if not terms.caps:
        return Invariant("I10", says, absent="the live release has no caps")
    return Invariant("I10", says, " UNION ALL ".join(_over(to, cap) for cap in terms.caps))


def _over(to: Dialect, cap: Most) -> str:
    of_channel = f" AND t.channel = {to.quoted(cap.name)}" if cap.name else ""
    frame = window(to, "t.user_id", cap, day="t.intent_day", at="t.intent_at")
    return (
        f"SELECT 'touch ' || o.id || ' of user ' || o.user_id AS subject FROM (SELECT t.id, t.user_id, t.intent_at, COUNT(*) OVER {frame} "
        f"AS many FROM touches t WHERE t.purpose = 'marketing' AND t.intent_day IS NOT NULL AND {COUNTED}{of_channel}) o "
        f"WHERE o.many > {int(cap.most)} AND o.intent_at >= {to.param('since')} "
        f"AND NOT {before_merge('o.user_id', 'o.intent_at')}"
    )


def _unrecorded() -> str:
    return (
        "SELECT 'touch ' || t.id AS subject FROM touches t JOIN "
        f"(SELECT touch_id, MAX(id) AS id FROM touch_changes WHERE {newest('touch_changes')} GROUP BY touch_id) n ON n.touch_id = t.id "
        "JOIN touch_changes c ON c.id = n.id WHERE t.state <> c.new UNION ALL "
        f"SELECT 'touch ' || t.id FROM touches t WHERE {newest('touches', 't.')} AND t.state <> 'planned' "
        f"AND NOT EXISTS (SELECT 1 FROM touch_changes c WHERE c.touch_id = t.id AND c.touch_id > (SELECT MAX(id) - {NEWEST} FROM touches))"
    )


def _torn() -> str:
    """The first change that is looked at of a touch may follow one that is not."""
    first = "(SELECT p.new FROM touch_changes p WHERE p.touch_id = c.touch_id AND p.id < c.id ORDER BY p.id DESC LIMIT 1)"
    return (
        "SELECT 'touch ' || c.touch_id || ' change ' || c.id AS subject FROM (SELECT id, touch_id, old, LAG(new) OVER "
        f"(PARTITION BY touch_id ORDER BY id) AS before FROM touch_changes WHERE {newest('touch_changes')}) c "
        f"WHERE c.old <> COALESCE(c.before, {first}, 'planned')"
    )


def newest(table: str, prefix: str = "") -> str:
    """The newest rows of a table: older changes are sealed in the audit log, and were looked at when they were new."""
    return f"{prefix}id > (SELECT COALESCE(MAX(id), 0) - {NEWEST} FROM {table})"
