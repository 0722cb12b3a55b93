"""The command `sop schema`: what editors need to complete and check playbooks while one writes."""

import json
from pathlib import Path
from typing import Any

import typer

from sop_engine.cli.opening import HERE, Folder, check_folder
from sop_engine.cli.output import AsJson, warn
from sop_engine.core.errors import BadFile

FILES = "playbooks/**/*.yml"


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(schema)


def schema(project: Folder = HERE, as_json: AsJson = False) -> None:
    """Write what editors need to complete and check playbooks.

    That is .sop/schema.json and the settings of VS Code: keys, forms and the project's own names. Other editors with the YAML
    language server find it by the first line of a file:
    '# yaml-language-server: $schema=../.sop/schema.json'. Existing editor settings are kept.

    \b
    Examples:
      sop schema
      sop schema --json > schema.json
    """
    from sop_engine.language.schema import json_schema

    _, checked = check_folder(project, lints=False)
    if checked.project is None:
        warn("the project has errors (see 'sop check'): the schema has the keys of the language, not the names of the project")
    text = json.dumps(json_schema(checked.project), ensure_ascii=False, indent=1)
    if as_json:
        typer.echo(text)
        return
    try:
        _write(project / ".sop" / "schema.json", text)
        typer.echo((project / ".sop" / "schema.json").as_posix())
        typer.echo(_editor(project / ".vscode" / "settings.json"))
    except OSError as error:
        raise BadFile(f"'{error.filename}' cannot be written: {error.strerror}.") from error


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n", "utf-8")


def _editor(path: Path) -> str:
    """Add our line to the editor's settings; a file that is no plain JSON is left alone. What was done."""
    try:
        known: Any = json.loads(path.read_text("utf-8")) if path.exists() else {}
    except ValueError:
        known = None
    if not isinstance(known, dict) or not isinstance(known.get("yaml.schemas", {}), dict):
        return f'{path.as_posix()} is left as it is; add to it: "yaml.schemas": {{".sop/schema.json": "{FILES}"}}'
    known["yaml.schemas"] = {**known.get("yaml.schemas", {}), ".sop/schema.json": FILES}
    _write(path, json.dumps(known, ensure_ascii=False, indent=2))
    return path.as_posix()
