"""Knows which variant stands as the winner of an experiment, and since when: what new users get after a verdict."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from sop_engine.app import Work
from sop_engine.core.comparison.declared import Declared, all_declared, essence
from sop_engine.core.playbook import Flow
from sop_engine.store import versions

WINNER = "winner:"  # mark: what a verdict led to, by experiment


@dataclass(frozen=True, slots=True)
class Winner:
    """A winner, and since when. `state`: proposed or switched; `essence`: of the flows it was found for, others begin anew."""

    experiment: str
    variant: str
    state: str
    at: str
    essence: str
    by: str
    sentence: str
    sentence_zh: str = ""

    def said(self, lang: str) -> str:
        """The sentence of the verdict it was found by."""
        return self.sentence_zh or self.sentence if lang == "zh" else self.sentence


def winner_of(work: Work, experiment: Declared) -> Winner | None:
    """What stands for an experiment as it is now; a changed one begins anew."""
    text = versions.get_mark(work.tx, WINNER + experiment.name)
    standing = Winner(**json.loads(text)) if text else None
    return standing if standing is not None and standing.essence == essence_of(work, experiment) else None


def winners(work: Work, flows: Iterable[Flow]) -> dict[str, Winner]:
    """By experiment: the winner that new users get."""
    asked = {f.experiment_name for f in flows if len(f.variants) > 1 and (f.experiment is None or f.experiment.winner != "ignore")}
    marked = {name for name in asked if versions.get_mark(work.tx, WINNER + name)}
    listed = [d for d in all_declared(work.project) if d.name in marked] if marked else []
    standing = [(d.name, winner_of(work, d)) for d in listed]
    return {name: one for name, one in standing if one is not None and one.state == "switched"}


def essence_of(work: Work, experiment: Declared) -> str:
    """What must not change while a winner stands."""
    return "+".join(essence(f, work.project) for f in experiment.flows)
