"""The command `sop test`: plays the stories of a project and says which lines did not hold."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from sop_engine.cli.opening import HERE, Folder, read_project
from sop_engine.cli.output import AsJson, in_json, paint, progress
from sop_engine.core.errors import NotFound

if TYPE_CHECKING:
    from sop_engine.core.project import Project
    from sop_engine.core.story import Story


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="test")(play_stories)


def play_stories(
    paths: Annotated[list[str] | None, typer.Argument(metavar="[PATH]...", help="Only stories in these files or folders.")] = None,
    word: Annotated[str, typer.Option("-k", metavar="WORD", help="Only stories whose title or playbook has this word.")] = "",
    project: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Play the stories on a made-up clock.

    It is the real engine, and nobody is contacted. Exit code 1 if a story fails.

    \b
    Examples:
      sop test
      sop test playbooks/11-silent-day45.yml
      sop test -k 对照组
    """
    _, read = read_project(project)
    stories = chosen(read, paths or [], word)
    failed = 0
    told = []
    with progress("playing stories") as say:
        from sop_engine.actions.rehearse import play_all

        for number, result in enumerate(play_all(read, stories), 1):
            say(f"{number} of {len(stories)}")
            failed += not result.ok
            told.append({"place": result.story.place, "title": result.story.title, "ok": result.ok, "failures": result.failures})
            if not as_json:
                _print(result.story, result.failures)
    typer.echo(in_json(told) if as_json else f"{len(stories) - failed} of {len(stories)} stories hold")
    if failed:
        raise typer.Exit(1)


def chosen(project: "Project", paths: Sequence[str], word: str) -> list["Story"]:
    """The stories that are asked for. Raises NotFound when there are none of them."""
    names = [path.removeprefix("./").rstrip("/") for path in paths]
    files = list(dict.fromkeys(story.place.rpartition(":")[0] for story in project.stories))
    for name in names:
        if not any(_in(file, name) for file in files):
            raise NotFound(f"there is no story in '{name}'. There are stories in: {', '.join(files) or 'no file'}.")
    fitting = [s for s in project.stories if not names or any(_in(s.place.rpartition(":")[0], name) for name in names)]
    fitting = [s for s in fitting if word in s.title or any(word in p for p in s.playbooks)]
    if not fitting and (word or not project.stories):
        none = "the project has no stories. A story is a document that begins with 'test:'."
        raise NotFound(f"no story has the word '{word}'." if word else none)
    return fitting


def _in(file: str, name: str) -> bool:
    return name in ("", ".") or file == name or file.startswith(f"{name}/")


def _print(story: "Story", failures: Sequence[str]) -> None:
    mark = paint("FAILED", "red") if failures else paint("ok", "green")
    typer.echo(f"{mark}  {story.place}  {story.title}")
    for sentence in failures:
        typer.echo(f"    {sentence}")
