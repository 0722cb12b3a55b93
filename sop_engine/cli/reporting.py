"""The commands `sop report`, `sop reports` and `sop alerts`: reports of closed periods, when they are due, and which alerts rang."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sop_engine.cli.finding import named
from sop_engine.cli.opening import HERE, Folder, clock, day, open_database
from sop_engine.cli.output import AsJson, local, show, table
from sop_engine.core.errors import BadFile, BadInput

if TYPE_CHECKING:
    from datetime import date

    from sop_engine.actions.reporting import Listed
    from sop_engine.app import App, Work
    from sop_engine.core.catalog import Report
    from sop_engine.core.reports.tables import Made
    from sop_engine.store.alert_periods import AlertPeriod

SHOW_MOST = 50


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(report)
    app.command()(reports)
    app.command()(alerts)


def report(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The report.")],
    on: Annotated[
        str | None, typer.Option("--on", metavar="DATE", help="As it is due on this day or last before it; today if not said.")
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Write CSV, for spreadsheets.")] = False,
    as_html: Annotated[bool, typer.Option("--html", help="Write a page.")] = False,
    as_md: Annotated[bool, typer.Option("--md", help="Write Markdown; so it is if nothing is said.")] = False,
    into: Annotated[
        Path | None, typer.Option("--into", metavar="DIR", help="Write files there: the formats asked for, else the report's.")
    ] = None,
    project: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Show a report of the closed period before a day.

    One that was made at its time is shown as it was made. Any other is made now, from what is stored; nothing is kept or sent.

    \b
    Examples:
      sop report 分层周报
      sop report 分层周报 --on 2025-06-30 --html > 周报.html
      sop report 资源分配 --into reports
    """
    asked = [form for form, wanted in (("json", as_json), ("csv", as_csv), ("html", as_html), ("md", as_md)) if wanted]
    if len(asked) > 1 and into is None:
        raise typer.BadParameter("several formats go into files: add --into DIR.", param_hint="--json, --csv, --html, --md")
    app = open_database(project)
    if into is None:
        typer.echo(_bodies(app, name, day(on) if on else None, asked or ["md"])[1][(asked or ["md"])[0]], nl=False)
        return
    from sop_engine.actions.reporting import into as write_into

    made, bodies = _bodies(app, name, day(on) if on else None, asked)
    try:
        places = write_into(into, made, bodies)
    except OSError as error:
        raise BadFile(f"'{error.filename}' cannot be written: {error.strerror}.") from error
    typer.echo("\n".join(f"written  {path.as_posix()}" for path in places.values()))


def _bodies(app: "App", name: str, on: "date | None", forms: list[str]) -> tuple["Made", dict[str, str]]:
    """The report with its text by format: as it was made, where it was. Raises BadInput for a day to come."""
    from datetime import date as day_of

    from sop_engine.actions.reporting import lang_of, make, period_on
    from sop_engine.core.reports.written import write
    from sop_engine.store.made_reports import find

    with app.work(clock()) as work:
        today = day_of.fromordinal(work.day)
        if on is not None and on > today:
            raise BadInput(f"{on} is still to come.")
        one = _named(work, name)
        period = period_on(work, one, on or today)
        made = make(work, one, period)
        kept = {form: find(work.tx, one.name, period.last.toordinal(), form) for form in forms or one.formats}
        return made, {form: body or write(made, form, lang_of(work)) for form, body in kept.items()}


def _named(work: "Work", name: str) -> "Report":
    return named(work.project.reports, name, "report")


def reports(project: Folder = HERE, as_json: AsJson = False) -> None:
    """List the reports: what they show, what was made last and where it is, when they are due next.

    \b
    Examples:
      sop reports
    """
    from sop_engine.actions.reporting import list_reports

    with open_database(project).work(clock()) as work:
        listed, zone = list_reports(work), work.live.zone
    rows = [
        [one.name, " ".join(one.show), one.every or "when asked", local(one.due, zone) if one.due else "–", _last(one)] for one in listed
    ]
    text = table(rows, head=("report", "shows", "every", "due", "made last")) if rows else "the project has no reports"
    show(listed, as_json, text)


def _last(one: "Listed") -> str:
    from datetime import date as day_of

    if not one.kept:
        return "never"
    first, last = (day_of.fromordinal(n) for n in (one.kept[0].first_day, one.kept[0].last_day))
    places = [kept.place for kept in one.kept if kept.place]
    return f"{first} – {last}  {' '.join(places) or 'kept in the database: sop report ' + one.name}"


def alerts(
    every: Annotated[bool, typer.Option("--all", help="Also periods in which nothing rang.")] = False,
    name: Annotated[str | None, typer.Option("--alert", metavar="NAME", help="Of one alert.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="At most so many, the latest.")] = SHOW_MOST,
    project: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """List what rang, with its value, what it was before, its bound, and whether colleagues were told.

    \b
    Examples:
      sop alerts
      sop alerts --all --alert 高价值周流失突变
    """
    from sop_engine.store import alert_periods, notices

    with open_database(project).work(clock()) as work:
        names = [named(work.project.alerts, name, "alert").name] if name else []
        found = alert_periods.list_periods(work.tx, rang=None if every else True, names=names, limit=limit)
        told = notices.states(work.tx, "alert")
        listed = [_told(work, one, told.get((one.name, one.last_day), "")) for one in found]
    head = ("alert", "from", "to", "value", "before", "bound", "rang", "told")
    rows = [[str(one[key]) for key in (*head[:3], "value_said", "before_said", "bound_said", "rang", "told")] for one in listed]
    show(listed, as_json, table(rows, head=head) if rows else "nothing rang")


def _told(work: "Work", one: "AlertPeriod", told: str) -> dict[str, object]:
    from datetime import date as day_of

    from sop_engine.actions.alerting import said

    alert = work.project.alerts.get(one.name)
    figures = {"value": one.value, "before": one.before, "bound": one.bound}
    words = {f"{key}_said": said(alert, value) if alert else str(value) for key, value in figures.items()}
    first, last = (day_of.fromordinal(n).isoformat() for n in (one.first_day, one.last_day))
    about = {"watch": alert.watch if alert else "", "of": alert.of if alert else "", "counted": one.counted}
    return {"alert": one.name, "from": first, "to": last, **figures, **words, **about, "rang": one.rang, "told": told}
