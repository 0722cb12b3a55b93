"""Reads the shipped library once for the tests: the repository is a project itself."""

from functools import cache

from sop_engine.core.project import Project
from sop_engine.core.template import Template
from sop_engine.language.folder import read_folder
from sop_engine.language.load import Checked, check
from tests.test_house import ROOT


@cache
def files() -> dict[str, str]:
    """The texts of `playbooks/` and `templates/` by path."""
    return read_folder(ROOT)


@cache
def checked() -> Checked:
    """What came of reading them, advice included."""
    return check(files())


@cache
def shipped() -> Project:
    """The project they describe."""
    project = checked().project
    assert project is not None, "\n".join(map(str, checked().problems))
    return project


def texts() -> list[Template]:
    """Every template in every language."""
    return [template for by_locale in shipped().templates.values() for template in by_locale.values()]


def mapped_tiers() -> list[str]:
    """The tiers that a playbook acts on."""
    return list(dict.fromkeys(p.tier for p in shipped().playbooks.values() if p.tier))
