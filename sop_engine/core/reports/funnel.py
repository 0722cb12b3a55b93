"""Decides the rates of a funnel: of each stage against the one before, and of the last against the first."""

from collections.abc import Sequence

from sop_engine.core.reports.tables import Cell, ratio

STAGES = ("planned", "sent", "delivered", "opened", "clicked", "converted")
HEAD = (*(f"{stage}:count" for stage in STAGES), *(f"{stage}_rate:share" for stage in STAGES[1:]), "overall:share")


def rates(users: Sequence[int | None]) -> list[Cell]:
    """Distinct users by stage (None: the channel does not tell), then the rate of each stage against the last known before, and overall."""
    found: list[Cell] = list(users)
    before = users[0] or 0
    for many in users[1:]:
        found.append(None if many is None else ratio(many, before))
        before = before if many is None else many
    last = users[-1]
    return [*found, None if last is None else ratio(last, users[0] or 0)]
