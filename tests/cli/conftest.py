"""Runs the command `sop` on projects of their own, at noon of 10 June 2025 in Shanghai."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer.testing
from freezegun import freeze_time
from typer.testing import CliRunner

from sop_engine.cli.main import app
from tests.builders import EXAMPLE

NOON = "2025-06-10T04:00:00Z"
typer.testing._get_command = cache(typer.main.get_command)  # builds all of `sop` once, not for every command of a test


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Shop:
    """A project in a folder of its own."""

    folder: Path

    def copy(self, to: Path) -> "Shop":
        """The same project with all it has stored, in another folder."""
        return Shop(shutil.copytree(self.folder, to / "shop"))

    def sop(self, *words: object, typed: str = "", at: str = NOON) -> Said:
        """Run a command on this project."""
        with freeze_time(at):
            result = CliRunner().invoke(app, [*(str(w) for w in words), "--project", str(self.folder)], input=typed, catch_exceptions=False)
        return Said(result.exit_code, result.stdout, result.stderr)

    def ok(self, *words: object, at: str = NOON) -> str:
        """Run a command that must work; what it printed."""
        said = self.sop(*words, at=at)
        assert said.code == 0, said
        return said.out

    def json(self, *words: object, at: str = NOON) -> Any:
        """Run a command with --json; the value it wrote."""
        return json.loads(self.ok(*words, "--json", at=at))

    def write(self, name: str, text: str | bytes) -> Path:
        """Write a file beside the project."""
        path = self.folder / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def change(self, name: str, old: str, new: str) -> None:
        """Change the text of a file of the project."""
        path = self.folder / name
        text = path.read_text("utf-8")
        assert old in text
        path.write_text(text.replace(old, new), "utf-8")


@pytest.fixture(autouse=True)
def show_what_nobody_foresaw(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that is no SopError is a mistake of ours: let the test see it."""
    monkeypatch.setenv("SOP_TRACE", "1")


@pytest.fixture(scope="session")
def applied_starter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The starter project, applied; to be copied."""
    folder = tmp_path_factory.mktemp("starter") / "shop"
    assert CliRunner().invoke(app, ["init", str(folder)]).exit_code == 0
    Shop(folder).ok("apply", "--yes", "--no-test", at="2025-06-01T04:00:00Z")
    return folder


@pytest.fixture
def shop(applied_starter: Path, tmp_path: Path) -> Shop:
    """The starter project, applied on 1 June, on a database of its own."""
    return Shop(applied_starter).copy(tmp_path)


@pytest.fixture
def fresh(tmp_path: Path) -> Shop:
    """The starter project, never applied."""
    assert CliRunner().invoke(app, ["init", str(tmp_path / "shop")]).exit_code == 0
    return Shop(tmp_path / "shop")


@pytest.fixture(scope="session")
def example_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example project, to be read only."""
    folder = tmp_path_factory.mktemp("example") / "brand"
    shutil.copytree(EXAMPLE, folder)
    return folder


@pytest.fixture
def brand(example_folder: Path) -> Shop:
    """The example project, not applied."""
    return Shop(example_folder)


@pytest.fixture
def in_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], None]]:
    """Goes to a folder for the time of a test."""
    yield monkeypatch.chdir
