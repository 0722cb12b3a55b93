"""The commands `sop plan` and `sop apply`: what a release would change, and the release itself."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sop_engine.cli.opening import HERE, Folder, clock, open_database, read_project
from sop_engine.cli.operator import By, who
from sop_engine.cli.output import AsJson, many, padded, plain, progress, show
from sop_engine.core.errors import Refused

if TYPE_CHECKING:
    from sop_engine.actions.planning import FlowPlan, Plan
    from sop_engine.actions.rehearse import Result
    from sop_engine.core.project import Project

SIGNS = {"new": "+", "changed": "~", "removed": "-", "same": " "}
NoTest = Annotated[bool, typer.Option("--no-test", help="Do not play the stories of what changes.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(plan)
    app.command()(apply)


def plan(project: Folder = HERE, no_test: NoTest = False, as_json: AsJson = False) -> None:
    """Show what 'sop apply' would change.

    Flow by flow and key by key, for how many running users, and whether the stories of what changes hold. Nothing is written.

    \b
    Examples:
      sop plan
      sop plan --no-test --json
    """
    _, read = read_project(project)
    found, results = _planned(project, read, no_test=no_test, slowly=True)
    show({**plain(found), "stories": _held(results)}, as_json, _told(found, results))


def apply(
    project: Folder = HERE,
    move: Annotated[bool, typer.Option("--move", help="Carry running users over to the new versions, by the names of steps.")] = False,
    texts: Annotated[bool, typer.Option("--texts", help="Give corrected wording to running users; they keep their steps.")] = False,
    stop: Annotated[bool, typer.Option("--stop", help="End the runs of flows that are no longer in the project.")] = False,
    approved_by: Annotated[str, typer.Option("--approved-by", metavar="NAME", help="Who approved flows that need it.")] = "",
    at_once: Annotated[bool, typer.Option("--at-once", help="Open new versions to all new users on the first day.")] = False,
    by: By = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    no_test: NoTest = False,
    as_json: AsJson = False,
) -> None:
    """Make the project live.

    New runs use it, running users keep the version they started with. The plan is shown first and has to be confirmed. Exit code
    1 if a story does not hold or an approval is missing.

    \b
    Examples:
      sop apply
      sop apply --yes --move
      sop apply --approved-by 王经理
    """
    from sop_engine.actions.apply import Options
    from sop_engine.actions.apply import apply as make_live

    files, read = read_project(project)
    found, results = _planned(project, read, no_test=no_test, slowly=not at_once)
    show({**plain(found), "stories": _held(results)}, as_json, _told(found, results))
    failed = [r.story.title for r in results if not r.ok]
    if failed:
        told = f"{many(len(failed), 'story fails', 'stories fail')}: {'; '.join(failed[:3])}"
        raise Refused(f"{told}. See 'sop test'; --no-test applies all the same.")
    if not yes:
        typer.confirm("Apply?", abort=True, err=True)
    app = open_database(project)
    with progress("placing users"):
        make_live(app, files, read, clock(), Options(move, texts, stop, approved_by, who(by), at_once))
    if not as_json:
        typer.echo("Applied.")


def _planned(folder: Path, read: "Project", *, no_test: bool, slowly: bool) -> tuple["Plan", list["Result"]]:
    from sop_engine.actions.planning import plan_of, stories_about
    from sop_engine.actions.rehearse import play_all

    found = plan_of(open_database(folder), read, clock(), slowly=slowly)
    stories = [] if no_test else stories_about(read, found.flows)
    results: list[Result] = []
    with progress("playing stories") as say:
        for number, result in enumerate(play_all(read, stories), 1):
            say(f"{number} of {len(stories)}")
            results.append(result)
    return found, results


def _held(results: "list[Result]") -> dict[str, object]:
    return {"played": len(results), "hold": sum(r.ok for r in results), "failed": [r.story.place for r in results if not r.ok]}


def _told(found: "Plan", results: "list[Result]") -> str:
    from sop_engine.cli.compared import long_told

    lines = [line for flow in found.flows for line in _flow_lines(flow)]
    counts = ", ".join(f"{found.count(kind)} {kind}" for kind in ("changed", "new", "removed"))
    held = f" Stories: {sum(r.ok for r in results)} of {len(results)} hold." if results else ""
    approval = f"needed for {', '.join(found.approvals)}" if found.approvals else "not needed"
    lines += [f"! the rule {rule} is changed: {why}" for rule, why in found.overrides]
    lines += [f"! {long_told(name, size, 'en')}" for name, size in found.slow_tests.items()]
    return "\n".join([*lines, f"{counts}, {found.same} as they are.{held} Approval: {approval}."])


def _flow_lines(flow: "FlowPlan") -> list[str]:
    change = flow.change
    version = {"new": f"v{change.new}", "changed": f"v{change.old} -> v{change.new}"}.get(change.kind, f"v{change.old}")
    lines = [f"{SIGNS[change.kind]} {padded(change.flow, 24)}  {padded(version, 10)}  {flow.place}".rstrip()]
    for one in flow.differences:
        what = f"{_short(one.old)} -> {_short(one.new)}" if one.sign == "~" else _short(one.old or one.new)
        lines.append(f"    {one.sign} {one.path}   {what}")
    if change.running:
        gone = change.kind == "removed"
        told = "their flow is gone, and they go on to their end; --stop ends them" if gone else "they stay on it; --move carries them over"
        lines.append(f"    {many(change.running, 'run is', 'runs are')} on an older version: {told}.")
    if change.ramp is not None:
        from sop_engine.core.ramp import share_of

        first, second = (f"{share_of(change.ramp, day):.0%}" for day in (0, 1))
        told = f"{first} of new users on the first day, {second} on the second, then all"
        lines.append(f"    opens slowly, for {change.ramp:,} start a day: {told}; --at-once opens it to all.")
    return lines


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= 60 else f"{flat[:59]}…"
