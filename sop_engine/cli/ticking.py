"""The command `sop tick`: lets one beat pass, and says what a beat did."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from sop_engine.cli.locking import only_one
from sop_engine.cli.opening import HERE, Folder, clock, instant, open_database
from sop_engine.cli.output import AsJson, in_json, many
from sop_engine.core.errors import Refused

if TYPE_CHECKING:
    from sop_engine.actions.beat import Beat

SLACK = timedelta(minutes=5)  # clocks differ


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(tick)


def tick(
    project: Folder = HERE,
    at: Annotated[str | None, typer.Option("--at", metavar="TIME", help="Local time of the project, or ISO; now if not said.")] = None,
    as_json: AsJson = False,
) -> None:
    """Let one beat pass and say what it did.

    For cron instead of 'sop run', or to try out what a later day brings. A time to come is refused while SOP_SENDING=live.

    \b
    Examples:
      sop tick
      sop tick --at '2025-03-03 10:00'
    """
    from sop_engine.actions.beat import beat

    app, now = open_database(project), clock()
    with only_one(app):
        with app.transaction() as tx:
            moment = now if at is None else instant(at, app.live(tx).zone)
        if moment > now + SLACK and app.settings.sending == "live":
            raise Refused(f"'{at}' is still to come, and SOP_SENDING=live would send to real users before their time. Leave out --at.")
        done = beat(app, moment)
    typer.echo(in_json(done) if as_json else beat_told(done) or "nothing was due")


def beat_told(done: "Beat") -> str:
    """What a beat did, in words."""
    told = [
        many(done.swept, "midnight") if done.swept else "",
        f"refreshed {', '.join(done.refreshed)}" if done.refreshed else "",
        f"{many(done.started, 'run')} started by schedule" if done.started else "",
        many(done.released, "touch was due", "touches were due") if done.released else "",
        f"{many(done.closed, 'run')} finished" if done.closed else "",
        f"{many(done.rescued, 'touch', 'touches')} taken back" if done.rescued else "",
        f"{many(done.lost, 'touch', 'touches')} with an unknown outcome" if done.lost else "",
        f"{many(done.settled, 'unknown outcome')} settled" if done.settled else "",
    ]
    return ", ".join(part for part in told if part)
