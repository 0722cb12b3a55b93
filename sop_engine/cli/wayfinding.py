"""The commands `sop path` and `sop paths`: the way of one user over public and private, and the common ways to a first order."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from sop_engine.cli.knowing import tell_who_now
from sop_engine.cli.opening import HERE, Folder, clock, open_database
from sop_engine.cli.output import AsJson, local, many, show, table

if TYPE_CHECKING:
    from sop_engine.actions.paths import Path, PathStep
    from sop_engine.store.paths import Way


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(path)
    app.command()(paths)


def path(
    key: Annotated[str, typer.Argument(metavar="USER", help="The user's id, or an identity only this user has.")],
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=100_000, help="At most so many events, the first.")] = 500,
    project: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Show what a user did in order, in public and in private.

    Users who became one have one path. The domain of an event is that of the identity its source is named after, else of the
    identities of whoever did it; moves of levels stand between.

    \b
    Examples:
      sop path 老陈
      sop path 老陈 --json
    """
    from sop_engine.actions.paths import path_of

    with open_database(project).work(clock()) as work:
        tell_who_now(work, key)
        found, zone = path_of(work, key, limit), work.live.zone
    show(found, as_json, _path(found, zone))


def _path(found: "Path", zone: ZoneInfo) -> str:
    if found.first is None:
        return f"{found.user}: nothing has happened yet"
    first = found.first
    touch = f"first touch {' '.join(part for part in (first.domain, first.what, first.source) if part)} on {local(first.at, zone)}"
    title = f"{found.user} · {' → '.join(found.domains) or 'no identity says public or private'} · {touch}"
    return f"{title}\n{table([[local(step.at, zone), step.domain or '', *_step(step)] for step in found.steps])}"


def _step(step: "PathStep") -> tuple[str, str]:
    if step.old is None and step.new is None:
        return step.what, step.source
    return step.what, f"{step.old or 'unscored'} → {step.new or 'unscored'}"


def paths(
    by: Annotated[str | None, typer.Option("--by", metavar="TIER", help="A tier, attribute, tag or metric of words.")] = None,
    top: Annotated[int, typer.Option("--top", min=1, max=1000, help="So many for each.")] = 5,
    project: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Show the common ways to a first order.

    What users did before it, in order: repeats in a row are one step, and only the last five steps count. By a tier or an attribute,
    as it is now, with the share of its users who went so.

    \b
    Examples:
      sop paths
      sop paths --by 需求场景 --top 3
    """
    from sop_engine.actions.paths import common_ways

    with open_database(project).work(clock()) as work:
        found, purchase = common_ways(work, by, top=top), work.project.settings.purchase[0]
    listed = [{"segment": w.segment, "steps": [*w.steps, purchase], "users": w.users, "of": w.of, "share": w.users / w.of} for w in found]
    show(listed, as_json, _ways(found, purchase, by) or "nobody has ordered yet")


def _ways(found: "Sequence[Way]", purchase: str, by: str | None) -> str:
    parts = []
    for segment in dict.fromkeys(way.segment for way in found):
        mine = [way for way in found if way.segment == segment]
        rows = [[f"{100 * w.users / w.of:.1f}%", f"{w.users:,}", " → ".join((*w.steps, purchase))] for w in mine]
        title = (
            f"{'everybody' if by is None else f'{by} = {segment}' if segment else f'{by} is unknown'} · {many(mine[0].of, 'first order')}"
        )
        parts.append(f"{title}\n{table(rows, right=(0, 1))}")
    return "\n\n".join(parts)
