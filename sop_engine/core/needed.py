"""Decides what of a project a story needs: the facts its flows, texts and lines read, and what those are made of."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from sop_engine.core.conditions import Ref, refs_of
from sop_engine.core.interest import flow_conditions, user_names
from sop_engine.core.models import metric_reads, tier_conditions
from sop_engine.core.playbook import Flow
from sop_engine.core.project import Project
from sop_engine.core.story import Story


def needed(project: Project, story: Story) -> Project:
    """The project with the flows of the story's playbooks, and of metrics, tags and tiers those that can matter in it.

    Whatever nobody reads changes nothing: without it a story of the shipped library takes six tenths of the time (41 stories, both ways).
    """
    flows = {i: f for i, f in project.flows.items() if f.playbook in story.playbooks}
    names = _closure(project, {n.split(".")[0] for n in (*_of_project(project), *_of_story(story), *_of_flows(project, flows.values()))})
    return replace(
        project,
        flows=flows,
        metrics={n: m for n, m in project.metrics.items() if n in names},
        tags={n: t for n, t in project.tags.items() if n in names or t.inside},  # words in a chat may set an attribute
        tiers={n: t for n, t in project.tiers.items() if n in names},
        hash=project.hash or "story",
    )


def _of_project(project: Project) -> Iterator[str]:
    settings = project.settings
    yield from user_names(
        [settings.only, settings.minor, *(c.needs for c in project.channels.values()), *(t.when for t in project.tags.values() if t.inside)]
    )
    yield from filter(None, (settings.primary_tier, *(c.to for c in project.channels.values())))
    if settings.on_reply:
        yield from _of_text(project, settings.on_reply)


def _of_story(story: Story) -> Iterator[str]:
    yield from (name for name, _ in story.given)
    for line in story.lines:
        yield from (name for name, _ in line.sets)
        yield from user_names([line.check])


def _of_flows(project: Project, flows: Iterable[Flow]) -> Iterator[str]:
    for flow in flows:
        conditions = [flow.start.condition, flow.start.where, flow.only, *flow_conditions(flow)]
        yield from (r.name for c in conditions for r in refs_of(c))  # also what is held from the start
        yield from filter(None, (flow.start.tier, flow.anchor))
        for step in flow.steps:
            yield from (name for name, _ in step.sets)
            yield from filter(None, (step.by.key if step.by else "", step.every.attribute if step.every else ""))
            for name in step.send.names() if step.send else ():
                yield from _of_text(project, name)


def _of_text(project: Project, name: str) -> Iterator[str]:
    for template in project.templates[name].values():
        yield from (variable for variable, _ in template.variables)


def _closure(project: Project, names: set[str]) -> set[str]:
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [ref.name for ref in _reads(project, name)]
    return found


def _reads(project: Project, name: str) -> list[Ref]:
    if name in project.metrics:
        return list(metric_reads(project, project.metrics[name]))
    if name in project.tags:
        return list(refs_of(project.tags[name].when))
    return [ref for c in tier_conditions(project.tiers[name]) for ref in refs_of(c)] if name in project.tiers else []
