"""Works out what applying a project would change, flow by flow and key by key, for a person to read before it is done."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from sop_engine.actions.apply import Change, preview
from sop_engine.actions.compare_plan import slow_tests
from sop_engine.app import App
from sop_engine.core.comparison.declared import Declared, all_declared
from sop_engine.core.comparison.planning import AsDeclared
from sop_engine.core.differences import Difference, differences
from sop_engine.core.errors import SopError
from sop_engine.core.playbook import Flow
from sop_engine.core.project import Project
from sop_engine.core.rules import overridden
from sop_engine.core.story import Story
from sop_engine.store import versions

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class FlowPlan:
    """What happens to one flow: new, changed, same or removed, where it stands, and what differs."""

    change: Change
    place: str = ""
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What an apply would do: the flows that are not the same, and how many are."""

    flows: tuple[FlowPlan, ...]
    same: int
    approvals: tuple[str, ...] = ()  # `flow (role)` of each that needs one
    overrides: tuple[tuple[str, str], ...] = ()  # (shipped rule, why the project changes it)
    slow_tests: Mapping[str, AsDeclared] = field(default_factory=dict)  # by experiment: sizes that take over 90 days to come together

    def count(self, kind: str) -> int:
        """How many flows are new, changed or removed."""
        return sum(f.change.kind == kind for f in self.flows)


def plan_of(app: App, project: Project, now: datetime, *, slowly: bool = True) -> Plan:
    """What applying the project now would change; nothing is written. Not `slowly`: new versions are open to all at once."""
    changes = preview(app, project, now if slowly else None)
    with app.transaction() as tx:
        flows = tuple(_flow_plan(app, tx, c, project) for c in changes if c.kind != "same" or c.running)
        slow = slow_tests(tx, project, _tested(project, flows), now)
    needed = tuple(f"{c.flow} ({c.approve_by})" for c in changes if c.approve_by and c.kind in ("new", "changed"))
    return Plan(flows, sum(c.kind == "same" for c in changes), needed, tuple(overridden(project)), slow)


def _tested(project: Project, flows: Iterable[FlowPlan]) -> list[Declared]:
    """The experiments of flows that are new or changed."""
    names = {f.change.flow for f in flows if f.change.kind in ("new", "changed")}
    return [d for d in all_declared(project) if names & {f.id for f in d.flows}]


def _flow_plan(app: App, tx: "Connection", change: Change, project: Project) -> FlowPlan:
    flow = project.flows.get(change.flow)
    if flow is None or change.kind != "changed" or change.old is None:
        return FlowPlan(change, flow.place if flow else "")
    before = _before(app, tx, change.flow, change.old)
    return FlowPlan(change, flow.place, differences(before, (flow, project)) if before else ())


def _before(app: App, tx: "Connection", flow: str, number: int) -> tuple[Flow, Project] | None:
    """The flow as it was released; None where its text cannot be read any more."""
    version = versions.get_version(tx, flow, number)
    if version is None:
        return None
    try:
        old = app.project_of(tx, version.release)
    except SopError:
        return None
    return old.flows[flow], old


def stories_about(project: Project, flows: Iterable[FlowPlan]) -> list[Story]:
    """The stories that play a playbook which is new or changed, and those that play none: they hold the facts and tiers."""
    touched = {project.flows[f.change.flow].playbook for f in flows if f.change.kind in ("new", "changed")}
    return [s for s in project.stories if not s.playbooks or touched & set(s.playbooks)]
