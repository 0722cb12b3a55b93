"""Remembers a checked project with the place of every value, for the lints."""

from collections.abc import Mapping
from dataclasses import dataclass

from sop_engine.core.playbook import Flow, Step
from sop_engine.core.project import Project
from sop_engine.core.template import Template
from sop_engine.language.report import Path, Place, Report

KEY = "@key"


def flow_path(flow: Flow) -> Path:
    """Where a flow stands: its level in form 1, its playbook in form 2."""
    if flow.start.kind == "level":
        return ("playbook", flow.playbook, "levels", flow.level or "unscored")
    return ("playbook", flow.playbook)


def step_path(flow: Flow, step: Step) -> Path:
    """Where a step stands."""
    return (*flow_path(flow), "steps", step.name)


@dataclass(frozen=True)
class Lint:
    """What every lint needs. `places[path]` is the place of a value, `places[(*path, "@key")]` that of its key."""

    project: Project
    places: Mapping[Path, Place]
    report: Report

    def at(self, *path: str) -> Place:
        """The place of a value, or of the nearest thing around it whose place is known."""
        while path:
            found = self.places.get(path) or self.places.get((*path, KEY))
            if found is not None:
                return found
            path = path[:-1]
        return Place("", 1, 1)

    def key(self, *path: str) -> Place:
        """The place of a key, or of the nearest thing around it whose place is known."""
        return self.places.get((*path, KEY)) or self.at(*path)

    def template(self, template: Template) -> Place:
        """The place of a template's name."""
        file, _, line = template.place.rpartition(":")
        return Place(file, int(line), 1) if line.isdigit() else Place(template.place, 1, 1)

    def templates(self, names: tuple[str, ...]) -> list[Template]:
        """The texts of these names, each in the project's own language."""
        return [self.project.template(name, None) for name in names if name in self.project.templates]

    def marketing(self, step: Step) -> bool:
        """Whether the step sends marketing."""
        return step.send is not None and any(t.purpose == "marketing" for t in self.templates(step.send.names()))
