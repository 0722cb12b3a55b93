"""The command `sop doctor`: examines the installation and every invariant."""

import os

import typer

from sop_engine.cli.opening import HERE, Folder, clock, open_engine_of
from sop_engine.cli.output import AsJson, many, paint, show, table

MARKS = {"good": ("ok", "green"), "warning": ("WARN", "yellow"), "failed": ("FAIL", "red"), "not asked": ("--", "white")}


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)


def doctor(project: Folder = HERE, as_json: AsJson = False) -> None:
    """Examine the installation and all that must always hold.

    How the database and the broker are set up, who leads, what waits, and each invariant by one query. Nothing is written, and nobody
    is made to wait. Exit code 1 when something fails.

    \b
    Examples:
      sop doctor
      sop doctor --json
    """
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
