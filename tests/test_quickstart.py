"""The first pages are true: what the quickstart shows is what its commands print, and what the READMEs point at is there."""

import re
import shlex
from pathlib import Path

import pytest
from freezegun import freeze_time
from typer.testing import CliRunner

from sop_engine.cli.main import app
from tests.test_house import ROOT

NOON = "2025-06-10T04:00:00Z"  # as the page says: in Shanghai
BLOCK = re.compile(r"^```(\w+) ?(.*?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
READMES = ("README.md", "README.zh-CN.md")


def blocks(page: str) -> list[tuple[str, str, str]]:
    """The fenced blocks of a page: kind, name of the file if it is one, text."""
    return BLOCK.findall((ROOT / page).read_text("utf-8"))


def commands(shown: str) -> list[tuple[str, str]]:
    """The commands of a console block, each with what the page shows of its output."""
    _, *parts = re.split(r"^\$ ", shown, flags=re.MULTILINE)
    return [(command, output) for command, _, output in (part.partition("\n") for part in parts)]


def pattern(shown: str) -> str:
    """`…` alone on a line stands for any lines, inside a line for anything up to its end."""
    lines = [r"(?:.*\n)*?" if line == "…" else re.escape(line).replace("…", ".*") + r"\n" for line in shown.splitlines()]
    return "".join(lines)


def printed(command: str) -> str:
    """What `sop …` prints, results and remarks together."""
    name, *words = shlex.split(command)
    assert name == "sop", command
    with freeze_time(NOON):
        result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 0, (command, result.output)
    return "".join(line.rstrip() + "\n" for line in result.output.splitlines())


@pytest.mark.slow
def test_the_commands_of_the_quickstart_print_what_it_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.delenv("SOP_DATABASE_URL", raising=False)
    ran = []
    for kind, name, text in blocks("docs/quickstart.md"):
        if name:
            Path(name).write_text(text, "utf-8")
        for command, shown in commands(text) if kind == "console" else ():
            if command.startswith("cd "):
                monkeypatch.chdir(command.removeprefix("cd "))
                continue
            assert re.fullmatch(pattern(shown), found := printed(command)), f"$ {command}\n{found}"
            ran.append(command.split()[1])
    assert {"init", "check", "test", "apply", "track", "tick", "outbox", "why", "import", "plan"} <= set(ran)


@pytest.mark.parametrize(
    ("shown", "output", "same"),
    [("a\n", "a\n", True), ("a\n", "b\n", False), ("a … c\n", "a b c\n", True), ("a\n…\n", "a\nb\nc\n", True), ("a\n", "a\nb\n", False)],
)
def test_a_page_is_compared_line_by_line(shown: str, output: str, same: bool) -> None:
    assert bool(re.fullmatch(pattern(shown), output)) is same


@pytest.mark.parametrize("readme", READMES)
def test_the_playbook_of_the_readme_is_the_one_the_language_page_explains(readme: str) -> None:
    told = {text for _, _, text in blocks("docs/playbooks.md")}
    shown = [text for kind, _, text in blocks(readme) if kind == "yaml"]
    assert shown and set(shown) <= told


@pytest.mark.parametrize("readme", READMES)
def test_what_the_readme_points_at_is_there(readme: str) -> None:
    links = re.findall(r"\]\((?!https?:|mailto:|#)([^)#]+)", (ROOT / readme).read_text("utf-8"))
    assert "docs/quickstart.md" in links
    assert [link for link in links if not (ROOT / link).exists()] == []


@pytest.mark.parametrize("readme", READMES)
def test_every_command_the_readme_shows_is_one(readme: str) -> None:
    listed = set(re.findall(r"`sop ([a-z]+)", (ROOT / "docs/commands.md").read_text("utf-8")))
    typed = {
        word for kind, _, text in blocks(readme) if kind in ("sh", "console") for word in re.findall(r"(?<![\w./-])sop ([a-z]+)", text)
    }
    assert typed and typed <= listed


def test_pictures_are_small_and_need_nothing_from_elsewhere() -> None:
    pictures = list((ROOT / "docs" / "pictures").glob("*.svg"))
    assert pictures
    for picture in pictures:
        text = picture.read_text("utf-8")
        assert len(text) < 100_000
        assert not re.search(r"(href|src|url\()\W*https?:", text), picture.name
