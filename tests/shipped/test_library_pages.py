"""The pages of docs/library are those that `sop docs` writes now, and they show the whole library."""

import re
from functools import cache
from xml.etree import ElementTree

import pytest

from sop_engine.actions.documenting import pages_of
from tests.shipped.library import shipped
from tests.test_house import ROOT

FOLDER = ROOT / "docs" / "library"
PLAYBOOKS = tuple(shipped().playbooks)


@cache
def pages() -> dict[str, str]:
    return pages_of(shipped(), locale="zh-CN")


def committed() -> dict[str, str]:
    files = (path for path in FOLDER.rglob("*") if path.is_file())
    return {path.relative_to(FOLDER).as_posix(): path.read_text("utf-8") for path in files}


def test_the_committed_pages_are_what_the_command_writes() -> None:
    """`make docs-library` writes them anew."""
    found = committed()
    assert sorted(found) == sorted(pages())
    assert [path for path, text in pages().items() if found[path] != text] == []


def test_the_pages_are_the_same_every_time() -> None:
    assert pages_of(shipped(), locale="zh-CN") == pages()


def test_the_index_leads_to_every_playbook_and_tier_and_every_link_to_a_page() -> None:
    linked = re.findall(r"\]\(([^)]+)\)", pages()["README.md"])
    assert {path for path in pages() if path.endswith(".md") and path != "README.md"} == set(linked)
    for path, text in pages().items():
        inner = [(FOLDER / path).parent / address for address in re.findall(r"\]\(([^)]+)\)", text) if path.endswith(".md")]
        assert [address for address in inner if address.resolve().relative_to(FOLDER.resolve()).as_posix() not in pages()] == []


@pytest.mark.parametrize("name", PLAYBOOKS)
def test_the_page_of_a_playbook_names_its_steps_texts_benefits_and_stories(name: str) -> None:
    project, page, drawn = shipped(), pages()[f"playbooks/{name}.md"], pages()[f"playbooks/{name}.svg"]
    shown = "".join(ElementTree.fromstring(drawn).itertext())
    for step in (step for flow in project.playbooks[name].flows for step in project.flows[flow].steps):
        assert f"| {step.name} |" in page
        assert step.name in shown
        assert [t for t in (step.send.names() if step.send else ()) if f"**{t}**" not in page] == []
        assert [b for b in (step.give.names() if step.give else ()) if f"\n| {b} |" not in page] == []
    assert [story.title for story in project.stories if name in story.playbooks and story.title not in page] == []


@pytest.mark.parametrize("name", PLAYBOOKS)
def test_every_text_of_a_page_can_be_written(name: str) -> None:
    assert "写不出" not in pages()[f"playbooks/{name}.md"]


def test_a_timeline_fetches_nothing_and_runs_nothing() -> None:
    drawn = [text for path, text in pages().items() if path.endswith(".svg")]
    assert drawn
    for text in drawn:
        assert {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(text).iter()} <= {
            "svg", "title", "style", "rect", "line", "text", "circle", "path",
        }  # fmt: skip
        assert not re.search(r"\son\w+=|href|url\(|@import", text)
        assert "prefers-color-scheme:dark" in text


def test_a_tiers_page_has_its_rules_in_the_order_they_are_asked() -> None:
    for name, tier in shipped().tiers.items():
        rows = re.findall(r"^\| (\d+) \| (\S+) \|", pages()[f"tiers/{name}.md"], re.MULTILINE)
        assert rows == [(str(number), level) for number, level in enumerate(tier.level_names, 1)]
