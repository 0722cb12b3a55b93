"""Says what the command `sop` can do, and turns every error into one clear sentence and an exit code."""

import os
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from sop_engine.cli import (
    applying,
    backtesting,
    benefits,
    channelling,
    checking,
    choosing,
    comparing,
    consenting,
    counting,
    database,
    demo,
    documenting,
    examining,
    explaining,
    importing,
    keys,
    knowing,
    learnt,
    listing,
    measuring,
    merging,
    recording,
    reported,
    reporting,
    restoring,
    running,
    saying,
    schema,
    serving,
    sources,
    splitting,
    starting,
    stopping,
    suppressing,
    testing,
    ticking,
    todo,
    unknowns,
    wayfinding,
    web,
)
from sop_engine.cli.opening import close_databases
from sop_engine.cli.problems import count_of, in_text
from sop_engine.core.errors import BadProject, SopError

HELP = """Marketing playbooks as code: tiers, flows, templates and benefits, checked, tested, applied and explained.

\b
A project is a folder with playbooks/ and templates/. The usual way:
  sop init shop && cd shop     a small project to start from
  sop check                    every mistake with its line
  sop test                     the stories, on a made-up clock
  sop apply                    make it live in this folder's database
  sop import orders.csv --as events
  sop run                      keep it going
  sop why 老陈                 what happened to a user, and why

Exit codes: 0 all well, 1 it did not work and a sentence says why, 2 wrong usage.
"""


class Sop(TyperGroup):
    """The command with all its sub-commands; an error leaves it as a sentence on stderr, never as a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the sub-command; exit 1 after an error raised on purpose, or one nobody foresaw."""
        try:
            return super().invoke(ctx)
        except SopError as error:
            _say(error)
            raise typer.Exit(1) from error
        except Exception as error:
            if hasattr(error, "exit_code") or isinstance(error, typer.Abort | BrokenPipeError) or os.environ.get("SOP_TRACE"):
                raise
            typer.echo(_unforeseen(error), err=True)
            raise typer.Exit(1) from error
        finally:
            close_databases()


def _say(error: SopError) -> None:
    if isinstance(error, BadProject):
        typer.echo(in_text(error.problems), err=True)
        typer.echo(f"Nothing was done: the project has {count_of(error.problems, 'error')}. Put them right, then try again.", err=True)
    else:
        typer.echo(f"Error: {error}", err=True)


def _unforeseen(error: Exception) -> str:
    """A database that cannot be used is the operator's affair; anything else is a mistake of ours."""
    first = str(getattr(error, "orig", None) or error).strip().partition("\n")[0][:300]  # a database names values on later lines
    if type(error).__module__.startswith("sqlalchemy"):
        return f"Error: the database cannot be used: {first}. Look at SOP_DATABASE_URL, and whether another process holds the database."
    return f"Error: this should not have happened: {type(error).__name__}: {first}. With SOP_TRACE=1 it is shown where."


app = typer.Typer(
    cls=Sop, help=HELP, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)  # fmt: skip
for part in (
    starting,
    checking,
    comparing,
    schema,
    testing,
    saying,
    documenting,
    applying,
    importing,
    running,
    serving,
    web,
    sources,
    ticking,
    stopping,
    restoring,
    recording,
    reported,
    counting,
    choosing,
    splitting,
    consenting,
    suppressing,
    learnt,
    measuring,
    reporting,
    listing,
    todo,
    explaining,
    knowing,
    wayfinding,
    merging,
    examining,
    channelling,
    backtesting,
    demo,
):
    part.add_to(app)
app.add_typer(database.app, name="db")
app.add_typer(unknowns.app, name="unknown")
app.add_typer(benefits.app, name="benefits")
app.add_typer(keys.app, name="keys")


def main() -> None:
    """The entry point."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:  # Chinese is printed whatever the locale of the shell
            reconfigure(encoding="utf-8", errors="replace")
    app()
