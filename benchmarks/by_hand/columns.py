"""Says which stored column holds which metric of the shop, and what each column is as plain SQL over the events."""

from sop_engine.core.project import Project
from sop_engine.store.aggregates import Aggregate, aggregates_of, live_aggregates

FUNCTIONS = {"count": "COUNT(*)", "first_day": "MIN(day)", "last_day": "MAX(day)", "sum": "SUM(amount)", "max": "MAX(amount)"}


def column_of(project: Project, metric: str, part: int = 0) -> str:
    """The stored column a metric is read from."""
    return aggregates_of(project.metrics[metric], project)[part].column


def columns(project: Project, today: str, names: tuple[str, ...] = ()) -> dict[str, str]:
    """By stored column: an aggregate over events with kind, day and amount; of all columns, or of these."""
    return {a.column: _sql(a, today) for a in live_aggregates(project) if not names or a.column in names}


def _sql(a: Aggregate, today: str) -> str:
    kinds = "" if len(a.kinds) == 4 else f"kind = '{a.kinds[0]}'"
    window = "" if a.window is None else f"day >= {today} - {a.window[0]}"
    inside = " AND ".join(part for part in (kinds, window) if part)
    function = "COUNT(amount)" if a.what == "count" and a.field else FUNCTIONS[a.what]
    sql = f"{function} FILTER (WHERE {inside})" if inside else function
    return f"ROUND({sql}, 6)" if a.what == "sum" else sql


def read_by_levels(project: Project) -> dict[str, str]:
    """The columns the levels are decided by, under the names the hand-written rules use."""
    return {
        "orders": column_of(project, "orders"),
        "last_order": column_of(project, "since_order"),
        "last_active": column_of(project, "quiet"),
        "orders_365": column_of(project, "orders_365"),
        "spent_365": column_of(project, "spent_365"),
    }
