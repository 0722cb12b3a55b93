"""The command `sop check`: every problem of a project with its place, and what to do about it."""

from collections.abc import Collection, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sop_engine.cli.opening import HERE, Folder, check_folder
from sop_engine.cli.output import AsJson, many, warn
from sop_engine.cli.problems import WRITERS, in_text, summary
from sop_engine.core.errors import NotFound, Problem

if TYPE_CHECKING:
    from sop_engine.core.project import Project


class Format(StrEnum):
    """How problems are written."""

    text = "text"
    json = "json"
    sarif = "sarif"
    github = "github"


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(check)


def check(
    files: Annotated[list[str] | None, typer.Argument(metavar="[FILE]...", help="Show only problems of these files or folders.")] = None,
    project: Folder = HERE,
    form: Annotated[Format, typer.Option("--format", help="How to write the problems.")] = Format.text,
    as_json: AsJson = False,
) -> None:
    """Check a project and show every problem with its place.

    All of them at once, each with file, line, column, and what to write instead. The whole project is read whatever FILEs are
    named. Exit code 1 if there is an error.

    \b
    Examples:
      sop check
      sop check playbooks/11-silent-day45.yml
      sop check --format sarif > check.sarif
    """
    texts, checked = check_folder(project)
    wanted = [_below(project, name, texts) for name in files or []]
    shown = [p for p in checked.problems if not wanted or any(_inside(p.file, name) for name in wanted)]
    _print(shown, Format.json if as_json else form, len(texts))
    hidden = sum(p.severity == "error" for p in checked.problems) - sum(p.severity == "error" for p in shown)
    if hidden:
        warn(f"{many(hidden, 'error')} in other files; the advice about files without errors comes when there are none.")
    if checked.project is None:
        raise typer.Exit(1)
    _say_what_links_lack(project, checked.project)


def _say_what_links_lack(folder: Path, project: "Project") -> None:
    """Tracked links need an address and a key that no file of the project holds."""
    if not project.settings.links.tracked:
        return
    from sop_engine.actions.linking import lacking
    from sop_engine.settings import load

    if told := lacking(project.settings.links, load(folder)):
        warn(f"{told}.")


def _print(shown: Sequence[Problem], form: Format, files: int) -> None:
    if form is not Format.text:
        typer.echo(WRITERS[form.value](shown))
        return
    if shown:
        typer.echo(in_text(shown))
    typer.echo(summary(shown, files))


def _inside(file: str, name: str) -> bool:
    return name in ("", ".") or file == name or file.startswith(f"{name}/")


def _below(folder: Path, name: str, texts: Collection[str]) -> str:
    """The path of a file or folder below the project, as problems name it. Raises NotFound."""
    from sop_engine.language.report import did_you_mean

    root = folder.resolve()
    for base in (Path.cwd(), root):
        path = (base / name).resolve()
        if path.is_relative_to(root):
            below = path.relative_to(root).as_posix()
            if any(_inside(file, below) for file in texts):
                return below
    raise NotFound(f"the project has no file '{name}'.{did_you_mean(name, texts)}")
