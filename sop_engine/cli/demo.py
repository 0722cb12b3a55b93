"""The command `sop demo`: a real year of a grocery shop, imported, replayed through the shipped playbooks, and told."""

import shutil
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sop_engine.cli import demo_report
from sop_engine.cli.demo_year import write_files
from sop_engine.cli.opening import read_project
from sop_engine.cli.output import progress

if TYPE_CHECKING:
    from sop_engine.actions.importing import Imported
    from sop_engine.app import App
    from sop_engine.core.project import Project

YEAR = date(2017, 1, 1)
FIRST, LAST = date(2017, 12, 1), date(2017, 12, 31)
SHOPS_TODAY = datetime(2018, 1, 2, tzinfo=UTC)


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)


def demo(
    project: Annotated[Path, typer.Option("--project", metavar="DIR", help="The project whose playbooks are replayed.")] = Path("."),
    folder: Annotated[Path, typer.Option("--into", metavar="DIR", help="Where data and databases go; it is emptied first.")] = Path("demo"),
    since: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="The first day that is lived through.")] = None,
    until: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="The last day that is lived through.")] = None,
) -> None:
    """Import one real year of 2,469 grocery households and live through its last month with the shipped playbooks.

    Nobody is contacted. The months before are history, as for any shop that begins to use playbooks; with --from 2017-01-01 the
    whole year is lived through, which takes a few seconds a day.

    \b
    Examples:
      sop demo
      sop demo --from 2017-01-01
      sop demo --from 2017-11-01 --to 2017-11-30
    """
    started = time.monotonic()
    files, read = read_project(project)
    shutil.rmtree(folder, ignore_errors=True)
    for part in ("playbooks", "templates"):
        shutil.copytree(project / part, folder / part)
    with progress("reading the year") as say:
        users, orders = write_files(folder)
        say("written as a shop would export it")
    history = _open(folder / "history.db")
    _import(history, files, read, users, orders)
    first, last = since.date() if since else FIRST, until.date() if until else LAST
    replayed = _replay(history, files, read, folder / "sop.db", (first, last))
    typer.echo(demo_report.told(history, replayed, (YEAR, first, last), time.monotonic() - started))
    for app in (history, replayed):
        app.engine.dispose()


def _open(path: Path) -> "App":
    from sop_engine.app import App, adapter_for
    from sop_engine.language.load import load
    from sop_engine.settings import Settings
    from sop_engine.store.engine import open_engine
    from sop_engine.store.migrate import upgrade

    engine = open_engine(f"sqlite:///{path}")
    upgrade(engine)
    return App(engine, Settings.model_construct(), load, adapter_for)


def _import(app: "App", files: dict[str, str], project: "Project", users: Path, orders: Path) -> None:
    from sop_engine.actions.apply import Options, apply
    from sop_engine.actions.importing import Source, import_rows
    from sop_engine.language.mapping import read_events, read_mapping, read_users
    from sop_engine.language.tables import open_table

    apply(app, files, project, SHOPS_TODAY, Options(approved_by="demo"))
    with progress("importing users.csv") as say:
        rows = read_users(open_table(users), read_mapping(users.with_suffix(".map.yml"), "users"), project, now=SHOPS_TODAY)
        _told(users, import_rows(app, Source(rows), SHOPS_TODAY, progress=lambda read: say(f"{read:,} rows")))
    with progress("importing orders.csv") as say:
        listed = read_events(open_table(orders), read_mapping(orders.with_suffix(".map.yml"), "events"), project, now=SHOPS_TODAY)
        _told(orders, import_rows(app, Source(listed), SHOPS_TODAY, progress=lambda read: say(f"{read:,} rows")))


def _told(file: Path, found: "Imported") -> None:
    typer.echo(f"sop import {file}: {found.read:,} read, {found.stored:,} stored, {found.repeated:,} repeated, {found.rejected:,} refused")


def _replay(history: "App", files: dict[str, str], project: "Project", into: Path, days: tuple[date, date]) -> "App":
    from sop_engine.actions.replay import Period, replay

    with progress("living through the days") as say:
        period, target = Period(*days, demo_report.month_ends(YEAR, days[0])), f"sqlite:///{into}"
        _, app = replay(history, project, period, files=files, into=target, progress=lambda day: say(f"{day:%d %B}"))
    return app
