"""Reads a checked project for misuses: everything that is allowed and that experience advises against (SOP7nn)."""

from collections.abc import Mapping
from datetime import date

from sop_engine.core.project import Project
from sop_engine.core.unused import unused
from sop_engine.language.lint_benefits import lint_benefits
from sop_engine.language.lint_caps import lint_caps
from sop_engine.language.lint_conditions import lint_conditions
from sop_engine.language.lint_dates import lint_calendar
from sop_engine.language.lint_experiments import lint_experiments
from sop_engine.language.lint_flows import lint_flows
from sop_engine.language.lint_levels import lint_levels
from sop_engine.language.lint_places import Lint
from sop_engine.language.lint_surveys import lint_surveys
from sop_engine.language.lint_texts import lint_texts
from sop_engine.language.lint_tiers import lint_tiers
from sop_engine.language.lint_time import lint_time
from sop_engine.language.report import Path, Place, Report

_THINGS = {
    "attributes": "nothing reads the attribute",
    "metrics": "nothing reads the metric",
    "tags": "nothing reads the tag",
    "benefits": "no step gives the benefit",
    "templates": "nothing sends the template",
}


def lint(project: Project, places: Mapping[Path, Place], report: Report, *, today: date | None = None) -> None:
    """Add the messages 702 to 731 that need the whole project (701 comes with the step; 502, 507, 708, 709, 716 with the template).

    The project has no errors. `today` is the local date from which the calendar must still hold; without it only flows
    with a date of their own are asked. 722 needs stored fits: see `lint_fits`.
    """
    found = Lint(project, places, report)
    lint_tiers(found)
    lint_flows(found)
    lint_levels(found)
    lint_experiments(found)
    lint_benefits(found)
    lint_caps(found)
    lint_calendar(found, today)
    lint_conditions(found)
    lint_time(found)
    lint_surveys(found)
    lint_texts(found)
    _unused(found)


def _unused(found: Lint) -> None:
    for kind, names in unused(found.project).items():
        for name in names:
            place = found.key(kind, name)
            if kind == "templates":
                place = found.template(next(iter(found.project.templates[name].values())))
            found.report.inform(place, 711, f"{_THINGS[kind]} '{name}'. Use it, or delete it.")
