"""The commands `sop touches` and `sop outbox`: what was sent, and what waits."""

from collections.abc import Mapping
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from sop_engine.cli.finding import flow_name, named, not_found
from sop_engine.cli.opening import HERE, Folder, clock, open_database
from sop_engine.cli.output import AsJson, local, show, table

STATES = ("planned", "queued", "sending", "sent", "skipped", "failed", "cancelled", "unknown")
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=100_000, help="At most so many, the latest.")]
OfUser = Annotated[str | None, typer.Option("--user", metavar="USER", help="Of one user.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(touches)
    app.command()(outbox)


def touches(
    flow: Annotated[str | None, typer.Option("--flow", help="Of a playbook or flow.")] = None,
    state: Annotated[str | None, typer.Option("--state", help="planned, sent, skipped, failed, cancelled, unknown …")] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="With this reason, as in docs/states.md.")] = None,
    user: OfUser = None,
    limit: Limit = 50,
    project: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """List touches with their state and reason.

    The latest of them, and how many there are of each.

    \b
    Examples:
      sop touches --state skipped --reason cap
      sop touches --flow 沉默45天唤醒 --user 老陈
    """
    from sop_engine.store import history, people

    if state is not None and state not in STATES:
        raise not_found(state, STATES, "state")
    with open_database(project).work(clock()) as work:
        chosen = {"flow": flow_name(work.project, flow, ()) if flow else None, "state": state, "reason": reason}
        where: dict[str, Any] = {column: value for column, value in chosen.items() if value is not None}
        if user is not None:
            where["user_id"] = people.get_id(work.tx, user)
        listed = history.list_past_touches(work.tx, where, limit=limit)
        counted = history.touch_counts(work.tx, where)
        zone = work.live.zone
    rows = [[local(t.at, zone), t.user, t.flow, t.step, t.state, t.reason or "", t.template or ""] for t in listed]
    counts = ", ".join(f"{s}{f' ({r})' if r else ''} {n:,}" for s, r, n in counted) or "no touches"
    text = "\n".join([*([table(rows)] if rows else []), counts])
    show({"counts": [{"state": s, "reason": r, "touches": n} for s, r, n in counted], "touches": listed}, as_json, text)


def outbox(
    user: OfUser = None,
    channel: Annotated[str | None, typer.Option("--channel", help="Of one channel.")] = None,
    limit: Limit = 20,
    project: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Read the messages that were kept instead of sent.

    The latest first; addresses are masked.

    \b
    Examples:
      sop outbox
      sop outbox --user 老陈 --channel 短信
    """
    from sop_engine.store import outbox as kept
    from sop_engine.store import people

    with open_database(project).work(clock()) as work:
        if channel is not None:
            channel = named(work.project.channels, channel, "channel").name
        user_id = people.get_id(work.tx, user) if user is not None else None
        rows = kept.list_outbox(work.tx, user_id=user_id, channel=channel, limit=limit)
        keys = {p.id: p.key for p in people.people(work.tx, {r.user_id for r in rows}).values()}
        zone = work.live.zone
    listed = [
        {"at": r.at, "channel": r.channel, "user": keys.get(r.user_id, ""), "to": _masked(r.address), "subject": r.subject, "text": r.text,
         "template": r.template, "purpose": r.purpose} for r in rows
    ]  # fmt: skip
    show(listed, as_json, "\n".join(_message(one, zone) for one in listed) or "the outbox is empty")


def _message(one: Mapping[str, Any], zone: ZoneInfo) -> str:
    text = " ".join(part for part in (one["subject"], " ".join(one["text"].split())) if part)
    return f"{local(one['at'], zone)}  {one['channel']}  {one['user']} ({one['to']})  {one['template']}\n    {text}"


def _masked(address: str) -> str:
    """The end of an address: enough to tell two apart, not enough to write to."""
    return f"•••{address[-4:]}" if len(address) > 6 else "•••" if address else ""
