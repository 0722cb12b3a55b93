"""Asks whether a dimension divides users by an outcome, so that a model or a playbook should look at it."""

from dataclasses import dataclass, replace

from sop_engine.app import Work
from sop_engine.core.conditions import Compare, Condition, Constant, Ref
from sop_engine.core.errors import BadInput, Refused
from sop_engine.core.project import Project
from sop_engine.core.stats.splits import ENOUGH, Group, Tested, split_by_number, split_by_rate
from sop_engine.language.conditions import parse_audience
from sop_engine.store.facts import ref_of
from sop_engine.store.splits import MOST, Question, count_split

FIRST_CHANNEL = "first_channel"  # the source of a user's first event


@dataclass(frozen=True, slots=True)
class Split:
    """What was asked, how many users have no value of the dimension, and what the test says."""

    dimension: str
    outcome: str
    within: str
    unknown: int
    tested: Tested


def split(work: Work, dimension: str, outcome: str, within: str = "everyone") -> Split:
    """Whether users with different values of the dimension differ in the outcome: a condition or flag, or a number.

    `within`: a condition, or a level whose name no other model has. Raises BadInput, NotFound and Refused.
    """
    project = work.project
    by, what = dimension_of(project, dimension), _outcome(project, outcome)
    question = Question(by, what, _within(project, within))
    found = count_split(work.tx, project, question, work.now)
    if len(found) > MOST + 1:
        raise Refused(f"'{dimension}' has more than {MOST} values: that is no dimension. Make groups of them first.")
    unknown = found.pop(None, None)
    groups = sorted(found.values(), key=lambda g: g.name)
    tested = _by_ranks(work, question, groups) if isinstance(what, Ref) else split_by_rate(groups)
    return Split(dimension, outcome, within, 0 if unknown is None else unknown.users, tested)


def _by_ranks(work: Work, question: Question, groups: list[Group]) -> Tested:
    """The test of a number; groups that are too small are left out, and the others ranked without them."""
    few = tuple(g for g in groups if g.users < ENOUGH)
    kept = [g for g in groups if g not in few]
    if not few or len(kept) < 2:
        return split_by_number(groups)
    found = count_split(work.tx, work.project, replace(question, only=tuple(g.name for g in kept)), work.now)
    return replace(split_by_number(sorted(found.values(), key=lambda g: g.name)), few=few)


def dimension_of(project: Project, name: str) -> Ref | None:
    """The name by which users are told apart; None for the source of their first event. Raises NotFound and BadInput."""
    names = {*project.attributes, *project.metrics, *project.tags, *project.tiers}
    if name == FIRST_CHANNEL and name not in names:
        return None
    ref = ref_of(project, name)
    if ref.kind in ("number", "date"):
        raise BadInput(f"'{name}' is a {ref.kind}: as a dimension it needs words. A metric with 'grade' and 'names' gives it some.")
    attribute = project.attributes.get(name)
    if name == "id" or (attribute is not None and attribute.type in ("phone", "email")):
        raise BadInput(f"'{name}' is different for everybody: that is no dimension.")
    return ref


def _outcome(project: Project, text: str) -> Condition | Ref:
    name = text.strip()
    if name in project.metrics or name in project.attributes:
        ref = ref_of(project, name)
        if ref.kind == "number":
            return ref
    return parse_audience(text, project)


def _within(project: Project, text: str) -> Condition:
    models = [tier.name for tier in project.tiers.values() if text in tier.level_names]
    if len(models) == 1:
        return Compare("=", Ref("tier", models[0], "level"), Constant(text))
    return parse_audience(text, project)
