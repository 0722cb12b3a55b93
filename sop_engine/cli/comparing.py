"""The command `sop compare`: which variant brings more users back, on the engine's own data or on any exported table."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sop_engine.cli.opening import HERE, Folder, day
from sop_engine.cli.output import show, warn
from sop_engine.core.errors import BadInput, SopError

if TYPE_CHECKING:
    from datetime import datetime

    from sop_engine.app import App
    from sop_engine.core.comparison.values import Report

MODES = ("auto", "hybrid", "open-ended", "fixed")


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(compare)


def compare(
    playbook: Annotated[
        str | None, typer.Argument(metavar="[PLAYBOOK[/LEVEL]]", help="A playbook, a flow or an experiment's name.")
    ] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Before the start: how many users, how many days, for which hold-out.")] = False,
    effect: Annotated[float, typer.Option(help="With --plan: points more that are to be found.")] = 2.0,
    power: Annotated[float, typer.Option(help="With --plan: the chance to find them.")] = 0.8,
    file: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="A table with one row per user, instead of a playbook.")
    ] = None,
    arm: Annotated[str, typer.Option(metavar="COL", help="CSV: the column of the arm.")] = "",
    converted: Annotated[str, typer.Option(metavar="COL", help="CSV: the column that says whether the user came back.")] = "",
    value: Annotated[str, typer.Option(metavar="COL", help="CSV: money of the user; blank is 0.")] = "",
    control: Annotated[str, typer.Option(metavar="NAME", help="CSV: the arm the others are compared with.")] = "",
    planned: Annotated[int | None, typer.Option(metavar="N", help="CSV: users over all arms at the declared end.")] = None,
    mode: Annotated[str, typer.Option(help=f"How it is looked at: {', '.join(MODES)}.")] = "auto",
    shares: Annotated[str, typer.Option(metavar="A=0.1,…", help="CSV: the share of each arm.")] = "",
    stratum: Annotated[str, typer.Option(metavar="COL", help="CSV: the tier of the user.")] = "",
    guardrail: Annotated[
        list[str] | None, typer.Option(metavar="COL[=LIMIT]", help="CSV: a harm that is watched. May be repeated.")
    ] = None,
    user: Annotated[str, typer.Option(metavar="COL", help="CSV: the user's id; a repeated one is an error.")] = "",
    start: Annotated[str, typer.Option(metavar="COL", help="CSV: the day the clock started, with --returned and --window.")] = "",
    returned: Annotated[str, typer.Option(metavar="COL", help="CSV: the day of the first return; blank is none.")] = "",
    window: Annotated[str, typer.Option(metavar="14d", help="CSV: days to come back in.")] = "",
    as_of: Annotated[str, typer.Option("--as-of", metavar="TIME", help="As it was known then.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON, for programs.")] = False,
    csv_out: Annotated[Path | None, typer.Option("--csv-out", metavar="FILE", help="Write every figure as CSV.")] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a report with plots that needs nothing else.")] = None,
    by: Annotated[str, typer.Option(metavar="channel,…", help="A cross table of delivered messages by one to three things.")] = "",
    approver: Annotated[str, typer.Option("--approve", metavar="NAME", help="Give the proposed winner to new users; who says so.")] = "",
    lang: Annotated[str, typer.Option(help="en or zh.")] = "en",
    project: Folder = HERE,
) -> None:
    """Compare the arms of an experiment: do more users come back, how sure is it, what does it earn.

    Only users whose window is over count, and every number stands beside that of the hold-out. It may be looked at every day.

    \b
    Examples:
      sop compare 沉默45天唤醒
      sop compare 沉默45天唤醒 --plan --effect 3
      sop compare --csv cats.csv.gz --arm version --converted retention_7 --control gate_30 --mode fixed
      sop compare 沉默45天唤醒 --html report.html --lang zh
    """
    from sop_engine.actions.compare_table import TableQuestion
    from sop_engine.language.arm_table import ArmColumns, read_guardrails, read_shares

    try:
        _check(mode, lang, file, playbook)
        if by:
            return _crossed(project, playbook, by, lang, as_json=as_json)
        if plan or approver:
            name = _needed(playbook)
            if approver:
                return _approved(project, name, approver, lang, as_json=as_json)
            return _planned(project, name, as_of, (effect, power), lang, as_json=as_json)
        if file is None:
            report = _of_playbook(project, playbook, mode, as_of, lang)
        else:
            names, limits = read_guardrails(tuple(guardrail or ()))
            columns = ArmColumns(arm, converted, value, stratum, user, start, returned, names)
            asked = TableQuestion(
                columns,
                control,
                planned,
                mode,
                read_shares(shares) if shares else None,
                _window(columns, window),
                day(as_of) if as_of else None,
                limits,
            )
            report = _of_table(file, asked)
    except SopError as error:
        if file is None:
            raise
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(2) from error
    if report is not None:
        _deliver(report, lang, as_json=as_json, csv_out=csv_out, html=html)


def _check(mode: str, lang: str, file: Path | None, playbook: str | None) -> None:
    if mode not in MODES:
        raise typer.BadParameter(f"'{mode}' is not a mode. It can be: {', '.join(MODES)}.", param_hint="--mode")
    if lang not in ("en", "zh"):
        raise typer.BadParameter(f"'{lang}' is not a language. It can be: en, zh.", param_hint="--lang")
    if file is not None and playbook is not None:
        raise typer.BadParameter("name a playbook or --csv FILE, not both.")


def _needed(playbook: str | None) -> str:
    if playbook is None:
        raise typer.BadParameter("name the playbook, the flow or the experiment.")
    return playbook


def _window(columns: "object", window: str) -> int | None:
    from sop_engine.language import forms
    from sop_engine.language.arm_table import ArmColumns

    assert isinstance(columns, ArmColumns)
    if not columns.arm:
        raise BadInput("--arm COL is missing: which column says the arm of a user?")
    if bool(columns.converted) == bool(columns.start):
        raise BadInput("say --converted COL, or --start COL --returned COL --window 14d: whether users came back, or when.")
    if columns.converted:
        return None
    length = forms.LENGTH.parse(window) if window else None
    if not columns.returned or length is None or length.days is None:
        raise BadInput("--start COL needs --returned COL and --window in days, like 14d.")
    days: int = length.days
    return days


def _of_table(file: Path, asked: "object") -> "Report":
    from sop_engine.actions.compare_table import TableQuestion, compare_table

    assert isinstance(asked, TableQuestion)
    return compare_table(file, asked)


def _of_playbook(project: Path, playbook: str | None, mode: str, as_of: str, lang: str) -> "Report | None":
    from sop_engine.actions.compare import found, report_of
    from sop_engine.actions.conclude import follow_verdict
    from sop_engine.cli.compared import overview, winner_told

    app, now = _opened(project, as_of)
    if playbook is None:
        typer.echo(overview(app, now, lang))
        return None
    with app.work(now) as work:
        experiment = found(work, playbook)
        report = report_of(work, experiment, mode=mode)
        if not as_of and mode == "auto":  # a look at the past, or by other rules, leads to nothing
            follow_verdict(work, experiment, report)
        told = winner_told(work, experiment, lang)
    if told:
        warn(told)
    return report


def _opened(project: Path, as_of: str) -> "tuple[App, datetime]":
    from sop_engine.cli.opening import clock, instant, open_database

    app = open_database(project)
    with app.transaction() as tx:
        zone = app.live(tx).zone
    return app, instant(as_of, zone) if as_of else clock()


def _planned(project: Path, playbook: str, as_of: str, asked: tuple[float, float], lang: str, *, as_json: bool) -> None:
    from sop_engine.actions.compare import found
    from sop_engine.actions.compare_plan import plan
    from sop_engine.cli.compared import plan_told

    app, now = _opened(project, as_of)
    with app.work(now) as work:
        one = plan(work, found(work, playbook), effect=asked[0] / 100, power=asked[1])
    show(one, as_json, plan_told(one, lang))


def _crossed(project: Path, playbook: str | None, by: str, lang: str, *, as_json: bool) -> None:
    from sop_engine.actions.cross import cross
    from sop_engine.cli.compared import crossed_told

    app, now = _opened(project, "")
    names = [one.strip() for one in by.split(",")]
    with app.work(now) as work:
        cells = cross(work, playbook, names)
    show(cells, as_json, crossed_told(cells, names, lang))


def _approved(project: Path, playbook: str, approver: str, lang: str, *, as_json: bool) -> None:
    from sop_engine.actions.conclude import approve
    from sop_engine.cli.compared import approved_told

    app, now = _opened(project, "")
    with app.work(now) as work:
        one = approve(work, playbook, approver)
    show(one, as_json, approved_told(one, lang))


def _deliver(report: "Report", lang: str, *, as_json: bool, csv_out: Path | None, html: Path | None) -> None:
    from sop_engine.cli.compared import in_text
    from sop_engine.core.comparison.exported import as_csv
    from sop_engine.core.comparison.exported import as_json as in_json

    if csv_out is not None:
        csv_out.write_text(as_csv(report), encoding="utf-8")
    if html is not None:
        from sop_engine.core.comparison.html import as_html

        html.write_text(as_html(report, lang), encoding="utf-8")
    typer.echo(in_json(report) if as_json else in_text(report, lang))
