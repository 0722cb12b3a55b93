"""The command `sop import`: users, events, coupon codes and addresses not to write to, from files of many kinds."""

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sop_engine.cli.bad_rows import BadRows
from sop_engine.cli.opening import HERE, Folder, clock, open_database
from sop_engine.cli.output import AsJson, in_json, many, progress, warn
from sop_engine.cli.suppressing import read_entries
from sop_engine.core.errors import BadInput, NotFound

if TYPE_CHECKING:
    from sop_engine.actions.importing import Imported
    from sop_engine.app import App
    from sop_engine.core.project import Project
    from sop_engine.core.records import Rejected
    from sop_engine.language.tables import Table


class Kind(StrEnum):
    """What the rows of a file are."""

    users = "users"
    events = "events"
    codes = "codes"
    redemptions = "redemptions"
    suppressions = "suppressions"


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="import")(import_file)


def import_file(
    file: Annotated[Path, typer.Argument(help="A .csv, .tsv, .jsonl (each also .gz), .xlsx or .parquet file.")],
    kind: Annotated[Kind, typer.Option("--as", help="What the rows are.")],
    project: Folder = HERE,
    mapping: Annotated[Path | None, typer.Option("--map", metavar="FILE", help="A YAML file that says which column holds what.")] = None,
    pool: Annotated[str, typer.Option("--pool", help="The pool that codes go into.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and check everything, store nothing.")] = False,
    encoding: Annotated[str | None, typer.Option("--encoding", help="utf-8 (default) or gb18030; never guessed.")] = None,
    sheet: Annotated[str | None, typer.Option("--sheet", help="The sheet of an Excel file; the first if not named.")] = None,
    max_errors: Annotated[int | None, typer.Option("--max-errors", min=0, help="Stop after more bad rows than this.")] = None,
    as_json: AsJson = False,
) -> None:
    """Import history: users, events, codes, uses of codes, or addresses not to write to.

    It starts no flow (but 'existing: enter'), and the same file twice changes nothing. Rows that cannot be read are left out and
    listed in FILE.errors.csv, with their line and the reason; the others are stored.
    The project must have been applied. Imported levels are placed at once.

    \b
    Examples:
      sop import users.csv --as users --dry-run
      sop import 订单.xlsx --as events --map orders.map.yml
      sop import codes.csv --as codes --pool 回归券
      sop import 核销.csv --as redemptions
      sop import 拒收名单.csv --as suppressions
    """
    from sop_engine.actions.importing import Source, import_rows
    from sop_engine.actions.suppress_list import import_suppressions
    from sop_engine.language.tables import open_table

    app, now = open_database(project), clock()
    with app.work(now) as work:
        catalogue = work.project
    table = open_table(file, encoding=encoding, sheet=sheet)
    if kind is Kind.redemptions:
        return _uses(app, table, file, now, catalogue, plain=not (mapping or pool or dry_run), as_json=as_json)
    _check_pool(kind, pool, catalogue)
    with BadRows(file) as errors, progress(f"importing {file.name}") as say:
        rows = _rows(table, kind, mapping, catalogue, now)
        source = Source(rows, pool, errors.add, max_errors)
        if kind is Kind.suppressions:
            found = import_suppressions(app, source, now, dry_run=dry_run, progress=lambda read: say(f"{read:,} rows"))
        else:
            found = import_rows(app, source, now, dry_run=dry_run, progress=lambda read: say(f"{read:,} rows"))
    typer.echo(in_json(found_as_json(found)) if as_json else _told(found, kind, dry_run=dry_run))
    errors.tell()
    if found.stopped:
        told = f"stopped after {many(found.rejected, 'bad row')}: more than --max-errors"
        raise BadInput(f"{told}. Put the file or the mapping right and import it again.")
    if found.read and found.rejected == found.read:
        raise BadInput("not one row could be read. Does the file hold what --as says, and does the mapping fit?")


def _uses(app: "App", table: "Table", file: Path, now: Any, project: "Project", *, plain: bool, as_json: bool) -> None:
    from sop_engine.cli.importing_uses import read_uses, take_uses

    if not plain:
        raise BadInput("uses of codes are reports: leave out --map, --pool and --dry-run.")
    with BadRows(file) as errors:
        found = take_uses(app, read_uses(table, project.zone, now), errors.add, now)
    text = " · ".join(f"{word} {number:,}" for word, number in sorted(found.items())) or "the file has no rows"
    typer.echo(in_json(dict(found)) if as_json else text)
    errors.tell()


def _check_pool(kind: Kind, pool: str, project: "Project") -> None:
    from sop_engine.language.report import did_you_mean

    pools = {benefit.pool for benefit in project.benefits.values()}
    if kind is not Kind.codes and pool:
        raise BadInput("only codes go into a pool. Leave out --pool, or write --as codes.")
    if kind is Kind.codes and not pool:
        raise BadInput(f"codes go into a pool: name it with --pool. It can be: {', '.join(sorted(pools)) or 'none yet'}.")
    if pool and pool not in pools:
        raise NotFound(f"no benefit has the pool '{pool}'.{did_you_mean(pool, sorted(pools))}")
    closed = next((b for b in project.benefits.values() if b.pool == pool and b.kind in ("generated", "external")), None)
    if pool and closed is not None:
        raise BadInput(
            f"the codes of '{closed.name}' are not uploaded: it is 'kind: {closed.kind}'. Write 'kind: uploaded', or leave it out."
        )


def _rows(table: "Table", kind: Kind, mapping: Path | None, project: "Project", now: Any) -> Iterator[Any]:
    from sop_engine.language.mapping import read_events, read_mapping, read_users, unknown_columns

    if kind is Kind.suppressions:
        if mapping is not None:
            raise BadInput("addresses need no mapping: they stand in the column 'address', 'phone', 'email' or 'id'.")
        return read_entries(table)
    if kind is Kind.codes:
        if mapping is not None:
            raise BadInput("codes need no mapping: they stand in the column 'code', or in the only column.")
        return _codes(table)
    columns = read_mapping(mapping, kind.value) if mapping else None
    unread = unknown_columns(table, columns, project, kind.value)
    if unread:
        told = f"{many(len(unread), 'column is', 'columns are')} read by nobody: {', '.join(unread)}"
        warn(f"{told}. 'ignore: [...]' in a mapping says that is meant.")
    read = read_users if kind is Kind.users else read_events
    return read(table, columns, project, now=now)


def _codes(table: "Table") -> "Iterator[str | Rejected]":
    column = "code" if "code" in table.columns or len(table.columns) != 1 else table.columns[0]
    if column not in table.columns:
        raise BadInput(f"the file has no column 'code'. The file has: {', '.join(table.columns)}.")
    return _each_code(table, column)


def _each_code(table: "Table", column: str) -> "Iterator[str | Rejected]":
    from sop_engine.core.records import Rejected

    for row in table:
        cell = row.values.get(column)
        text = "" if cell is None else str(cell).strip()
        if row.problem or not text:
            yield Rejected(row.line, row.problem or f"column '{column}' is empty", row.values, column)
        elif len(text) > 100:
            yield Rejected(row.line, f"column '{column}': a code has at most 100 characters", row.values, column)
        else:
            yield text


def found_as_json(found: "Imported") -> dict[str, object]:
    """The numbers of an import."""
    moves = [{"tier": tier, "level": level, "users": users} for (tier, level), users in found.moves.items()]
    names = ("read", "stored", "repeated", "rejected", "started", "stopped", "resumed")
    return {**{n: getattr(found, n) for n in names}, "reasons": dict(found.reasons), "moves": moves}


def _told(found: "Imported", kind: Kind, *, dry_run: bool) -> str:
    lines = ["finished an import that was interrupted before"] if found.resumed else []
    if dry_run:
        lines.append(f"read {found.read:,} · good {found.stored:,} · rejected {found.rejected:,} (nothing was stored)")
    else:
        again = {"users": "known already", "events": "stored before", "codes": "known already", "suppressions": "listed before"}[kind.value]
        lines.append(f"read {found.read:,} · stored {found.stored:,} · {again} {found.repeated:,} · rejected {found.rejected:,}")
    lines += [f"  rejected {number:,}: {reason}" for reason, number in found.reasons.most_common()]
    lines += [
        f"  {tier} = {level or 'unscored'}: {many(users, 'user')} moved here"
        for (tier, level), users in sorted(found.moves.items(), key=str)
    ]
    if found.started:
        lines.append(f"{many(found.started, 'run')} started of flows with 'existing: enter'")
    return "\n".join(lines)
