"""Tells which models rest on population numbers that have expired: their levels stay as they are, and their sends wait."""

from sop_engine.app import Work
from sop_engine.store import frozen


def expired_models(work: Work) -> frozenset[str]:
    """Models that read a fit older than its period and five days. In a story population numbers are unknown unless they are given."""
    rehearsal, fitted = work.app.rehearsal, work.live.interest.fitted_read
    if not any(fitted.values()) or (rehearsal is not None and not rehearsal.draws):
        return frozenset()
    valid = frozen.valid_fits(work.tx, work.project, work.now)
    return frozenset(model for model, names in fitted.items() if not names <= valid.keys())
