"""The commands `sop adopt` and `sop reconcile`: for a copy of a database, and for one that was restored."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from sop_engine.cli.opening import HERE, Folder, clock, instant, open_database
from sop_engine.cli.operator import By, who
from sop_engine.cli.output import AsJson, many, progress, show
from sop_engine.core.errors import BadFile

if TYPE_CHECKING:
    from sop_engine.actions.reconcile import Reconciled


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(adopt)
    app.command()(reconcile)


def adopt(by: By = "", project: Folder = HERE, as_json: AsJson = False) -> None:
    """Make a copied database one of its own.

    It gets the name SOP_INSTANCE says, or a new one; from then on no provider takes its messages for those of the original. What is
    planned in it will be sent by whoever works on it: with SOP_SENDING=live to real users.

    \b
    Examples:
      SOP_INSTANCE=staging sop adopt
    """
    from sop_engine.actions import restored

    with open_database(project).work(clock()) as work:
        name = restored.adopt(work, who(by))
    show({"instance": name}, as_json, f"this database is '{name}' now. Set SOP_INSTANCE={name} where it is worked on.")


def reconcile(
    log: Annotated[
        Path | None, typer.Option("--log", metavar="FILE", help="Messages the provider has: a column 'key', perhaps 'at'.")
    ] = None,
    since: Annotated[str | None, typer.Option("--since", metavar="TIME", help="What was due before is taken as not sent.")] = None,
    by: By = "",
    project: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Bring a restored database in line with what was sent after the copy was made, and end safe mode.

    Touches whose key is in the provider's log were sent. Of the others that were due and go over a provider nobody knows: they are
    given up as failed (outcome_unknown), and not sent again. What stays on this machine is done as planned.

    \b
    Examples:
      sop reconcile --log 短信平台记录.csv
      sop reconcile --since '2025-06-01 00:00'
    """
    from sop_engine.actions.reconcile import reconcile as settle

    app, now = open_database(project), clock()
    with app.transaction() as tx:
        zone = app.live(tx).zone
    keys = _keys(log, zone) if log is not None else {}
    with progress("comparing"):
        done = settle(app, now, keys, since=instant(since, zone) if since else None, by=who(by))
    counts = {name: getattr(done, name) for name in ("sent", "given_up", "as_planned", "with_benefit", "unmatched")}
    show(counts, as_json, _told(done))


def _told(done: "Reconciled") -> str:
    lines = [
        f"{many(done.sent, 'touch was', 'touches were')} sent, {done.given_up:,} given up because nobody knows, "
        f"{done.as_planned:,} will be done as planned. Safe mode is over."
    ]
    if done.with_benefit:
        lines.append(f"{done.with_benefit:,} of them gave a benefit whose code is not in this database: take those codes out of the stock.")
    if done.unmatched:
        lines.append(f"{many(done.unmatched, 'key')} of the log belong to runs that are lost: these users may start again.")
    return "\n".join(lines)


def _keys(path: Path, zone: ZoneInfo) -> dict[str, datetime | None]:
    """The keys of the log, with the time of each where it is there. Raises BadFile without a column `key`."""
    from sop_engine.language.tables import open_table

    table = open_table(path)
    if "key" not in table.columns:
        raise BadFile(f"{path}: there is no column 'key'. It has: {', '.join(table.columns)}. Rename the one with our keys.")
    found: dict[str, datetime | None] = {}
    for row in table:
        if row.problem:
            raise BadFile(f"{path}:{row.line}: {row.problem}")
        key, at = str(row.values.get("key") or "").strip(), row.values.get("at")
        if key:
            found[key] = instant(at.isoformat() if isinstance(at, datetime) else str(at), zone) if at else None
    return found
