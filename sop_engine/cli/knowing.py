"""The command `sop user`: what is known of one user, with personal values masked."""

from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from sop_engine.cli.opening import HERE, Folder, clock, open_database
from sop_engine.cli.output import AsJson, local, show, table, warn

if TYPE_CHECKING:
    from sop_engine.actions.asking import Profile
    from sop_engine.app import Work


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(user)


def user(
    key: Annotated[str, typer.Argument(metavar="USER", help="The user's id, as it was imported, or an identity.")],
    project: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Show what is known of a user.

    Attributes, levels, tags, metrics, events and runs. Personal values are masked.

    \b
    Examples:
      sop user 老陈
      sop user 老陈 --json
    """
    from sop_engine.actions.asking import profile

    with open_database(project).work(clock()) as work:
        tell_who_now(work, key)
        found, zone = profile(work, key), work.live.zone
    show(found, as_json, _profile(found, zone))


def tell_who_now(work: "Work", key: str) -> None:
    """Say on stderr who a user is that was asked for by an identity, or by an id from before two users became one."""
    from sop_engine.actions.part import was_one

    found = was_one(work, key)
    if found is not None and found.merge is not None:
        warn(f"{found.asked} is {found.now} since merge {found.merge} ('sop merges').")
    elif found is not None:
        warn(f"this is the user {found.now}.")


def _profile(found: "Profile", zone: ZoneInfo) -> str:
    from sop_engine.core.explain import text_of_value

    told = [f"{found.user} · joined {local(found.joined_at, zone)}" + "".join(f" · {x}" for x in (found.timezone, found.locale) if x)]
    parts = {
        "attributes": [[name, text_of_value(value)] for name, value in found.attributes.items()],
        "levels": [[t.tier, t.level or "unscored", f"since {t.since}", f"before: {t.before or 'unscored'}"] for t in found.levels],
        "by hand": [[name, value or "unknown"] for name, value in found.by_hand.items()],
        "tags": [[t.tag, f"until {t.until}" if t.until else ""] for t in found.tags],
        "metrics": [[name, text_of_value(value)] for name, value in found.metrics.items()],
        "events": [[kind, str(many), f"last {local(at, zone)}"] for kind, (many, at) in found.events.items()],
        "runs": [[r.flow, f"v{r.version}", local(r.started_at, zone), r.end_reason or r.state] for r in found.runs],
    }
    for title, rows in parts.items():
        if rows:
            indented = "\n".join(f"  {line}" for line in table(rows).split("\n"))
            told.append(f"{title}\n{indented}")
    return "\n".join(told)
