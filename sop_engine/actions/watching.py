"""Looks at the engine from outside, without touching anything: what the pages about health and the metrics show."""

from datetime import datetime

from sop_engine.app import RELEASE, App
from sop_engine.core.signs import Signs
from sop_engine.store.engine import READ_LIMIT_MS, reading
from sop_engine.store.migrate import at_head
from sop_engine.store.signs import read_signs


def watch(app: App, now: datetime) -> Signs | None:
    """What can be seen now; None when the database is not at this version. Raises whatever the database raises when it is away."""
    with reading(app.engine, limit_ms=READ_LIMIT_MS) as tx:
        return read_signs(tx, now, release=RELEASE) if at_head(tx) else None
