"""The commands `sop run` and `sop tick`: keep the engine going in one process, or let one beat pass."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sop_engine.cli.opening import HERE, Folder, clock, instant, open_database
from sop_engine.cli.output import AsJson, in_json, many
from sop_engine.core.errors import Refused

if TYPE_CHECKING:
    from sop_engine.actions.beat import Beat
    from sop_engine.app import App

SLACK = timedelta(minutes=5)  # clocks differ


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(run)
    app.command()(tick)


def run(
    project: Folder = HERE,
    every: Annotated[float, typer.Option("--every", min=0.05, metavar="SECONDS", help="How often to look for what is due.")] = 10.0,
) -> None:
    """Keep the engine going in this process.

    Midnights, refreshes, starts, and whatever is due, until Ctrl-C. It needs no Redis and no Docker. A second 'sop run' on the
    same database is refused. Nothing is really sent before SOP_SENDING=live.

    \b
    Examples:
      sop run
      sop run --every 60
    """
    app = open_database(project)
    stop = threading.Event()
    with only_one(app):
        _check_applied(app)
        for sign in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sign, lambda _sign, _frame: stop.set())
        mode = "sending is live" if app.settings.sending == "live" else "nothing leaves this machine: messages go to the outbox"
        typer.echo(f"running, looking every {every:g} s; {mode}. Ctrl-C ends it.")
        keep_going(app, stop.wait, every, clock, typer.echo)
        typer.echo("ended")


def keep_going(app: "App", wait: Callable[[float], bool], every: float, now: Callable[[], datetime], say: Callable[[str], object]) -> None:
    """One beat after the other until `wait(seconds)` says that it is over. A beat is always finished."""
    over = False
    while not over:
        told = _tried(app, now())
        if told:
            say(told)
        over = wait(every)


def _tried(app: "App", now: datetime) -> str:
    """One beat; if it fails, that is said, and the next one tries again: what was not finished is still there."""
    try:
        return one_beat(app, now)
    except Exception as error:
        what = " ".join(str(getattr(error, "orig", None) or error).split())[:300]
        return f"{now:%Y-%m-%d %H:%M:%S} UTC  this beat failed and will be tried again: {type(error).__name__}: {what}"


def one_beat(app: "App", now: datetime) -> str:
    """Let one beat pass; what it did in a line, empty if nothing. Another release that was applied meanwhile is taken up."""
    from sop_engine.actions.beat import beat

    with app.transaction() as tx:
        zone = app.live(tx).zone
    did = beat_told(beat(app, now))
    return f"{now.astimezone(zone):%Y-%m-%d %H:%M:%S}  {did}" if did else ""


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
    ]
    return ", ".join(part for part in told if part)


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


def _check_applied(app: "App") -> None:
    with app.transaction() as tx:
        app.live(tx)


@contextmanager
def only_one(app: "App") -> Iterator[None]:
    """Hold the lock that lets one process at a time keep a SQLite database going; the system frees it when the process ends.

    Raises Refused when another process has it. PostgreSQL needs none.
    """
    database = app.engine.url.database if app.engine.dialect.name == "sqlite" else None
    if not database or database == ":memory:":
        yield
        return
    import fcntl

    with Path(f"{database}-lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Refused(f"another 'sop run' or 'sop tick' is using {database} now. End it first, or leave it to it.") from error
        yield
