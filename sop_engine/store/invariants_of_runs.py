"""Says what must always be so of users, levels and runs: one open at a time, nothing vanishes, arms never change."""

from sop_engine.store.dialect import Dialect
from sop_engine.store.invariant_terms import FLOW, Invariant, Terms, before_merge
from sop_engine.store.invariants_of_attempts import steps


def of_runs(to: Dialect, terms: Terms) -> list[Invariant]:
    """I4, I16, I17, I22 (its first half) and I23."""
    return [
        Invariant(
            "I4",
            "every run that is over has a reason and a time, and nothing of it waits but what belongs to its end",
            f"SELECT 'run ' || r.id AS subject FROM runs r WHERE r.state = 'ended' AND (r.end_reason IS NULL OR r.ended_at IS NULL) "
            f"UNION ALL SELECT 'touch ' || t.id || ' of run ' || r.id FROM touches t JOIN runs r ON r.id = t.run_id "
            f"LEFT JOIN {steps(to)} ON s.flow = r.flow AND s.version = r.version AND s.step = t.step "
            "WHERE r.state = 'ended' AND t.state IN ('planned', 'queued') AND COALESCE(s.kind, '') <> 'outlives'",
        ),
        Invariant("I4", "every step of a run that waited for time alone has a touch", _vanished(to)),
        Invariant(
            "I16",
            "a user is in one level of each tier",
            "SELECT 'user ' || user_id || ' in ' || model AS subject FROM placements GROUP BY model, user_id HAVING COUNT(*) > 1",
        ),
        Invariant(
            "I16", "every move begins where the one before it ended, and the last one leads to the level a user is in", _torn_moves()
        ),
        Invariant("I17", "one open run of a flow that allows no second one, and each with its cause", _beside(to)),
        Invariant("I17", "nobody came back to a flow sooner than it allows", _too_soon(to)),
        Invariant("I23", "nothing open belongs to a user who was merged into another", _of_the_gone()),
        Invariant("I22", "an arm never changes after it is recorded", _other_arm(to)),
    ]


def flows(to: Dialect) -> str:
    """What every version of a flow says, as a table `f`."""
    return f"({to.rows('flows', FLOW)}) f"


def _vanished(to: Dialect) -> str:
    """Not of runs that were moved to a later version: of what lay behind them nothing was planned."""
    return (
        "SELECT 'run ' || r.id || ' step ' || s.step AS subject FROM runs r "
        "JOIN versions v ON v.flow = r.flow AND v.number = r.version AND v.created_at <= r.started_at "
        f"JOIN {steps(to)} ON s.flow = r.flow AND s.version = r.version AND s.kind = 'plain' "
        "LEFT JOIN touches t ON t.run_id = r.id AND t.step = s.step WHERE r.state = 'ended' AND t.id IS NULL"
    )


def _torn_moves() -> str:
    return (
        "SELECT 'move ' || m.id || ' of user ' || m.user_id AS subject FROM "
        "(SELECT id, user_id, old, LAG(new) OVER w AS before, LAG(id) OVER w AS earlier FROM moves WINDOW w AS "
        "(PARTITION BY user_id, model ORDER BY id)) m WHERE m.earlier IS NOT NULL AND m.old IS DISTINCT FROM m.before UNION ALL "
        "SELECT 'user ' || p.user_id || ' in ' || p.model FROM placements p LEFT JOIN "
        "(SELECT user_id, model, MAX(id) AS id FROM moves GROUP BY user_id, model) l ON l.user_id = p.user_id AND l.model = p.model "
        "LEFT JOIN moves m ON m.id = l.id WHERE p.level IS DISTINCT FROM m.new"
    )


def _beside(to: Dialect) -> str:
    return (
        "SELECT 'user ' || r.user_id || ' flow ' || r.flow AS subject FROM runs r "
        "JOIN versions v ON v.flow = r.flow AND v.number = r.version AND v.created_at <= r.started_at "
        f"JOIN {flows(to)} ON f.flow = r.flow AND f.version = r.version AND f.again <> 'always' "
        "JOIN runs o ON o.user_id = r.user_id AND o.flow = r.flow AND o.id < r.id AND o.state = 'open' WHERE r.state = 'open' "
        "UNION ALL SELECT 'run ' || r.id FROM runs r WHERE r.cause = ''"
    )


def _too_soon(to: Dialect) -> str:
    """Days are those of the user's zone; where a user has one of their own it may have changed, so a day is let pass."""
    seconds = "EXTRACT(EPOCH FROM (r.started_at - r.before_at))" if to.name == "postgresql" else _seconds_of_sqlite()
    return (
        "SELECT 'run ' || r.id || ' of user ' || r.user_id AS subject FROM (SELECT id, user_id, flow, version, started_at, started_day, "
        "LAG(started_at) OVER w AS before_at, LAG(started_day) OVER w AS before_day FROM runs WINDOW w AS "
        "(PARTITION BY user_id, flow ORDER BY started_at, id)) r "
        "JOIN versions v ON v.flow = r.flow AND v.number = r.version AND v.created_at <= r.started_at "
        f"JOIN {flows(to)} ON f.flow = r.flow AND f.version = r.version JOIN users u ON u.id = r.user_id "
        "WHERE r.before_at IS NOT NULL AND (f.again = 'never' OR (f.again = 'after' AND "
        "(r.started_day - r.before_day < f.days - CASE WHEN u.timezone IS NULL THEN 0 ELSE 1 END "
        f"OR {seconds} < f.seconds))) AND NOT {before_merge('r.user_id', 'r.started_at')}"
    )


def _seconds_of_sqlite() -> str:
    return "(julianday(r.started_at) - julianday(r.before_at)) * 86400.0 + 0.001"


def _other_arm(to: Dialect) -> str:
    """A run of the hold-out of the whole project has no arm of its own, whatever was drawn for its user before."""
    return (
        "SELECT 'run ' || r.id || ' of user ' || r.user_id AS subject FROM runs r "
        "JOIN versions v ON v.flow = r.flow AND v.number = r.version AND v.created_at <= r.started_at "
        f"JOIN {flows(to)} ON f.flow = r.flow AND f.version = r.version AND f.experiment IS NOT NULL "
        "JOIN assignments a ON a.experiment = f.experiment AND a.user_id = r.user_id "
        "WHERE NOT r.held_out AND (a.held_out OR r.variant IS DISTINCT FROM a.variant) "
        f"AND NOT {before_merge('r.user_id', 'r.started_at')} UNION ALL "
        "SELECT 'experiment ' || experiment || ' user ' || user_id FROM assignments GROUP BY experiment, user_id HAVING COUNT(*) > 1"
    )


def _of_the_gone() -> str:
    return " UNION ALL ".join(
        f"SELECT '{what} ' || x.id AS subject FROM {table} x JOIN former_users f ON f.id = x.user_id WHERE x.state IN {states}"
        for what, table, states in (
            ("run", "runs", "('open')"),
            ("touch", "touches", "('planned', 'queued', 'sending', 'unknown')"),
            ("grant", "grants", "('reserved', 'issued')"),
        )
    )
