"""Leads while it holds the lease: taken and renewed in the background, given up before anybody else may take it."""

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sop_engine.actions.clocks import skew_of
from sop_engine.actions.telling import tell
from sop_engine.app import App
from sop_engine.core.clocks import too_far
from sop_engine.core.errors import Refused
from sop_engine.store import leases
from sop_engine.store.clock import database_time
from sop_engine.store.migrate import refuse_newer

if TYPE_CHECKING:
    from sqlalchemy import Connection


class Leader:
    """One candidate. `app` is its own: renewing must not wait for what the leader does."""

    def __init__(self, app: App, holder: str, *, after: Callable[[], object] = lambda: None, alone: bool = False) -> None:
        """`after` is called before the lease is first taken and after every renewal. `alone`: no other process can live."""
        self._app, self._holder, self._after, self._alone = app, holder, after, alone
        self._ttl: timedelta = app.ladder.lease / 8  # 15 s of the usual 120
        self._lease: leases.Lease | None = None
        self._until = 0.0  # of this process's own clock: some time before the lease is over
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="sop-leader", daemon=True)

    @property
    def leads(self) -> bool:
        """Whether it may act as the leader now."""
        return self._lease is not None and time.monotonic() < self._until

    @property
    def epoch(self) -> int:
        """The epoch of its leadership; 0 without."""
        return self._lease.epoch if self._lease is not None else 0

    def start(self) -> None:
        """Try to lead, now and again and again in the background."""
        self._look()
        self.try_once()
        self._thread.start()

    def stop(self) -> None:
        """Stop leading, so that another may begin at once."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(self._ttl.total_seconds())
        if self._lease is not None:
            lease, self._lease = self._lease, None
            with self._app.transaction() as tx:
                leases.release(tx, lease, database_time(tx))

    def fence(self, tx: "Connection") -> None:
        """Begins every transaction of the leader. Raises Refused when it leads no more."""
        if not self.leads:
            raise Refused("this process does not lead now")
        leases.fence(tx, self.epoch)

    def try_once(self) -> bool:
        """Take or renew the lease; whether it leads now."""
        begun = time.monotonic()
        try:
            with self._app.transaction() as tx:
                refuse_newer(tx)
                at, held = database_time(tx), self._lease
                if too_far(skew := skew_of(self._app, tx)):
                    self._step_back(tx, held, at, skew)
                    return False
                found = (
                    leases.renew(tx, held, self._ttl, at)
                    if held is not None
                    else leases.take(tx, self._holder, self._ttl, at, alone=self._alone)
                )
        except Exception as error:  # the database is away, or a newer engine's: it leads until its time is over, then no more
            tell("lease_not_renewed", level="warning", error=type(error).__name__)
            return self.leads
        if found is not None and held is None:
            tell("leading", epoch=found.epoch)
        if found is None and held is not None:
            tell("leadership_lost", level="warning", epoch=held.epoch)
        self._lease = found
        self._until = begun + self._ttl.total_seconds() * 13 / 15 if found is not None else 0.0
        if found is not None:
            self._look()
        return self.leads

    def _step_back(self, tx: "Connection", held: leases.Lease | None, at: datetime, skew: timedelta) -> None:
        """Leave it to a host whose clock is right: what is due by this one may not be due yet, and its midnights are not the users'."""
        tell("clock_off", level="error", seconds=round(skew.total_seconds()))
        self._lease, self._until = None, 0.0
        if held is not None:
            leases.release(tx, held, at)

    def _look(self) -> None:
        try:
            self._after()
        except Exception as error:
            tell("not_looked", level="warning", error=type(error).__name__)

    def _keep(self) -> None:
        while not self._stop.wait(self._ttl.total_seconds() / 3):
            self.try_once()
