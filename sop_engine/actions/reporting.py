"""Makes reports: each of the closed local period before its time, once, from what is stored; keeps the bytes and tells colleagues."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from sop_engine.actions import report_health, report_levels, report_money, report_reach
from sop_engine.actions.alerting import asked_in
from sop_engine.actions.measure_asked import Asked, Missing
from sop_engine.actions.noticing import plan_notice
from sop_engine.app import Work
from sop_engine.core.calendar import local_day
from sop_engine.core.catalog import Report
from sop_engine.core.errors import NotFound
from sop_engine.core.forms import Schedule
from sop_engine.core.recurrence import next_time
from sop_engine.core.reports.periods import Period, asked_on, closed_by, last_day
from sop_engine.core.reports.tables import Made, Section, Table, table
from sop_engine.core.reports.written import write
from sop_engine.language.forms import SCHEDULE
from sop_engine.language.report import did_you_mean
from sop_engine.store import made_reports
from sop_engine.store.made_reports import Kept
from sop_engine.store.versions import get_mark, get_marks, set_mark

MADE = "report:"  # begins the marks that say for which time a report was made last
MOST_MISSED = 60  # periods made after a longer time down; what came before is left out

SHOWS: Mapping[str, Callable[[Asked, Report], Iterator[Table]]] = {
    "shares": report_levels.shares,
    "moves": report_levels.moves,
    "lists": report_levels.lists,
    "churn": report_levels.churn,
    "funnel": report_reach.funnel,
    "cross": report_reach.cross,
    "experiment": report_reach.experiment,
    "cost": report_money.cost,
    "coverage": report_reach.coverage,
    "retention": report_money.retention,
    "pareto": report_money.pareto,
    "health": report_health.health,
    "ring": report_money.ring,
    "tasks": report_reach.tasks,
    "unused": report_money.unused,
    "benchmarks": report_money.benchmarks,
}


@dataclass(frozen=True, slots=True)
class Listed:
    """A report as it is listed: what it shows, its schedule as written, when it is due next, what was made last."""

    name: str
    show: tuple[str, ...]
    of: str
    every: str
    formats: tuple[str, ...]
    due: datetime | None
    kept: tuple[Kept, ...]


def declared(work: Work, name: str) -> Report:
    """A report of the live project. Raises NotFound."""
    found = work.project.reports.get(name)
    if found is None:
        names = list(work.project.reports)
        raise NotFound(f"there is no report '{name}'.{did_you_mean(name, names)} 'sop reports' lists them.")
    return found


def schedule_of(report: Report) -> Schedule | None:
    """Its schedule; None of one that is made only when it is asked for."""
    found: Schedule | None = SCHEDULE.parse(report.every) if report.every else None
    return found


def period_on(work: Work, report: Report, on: date) -> Period:
    """The closed period a report is about that is asked for on a local day: of its last time not after that day."""
    schedule = schedule_of(report)
    last = last_day(schedule, on, work.project.calendar) if schedule is not None else None
    return asked_on(on) if schedule is None or last is None else closed_by(schedule, last, work.project.calendar)


def make(work: Work, report: Report, period: Period) -> Made:
    """The report of a closed period, from stored history alone; nothing is kept. What the project has no name for is said in its place."""
    asked = asked_in(work, period)
    sections = tuple(Section(show, tuple(_tables(asked, report, show))) for show in report.show)
    return Made(report.name, report.of, period.first.isoformat(), period.last.isoformat(), sections)


def _tables(asked: Asked, report: Report, show: str) -> list[Table]:
    try:
        return list(SHOWS[show](asked, report))
    except Missing as missing:
        return [table(show, ("name",), [], ("no_name", missing.name))]


def lang_of(work: Work) -> str:
    """The language of the words in a report: the project's."""
    return "zh" if work.project.settings.locale.lower().startswith("zh") else "en"


def reports_due(work: Work) -> list[str]:
    """The reports whose time has come since they were last made."""
    return [name for name, at in next_dues(work).items() if at <= work.now]


def make_report(work: Work, name: str) -> int:
    """Make a report for each time that has come since it was last made, each period once; how many. Only the latest is told of.

    Whoever calls has seen to it that every midnight up to now is swept.
    """
    report = work.project.reports[name]
    made_reports.be_patient(work.tx)
    times = list(_missed(work, report))[-MOST_MISSED:]
    for at in times:
        _keep(work, report, local_day(at, work.live.zone), tell=at == times[-1])
    return len(times)


def _missed(work: Work, report: Report) -> Iterator[datetime]:
    at = _next_due(work, report, get_mark(work.tx, MADE + report.name))
    while at is not None and at <= work.now:
        set_mark(work.tx, MADE + report.name, at.isoformat())
        yield at
        at = _next_due(work, report, at.isoformat())


def next_dues(work: Work) -> dict[str, datetime]:
    """When each report is made next; those without a schedule are missing, and all until their project was applied."""
    made = get_marks(work.tx, MADE) if work.project.reports else {}
    due = ((name, _next_due(work, report, made.get(name))) for name, report in work.project.reports.items())
    return {name: at for name, at in due if at is not None}


def _next_due(work: Work, report: Report, stored: str | None) -> datetime | None:
    schedule = schedule_of(report)
    if schedule is None or stored is None:
        return None
    last = datetime.fromisoformat(stored)
    return next_time(schedule, last, work.live.zone, work.project.calendar, started_on=local_day(last, work.live.zone), dates={})


def _keep(work: Work, report: Report, on: date, *, tell: bool) -> None:
    schedule = schedule_of(report)
    assert schedule is not None
    period = closed_by(schedule, on, work.project.calendar)
    made = make(work, report, period)
    bodies = {form: write(made, form, lang_of(work)) for form in report.formats}
    folder = work.app.settings.reports_dir
    places = {form: str(path) for form, path in into(Path(folder), made, bodies).items()} if folder else {}
    days = period.first.toordinal(), period.last.toordinal()
    made_reports.keep(work.tx, report.name, days, bodies, places, work.now)
    if report.send and tell:
        values = {"report.name": report.name, "report.link": _link(work, report, made, places)}
        plan_notice(work, "report", report.name, days[1], report.send, values)


def file_name(made: Made, form: str) -> str:
    """The name of a report's file: report and last day."""
    return f"{made.name}-{made.last}.{form}"


def into(folder: Path, made: Made, bodies: Mapping[str, str]) -> dict[str, Path]:
    """Write a report into a folder, a file for each format; the files."""
    folder.mkdir(parents=True, exist_ok=True)
    places = {form: folder / file_name(made, form) for form in bodies}
    for form, path in places.items():
        path.write_text(bodies[form], "utf-8", newline="")
    return places


def _link(work: Work, report: Report, made: Made, places: Mapping[str, str]) -> str:
    """Where colleagues read it: the address of the folder, else the file, else the command that shows it."""
    form = report.formats[0]
    base = work.app.settings.reports_url.rstrip("/")
    if places:
        return f"{base}/{file_name(made, form)}" if base else places[form]
    on = date.fromisoformat(made.last).toordinal() + 1
    return f"sop report {report.name} --on {date.fromordinal(on).isoformat()}"


def list_reports(work: Work) -> list[Listed]:
    """Every report of the project: what it shows, when it is due, what was made last and where it is."""
    kept, dues = made_reports.latest(work.tx), next_dues(work)
    return [
        Listed(r.name, r.show, r.of, r.every, r.formats, dues.get(r.name), tuple(kept.get(r.name, ())))
        for r in work.project.reports.values()
    ]
