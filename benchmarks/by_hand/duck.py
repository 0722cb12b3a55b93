"""Computes everybody's metrics and levels anew from the raw events in DuckDB: what one would do without stored values."""

import duckdb

from benchmarks.by_hand.columns import columns, read_by_levels
from benchmarks.by_hand.levels import WRITE_DUCKDB, movers
from sop_engine.core.project import Project


def place_everybody(raw: duckdb.DuckDBPyConnection, project: Project, today: int, cuts: tuple[float, ...], *, every_metric: bool) -> int:
    """Recompute from the log, place, write what moved; how many moved. Of all metrics, or of those the levels read."""
    named = read_by_levels(project)
    picked = columns(project, str(today), () if every_metric else tuple(named.values()))
    values = ", ".join(f"{sql} AS {column}" for column, sql in picked.items())
    raw.execute("BEGIN")
    raw.execute(f"CREATE OR REPLACE TEMP TABLE computed AS SELECT user_id, {values} FROM events WHERE day <= {today} GROUP BY user_id")
    raw.execute(f"CREATE OR REPLACE TEMP TABLE hand_movers AS {movers(named, 'computed', 'placements', today, cuts)}")
    found = raw.execute("SELECT COUNT(*) FROM hand_movers").fetchone()
    for sql in WRITE_DUCKDB:
        raw.execute(sql.format(today=today))
    raw.execute("COMMIT")
    return int(found[0]) if found else 0
