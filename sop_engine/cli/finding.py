"""Finds tiers, flows and templates by the names that were typed, and suggests close ones."""

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, TypeVar

from sop_engine.core.errors import NotFound

if TYPE_CHECKING:
    from sop_engine.core.playbook import Flow
    from sop_engine.core.project import Project

Thing = TypeVar("Thing")


def named(things: Mapping[str, Thing], name: str, what: str) -> Thing:
    """The thing of this name. Raises NotFound with a suggestion."""
    found = things.get(normal(name))
    if found is None:
        raise not_found(name, things, what)
    return found


def not_found(name: str, names: Iterable[str], what: str) -> NotFound:
    """The error that says so, with a suggestion."""
    from sop_engine.language.report import did_you_mean

    return NotFound(f"there is no {what} '{name}'.{did_you_mean(name, names)}")


def normal(name: str) -> str:
    """The name as the project has it: full-width letters and digits are the narrow ones."""
    import unicodedata

    return unicodedata.normalize("NFKC", name).strip()


def flow_name(project: "Project", name: str, earlier: Collection[str] = ()) -> str:
    """A flow or a playbook as it was named; `earlier` are flows that had runs. Raises NotFound."""
    wanted = normal(name)
    if wanted in project.playbooks or wanted in project.flows or any(f == wanted or f.startswith(f"{wanted}/") for f in earlier):
        return wanted
    raise not_found(name, [*project.playbooks, *(f for f in project.flows if f not in project.playbooks)], "playbook or flow")


def flows_of(project: "Project", name: str) -> "list[Flow]":
    """The flows of a playbook, or one flow, by name. Raises NotFound."""
    wanted = flow_name(project, name)
    return [f for f in project.flows.values() if wanted in (f.id, f.playbook)]
