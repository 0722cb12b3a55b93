"""Hand-written SQL on the store of the engine: levels of everybody, a rebuild from the log, cut points, the count of an audience."""

import sqlite3

from benchmarks.by_hand.columns import column_of, columns, read_by_levels
from benchmarks.by_hand.levels import movers, write_sqlite
from sop_engine.core.project import Project
from sop_engine.store.aggregates import live_aggregates

AUDIENCE = "orders_90 >= 1 and opens_30 >= 1 and value in (best, promising, steady) and quiet < 45"


def place_everybody(raw: sqlite3.Connection, project: Project, today: int, moment: str, cuts: tuple[float, ...]) -> int:
    """Place everybody from the stored values; how many moved."""
    placed = "(SELECT user_id, level FROM placements WHERE model = 'value')"
    raw.execute("BEGIN IMMEDIATE")
    raw.execute("DROP TABLE IF EXISTS temp.hand_movers")
    raw.execute(f"CREATE TEMP TABLE hand_movers AS {movers(read_by_levels(project), 'user_metrics', placed, today, cuts)}")
    found = raw.execute("SELECT COUNT(*) FROM hand_movers").fetchone()[0]
    for sql in write_sqlite(today, moment):
        raw.execute(sql)
    raw.execute("COMMIT")
    return int(found)


def rebuild(raw: sqlite3.Connection, project: Project, today: int) -> None:
    """Compute every column of everybody from the log, into the table of the engine."""
    names = [a.column for a in live_aggregates(project)]
    written = ", ".join(f"{n} = excluded.{n}" for n in names)
    plain: dict[str, str] = {}
    of_orders: dict[str, str] = {}
    for column, sql in columns(project, str(today)).items():
        (of_orders if "amount" in sql else plain)[column] = sql.replace("kind = 'order' AND ", "") if "amount" in sql else sql
    # In the order of the log: by the index every event would be looked up on its own, which takes twice as long.
    log, seen = "events NOT INDEXED", f"counted AND actor = 'user' AND day <= {today}"
    by_user = f"SELECT user_id, {', '.join(f'{sql} AS {c}' for c, sql in plain.items())} FROM {log} WHERE {seen} GROUP BY user_id"
    amounts = f"SELECT user_id, day, json_extract(fields, '$.amount') - lowered AS amount FROM {log} WHERE kind = 'order' AND {seen}"
    by_order = f"SELECT user_id, {', '.join(f'{sql} AS {c}' for c, sql in of_orders.items())} FROM ({amounts} LIMIT -1) GROUP BY user_id"
    raw.execute("BEGIN IMMEDIATE")
    raw.execute(
        f"INSERT INTO user_metrics (user_id, {', '.join(names)}) SELECT u.id, {', '.join(names)} FROM users u "
        f"LEFT JOIN ({by_user}) a ON a.user_id = u.id LEFT JOIN ({by_order}) o ON o.user_id = u.id WHERE TRUE "
        f"ON CONFLICT (user_id) DO UPDATE SET {written}"
    )
    raw.execute("COMMIT")


def quintiles(raw: sqlite3.Connection, project: Project) -> list[float]:
    """The cut points of what people spent in a year, from a histogram."""
    orders, spent = column_of(project, "orders_365"), column_of(project, "spent_365")
    histogram = raw.execute(f"SELECT {spent}, COUNT(*) FROM user_metrics WHERE {orders} > 0 GROUP BY 1 ORDER BY 1").fetchall()
    people = sum(many for _, many in histogram)
    return [_at(histogram, share * (people - 1)) for share in (0.2, 0.4, 0.6, 0.8)]


def _at(histogram: list[tuple[float, int]], place: float) -> float:
    """The value at a place among the sorted values, interpolated."""
    below, seen = int(place), 0
    found: list[float] = []
    for value, many in histogram:
        seen += many
        while len(found) < 2 and seen > below + len(found):
            found.append(value)
        if len(found) == 2:
            break
    low, high = found[0], found[-1]
    return low + (high - low) * (place - below)


def count_audience(raw: sqlite3.Connection, project: Project, today: int) -> int:
    """How many users `AUDIENCE` holds for."""
    orders, opens, active = (column_of(project, name) for name in ("orders_90", "opens_30", "quiet"))
    sql = (
        "SELECT COUNT(*) FROM user_metrics m JOIN placements p ON p.model = 'value' AND p.user_id = m.user_id "
        f"WHERE m.{orders} >= 1 AND m.{opens} >= 1 AND p.level IN ('best', 'promising', 'steady') AND {today} - m.{active} < 45"
    )
    return int(raw.execute(sql).fetchone()[0])
