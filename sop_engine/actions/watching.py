"""Looks at the engine from outside, without touching anything: what the pages about health and the metrics show."""

from dataclasses import replace
from datetime import datetime

from sop_engine.actions.fresh import troubles
from sop_engine.app import RELEASE, App, Work
from sop_engine.core.errors import SopError
from sop_engine.core.signs import Signs
from sop_engine.store.engine import READ_LIMIT_MS, reading
from sop_engine.store.migrate import at_head
from sop_engine.store.signs import read_signs


def watch(app: App, now: datetime) -> Signs | None:
    """What can be seen now; None when the database is not at this version. Raises whatever the database raises when it is away."""
    with reading(app.engine, limit_ms=READ_LIMIT_MS) as tx:
        if not at_head(tx):
            return None
        signs = read_signs(tx, now, release=RELEASE)
        if not signs.released:
            return signs
        try:
            wrong = troubles(Work(app, tx, app.live(tx), now))
        except SopError:  # a release that cannot be read here is told by the release itself, and must not hide everything else
            return signs
        return replace(signs, fits_unused={one.metric: one.why for one in wrong})
