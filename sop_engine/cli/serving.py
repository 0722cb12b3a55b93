"""The commands `sop worker` and `sop scheduler`: the processes of production, as many as are needed."""

import os
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sop_engine.cli.opening import HERE, Folder, clock, open_database
from sop_engine.cli.output import say
from sop_engine.core.errors import BadInput, Refused

if TYPE_CHECKING:
    from sop_engine.settings import Settings


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(worker)
    app.command()(scheduler)


def worker(
    project: Folder = HERE,
    queues: Annotated[str, typer.Option("--queues", help="What it takes: service, marketing, upkeep.")] = "service,marketing,upkeep",
    concurrency: Annotated[int, typer.Option("--concurrency", min=1, max=64, help="How many processes work at the same time.")] = 2,
    name: Annotated[str | None, typer.Option("--name", help="Its name; by default the host's with the process's number.")] = None,
) -> None:
    """Send what is due: one of any number of workers.

    It takes hints from Redis (SOP_REDIS_URL) and decides by the rows of the database (SOP_DATABASE_URL). SIGTERM lets it finish what
    it is sending and gives back the rest.

    \b
    Examples:
      sop worker
      sop worker --queues service --concurrency 1
    """
    from sop_engine.actions.telling import begin_telling
    from sop_engine.worker.options import QUEUES
    from sop_engine.worker.tasks import run_worker

    chosen = [q.strip() for q in queues.split(",") if q.strip()]
    wrong = [q for q in chosen if q not in QUEUES]
    if wrong or not chosen:
        raise BadInput(f"'{', '.join(wrong) or queues}' is no queue. Write some of: {', '.join(QUEUES)}.")
    if os.environ.get("REMAP_SIGTERM"):
        raise Refused("REMAP_SIGTERM is set: it would cut workers off in the middle of a commit. Unset it.")
    settings = _ready(project)
    signal.signal(signal.SIGTERM, lambda _sign, _frame: sys.exit(0))  # until Celery has its own: a worker that only begins ends well too
    begin_telling(settings.log, "json")
    run_worker(
        settings, lambda: open_database(project, hurried=True), queues=chosen, concurrency=concurrency, name=name or _own_name("worker")
    )


def scheduler(
    project: Folder = HERE,
    name: Annotated[str | None, typer.Option("--name", help="Its name; by default the host's with the process's number.")] = None,
) -> None:
    """Release what is due, sweep midnights, take back what dead workers held.

    Several may run: one leads, and another takes over within seconds when it dies or freezes.

    \b
    Examples:
      sop scheduler
    """
    from sop_engine.actions.telling import begin_telling
    from sop_engine.actions.tracing import begin_tracing
    from sop_engine.worker.broker import Redis, RedisMemory
    from sop_engine.worker.scheduler import Scheduler, jobs_of
    from sop_engine.worker.tasks import Broker, celery_app, prefix_of

    settings = _ready(project)
    broker = Broker(celery_app(settings, lambda: open_database(project, hurried=True)))
    prefix = prefix_of(settings)
    jobs = jobs_of(broker.deliver, broker.slices, Redis(settings.redis_url, prefix).answers)
    memory = RedisMemory(settings.redis_url, prefix)
    process = Scheduler(lambda: open_database(project, hurried=True), clock, name or _own_name("scheduler"), jobs, memory)
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda _sign, _frame: process.stop())
    say(f"scheduler {process.name}: waiting to lead, or leading; SIGTERM ends it.")
    begin_telling(settings.log, "json")
    begin_tracing("scheduler")
    process.run()
    say("ended")


def _ready(project: Path) -> "Settings":
    """The settings, after a look that the database is there and at this version; the connection is closed before any fork."""
    app = open_database(project, hurried=True)
    with app.transaction() as tx:
        app.live(tx)
    app.engine.dispose()
    return app.settings


def _own_name(kind: str) -> str:
    return f"{kind}-{socket.gethostname()}-{os.getpid()}"
