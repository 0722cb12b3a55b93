"""The commands `sop stop`, `sop resume` and `sop stops`: nothing goes out until it may again."""

from typing import TYPE_CHECKING, Annotated

import typer

from sop_engine.cli.finding import normal
from sop_engine.cli.opening import HERE, Folder, clock, open_database
from sop_engine.cli.operator import By, who
from sop_engine.cli.output import AsJson, local, many, show, table

if TYPE_CHECKING:
    from sop_engine.app import Work

Everything = Annotated[bool, typer.Option("--all", help="Everything.")]
OnePlaybook = Annotated[str | None, typer.Option("--playbook", metavar="NAME", help="One playbook.")]
OneChannel = Annotated[str | None, typer.Option("--channel", metavar="NAME", help="One channel.")]
Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason, for whoever reads it later.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(stop)
    app.command()(resume)
    app.command()(stops)


def stop(
    everything: Everything = False,
    playbook: OnePlaybook = None,
    channel: OneChannel = None,
    why: Why = "",
    by: By = "",
    project: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Stop sending, at once and everywhere.

    Everything, a playbook, or a channel. What is being handed over at this moment goes on; nothing begins after it. Users enter
    and leave flows and touches are planned as before: they wait.

    \b
    Examples:
      sop stop --all --why 短信内容有误
      sop stop --playbook 沉默45天唤醒
    """
    from sop_engine.actions import stopping

    with open_database(project).work(clock()) as work:
        scope = _scope(work, everything, playbook, channel)
        done, zone = stopping.stop(work, scope, by=who(by), why=why.strip()), work.live.zone
    text = f"stopped: {done.scope} since {local(done.since, zone)} by {done.by}. 'sop resume' lets it go on."
    show(done, as_json, text)


def resume(
    everything: Everything = False,
    playbook: OnePlaybook = None,
    channel: OneChannel = None,
    why: Why = "",
    by: By = "",
    project: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Let go on what was stopped.

    It needs a reason. What waited is spread over up to half an hour; what is too late by its own rule is skipped.

    \b
    Examples:
      sop resume --all --why 内容已改正
      sop resume --playbook 沉默45天唤醒 --why 数量核对无误 --by 王经理
    """
    from sop_engine.actions import stopping

    with open_database(project).work(clock()) as work:
        done = stopping.resume(work, _scope(work, everything, playbook, channel), by=who(by), why=why)
    spread = f", spread over {max(1, round(done.spread.total_seconds() / 60))} min" if done.spread.total_seconds() > 60 else ""
    show(done, as_json, f"goes on: {done.scope}. {many(done.waiting, 'touch', 'touches')} waited{spread}.")


def stops(project: Folder = HERE, as_json: AsJson = False) -> None:
    """List what is stopped.

    Since when, by whom, and why; and whatever else keeps this database from sending anything.

    \b
    Examples:
      sop stops
      sop stops --json
    """
    from sop_engine.actions import stopping
    from sop_engine.actions.halting import sending_allowed

    app = open_database(project)
    with app.work(clock()) as work:
        listed, refused, zone = stopping.list_stops(work), sending_allowed(work.tx, app.settings), work.live.zone
    rows = [[s.scope, local(s.since, zone), s.by, s.why] for s in listed]
    text = table(rows, head=["stopped", "since", "by", "why"]) if rows else "nothing is stopped"
    show({"stopped": listed, "refused": refused}, as_json, f"{refused}\n{text}" if refused else text)


def _scope(work: "Work", everything: bool, playbook: str | None, channel: str | None) -> str:
    from sop_engine.actions import stopping

    return stopping.scope_of(work, everything=everything, playbook=playbook and normal(playbook), channel=channel and normal(channel))
