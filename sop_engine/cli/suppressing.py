"""The commands `sop suppress` and `sop suppressions`, and the import of a list: addresses that are not written to."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sop_engine.cli.opening import HERE, Folder, clock, open_database
from sop_engine.cli.operator import By, who
from sop_engine.cli.output import AsJson, local, many, show, table
from sop_engine.core.errors import BadInput

if TYPE_CHECKING:
    from sop_engine.core.records import Rejected
    from sop_engine.language.tables import Table
    from sop_engine.store.suppressions import Entry

USUAL = (("channel", "*"), ("reason", "manual"), ("scope", "marketing"))
COLUMNS = ("address", "phone", "email", "id")


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(suppress)
    app.command()(suppressions)


def suppress(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="A phone number, a mail address, or the id a channel writes to.")],
    channel: Annotated[str, typer.Option("--channel", metavar="NAME", help="Over this channel alone; over any if not said.")] = "*",
    everything: Annotated[bool, typer.Option("--all", help="Service messages too, not marketing alone.")] = False,
    lift: Annotated[bool, typer.Option("--lift", help="Take it off the list.")] = False,
    by: By = "",
    project: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Never write to an address again, whoever has it.

    The address itself is not stored, only a keyed hash of it. It stays on the list when its user is merged or erased.

    \b
    Examples:
      sop suppress 13900001234
      sop suppress user@example.com --all
      sop suppress 13900001234 --lift
    """
    from sop_engine.actions.suppress_list import lift_by_hand, suppress_by_hand

    with open_database(project).work(clock()) as work:
        if lift:
            rows = lift_by_hand(work, address, None if channel == "*" else channel, by=who(by))
            show({"lifted": rows}, as_json, f"{many(rows, 'entry is', 'entries are')} off the list")
            return
        fresh = suppress_by_hand(work, address, channel, scope="all" if everything else "marketing", by=who(by))
    show({"fresh": fresh}, as_json, "it is on the list now" if fresh else "it was on the list before")


def suppressions(project: Folder = HERE, as_json: AsJson = False) -> None:
    """Count the addresses that are not written to.

    By channel, by whether it concerns marketing alone or all messages, and by reason.

    \b
    Examples:
      sop suppressions
      sop suppressions --json
    """
    from sop_engine.actions.suppress_list import counted

    with open_database(project).work(clock()) as work:
        found, zone = counted(work), work.live.zone
    rows = [[n.channel, n.scope, n.reason, f"{n.addresses:,}", local(n.latest, zone)] for n in found]
    head = ["channel", "scope", "reason", "addresses", "latest"]
    show(found, as_json, table(rows, head=head, right=[3]) if rows else "no address is on the list")


def read_entries(source: "Table") -> "Iterator[Entry | Rejected]":
    """Entries of a file: `address` (or `phone`, `email`, `id`), and, where given, channel, reason and scope."""
    if not set(COLUMNS) & set(source.columns):
        raise BadInput(f"the file has none of the columns {', '.join(COLUMNS)}. The file has: {', '.join(source.columns)}.")
    return _each(source)


def _each(source: "Table") -> "Iterator[Entry | Rejected]":
    from sop_engine.core.records import Rejected
    from sop_engine.core.suppression import REASONS, SCOPES, kind_of_address, normal_form
    from sop_engine.store.suppressions import Entry

    for row in source:
        column = next((c for c in COLUMNS if _text(row.values.get(c))), "address")
        value = _text(row.values.get(column))
        kind = column if column != "address" else kind_of_address(value)
        channel, reason, scope = (_text(row.values.get(name)) or usual for name, usual in USUAL)
        if row.problem or not value or normal_form(kind, value) is None:
            yield Rejected(row.line, row.problem or f"column '{column}' holds no address", row.values, column)
        elif reason not in REASONS or scope not in SCOPES:
            wrong = "scope" if reason in REASONS else "reason"
            yield Rejected(row.line, f"column '{wrong}': there is no such {wrong}", row.values, wrong)
        else:
            yield Entry(kind, value, channel, reason, scope)


def _text(cell: Any) -> str:
    return "" if cell is None else str(cell).strip()
