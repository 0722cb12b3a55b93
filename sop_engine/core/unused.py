"""Decides which facts, templates and benefits of a project nobody reads, gives or sends."""

import re
from collections.abc import Iterator

from sop_engine.core.conditions import Condition, Term, refs_of
from sop_engine.core.playbook import Choice, Flow, Start
from sop_engine.core.project import Project

_FACTS = frozenset({"attribute", "metric", "tag", "tier", "tier_before", "tier_days", "start"})


def conditions_of(project: Project) -> Iterator[Condition | Term]:
    """Every condition and formula of the project."""
    found: list[Condition | Term | None] = [project.settings.only, project.settings.minor]
    found += [e.where for e in project.events.values()]
    for metric in project.metrics.values():
        found += [metric.where, metric.only, metric.formula]
    found += [t.when for t in project.tags.values()] + [c.needs for c in project.channels.values()]
    for goal in project.goals.values():
        found += [goal.where, goal.enter]
    for tier in project.tiers.values():
        found += [tier.only, *(level.rule for level in tier.levels), *(level.keep for level in tier.levels)]
    for flow in project.flows.values():
        found += _of_flow(flow)
    yield from (condition for condition in found if condition is not None)


def _of_flow(flow: Flow) -> Iterator[Condition | Term | None]:
    yield from (flow.start.condition, flow.start.where, flow.only)
    yield from (condition for _, condition in flow.exits)
    yield from (step.when for step in flow.steps)
    for goal in (flow.goal, *flow.counts):
        yield from (goal.where, goal.enter) if goal else ()


def facts_read(project: Project) -> frozenset[str]:
    """Attributes, metrics, tags and tiers that something reads: a condition, a text, a channel, a schedule, an alert, a report."""
    read = {ref.name for condition in conditions_of(project) for ref in refs_of(condition) if ref.space in _FACTS}
    read |= {name for metric in project.metrics.values() for name in metric.of}
    read |= {name for name, _ in project.identities} | {c.to for c in project.channels.values() if c.to}
    for texts in project.templates.values():
        read |= {name.removeprefix("start.") for template in texts.values() for name in template.uses}
    for flow in project.flows.values():
        read |= set(_read_by(flow))
    watched = [alert.of for alert in project.alerts.values()] + [report.of for report in project.reports.values()]
    read |= {word for of in watched for word in re.findall(r"\w+", of)}
    read.add(project.settings.primary_tier)
    return frozenset(read)


def _read_by(flow: Flow) -> Iterator[str]:
    yield flow.anchor or ""
    yield flow.start.tier
    yield _attribute(flow.start)
    for step in flow.steps:
        yield step.by.name if step.by else ""
        yield step.every.attribute if step.every else ""
        yield from (choice.by for choice in (step.send, step.give) if choice)


def _attribute(start: Start) -> str:
    return start.schedule.attribute if start.schedule else ""


def _chosen(choice: Choice | None) -> tuple[str, ...]:
    return choice.names() if choice else ()


def unused(project: Project) -> dict[str, tuple[str, ...]]:
    """What nothing reads, sends or gives, by kind (attributes, metrics, tags, templates, benefits), in the order of the files."""
    read = facts_read(project)
    steps = [step for flow in project.flows.values() for step in flow.steps]
    sent = {name for step in steps for name in _chosen(step.send)} | {project.settings.on_reply}
    sent |= {alert.send for alert in project.alerts.values()} | {report.send for report in project.reports.values()}
    given = {name for step in steps for name in (*_chosen(step.give), step.void)}
    given |= {benefit.if_empty for benefit in project.benefits.values()}
    return {
        "attributes": tuple(name for name in project.attributes if name not in read),
        "metrics": tuple(name for name in project.metrics if name not in read),
        "tags": tuple(name for name in project.tags if name not in read),
        "templates": tuple(name for name in project.templates if name not in sent),
        "benefits": tuple(name for name in project.benefits if name not in given),
    }
