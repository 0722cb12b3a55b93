"""The commands `sop db …`: brings the database to this version of the engine."""

import typer

from sop_engine.cli.opening import HERE, Folder, open_engine_of
from sop_engine.cli.output import AsJson, show

app = typer.Typer(help="Look after the database.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _database() -> None:
    """Look after the database."""


@app.command()
def upgrade(project: Folder = HERE, as_json: AsJson = False) -> None:
    """Bring the database to this version.

    Missing tables and columns are added, in one transaction. SQLite is upgraded by itself.

    \b
    Examples:
      sop db upgrade
      SOP_DATABASE_URL=postgresql://… sop db upgrade
    """
    from sop_engine.store import migrate

    applied = migrate.upgrade(open_engine_of(project).engine)
    show({"applied": applied}, as_json, f"applied: {', '.join(applied)}" if applied else "the database is up to date")
