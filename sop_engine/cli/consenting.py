"""The commands `sop unsubscribe`, `sop subscribe` and `sop consent`: what a person told a colleague, with where it can be shown."""

from typing import Annotated

import typer

from sop_engine.cli.opening import HERE, Folder, clock, open_database
from sop_engine.cli.operator import By, who
from sop_engine.cli.output import AsJson, local, show, table

User = Annotated[str, typer.Argument(metavar="USER", help="The user's id, as it was imported, or an identity.")]
OnChannel = Annotated[str, typer.Option("--channel", metavar="NAME", help="The channel; all of them if not said.")]
Topic = Annotated[str, typer.Option("--topic", metavar="NAME", help="A content type, or marketing; everything if not said.")]
Evidence = Annotated[str, typer.Option("--evidence", metavar="TEXT", help="Where it can be shown: a form, a ticket, a call.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (unsubscribe, subscribe, consent):
        app.command()(command)


def unsubscribe(
    user: User, channel: OnChannel = "*", topic: Topic = "*", evidence: Evidence = "", by: By = "", project: Folder = HERE,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Stop messages to a user.

    Without --channel no marketing is sent any more and the flows end; with it nothing is sent over that channel. It holds from the
    next message on.

    \b
    Examples:
      sop unsubscribe 老陈
      sop unsubscribe 老陈 --channel 短信 --evidence "电话 3 月 5 日"
    """
    _say(project, (user, channel, topic), "withdrawn", (evidence, who(by)), as_json=as_json)


def subscribe(
    user: User,
    evidence: Annotated[str, typer.Option("--evidence", metavar="TEXT", help="Where it can be shown: a form, a ticket, a call.")],
    channel: OnChannel = "*", topic: Topic = "*", by: By = "", project: Folder = HERE, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Record that a user agreed to messages, with the evidence for it.

    It takes back the refusal of the same channel and topic. A refusal of something narrower stays: it must be taken back itself.

    \b
    Examples:
      sop subscribe 老陈 --channel 短信 --evidence "门店表单 2025-03-05 第 17 号"
    """
    _say(project, (user, channel, topic), "granted", (evidence, who(by)), as_json=as_json)


def _say(project: Folder, what: tuple[str, str, str], state: str, shown: tuple[str, str], *, as_json: bool) -> None:
    from sop_engine.actions.agreeing import agree
    from sop_engine.core.consent import Key

    user, channel, topic = what
    with open_database(project).work(clock()) as work:
        found = agree(work, user, Key(channel, topic), state, shown)
    done = "refused" if state == "withdrawn" else "agreed to"
    show(found, as_json, f"{found.user} has {done} {found.word}." if found.changed else f"{found.user} had {done} {found.word} before.")


def consent(user: User, project: Folder = HERE, as_json: AsJson = False) -> None:
    """Show what a user agreed to and refused.

    Every line of the ledger, oldest first, with where it came from and its evidence, and what stands now.

    \b
    Examples:
      sop consent 老陈
      sop consent 老陈 --json
    """
    from sop_engine.actions.agreeing import agreed_by

    with open_database(project).work(clock()) as work:
        found, zone = agreed_by(work, user), work.live.zone
    rows = [[local(n.at, zone), n.state, n.channel, n.topic, n.source, n.wording, n.evidence] for n in found.lines]
    text = table(rows, head=["at", "state", "channel", "topic", "source", "wording", "evidence"]) if rows else "nothing was ever said"
    refused, granted = ", ".join(sorted(found.refused)) or "nothing", ", ".join(sorted(found.granted)) or "nothing"
    show(found, as_json, f"{text}\nnow refused: {refused} · agreed to: {granted}")
