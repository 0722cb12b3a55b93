"""Looks after benefits that were given: what ran out ends, reports that waited are applied, coupons nobody gets go back."""

from datetime import datetime

from sop_engine.actions.issuing import end_tied
from sop_engine.actions.providers import give_up_coupons
from sop_engine.actions.redeeming import apply_parked
from sop_engine.app import App


def tend_benefits(app: App, now: datetime) -> int:
    """Everything about benefits that happens by itself; how many changed. In a rehearsal nobody reports and no provider is there."""
    changed = end_tied(app, now)
    return changed + apply_parked(app, now) + give_up_coupons(app, now) if app.rehearsal is None else changed
