"""The command `sop tasks`: what colleagues have to do, how much of it they do, and whom nobody has cared for."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from sop_engine.cli.finding import not_found
from sop_engine.cli.opening import HERE, Folder, clock, open_database
from sop_engine.cli.output import AsJson, local, many, show, table
from sop_engine.core.errors import BadInput

if TYPE_CHECKING:
    from sop_engine.app import Work
    from sop_engine.store.task_tallies import Rate

STATES = ("open", "done", "not_reached", "refused", "unconfirmed")


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(tasks)


def tasks(
    state: Annotated[str, typer.Option("--state", help="open, done, not_reached, refused or unconfirmed.")] = "open",
    rates: Annotated[bool, typer.Option("--rates", help="By channel and colleague: made, done, in time, escalated.")] = False,
    without: Annotated[bool, typer.Option("--without", help="Users of the best level for whom nobody has done a task lately.")] = False,
    level: Annotated[str | None, typer.Option("--level", help="With --without: another level of the primary tier.")] = None,
    days: Annotated[int, typer.Option("--days", min=1, max=3660, help="With --rates and --without: the last so many days.")] = 30,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=100_000, help="At most so many.")] = 50,
    project: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """List what colleagues have to do.

    The earliest deadline first, and whether it has passed and was escalated. With --rates how many of the tasks made are done;
    with --without which users of the best level of the primary tier nobody has cared for.

    \b
    Examples:
      sop tasks
      sop tasks --state done
      sop tasks --rates --days 7
      sop tasks --without --days 30
    """
    if state not in STATES:
        raise not_found(state, STATES, "state of a task")
    with open_database(project).work(clock()) as work:
        if rates:
            found = _rates(work, days)
            text = _rates_told(found, days)
            shown: object = found
        elif without:
            shown = _without(work, level, days, limit)
            text = _without_told(shown, days)
        else:
            shown = _listed(work, state, limit)
            text = "\n".join(_task(one, work.live.zone) for one in shown) or f"no {state} tasks"
    show(shown, as_json, text)


def _listed(work: "Work", state: str, limit: int) -> list[dict[str, Any]]:
    from sop_engine.store import outbox as kept
    from sop_engine.store import people

    rows = kept.list_tasks(work.tx, state=state, limit=limit)
    keys = {p.id: p.key for p in people.people(work.tx, {r.user_id for r in rows}).values()}
    return [
        {"id": r.id, "user": keys.get(r.user_id, ""), "assignee": r.assignee, "state": r.state, "due_at": r.due_at,
         "overdue": bool(r.state == "open" and r.due_at and r.due_at <= work.now), "escalated_at": r.escalated_at, "text": r.text}
        for r in rows
    ]  # fmt: skip


def _task(one: Mapping[str, Any], zone: ZoneInfo) -> str:
    due = f"due {local(one['due_at'], zone)}{' OVERDUE' if one['overdue'] else ''}" if one["due_at"] else "no deadline"
    due += f", escalated {local(one['escalated_at'], zone)}" if one["escalated_at"] else ""
    return f"#{one['id']}  {one['user']} → {one['assignee'] or 'anybody'}  {due}\n    {' '.join(one['text'].split())}"


def _since(work: "Work", days: int) -> Any:
    """The beginning of the first of the last so many local days; today is the last."""
    from datetime import date

    from sop_engine.core.calendar import midnight

    return midnight(date.fromordinal(work.day - days + 1), work.live.zone)


def _rates(work: "Work", days: int) -> "list[Rate]":
    from sop_engine.store.task_tallies import rates_since

    return rates_since(work.tx, _since(work, days), work.now)


def _rates_told(found: "list[Rate]", days: int) -> str:
    head = ["channel", "colleague", "made", "done", "rate", "in time", "overdue", "escalated"]
    rows = [
        [one.channel or "-", one.assignee or "anybody", f"{one.made:,}", f"{one.done:,}", f"{100 * one.done / one.made:.1f}%",
         f"{one.in_time:,}", f"{one.overdue:,}", f"{one.escalated:,}"] for one in found
    ]  # fmt: skip
    title = f"tasks made in the last {many(days, 'day')}"
    return f"{title}\n{table(rows, head=head, right=range(2, 8))}" if rows else f"no {title}"


def _without(work: "Work", level: str | None, days: int, limit: int) -> dict[str, Any]:
    from sop_engine.store.task_tallies import uncared_for

    name = work.project.settings.primary_tier
    if not name:
        raise BadInput("the project names no primary_tier, so there is no best level. Name one in the project.")
    tier = work.project.tiers[name]
    names = tier.ladder or tier.level_names
    if level is not None and level not in names:
        raise not_found(level, names, "level")
    of = level or names[0]
    total, keys = uncared_for(work.tx, tier.name, of, _since(work, days), limit)
    return {"tier": tier.name, "level": of, "days": days, "users": total, "listed": keys}


def _without_told(found: Any, days: int) -> str:
    more = found["users"] - len(found["listed"])
    title = f"{found['tier']} = {found['level']}: {many(found['users'], 'user')} without a task done in the last {many(days, 'day')}"
    return "\n".join([title, *(f"  {key}" for key in found["listed"]), *([f"  and {more:,} more"] if more else [])])
