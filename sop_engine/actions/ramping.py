"""Chooses the version a user starts while a new version of a flow opens slowly."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from sop_engine.actions.halting import ALL, PLAYBOOK
from sop_engine.app import Work
from sop_engine.core.errors import SopError
from sop_engine.core.experiment import salt_of
from sop_engine.core.playbook import Flow
from sop_engine.core.ramp import LOOKED_BACK, Ramp, Switched, forecast_of, quiet_days, share_of, version_for
from sop_engine.store import runs, stops

if TYPE_CHECKING:
    from sqlalchemy import Connection


def starts_forecast(tx: "Connection", flow: str, now: datetime) -> int | None:
    """Starts a day of a flow, if they are so many that a new version of it opens slowly."""
    return forecast_of(runs.count_started(tx, flow, now - timedelta(days=LOOKED_BACK), now))


@dataclass(frozen=True, slots=True)
class Chosen:
    """The version a user starts, as a flow; number 0: none is open to the user."""

    flow: Flow
    number: int


class Opening:
    """The versions that are not open to everybody now. Stories and backtests know none."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.opening: dict[str, list[tuple[Ramp, Decimal]]] = {}
        if work.app.rehearsal is None and work.live.opening:
            switched = [Switched(row.scope, row.stopped, row.at) for row in stops.history(work.tx)]
            self.opening = {flow: self._shares(flow, ramps, switched) for flow, ramps in work.live.opening.items()}

    def _shares(self, flow: str, ramps: list[Ramp], switched: list[Switched]) -> list[tuple[Ramp, Decimal]]:
        mine = [s for s in switched if s.scope in (ALL, PLAYBOOK + flow.partition("/")[0])]
        shares = [(r, share_of(r.forecast, quiet_days(r.since, self.work.now, mine))) for r in ramps]
        return [(ramp, share) for ramp, share in shares if share < 1]

    def version(self, flow: Flow, user_key: str) -> Chosen | None:
        """The version this user starts; None for the live one."""
        opening, newest = self.opening.get(flow.id), self.work.live.numbers.get(flow.id, 1)
        if not opening:
            return None
        number = version_for(flow.id, newest, opening, user_key, salt_of(self.work.project.settings))
        return None if number == newest else self._earlier(flow, number)

    def _earlier(self, flow: Flow, number: int) -> Chosen:
        """The flow as it was, if it can be read and is started by the same; else none is open."""
        try:
            found = self.work.app.pinned(self.work, flow.id, number)
        except SopError:
            found = None
        return Chosen(found[0], number) if found is not None and found[0].start == flow.start else Chosen(flow, 0)
