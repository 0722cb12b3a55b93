"""Opens what a command works on: the folder of a project, its checked text, and its database; and reads the clock."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from sop_engine.core.errors import BadFile, BadInput, Refused

if TYPE_CHECKING:
    from sop_engine.app import App
    from sop_engine.core.project import Project
    from sop_engine.language.load import Checked

Folder = Annotated[Path, typer.Option("--project", metavar="DIR", help="The folder with playbooks/ and templates/.")]
HERE = Path(".")
_opened: "list[App]" = []


def clock() -> datetime:
    """Now, aware UTC."""
    return datetime.now(UTC)


def check_folder(folder: Path, *, lints: bool = True) -> tuple[dict[str, str], "Checked"]:
    """The texts of a project by path, and what came of checking them. Raises BadFile."""
    from sop_engine.language.folder import read_folder
    from sop_engine.language.load import check

    files = read_folder(folder)
    return files, check(files, lints=lints)


def read_project(folder: Path) -> tuple[dict[str, str], "Project"]:
    """The texts of a project and the project itself. Raises BadFile, or BadProject with every problem."""
    from sop_engine.core.errors import BadProject

    files, checked = check_folder(folder, lints=False)
    if checked.project is None:
        raise BadProject([p for p in checked.problems if p.severity == "error"])
    return files, checked.project


def open_database(folder: Path, *, hurried: bool = False) -> "App":
    """The engine on the project's database. A SQLite file is made and brought up to date here; PostgreSQL by `sop db upgrade`.

    Raises BadFile where there is no project, Refused when the database is not at this version.
    """
    from sop_engine.store.migrate import is_current, is_upgraded, refuse_newer, upgrade

    app = open_engine_of(folder, hurried=hurried)
    if app.engine.dialect.name == "sqlite":
        upgrade(app.engine)
    elif not is_current(app.engine):
        with app.transaction() as tx:
            if is_upgraded(tx):
                refuse_newer(tx)
        raise Refused("the database does not have the tables of this version yet: run 'sop db upgrade' first.")
    return app


def open_engine_of(folder: Path, *, hurried: bool = False) -> "App":
    """The engine on the project's database as it is. Raises BadFile where there is no project."""
    from sop_engine.app import open_app
    from sop_engine.settings import load

    if not folder.is_dir():
        raise BadFile(f"there is no folder '{folder}'. Write the folder of a project after --project.")
    settings = load(folder)
    url = settings.database_in(folder)
    file = Path(url.removeprefix("sqlite:///"))
    if url.startswith("sqlite:///") and not file.exists() and not (folder / "playbooks").is_dir():
        raise BadFile(f"the folder '{folder}' has no 'playbooks' and no database. Name the folder of a project with --project.")
    waiting = str(folder.resolve() / settings.unsubscribe_file)
    app = open_app(settings.model_copy(update={"database_url": url, "unsubscribe_file": waiting}), hurried=hurried)
    app.host_clock = clock
    _opened.append(app)
    return app


def close_databases() -> None:
    """Close every connection this command opened."""
    while _opened:
        _opened.pop().engine.dispose()


def instant(text: str, zone: ZoneInfo) -> datetime:
    """A time as typed: local in the project's zone (`2025-03-01 10:00`; a date is its midnight), or ISO with a zone. Raises BadInput."""
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        raise BadInput(f"'{text}' is not a time. Write '2025-03-01 10:00' (the project's time zone) or 2025-03-01T10:00+08:00.") from None
    return (at.replace(tzinfo=zone) if at.tzinfo is None else at).astimezone(UTC)


def day(text: str) -> date:
    """A date as it is typed. Raises BadInput."""
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise BadInput(f"'{text}' is not a date. Write it like 2025-03-01.") from None
