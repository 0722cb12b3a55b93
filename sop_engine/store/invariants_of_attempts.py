"""Says what must always be so of calls to providers: never twice on a guess, never against what forbade them, never early or late."""

from sop_engine.store.dialect import Dialect
from sop_engine.store.invariant_terms import STEP, Invariant, Terms, minus
from sop_engine.store.invariants_of_touches import newest

MAYBE = "('accepted', 'open', 'unclear')"  # the message may be there


def of_attempts(to: Dialect, terms: Terms) -> list[Invariant]:
    """I2, I7, I8, I9, I11, I12 (its second half), I18 and I22 (its second half)."""
    return [
        _twice(to, terms),
        Invariant("I7", "no message was intended after an opt-out it goes against", _after_opt_out()),
        Invariant("I7", "no message was intended after the end of its run, but those that belong to an end", _after_end(to)),
        Invariant("I8", "no message was intended while its scope was stopped", _while_stopped()),
        Invariant(
            "I9",
            "no call begins before its touch is due, or after its late allowance",
            "SELECT 'attempt ' || a.id || ' of touch ' || a.touch_id AS subject FROM attempts a JOIN touches t ON t.id = a.touch_id "
            "WHERE a.began_at < a.due_at OR a.began_at > t.late_at",
        ),
        Invariant("I11", "an outcome is written only by whoever began the call", _foreign_outcome()),
        Invariant("I12", "after an unclear call no other key was used", _other_key()),
        Invariant("I18", "what was sent is of a version that was released, and approved where that is asked for", _unreleased(to)),
        Invariant(
            "I22",
            "no held-out user was called with marketing",
            "SELECT 'attempt ' || a.id || ' of touch ' || a.touch_id AS subject FROM attempts a JOIN touches t ON t.id = a.touch_id "
            "JOIN runs r ON r.id = t.run_id WHERE r.held_out AND t.purpose = 'marketing'",
        ),
    ]


def steps(to: Dialect) -> str:
    """The steps of every version, as a table `s`."""
    return f"({to.rows('steps', STEP)}) s"


def _twice(to: Dialect, terms: Terms) -> Invariant:
    """The window is that of the live channel; the same key and body may go out again while its provider knows the key."""
    closed = [
        f"(b.channel = {to.quoted(channel)}" + (f" AND a.began_at < {minus(to, 'b.began_at', length.total_seconds())})" if length else ")")
        for channel, length in terms.windows.items()
        if length is None or length.days < 36_500
    ]
    different = " OR ".join(["b.key <> a.key", "b.body_hash <> a.body_hash", *closed])
    return Invariant(
        "I2",
        "no call follows one that may have been accepted, unless under the same key, with the same body, while the provider knows it",
        "SELECT 'attempt ' || b.id || ' of touch ' || b.touch_id AS subject FROM attempts a "
        f"JOIN attempts b ON b.touch_id = a.touch_id AND b.id > a.id WHERE a.outcome IN {MAYBE} AND ({different})",
    )


def _after_opt_out() -> str:
    return (
        "SELECT 'attempt ' || a.id || ' of user ' || a.user_id AS subject FROM opt_outs o JOIN attempts a ON a.user_id = o.user_id "
        "AND a.turn > o.turn JOIN touches t ON t.id = a.touch_id "
        "WHERE t.purpose <> 'internal' AND ((o.channel = a.channel AND o.topic = '*') OR (t.purpose = 'marketing' "
        "AND o.channel IN (a.channel, '*') AND o.topic IN ('*', 'marketing', t.content_type))) "
        "AND NOT EXISTS (SELECT 1 FROM consents g WHERE g.user_id = o.user_id AND g.state = 'granted' AND g.at > o.at "
        "AND g.channel IN (a.channel, o.channel) AND (g.topic = o.topic OR (g.topic IN ('marketing', t.content_type) AND o.topic <> "
        "t.content_type)))"
    )


def _after_end(to: Dialect) -> str:
    return (
        "SELECT 'attempt ' || a.id || ' of run ' || r.id AS subject FROM attempts a JOIN touches t ON t.id = a.touch_id "
        f"JOIN runs r ON r.id = t.run_id AND r.end_turn < a.turn LEFT JOIN {steps(to)} "
        "ON s.flow = r.flow AND s.version = r.version AND s.step = t.step WHERE COALESCE(s.kind, '') <> 'outlives'"
    )


def _while_stopped() -> str:
    """From a stop to the next word about its scope every version seen is one at which the scope is stopped."""
    return (
        "SELECT 'attempt ' || a.id || ' of touch ' || a.touch_id AS subject FROM "
        "(SELECT id, scope, stopped, LEAD(id) OVER (PARTITION BY scope ORDER BY id) AS until FROM stops) p "
        "JOIN attempts a ON a.switch >= p.id AND (p.until IS NULL OR a.switch < p.until) JOIN touches t ON t.id = a.touch_id "
        "WHERE p.stopped AND (p.scope = 'all' OR p.scope = 'channel:' || a.channel "
        "OR p.scope || '/' = SUBSTR('playbook:' || t.flow || '/', 1, LENGTH(p.scope) + 1))"
    )


def _foreign_outcome() -> str:
    return (
        "SELECT 'touch ' || c.touch_id || ' change ' || c.id AS subject FROM touch_changes c "
        "LEFT JOIN attempts a ON a.touch_id = c.touch_id AND a.epoch = c.epoch "
        f"WHERE c.old = 'sending' AND a.id IS NULL AND {newest('touch_changes', 'c.')} UNION ALL "
        "SELECT 'attempt ' || a.id || ' of touch ' || a.touch_id FROM attempts a JOIN touches t ON t.id = a.touch_id "
        "WHERE a.epoch > t.epoch OR (a.outcome = 'open' AND NOT (t.state = 'sending' AND t.epoch = a.epoch))"
    )


def _other_key() -> str:
    return (
        "SELECT 'attempt ' || b.id || ' of touch ' || b.touch_id AS subject FROM attempts a "
        "JOIN attempts b ON b.touch_id = a.touch_id AND b.id > a.id WHERE a.outcome IN ('open', 'unclear') AND b.key <> a.key"
    )


def _unreleased(to: Dialect) -> str:
    return (
        "SELECT 'touch ' || t.id AS subject FROM touches t JOIN runs r ON r.id = t.run_id "
        "LEFT JOIN versions v ON v.flow = r.flow AND v.number = r.version LEFT JOIN releases l ON l.hash = v.release "
        f"LEFT JOIN ({_approvals(to)}) f ON f.flow = r.flow AND f.version = r.version "
        "WHERE t.template IS NOT NULL AND t.intent_at IS NOT NULL "
        "AND (l.hash IS NULL OR (f.flow IS NOT NULL AND v.approved_by = ''))"
    )


def _approvals(to: Dialect) -> str:
    from sop_engine.store.invariant_terms import FLOW

    return f"SELECT flow, version FROM ({to.rows('flows', FLOW)}) w WHERE approval"
