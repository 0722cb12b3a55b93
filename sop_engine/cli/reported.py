"""The command `sop receipts`: what providers reported, and what became of each report."""

from typing import Annotated, Any

import typer

from sop_engine.cli.listing import Limit
from sop_engine.cli.opening import HERE, Folder, clock, open_database
from sop_engine.cli.operator import By, who
from sop_engine.cli.output import AsJson, local, show, table
from sop_engine.core.errors import BadInput

STATES = ("waiting", "parked", "applied", "dropped")


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(receipts)


def receipts(
    state: Annotated[str | None, typer.Option("--state", metavar="STATE", help="Those alone: waiting, parked, applied or dropped.")] = None,
    again: Annotated[int | None, typer.Option("--again", metavar="ID", help="Apply one that was dropped or waits once more.")] = None,
    limit: Limit = 50,
    by: By = "",
    project: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """List what providers reported about messages, the newest first, and what became of it.

    \b
    Examples:
      sop receipts
      sop receipts --state dropped
      sop receipts --again 1207
    """
    from sop_engine.actions.hear_back import try_again
    from sop_engine.store import inbox

    if state is not None and state not in STATES:
        raise BadInput(f"'{state}' is no state of a report. Write one of: {', '.join(STATES)}.")
    database, now = open_database(project), clock()
    if again is not None:
        became = try_again(database, again, now, who(by))
        return show({"report": again, "state": became}, as_json, f"report {again} is {became}")
    with database.transaction() as tx:
        zone = database.live(tx).zone
        counted = inbox.counts(tx)
        found = inbox.list_reports(tx, state=state, limit=limit)
    rows = [_row(one, local(one["received_at"], zone)) for one in found]
    head = ["report", "channel", "kind", "received", "state", "why", "touch"]
    told = ", ".join(f"{counted[name]} {name}" for name in STATES if name in counted)
    show({"states": counted, "reports": found}, as_json, f"{told}\n{table(rows, head=head)}" if rows else "nothing was reported")
    return None


def _row(one: dict[str, Any], received: str) -> list[str]:
    return [str(one["id"]), one["channel"], one["kind"], received, one["state"], one["note"], str(one["touch_id"] or "")]
