"""Says what must always be so of what is kept: events once, one leader, one instance, and every row belongs to what it names."""

from sop_engine.store.dialect import Dialect
from sop_engine.store.invariant_terms import Invariant, Terms


def of_records(to: Dialect, terms: Terms) -> list[Invariant]:
    """I19, I26 and I28."""
    return [
        Invariant(
            "I19",
            "an event is stored once",
            "SELECT 'event ' || message_id AS subject FROM events GROUP BY message_id HAVING COUNT(*) > 1",
        ),
        Invariant(
            "I26",
            "one holder leads under each name",
            "SELECT 'lease ' || name AS subject FROM leases GROUP BY name HAVING COUNT(*) > 1 OR MIN(epoch) < 1 OR MIN(holder) = ''",
        ),
        Invariant("I28", "the database is one instance, and no row refers to what is not there or belongs to another user", _strangers()),
    ]


def _strangers() -> str:
    return " UNION ALL ".join(
        (
            "SELECT 'marks: no one instance' AS subject FROM (SELECT 1 AS one) x "
            "WHERE EXISTS (SELECT 1 FROM marks WHERE name = 'release') AND (SELECT COUNT(*) FROM marks WHERE name = 'instance') <> 1",
            "SELECT 'run ' || r.id FROM runs r LEFT JOIN users u ON u.id = r.user_id WHERE u.id IS NULL",
            "SELECT 'touch ' || t.id FROM touches t LEFT JOIN runs r ON r.id = t.run_id WHERE r.id IS NULL OR r.user_id <> t.user_id",
            "SELECT 'attempt ' || a.id FROM attempts a LEFT JOIN touches t ON t.id = a.touch_id "
            "WHERE t.id IS NULL OR t.user_id <> a.user_id",
            "SELECT 'late result ' || l.id FROM late_results l LEFT JOIN touches t ON t.id = l.touch_id WHERE t.id IS NULL",
            "SELECT 'receipt of touch ' || c.touch_id FROM receipts c LEFT JOIN touches t ON t.id = c.touch_id WHERE t.id IS NULL",
            "SELECT 'opt-out of user ' || o.user_id FROM opt_outs o LEFT JOIN users u ON u.id = o.user_id WHERE u.id IS NULL",
        )
    )
