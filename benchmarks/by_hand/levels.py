"""Hand-written SQL that places everybody of the shop, notes who moved and moves them: the same for SQLite, PostgreSQL and DuckDB."""

from collections.abc import Mapping

RECENCY = (
    "CASE WHEN {today} - last_order <= 14 THEN 5 WHEN {today} - last_order <= 30 THEN 4 WHEN {today} - last_order <= 60 THEN 3 "
    "WHEN {today} - last_order <= 120 THEN 2 ELSE 1 END"
)
FREQUENCY = (
    "CASE WHEN orders_365 >= 8 THEN 5 WHEN orders_365 >= 5 THEN 4 WHEN orders_365 >= 3 THEN 3 WHEN orders_365 >= 2 THEN 2 ELSE 1 END"
)
LEVEL = (
    "CASE WHEN NOT COALESCE(orders > 0, FALSE) THEN NULL WHEN {today} - last_active >= 90 THEN 'asleep' WHEN points >= 11 THEN 'best' "
    "WHEN points >= 9 THEN 'promising' WHEN points >= 6 THEN 'steady' ELSE 'low' END"
)


def movers(names: Mapping[str, str], values: str, placed: str, today: int, cuts: tuple[float, ...]) -> str:
    """The SELECT of those whose level is another one now: user_id, old, new, orders, quiet, points.

    `values` is a table with a row for each user, `names` says under which columns; `placed` is a table of (user_id, level).
    """
    named = ", ".join(f"m.{column} AS {name}" for name, column in names.items())
    return (
        f"SELECT user_id, old, new, orders, {today} - last_active AS quiet, points FROM (SELECT *, {LEVEL.format(today=today)} AS new "
        f"FROM (SELECT *, {RECENCY.format(today=today)} + {FREQUENCY} + {_money(cuts)} AS points "
        f"FROM (SELECT m.user_id, p.level AS old, {named} FROM {values} m LEFT JOIN {placed} p ON p.user_id = m.user_id) v) g) n "
        "WHERE old IS DISTINCT FROM new"
    )


def _money(cuts: tuple[float, ...]) -> str:
    best_first = " ".join(f"WHEN spent_365 >= {cut} THEN {grade}" for grade, cut in zip((5, 4, 3, 2), reversed(cuts), strict=True))
    # Who did not order within the year takes no part: no grade, so no points.
    return f"CASE WHEN orders_365 > 0 THEN CASE {best_first} ELSE 1 END END"


def write_sqlite(today: int, moment: str) -> tuple[str, ...]:
    """What stores the moves in table `hand_movers` and where they lead, in the tables of the engine (SQLite)."""
    return _write("json_object", today, f"'{moment}'")


def write_postgres(today: int, moment: str) -> tuple[str, ...]:
    """The same on PostgreSQL."""
    return _write("jsonb_build_object", today, f"CAST('{moment}+00' AS TIMESTAMPTZ)")


def _write(json: str, today: int, moment: str) -> tuple[str, ...]:
    facts = f"{json}('orders', orders, 'quiet', quiet, 'points', points)"
    return (
        "INSERT INTO moves (user_id, model, old, new, at, day, cause, facts, release) "
        f"SELECT user_id, 'value', old, new, {moment}, {today}, 'hand', {facts}, '' FROM hand_movers",
        "INSERT INTO placements (model, user_id, level, before, since_at, since_day, cause) "
        f"SELECT 'value', user_id, new, old, {moment}, {today}, 'hand' FROM hand_movers WHERE TRUE "
        "ON CONFLICT (model, user_id) DO UPDATE SET level = excluded.level, before = excluded.before, since_at = excluded.since_at, "
        "since_day = excluded.since_day, cause = excluded.cause",
    )


WRITE_DUCKDB = (
    "INSERT INTO moves SELECT user_id, old, new, {today}, json_object('orders', orders, 'quiet', quiet, 'points', points) FROM hand_movers",
    "UPDATE placements SET level = h.new, before = h.old, since_day = {today} FROM hand_movers h WHERE placements.user_id = h.user_id",
    "INSERT INTO placements SELECT user_id, new, old, {today} FROM hand_movers WHERE user_id NOT IN (SELECT user_id FROM placements)",
)
