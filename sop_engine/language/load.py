"""Reads the files of a project into one checked value, or says everything that is wrong with them at once."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

from sop_engine.core.errors import BadProject, Problem
from sop_engine.core.project import Project, Settings
from sop_engine.language.approved import read_approvals
from sop_engine.language.blueprints import check_blueprints
from sop_engine.language.catalogue import read_benefits, read_calendars, read_channels, read_goals, read_tags
from sop_engine.language.checks import check_dimensions, check_purposes, check_welcomes
from sop_engine.language.cycles import check_cycles
from sop_engine.language.declare import declare
from sop_engine.language.documents import Documents, read_documents
from sop_engine.language.facts import read_attributes, read_events, read_identities
from sop_engine.language.ingest_map import read_ingest
from sop_engine.language.metrics import read_metrics
from sop_engine.language.notices import read_alerts, read_reports
from sop_engine.language.places import places_of
from sop_engine.language.playbooks import Playbooks, read_playbooks
from sop_engine.language.reader import Reader
from sop_engine.language.report import Place, Report
from sop_engine.language.rules_of import check_rules, read_rules
from sop_engine.language.scopes import run_scope
from sop_engine.language.settings import check_on_reply, read_settings
from sop_engine.language.stories import read_stories
from sop_engine.language.templates import read_templates
from sop_engine.language.tiers import read_tiers
from sop_engine.language.yaml_tree import plain_lines


@dataclass(frozen=True)
class Checked:
    """What came of reading: every problem, sorted, and the project unless one of them is an error."""

    project: Project | None
    problems: tuple[Problem, ...]


def check(files: Mapping[str, str], *, lints: bool = True, released: bool = False) -> Checked:
    """Read the texts of a project by path, as `folder.read_folder` gives them; never raises for what is written there.

    `released`: an earlier version has applied them, so they are not held to what only later versions refuse.
    """
    report = Report({file: plain_lines(text).split("\n") for file, text in files.items()})
    texts = {file: text for file, text in sorted(files.items()) if _readable(file, text, report)}
    documents = read_documents(texts, report)
    reader = Reader(declare(documents), report)
    catalogue = replace(_catalogue(documents, reader), approvals=read_approvals(texts, reader))
    catalogue = replace(catalogue, templates=read_templates(texts, catalogue, report, names=reader.names, released=released))
    playbooks, project = _playbooks(documents, catalogue, reader)
    if not report.has_errors():
        _check_whole(project, documents, report, released)
    if report.has_errors():
        return Checked(None, tuple(report.sorted()))
    project = replace(project, hash=hash_of(files))
    if lints:
        from sop_engine.language.lint import lint

        lint(project, places_of(documents, playbooks.nodes), report)
    return Checked(None if report.has_errors() else project, tuple(report.sorted()))


def load(files: Mapping[str, str]) -> Project:
    """The project of a release. Raises BadProject with every problem if one of them is an error."""
    checked = check(files, lints=False, released=True)
    if checked.project is None:
        raise BadProject(checked.problems)
    return checked.project


def hash_of(files: Mapping[str, str]) -> str:
    """SHA-256 over the paths and texts of all files, in the order of the paths; hexadecimal."""
    digest = hashlib.sha256()
    for file, text in sorted(files.items()):
        for part in (file, text):
            raw = part.encode("utf-8", "surrogateescape")
            digest.update(len(raw).to_bytes(8, "big") + raw)
    return digest.hexdigest()


def _readable(file: str, text: str, report: Report) -> bool:
    """Whether the bytes of the file were text; what was not is kept as lone surrogates by `read_folder`."""
    found = next((i for i, c in enumerate(text) if "\ud800" <= c <= "\udfff"), None) if not text.isascii() else None
    if found is None:
        return True
    before = text[:found]
    place = Place(file, before.count("\n") + 1, found - before.rfind("\n"))
    report.add(place, 101, "this file is not UTF-8 text. Save it with the encoding UTF-8.")
    return False


def _catalogue(documents: Documents, reader: Reader) -> Project:
    """Everything but templates, flows, stories and notices."""
    named = reader.within(run=run_scope(reader.names))
    check_blueprints(documents, reader)
    settings = read_settings(documents, reader) or Settings("", "UTC")
    return Project(
        settings,
        rules=read_rules(documents, settings.rules, reader),
        attributes=read_attributes(documents, reader),
        identities=read_identities(documents, reader),
        events=read_events(documents, reader),
        ingest=read_ingest(documents, reader),
        groups=reader.names.groups,
        metrics=read_metrics(documents, reader),
        tags=read_tags(documents, reader),
        goals=read_goals(documents, named),
        calendars=read_calendars(documents, reader),
        channels=read_channels(documents, reader),
        benefits=read_benefits(documents, reader),
        tiers=read_tiers(documents, reader),
    )


def _playbooks(documents: Documents, catalogue: Project, reader: Reader) -> tuple[Playbooks, Project]:
    playbooks = read_playbooks(documents, catalogue, reader)
    project = replace(
        catalogue,
        settings=replace(catalogue.settings, on_reply=check_on_reply(documents, reader)),
        playbooks=playbooks.playbooks,
        flows=playbooks.flows,
        stories=read_stories(documents, playbooks, reader),
        alerts=read_alerts(documents, playbooks, reader),
        reports=read_reports(documents, playbooks, reader),
    )
    check_cycles(project, documents, reader.report)
    check_dimensions(project, documents, reader.report)
    return playbooks, project


def _check_whole(project: Project, documents: Documents, report: Report, released: bool) -> None:
    check_welcomes(project, documents, report)
    check_purposes(project, report)
    if not released:
        check_rules(project, report)
