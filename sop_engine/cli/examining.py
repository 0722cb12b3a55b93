"""The command `sop doctor`: examines the installation and every invariant, or a received mail and its signature."""

import os
from pathlib import Path
from typing import Annotated

import typer

from sop_engine.cli.opening import HERE, Folder, clock, open_engine_of
from sop_engine.cli.output import AsJson, many, paint, show, table
from sop_engine.core.errors import BadFile, BadInput

MARKS = {"good": ("ok", "green"), "warning": ("WARN", "yellow"), "failed": ("FAIL", "red"), "not asked": ("--", "white")}


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)


def doctor(
    what: Annotated[str, typer.Argument(metavar="[email]", help="What to examine instead: a received mail.")] = "",
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="The raw source of a received test message.")] = None,
    project: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Examine the installation and all that must always hold.

    How the database and the broker are set up, who leads, what waits, and each invariant by one query. Nothing is written, and nobody
    is made to wait. Exit code 1 when something fails.

    With 'email FILE' it examines a mail that was received: which headers the signature (DKIM) must cover and does not. Without them
    mail programs offer no one-click way out.

    \b
    Examples:
      sop doctor
      sop doctor --json
      sop doctor email received.eml
    """
    if what:
        _mail(what, file, as_json=as_json)
        return
    from sop_engine.actions.doctor import Surroundings, examine
    from sop_engine.worker.broker import inspect

    app = open_engine_of(project, hurried=True)
    broker = inspect(app.settings.redis_url) if app.settings.redis_url else None
    checks = examine(app, clock(), Surroundings(os.environ, broker, clock))
    failed = sum(1 for check in checks if check.grade == "failed")
    warned = sum(1 for check in checks if check.grade == "warning")
    rows = [[MARKS[c.grade][0], c.name, c.says] for c in checks]
    lines = [paint(line, MARKS[c.grade][1]) for line, c in zip(table(rows).splitlines(), checks, strict=True)]
    end = f"{many(failed, 'failure')}, {many(warned, 'warning')} in {many(len(checks), 'check')}"
    show({"failed": failed, "warnings": warned, "checks": checks}, as_json, "\n".join([*lines, end]))
    if failed:
        raise typer.Exit(1)


def _mail(what: str, file: Path | None, *, as_json: bool) -> None:
    """A received mail and its signatures; exit code 1 when none of them covers what it must."""
    from sop_engine.core.signed_headers import examine_mail

    if what != "email" or file is None:
        raise BadInput("write 'sop doctor email FILE', with the raw source of a received message, or 'sop doctor' alone.")
    try:
        found = examine_mail(file.read_bytes())
    except OSError as error:
        raise BadFile(f"'{file}' cannot be read: {error.strerror or error}.") from error
    lines = [f"FAIL  there is no header {name}" for name in found.absent]
    lines += [
        f"{'ok  ' if not s.missing else 'FAIL'}  signature of {s.domain} ({s.selector}): {_covers(s.missing)}" for s in found.signatures
    ]
    lines += [] if found.signatures else ["FAIL  there is no DKIM signature: ask whoever runs the mail server"]
    last = (
        "mail programs will offer the way out"
        if found.good
        else f"no signature of {found.sender_domain or 'the sender'} covers all it must"
    )
    show({"good": found.good, "absent": found.absent, "signatures": found.signatures}, as_json, "\n".join([*lines, last]))
    if not found.good:
        raise typer.Exit(1)


def _covers(missing: tuple[str, ...]) -> str:
    return f"h= lacks {', '.join(missing)}" if missing else "h= covers all it must"
