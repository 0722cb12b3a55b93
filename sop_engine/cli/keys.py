"""The commands `sop keys …`: who may send events and look users up over HTTP."""

from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from sop_engine.cli.opening import HERE, Folder, clock, open_database
from sop_engine.cli.operator import By, who
from sop_engine.cli.output import AsJson, local, show, table, warn

if TYPE_CHECKING:
    from sop_engine.store.api_keys import ApiKey

UTC = ZoneInfo("UTC")
app = typer.Typer(help="Keys of the HTTP API: list, make, revoke.", invoke_without_command=True, rich_markup_mode=None)


@app.callback()
def list_(context: typer.Context, project: Folder = HERE, as_json: AsJson = False) -> None:
    """List the keys by their public ids; a key itself is shown only when it is made.

    \b
    Examples:
      sop keys
      sop keys --json
    """
    from sop_engine.actions.keys import list_keys

    if context.invoked_subcommand is not None:
        return
    found = list_keys(open_database(project))
    show(found, as_json, _told(found) if found else "there are no keys: 'sop keys add --source web' makes one")


@app.command()
def add(
    source: Annotated[str, typer.Option("--source", metavar="NAME", help="Who sends with it: small letters, digits, - and _.")],
    scope: Annotated[list[str] | None, typer.Option("--scope", metavar="SCOPE", help="ingest (default), read, operate; several.")] = None,
    by: By = "",
    project: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Make a key and show it, this once.

    Only its hash is stored. A source may have several keys at a time, so that one is exchanged without a gap: what it sent before
    stays known.

    \b
    Examples:
      sop keys add --source web
      sop keys add --source desk --scope read
    """
    from sop_engine.actions.keys import make_key

    made = make_key(open_database(project), source, tuple(scope or ("ingest",)), clock(), by=who(by))
    show(made, as_json, made.key)
    warn(f"This is the key of '{made.source}' ({', '.join(made.scopes)}), id {made.id}. It is shown this once: keep it where secrets are.")


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The id of the key, as 'sop keys' lists it.")],
    by: By = "",
    project: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Let a key open nothing any more, at once.

    What it sent stays, and other keys of its source go on.

    \b
    Examples:
      sop keys revoke 3f9a2c41b07d
      sop keys revoke 3f9a2c41b07d --by 王经理
    """
    from sop_engine.actions.keys import revoke_key

    done = revoke_key(open_database(project), key_id, clock(), by=who(by))
    show(done, as_json, f"key {done.id} of '{done.source}' opens nothing any more")


def _told(found: "list[ApiKey]") -> str:
    rows = [
        [
            k.id,
            k.source,
            " ".join(k.scopes),
            local(k.made_at, UTC),
            k.made_by,
            f"revoked {local(k.revoked_at, UTC)}" if k.revoked_at else "",
        ]
        for k in found
    ]
    return table(rows, head=["id", "source", "scopes", "made (UTC)", "by", ""])
