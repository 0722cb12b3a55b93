"""Says which conditions are always or never true, and which levels nobody can reach."""

from collections.abc import Iterator

from sop_engine.core.conditions import Always, Condition
from sop_engine.core.playbook import Flow
from sop_engine.core.project import Project
from sop_engine.core.tiers import Tier
from sop_engine.language.lint_places import Lint, flow_path, step_path
from sop_engine.language.report import Path
from sop_engine.language.truth import always, first_reached

Placed = Iterator[tuple[Path, Condition | None]]


def lint_conditions(lint: Lint) -> None:
    """Add 717."""
    never: set[Path] = set()
    for path, condition in _conditions(lint):
        found = None if condition is None or isinstance(condition, Always) else always(condition, lint.project)
        if found is True:
            lint.report.warn(lint.at(*path), 717, "this is always true. Leave it out, or correct it.")
        elif found is False:
            never.add(path)
            lint.report.warn(lint.at(*path), 717, "this is never true. Correct it.")
    for tier in lint.project.tiers.values():
        _levels(tier, never, lint)


def _levels(tier: Tier, never: set[Path], lint: Lint) -> None:
    reached = first_reached([level.rule for level in tier.levels], tier.only, lint.project)
    for number, level in enumerate(tier.levels):
        path = ("tier", tier.name, "levels", level.name)
        if number not in reached and path not in never and ("tier", tier.name, "only") not in never:
            sentence = (
                f"nobody ever gets '{level.name}': 'only' or an earlier rule always stands in its way. Change the order, or the rules."
            )
            lint.report.warn(lint.at(*path), 717, sentence)


def _conditions(lint: Lint) -> Placed:
    yield ("project", "only"), lint.project.settings.only
    yield ("project", "minor"), lint.project.settings.minor
    yield from _of_catalogue(lint.project)
    for tier in lint.project.tiers.values():
        yield ("tier", tier.name, "only"), tier.only
        for level in tier.levels:
            yield ("tier", tier.name, "levels", level.name), level.rule
            yield ("tier", tier.name, "keep", level.name), level.keep
    for flow in lint.project.flows.values():
        yield from _of_flow(flow, lint.project)


def _of_catalogue(project: Project) -> Placed:
    for name, tag in project.tags.items():
        yield ("tags", name, "when"), tag.when
    for name, metric in project.metrics.items():
        yield ("metrics", name, "where"), metric.where
        yield ("metrics", name, "only"), metric.only
    for name, event in project.events.items():
        yield ("events", name, "where"), event.where
    for name, channel in project.channels.items():
        yield ("channels", name, "needs"), channel.needs
    for name, goal in project.goals.items():
        yield ("goals", name, "where"), goal.where
        yield ("goals", name, "enter"), goal.enter


def _of_flow(flow: Flow, project: Project) -> Placed:
    path = flow_path(flow)
    yield (*path, "start", flow.start.kind), flow.start.condition
    yield (*path, "start", "where"), flow.start.where
    yield (*path, "only"), flow.only
    for reason, condition in flow.exits:
        yield (*path, "exit", reason), condition
    if flow.goal is not None and flow.goal.name not in project.goals:
        yield (*path, "goal", "where"), flow.goal.where
        yield (*path, "goal", "enter"), flow.goal.enter
    for step in flow.steps:
        yield (*step_path(flow, step), "when"), step.when
