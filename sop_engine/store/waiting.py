"""Users who matched a flow before it was released, and have neither been started nor refused."""

from sqlalchemy import Connection, exists, func, select

from sop_engine.store.columns import table_of
from sop_engine.store.run_tables import RefusedStartRow, RunRow
from sop_engine.store.tables import PlacementRow

placements = table_of(PlacementRow)
runs = table_of(RunRow)
refused = table_of(RefusedStartRow)


def matched_before(tx: Connection, flow: str, model_and_level: tuple[str, str | None], limit: int) -> list[int]:
    """Users who are there without a run or a refusal of the flow, oldest match first: they came before its release, or by an import."""
    p = placements.c
    here = (p.model == model_and_level[0]) & (p.level == model_and_level[1])
    ran = exists().where((runs.c.user_id == p.user_id) & (runs.c.flow == flow))
    declined = exists().where((refused.c.user_id == p.user_id) & (refused.c.flow == flow))
    statement = select(p.user_id).where(here, ~ran, ~declined).order_by(p.since_at, p.user_id).limit(limit)
    return list(tx.execute(statement).scalars())


def started_on(tx: Connection, flow: str, cause: str, day: int) -> int:
    """Runs of the flow with this cause that started on a local day (an ordinal)."""
    statement = select(func.count()).select_from(runs).where(runs.c.flow == flow, runs.c.cause == cause, runs.c.started_day == day)
    return tx.execute(statement).scalar_one()
