"""The commands `sop unknown …`: messages of which nobody knows whether they were sent, and what an operator knows of them."""

from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from sop_engine.cli.listing import Limit
from sop_engine.cli.opening import HERE, Folder, clock, open_database
from sop_engine.cli.operator import By, who
from sop_engine.cli.output import AsJson, local, show, table
from sop_engine.core.errors import BadInput

app = typer.Typer(help="Look at outcomes nobody knows, and say what became of them.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _unknown() -> None:
    """Look at outcomes nobody knows, and say what became of them."""


@app.command("list")
def list_(limit: Limit = 50, project: Folder = HERE, as_json: AsJson = False) -> None:
    """List messages that may have been sent.

    The oldest first: since when, why, and whether the engine still finds out or a person must decide.

    \b
    Examples:
      sop unknown list
      sop unknown list --json
    """
    from sop_engine.actions.resolve import list_unknown

    database, now = open_database(project), clock()
    found = list_unknown(database, now, limit)
    with database.transaction() as tx:
        zone = database.live(tx).zone
    show(found, as_json, _told(found, zone) if found else "every outcome is known")


def _told(found: list[dict[str, Any]], zone: ZoneInfo) -> str:
    head = ["touch", "user", "flow", "step", "channel", "since", "why", "next"]
    rows = [
        [
            str(one["touch"]),
            one["user"],
            one["flow"],
            one["step"],
            one["channel"],
            local(one["since"], zone),
            one["reason"] or "",
            _next(one, zone),
        ]
        for one in found
    ]
    return table(rows, head=head)


def _next(one: dict[str, Any], zone: ZoneInfo) -> str:
    if one["operator"]:
        return "you decide: sop unknown resolve"
    return f"looked at {local(one['next_look_at'], zone)}" if one["next_look_at"] else ""


@app.command()
def resolve(
    touch: Annotated[int, typer.Argument(help="The number of the touch, from 'sop unknown list'.")],
    as_: Annotated[str, typer.Option("--as", metavar="OUTCOME", help="sent, or not_sent: then it is tried again.")],
    by: By = "",
    project: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Say what became of a message.

    Only after a look at the provider's own records: 'not_sent' sends it again, once, if everything else still says yes.

    \b
    Examples:
      sop unknown resolve 4711 --as sent
      sop unknown resolve 4711 --as not_sent --by 王经理
    """
    from sop_engine.actions.resolve import decide

    if as_ not in ("sent", "not_sent"):
        raise BadInput(f"'{as_}' is no outcome. Write sent or not_sent.")
    state = decide(open_database(project), touch, clock(), sent=as_ == "sent", by=who(by))
    show(
        {"touch": touch, "state": state},
        as_json,
        f"touch {touch} is {state} now" + (", and is looked at anew" if state == "planned" else ""),
    )
