"""Counts the dimensions of a model: attributes that are no flags, and verbs with what they are about, whatever the window."""

from collections.abc import Iterable, Iterator

from sop_engine.core.conditions import Condition, Ref, refs_of
from sop_engine.core.metrics import Metric
from sop_engine.core.project import BUILT_IN_ATTRIBUTES, Project
from sop_engine.core.tiers import Tier


def dimensions_of(tier: Tier, project: Project) -> list[str]:
    """The dimensions of a model, in the order they are read; other tiers are models of their own and count nothing."""
    rules = [tier.only, *(rule for level in tier.levels for rule in (level.rule, level.keep))]
    return dimensions_read((ref for rule in rules for ref in refs_of(rule)), project)


def dimensions_read(refs: Iterable[Ref], project: Project) -> list[str]:
    """The dimensions that these names come from in the end; settings and flags are none."""
    found: dict[str, None] = {}
    for name in names_behind(refs, project):
        if name in project.metrics:
            found.update(dict.fromkeys(_own(project.metrics[name], project)))
        elif name in BUILT_IN_ATTRIBUTES or (name in project.attributes and project.attributes[name].type != "flag"):
            found[name] = None
    return list(found)


def metrics_read(rules: Iterable[Condition | None], project: Project) -> dict[str, Metric]:
    """The metrics that these conditions come from in the end, by name, in the order they are read."""
    refs = (ref for rule in rules for ref in refs_of(rule))
    return {name: project.metrics[name] for name in names_behind(refs, project) if name in project.metrics}


def names_behind(refs: Iterable[Ref], project: Project) -> Iterator[str]:
    """Every fact the names are made of, each once, themselves among them; tiers are not looked into."""
    seen: dict[str, None] = {}
    waiting = _names(refs)
    while waiting:
        name = waiting.pop(0)
        if name in seen:
            continue
        seen[name] = None
        if name in project.metrics:
            metric = project.metrics[name]
            waiting = [*(n for n in metric.of if n in project.metrics), *_names(refs_of(metric.formula)), *waiting]
        elif name in project.tags:
            waiting = [*_names(refs_of(project.tags[name].when)), *waiting]
    yield from seen


def _names(refs: Iterable[Ref]) -> list[str]:
    return [ref.name for ref in refs if not ref.space.startswith("tier")]


def _own(metric: Metric, project: Project) -> list[str]:
    """The verb with the events and dates it is about; a verb about metrics alone adds nothing to theirs."""
    about = [*sorted(metric.events), *(name for name in metric.of if name not in project.metrics)]
    return [f"{metric.verb} of {' '.join(about)}" + (f".{metric.field}" if metric.field else "")] if about else []
