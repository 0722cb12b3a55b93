"""Follows verdicts: a winner is proposed or switched to for new users, as the experiment says; kept with its date, and logged."""

import json
import logging
from dataclasses import asdict, replace
from datetime import datetime

from sop_engine.actions.compare import found, report_of
from sop_engine.actions.winners import WINNER, Winner, essence_of, winner_of
from sop_engine.app import App, Work
from sop_engine.core.comparison.declared import Declared, all_declared
from sop_engine.core.comparison.values import Report
from sop_engine.core.errors import Refused
from sop_engine.store import versions

LOG = logging.getLogger("sop.experiment")


def conclude(app: App, now: datetime) -> list[Winner]:
    """Once a local day: look at the experiments that may switch by themselves. What was concluded now; nothing in a rehearsal."""
    if app.rehearsal is not None:
        return []
    with app.work(now) as work:
        if not any(f.experiment and f.experiment.winner == "switch" for f in work.project.flows.values()):
            return []
        able = [d for d in all_declared(work.project) if d.experiment.winner == "switch" and len(_variants(d)) > 1 and not d.blind()]
        return [c for d in able if (c := _looked(work, d)) is not None]


def _looked(work: Work, experiment: Declared) -> Winner | None:
    day, seen = str(work.day), "winner looked:" + experiment.name
    if versions.get_mark(work.tx, seen) == day:
        return None
    versions.set_mark(work.tx, seen, day)
    return follow_verdict(work, experiment, report_of(work, experiment))


def follow_verdict(work: Work, experiment: Declared, report: Report) -> Winner | None:
    """What this report leads to, if anything new: only a verdict with a winner among several variants, and never a red report."""
    winner, how = report.answer.winner, experiment.experiment.winner
    if how == "ignore" or winner is None or winner not in _variants(experiment) or len(_variants(experiment)) < 2:
        return None
    standing = winner_of(work, experiment)
    if standing is not None and (standing.variant == winner or standing.state == "switched"):
        return None
    state = "switched" if how == "switch" else "proposed"
    said = report.answer.sentence
    found = Winner(experiment.name, winner, state, work.now.isoformat(), essence_of(work, experiment), "", said["en"], said["zh"])
    return _keep(work, experiment, found)


def approve(work: Work, name: str, approver: str) -> Winner:
    """A person takes what was proposed: from now on new users get it. Raises Refused when nothing is proposed."""
    experiment = found(work, name)
    standing = winner_of(work, experiment)
    if standing is None or standing.state != "proposed":
        raise Refused(f"no winner is proposed for '{experiment.name}': run 'sop compare {experiment.name}' to see how it stands.")
    return _keep(work, experiment, replace(standing, state="switched", at=work.now.isoformat(), by=approver))


def _variants(experiment: Declared) -> list[str]:
    return [name for name, _ in experiment.flows[0].variants]


def _keep(work: Work, experiment: Declared, one: Winner) -> Winner:
    versions.set_mark(work.tx, WINNER + experiment.name, json.dumps(asdict(one), ensure_ascii=False))
    who = f" by {one.by}" if one.by else ""
    LOG.warning("experiment %s: %s %s%s for new users. %s", one.experiment, one.variant, one.state, who, one.sentence)
    return one
