"""The commands `sop channels` and `sop send-test`: how every channel stands, and a template sent to a colleague to be looked at."""

import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from sop_engine.cli.finding import named
from sop_engine.cli.opening import HERE, Folder, clock, open_database, read_project
from sop_engine.cli.output import AsJson, many, show, table
from sop_engine.core.errors import DeliveryError, Refused

if TYPE_CHECKING:
    from sop_engine.actions.channel_states import ChannelState, FeedState
    from sop_engine.channels.contract import Capability


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(channels)
    app.command(name="send-test")(send_test)


def channels(
    probe: Annotated[bool, typer.Option("--probe", help="Connect to every provider and check its certificate; nothing is sent.")] = False,
    project: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Show how every channel stands.

    Its account or what is missing, whether its calls wait, what was sent today, what came back in 30 days, the last error, and what it
    can do; then the feeds to other systems. Exit code 1 when a probe fails.

    \b
    Examples:
      sop channels
      sop channels --probe
    """
    from sop_engine.actions.channel_states import channel_states

    app = open_database(project)
    with app.work(clock()) as work:
        found, feeds = channel_states(work, probe=probe)
    live = app.settings.sending == "live"
    text = "\n\n".join([_mode(live), *(_channel(one) for one in found), *(_feed(one) for one in feeds), _capabilities(found)])
    show({"live": live, "channels": found, "feeds": feeds}, as_json, text)
    if any(answer.startswith("FAILED") for answer in [*(c.answers for c in found), *(f.answers for f in feeds)]):
        raise typer.Exit(1)


def _mode(live: bool) -> str:
    return "sending is live" if live else "sending is off: every message stays in the outbox on this machine"


def _channel(one: "ChannelState") -> str:
    came = ", ".join(f"{number:,} {kind}" for kind, number in sorted(one.receipts.items())) or "none"
    lines = [
        f"{one.name} · {one.via} · {one.missing or 'ready'}",
        f"  calls {one.circuit}; {one.sent_today:,} sent today" + (f"; at most {one.rate}" if one.rate else ""),
        f"  a user gets at most {', '.join(one.caps)}" if one.caps else "",
        f"  receipts of 30 days: {came}",
        f"  last error: {one.last_error}" if one.last_error else "",
        f"  probe: {one.answers}" if one.answers else "",
    ]
    return "\n".join(line for line in lines if line)


def _feed(one: "FeedState") -> str:
    since = f" since {one.oldest:%Y-%m-%d %H:%M} UTC" if one.oldest else ""
    done = ", ".join(f"{number:,} {state}" for state, number in sorted(one.done.items()))
    lines = [
        f"feed {one.name} · calls {one.circuit}; {many(one.waiting, 'entry', 'entries')} waiting{since}" + (f"; {done}" if done else ""),
        f"  last error: {one.last_error}" if one.last_error else "",
        f"  probe: {one.answers}" if one.answers else "",
    ]
    return "\n".join(line for line in lines if line)


def _capabilities(found: "list[ChannelState]") -> str:
    kinds = {one.via: one.capability for one in found}
    head = ["via", "same key again", "ask", "receipts", "batch", "links", "template", "confirmed by staff"]
    rows = [
        [via, _known(can), can.ask, can.receipts, can.batch, can.links, "required" if can.needs_template else "none",
         "yes" if can.staff_confirmed else "no"]
        for via, can in kinds.items()
    ]  # fmt: skip
    return table(rows, head=head)


def _known(can: "Capability") -> str:
    """For how long the provider knows a key again."""
    if can.idempotent_for is None:
        return "no"
    return "always" if can.idempotent_for == timedelta.max else f"{can.idempotent_for.total_seconds() / 3600:g} h"


def send_test(
    template: Annotated[str, typer.Argument(help="The name of a template.")],
    to: Annotated[str, typer.Option("--to", metavar="ADDRESS", help="A colleague's own address, of the kind the channel takes.")],
    user: Annotated[str | None, typer.Option("--user", metavar="USER", help="As this user would get it; else with made-up values.")] = None,
    project: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Send a template to a colleague, to be looked at.

    Through the real channel when sending is live, else into the outbox. No code is taken and nothing is counted. It goes to the
    addresses of SOP_TEST_ADDRESSES; another one has to be typed once more.

    \b
    Examples:
      sop send-test 唤醒怀旧_短信 --to 13800001234
      sop send-test 会员日_邮件 --to me@example.com --user 老陈
    """
    from sop_engine.actions import trying
    from sop_engine.actions.previewing import preview_for, preview_made_up

    _, read = read_project(project)
    name = next(iter(named(read.templates, template, "template").values())).name
    app, now = open_database(project), clock()
    if user is None:
        written = preview_made_up(read, name, now.astimezone(read.zone).date())[0]
    else:
        with app.work(now) as work:
            [written] = preview_for(work, read, name, user)
    typed = "" if trying.is_listed(app, to) else _typed_again(to, live=app.settings.sending == "live")
    message = trying.as_test(written, to, now, secrets.token_hex(12))
    try:
        receipt = trying.send_test(app, read, written, message, confirmed=typed)
    except DeliveryError as error:
        raise Refused(f"the test was not accepted: {error.reason} {error.detail}".strip()) from error
    where = "through the channel" if app.settings.sending == "live" else "into the outbox: sending is off"
    show({"key": message.key, "channel": written.channel, "stage": receipt.stage}, as_json, f"sent {where}: {written.channel}, {name}")


def _typed_again(to: str, *, live: bool) -> str:
    """The address as a person types it once more; empty when nobody does."""
    typer.echo(f"{to} is not in SOP_TEST_ADDRESSES. This {'REALLY SENDS a message' if live else 'writes into the outbox'}.", err=True)
    answer: str = typer.prompt("Type the address again to send the test", default="", show_default=False, err=True)
    return answer.strip()
