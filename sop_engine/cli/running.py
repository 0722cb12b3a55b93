"""The command `sop run`: keeps the engine going in one process, one beat after the other, until it is told to end."""

import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from sop_engine.cli.locking import only_one
from sop_engine.cli.opening import HERE, Folder, clock, open_database
from sop_engine.cli.output import say
from sop_engine.cli.ticking import beat_told

if TYPE_CHECKING:
    from sop_engine.app import App

BEAT = "beat"  # the one recurring job of `sop run`


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(run)


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
    from sop_engine.actions.telling import begin_telling
    from sop_engine.actions.tracing import begin_tracing

    app = open_database(project)
    stop = threading.Event()
    with only_one(app):
        _begin(app)
        begin_telling(app.settings.log, "quiet")
        begin_tracing("run")
        for sign in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sign, lambda _sign, _frame: stop.set())
        mode = "sending is live" if app.settings.sending == "live" else "nothing leaves this machine: messages go to the outbox"
        say(f"running, looking every {every:g} s; {mode}. Ctrl-C ends it.")
        keep_going(app, stop.wait, every, clock, say)
        say("ended")


def keep_going(app: "App", wait: Callable[[float], bool], every: float, now: Callable[[], datetime], say: Callable[[str], object]) -> None:
    """One beat after the other until `wait(seconds)` says that it is over. A beat is always finished."""
    over = False
    while not over:
        told = _tried(app, now(), every)
        if told:
            with suppress(OSError):  # a full disk behind our output stops nothing
                say(told)
        over = wait(every)


def _tried(app: "App", now: datetime, every: float) -> str:
    """One beat; if it fails, that is said, and the next one tries again: what was not finished is still there."""
    try:
        return one_beat(app, now, every)
    except Exception as error:
        what = str(getattr(error, "orig", None) or error).strip().partition("\n")[0][:300]  # a database names values on later lines
        return f"{now:%Y-%m-%d %H:%M:%S} UTC  this beat failed and will be tried again: {type(error).__name__}: {what}"


def one_beat(app: "App", now: datetime, every: float) -> str:
    """Let one beat pass; what it did in a line, empty if nothing. Another release that was applied meanwhile is taken up.

    That it went well is noted as a job that recurs after `every` seconds.
    """
    from sop_engine.actions.beat import beat
    from sop_engine.actions.watch import watch
    from sop_engine.store import audit, processes

    with app.transaction() as tx:
        zone = app.live(tx).zone
    did = beat_told(beat(app, now))
    stopped = "; ".join(f"STOPPED {one.scope}: {one.why}" for one in watch(app, now))
    did = ", ".join(part for part in (did, stopped) if part)
    with app.transaction() as tx:
        audit.seal(tx, now)
        processes.job_done(tx, BEAT, timedelta(seconds=every), now)
    return f"{now.astimezone(zone):%Y-%m-%d %H:%M:%S}  {did}" if did else ""


def _begin(app: "App") -> None:
    from sop_engine.store import processes

    with app.transaction() as tx:
        app.live(tx)
        processes.only_jobs(tx, [BEAT])
