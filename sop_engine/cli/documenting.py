"""The command `sop docs`: pages about the playbooks and tiers of a project, for people who read and do not run it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from sop_engine.cli.opening import HERE, Folder, read_project
from sop_engine.cli.output import AsJson, many, show
from sop_engine.cli.saying import Language, locale_of
from sop_engine.core.errors import BadFile, Refused
from sop_engine.core.pages.markdown import MADE

FOLDERS = (".", "playbooks", "tiers")


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(docs)


def docs(
    into: Annotated[Path | None, typer.Option("--into", metavar="DIR", help="Where; docs/library of the project if not said.")] = None,
    lang: Language = None,
    project: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Write a page for each playbook and each tier.

    Sentences, a timeline, who gets what when, benefits with their limits, texts with made-up values, stories; for a tier its
    rules and who acts on it. Made from what the engine understood. Pages of what is gone are removed; files of others are left alone.

    \b
    Examples:
      sop docs
      sop docs --into pages --lang en
    """
    from sop_engine.actions.documenting import pages_of

    _, read = read_project(project)
    folder = into or project / "docs" / "library"
    pages = pages_of(read, locale=locale_of(lang, read.settings.locale))
    try:
        gone = _gone(folder, pages)
        written = _written(folder, pages)
        for path in gone:
            (folder / path).unlink()
    except OSError as error:
        raise BadFile(f"'{error.filename}' cannot be written: {error.strerror}.") from error
    told = [*(f"written  {(folder / path).as_posix()}" for path in written), *(f"removed  {(folder / path).as_posix()}" for path in gone)]
    counts = f"{len(written)} written, {len(gone)} removed, {len(pages) - len(written)} as they were"
    told.append(f"{many(len(pages), 'file')} in {folder.as_posix()}: {counts}.")
    show({"folder": folder.as_posix(), "files": sorted(pages), "written": written, "removed": gone}, as_json, "\n".join(told))


def _gone(folder: Path, pages: Mapping[str, str]) -> list[str]:
    """Pages written earlier that there is nothing for any more."""
    found = [path for name in FOLDERS for path in sorted((folder / name).glob("*.*")) if path.suffix in (".md", ".svg")]
    names = [path.relative_to(folder).as_posix() for path in found]
    return [name for name in names if name not in pages and _ours(folder / name)]


def _written(folder: Path, pages: Mapping[str, str]) -> list[str]:
    """Write what is new or different. Raises Refused, before anything is written, where a file of somebody else stands."""
    changed = [path for path, text in pages.items() if _bytes(folder / path) != text.encode()]
    foreign = next((path for path in changed if (folder / path).exists() and not _ours(folder / path)), None)
    if foreign:
        raise Refused(
            f"'{(folder / foreign).as_posix()}' was not written by 'sop docs', and is not replaced. Name another folder with --into."
        )
    for path in changed:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(pages[path].encode())
    return changed


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _ours(path: Path) -> bool:
    return MADE.encode() in (_bytes(path) or b"")
