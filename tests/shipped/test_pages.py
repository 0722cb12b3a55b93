"""The page for operators is true: it has every key of every document, its examples load, and its stories hold."""

import re
from collections.abc import Iterable
from functools import cache

import pytest

from sop_engine.actions.rehearse import play
from sop_engine.channels.registry import KNOWN
from sop_engine.core.project import BUILT_IN_EVENTS, BUILT_IN_FIELDS
from sop_engine.core.story import Story
from sop_engine.core.writing import FILTERS
from sop_engine.language import front_matter, vocabulary, vocabulary_of_stories
from sop_engine.language.load import Checked, check
from sop_engine.language.names import RESERVED
from sop_engine.language.reader import Key
from tests.shipped.library import files, shipped
from tests.test_house import ROOT

PAGE = (ROOT / "docs" / "playbooks.md").read_text("utf-8")
BLOCK = re.compile(r"^```(yaml|markdown)( alone)?\n(.*?)^```", re.MULTILINE | re.DOTALL)
SECTIONS = {
    "PROJECT": ["Project"],
    "ATTRIBUTE": ["Attributes"],
    "TAG": ["Tags"],
    "GOAL": ["Goals"],
    "CALENDAR": ["Calendars"],
    "CHANNEL": ["Channels"],
    "BENEFIT": ["Benefits"],
    "LINKS": ["Links"],
    "INGEST": ["Foreign events"],
    "INGEST_IDENTIFY": ["Foreign events"],
    "RULE": ["Rules"],
    "RULE_WHEN": ["Rules"],
    "METRIC": ["Metrics"],
    "TIER": ["Tiers"],
    "FLOW": ["Flow"],
    "PLAYBOOK": ["Two forms", "Flow"],
    "LEVEL": ["Two forms", "Flow"],
    "BLUEPRINT": ["Blueprints", "Two forms", "Flow"],
    "START": ["Start"],
    "STEP": ["Steps"],
    "EXPERIMENT": ["Experiments"],
    "INPUT": ["Blueprints"],
    "ALERT": ["Alerts and reports"],
    "REPORT": ["Alerts and reports"],
    "TEST": ["Stories"],
    "HISTORY": ["Stories"],
    "LINE": ["Stories"],
}


def tables() -> dict[str, dict[str, Key]]:
    """The declared keys of every kind of document, entry and line."""
    words = {**vars(vocabulary), **vars(vocabulary_of_stories)}
    found = {name: table for name, table in words.items() if isinstance(table, dict)}
    return {name: table for name, table in found.items() if name.isupper() and all(isinstance(key, Key) for key in table.values())}


@cache
def sections() -> dict[str, str]:
    """The prose and tables below each heading, without its examples."""
    parts = re.split(r"^##+ (.+)$", BLOCK.sub("", PAGE), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def untold(words: Iterable[str], *headings: str) -> list[str]:
    text = "".join(sections()[heading] for heading in headings)
    return sorted(word for word in words if f"`{word}`" not in text)


def examples(*, alone: bool) -> dict[str, str]:
    """The fenced examples as files: those that are a project of their own, or those that stand beside the library."""
    found = {}
    for number, (kind, own, text) in enumerate(BLOCK.findall(PAGE)):
        if bool(own) == alone:
            found[f"playbooks/page-{number}.yml" if kind == "yaml" else f"templates/page-{number}.md"] = text
    return found


@cache
def loaded(alone: bool) -> Checked:
    return check(examples(alone=True) if alone else {**files(), **examples(alone=False)})


def stories(alone: bool) -> list[Story]:
    project = loaded(alone).project
    return [story for story in project.stories if story.place.startswith("playbooks/page-")] if project else []


def test_every_kind_of_document_has_its_section() -> None:
    assert set(tables()) == set(SECTIONS)
    assert untold([*vocabulary.DOCUMENTS, *vocabulary.COLLECTIONS], "Files") == []


@pytest.mark.parametrize("name", SECTIONS)
def test_every_key_is_told(name: str) -> None:
    assert untold(tables()[name], *SECTIONS[name]) == []


def test_every_key_of_a_template_an_event_and_a_guardrail_is_told() -> None:
    assert untold(front_matter.KEYS, "Templates") == []
    assert untold(["where", "undone_by", "note", *BUILT_IN_EVENTS, *BUILT_IN_FIELDS], "Events") == []
    assert untold(vocabulary.GUARDRAILS, "Experiments") == []


def test_every_fixed_word_is_told() -> None:
    assert untold(RESERVED, "Files") == []
    assert untold(vocabulary.TYPES, "Attributes") == []
    assert untold(vocabulary.INPUT_TYPES, "Blueprints") == []
    assert untold([*vocabulary.WATCHES, *vocabulary.SHOWS, *vocabulary.CUTS_BY], "Alerts and reports") == []
    assert untold(vocabulary.ENDS, "Flow") == []
    assert untold(KNOWN, "Channels") == []
    assert [name for name in FILTERS if not re.search(rf"`{name}(\(40\))?`", sections()["Templates"])] == []


def test_every_verb_has_an_example_that_is_loaded() -> None:
    project = loaded(False).project
    assert project is not None
    rows = re.findall(r"^\| (`\w+`(?: `\w+`)*) \|.*\| ([^|]+) \|$", sections()["Metrics"].split("| key |")[0], re.MULTILINE)
    shown = {name: metric.verb for name, metric in project.metrics.items()}
    for verbs, names in rows:
        assert set(re.findall(r"\w+", verbs)) <= {shown[name] for name in names.split()} <= set(vocabulary.VERBS)
    assert {verb for verbs, _ in rows for verb in re.findall(r"\w+", verbs)} == set(vocabulary.VERBS)


@pytest.mark.parametrize("alone", [True, False], ids=["the ten lines", "beside the library"])
def test_the_examples_load_without_errors_or_warnings(alone: bool) -> None:
    assert [str(problem) for problem in loaded(alone).problems if problem.severity != "info"] == []
    assert stories(alone)


@pytest.mark.parametrize("alone", [True, False], ids=["the ten lines", "beside the library"])
def test_the_stories_of_the_page_hold(alone: bool) -> None:
    project = loaded(alone).project
    assert project is not None
    assert [failure for story in stories(alone) for failure in play(project, story).failures] == []


def test_the_first_playbook_has_ten_lines() -> None:
    first = next(text for text in examples(alone=True).values() if text.startswith("playbook:"))
    assert len(first.splitlines()) <= 10


def test_every_shipped_playbook_is_listed_with_its_file() -> None:
    listed = dict(re.findall(r"^\| \[([\w-]+\.yml)\].*? \| (\S+) \|", sections()["The shipped library"], re.MULTILINE))
    assert sorted(listed.values()) == sorted(shipped().playbooks)
    for file, name in listed.items():
        assert re.search(rf"^playbook: {name}( +#.*)?$", files()[f"playbooks/{file}"], re.MULTILINE), file


def test_every_section_can_be_reached_from_the_top() -> None:
    top = PAGE.split("\n## ")[0]
    made = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in re.findall(r"^## (.+)$", PAGE, re.MULTILINE)}
    assert set(re.findall(r"\]\(#([\w-]+)\)", top)) <= made | {"playbooks-1"}
