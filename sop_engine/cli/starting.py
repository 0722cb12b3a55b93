"""The command `sop init`: a small project to start from, or one for a kind of shop."""

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated

import typer

from sop_engine.cli.output import AsJson, show
from sop_engine.core.errors import BadFile, BadInput, Refused

PROFILES = ("startup", "group_buy", "mature")


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(init)


def init(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="Where; the folder is made if it is not there.")] = Path("."),
    profile: Annotated[str | None, typer.Option("--profile", help="A kind of shop: startup, group_buy or mature.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write a small project that runs.

    One tier, one playbook with its texts, benefits, and stories; or with --profile one for a kind of shop: a start-up (AARRR,
    four dimensions, the first order), a group-buy shop (neighbourhoods and their leaders), a mature brand (RFM, a measured
    win-back). Nothing is overwritten.

    \b
    Examples:
      sop init shop
      sop init shop --profile group_buy
    """
    source = _source(profile)
    there = [name for name in ("playbooks", "templates", "README.md") if (folder / name).exists()]
    if there:
        raise Refused(f"'{folder}' has {', '.join(there)} already, and nothing is overwritten. Name another folder: sop init shop.")
    try:
        written = _copy(source, folder)
    except OSError as error:
        raise BadFile(f"'{folder}' cannot be written to: {error.strerror or error}.") from error
    inside = "" if folder == Path(".") else f"cd {folder} && "
    next_steps = f"Next: {inside}sop check && sop test && sop apply"
    show({"written": written}, as_json, "\n".join([*written, next_steps]))


def _source(profile: str | None) -> Traversable:
    """The folder of the package that is copied. Raises BadInput for a profile that there is not."""
    from sop_engine.language.report import did_you_mean

    if profile is None:
        return files("sop_engine.cli").joinpath("starter")
    if profile not in PROFILES:
        raise BadInput(f"there is no profile '{profile}'.{did_you_mean(profile, PROFILES)}")
    return files("sop_engine.cli").joinpath("profiles", profile)


def _copy(source: Traversable, target: Path) -> list[str]:
    """Copy a folder of the package; the paths that were written."""
    target.mkdir(parents=True, exist_ok=True)
    written = []
    for item in sorted(source.iterdir(), key=lambda i: i.name):
        if item.is_dir():
            written += _copy(item, target / item.name)
        else:
            (target / item.name).write_bytes(item.read_bytes())
            written.append((target / item.name).as_posix())
    return written
