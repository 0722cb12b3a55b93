"""Writes a migration from what the tables say and the migrations do not yet; with `first` (until a release) all of them anew."""

import sys
from pathlib import Path
from typing import Any

from alembic import command
from alembic.script import Script
from sqlmodel import SQLModel

from sop_engine.store import migrations, run_tables, tables
from sop_engine.store.engine import open_engine
from sop_engine.store.migrate import config_for, upgrade

FOLDER = Path(str(migrations.__file__)).parent / "versions"


def write(message: str, *, only: set[str] | None = None) -> None:
    """Write the next revision; `only` limits it to these tables."""

    def limited(_context: Any, _revision: Any, scripts: list[Any]) -> None:
        wanted = scripts[0].upgrade_ops
        wanted.ops = [change for change in wanted.ops if only is None or change.table_name in only]
        if not wanted.ops:
            sys.exit("The migrations already say what the tables say.")

    engine = open_engine("sqlite://")
    upgrade(engine)
    with engine.begin() as tx:
        config = config_for(tx)
        config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
        number = f"{len(list(FOLDER.glob('0*.py'))) + 1:04}"
        script = command.revision(config, message, autogenerate=True, rev_id=number, process_revision_directives=limited)
    assert isinstance(script, Script)
    file = Path(script.path)
    file.write_text("".join(line for line in file.read_text().splitlines(keepends=True) if "# ###" not in line))


def names(module: Any) -> set[str]:
    """The names of the tables a module defines."""
    rows = [row for row in vars(module).values() if isinstance(row, type) and issubclass(row, SQLModel) and row is not SQLModel]
    return {str(row.__tablename__) for row in rows}


def main(words: list[str]) -> None:
    """Write what the words ask for."""
    if words == ["first"]:
        for file in FOLDER.glob("0*.py"):
            file.unlink()
        write("what is known", only=names(tables))
        write("what is done", only=names(run_tables))
    elif words:
        write(" ".join(words))
    else:
        sys.exit('Say what changes: make migration NAME="a note for every run"')


if __name__ == "__main__":
    main(sys.argv[1:])
