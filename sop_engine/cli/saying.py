"""The commands `sop preview`, `sop say` and `sop matrix`: texts as users get them, playbooks in sentences, tiers on a page."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sop_engine.cli.finding import flows_of, named
from sop_engine.cli.opening import HERE, Folder, clock, open_database, open_engine_of, read_project
from sop_engine.cli.output import AsJson, many, show, table
from sop_engine.core.errors import BadInput, SopError

if TYPE_CHECKING:
    from sop_engine.core.matrix import Matrix
    from sop_engine.core.preview import Preview

Language = Annotated[str | None, typer.Option("--lang", help="zh or en; the project's language if not said.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(preview)
    app.command()(say)
    app.command()(matrix)


def preview(
    template: Annotated[str, typer.Argument(help="The name of a template.")],
    user: Annotated[str | None, typer.Option("--user", metavar="USER", help="As this user would get it; else with made-up values.")] = None,
    project: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Write a template as a user would get it.

    The text, its length and SMS parts, what was unknown and what stands for it. Nothing is sent.

    \b
    Examples:
      sop preview 唤醒怀旧_短信
      sop preview 唤醒怀旧_短信 --user 老陈
    """
    from sop_engine.actions.previewing import preview_for, preview_made_up

    _, read = read_project(project)
    name = next(iter(named(read.templates, template, "template").values())).name
    if user is None:
        found = preview_made_up(read, name, clock().astimezone(read.zone).date())
    else:
        with open_database(project).work(clock()) as work:
            found = preview_for(work, read, name, user)
    show(found, as_json, "\n\n".join(_text(one) for one in found))
    if all(one.missing for one in found):
        raise typer.Exit(1)


def _text(one: "Preview") -> str:
    head = f"{one.template} · {one.channel} · {one.purpose} · {one.locale}"
    if one.missing:
        return f"{head}\ncannot be written: {one.missing}"
    most = f" of at most {one.max_length}" if one.max_length else ""
    long = " TOO LONG" if one.max_length and one.length > one.max_length else ""
    size = f"{many(one.length, 'character')}{most}{long}" + (f", {many(one.parts, 'SMS', 'SMS')}" if one.parts else "")
    stands = [f"unknown: {name} → {f'“{text}”' if text else 'left out'}" for name, text in one.fallbacks]
    return "\n".join([head, *([one.subject] if one.subject else []), one.text.strip(), f"({size})", *stands])


def say(
    playbook: Annotated[str, typer.Argument(help="A playbook, or one flow of it.")],
    lang: Language = None,
    project: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Read a playbook back in sentences.

    They are made from what the engine understood: compare them with what was meant.

    \b
    Examples:
      sop say 沉默45天唤醒
      sop say 三层经营/新客层 --lang en
    """
    from sop_engine.core.say import say as in_sentences

    _, read = read_project(project)
    flows = flows_of(read, playbook)
    locale = locale_of(lang, read.settings.locale)
    said = {flow.id: in_sentences(flow, read, locale=locale) for flow in flows}
    none = [line for p in read.playbooks.values() if p.name == playbook for line in p.none]
    parts = [text if len(said) == 1 else f"{name}\n{text}" for name, text in said.items()]
    parts += [f"{playbook}/{level}\nnone: {reason}" for level, reason in none]
    show({"flows": said, "none": dict(none)}, as_json, "\n\n".join(parts))


def locale_of(lang: str | None, default: str) -> str:
    """The locale of --lang, or the project's. Raises BadInput for anything but zh and en."""
    if lang is not None and lang not in ("zh", "en"):
        raise BadInput(f"'{lang}' is not a language it can be said in. Write zh or en.")
    return {"zh": "zh-CN", "en": "en"}.get(lang or "", default)


def matrix(
    tier: Annotated[str, typer.Argument(help="The name of a tier.")],
    lang: Language = None,
    project: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Show a tier on one page: who gets what when.

    For each level what is sent, with which content and benefit, and how many users are there.

    \b
    Examples:
      sop matrix 三层
      sop matrix RFM五档 --json
    """
    from sop_engine.core.matrix import matrix_of

    _, read = read_project(project)
    found_tier = named(read.tiers, tier, "tier")
    found = matrix_of(found_tier, read, _users(project, found_tier.name), locale=locale_of(lang, read.settings.locale))
    show(found, as_json, _page(found))


def _users(folder: Path, tier: str) -> dict[str | None, int] | None:
    """Users by level, where a database is there and the tier was applied."""
    from sop_engine.store.tallies import levels_now

    app = open_engine_of(folder)
    database = app.engine.url.database
    if app.engine.dialect.name == "sqlite" and not (database and Path(database).exists()):
        return None
    try:
        with open_database(folder).work(clock()) as work:
            return levels_now(work.tx, tier) if tier in work.project.tiers else None
    except SopError:
        return None


def _page(found: "Matrix") -> str:
    from sop_engine.core.matrix import FEW

    rows = []
    for row in found.rows:
        nothing = [f"none: {row.nothing}", *["–"] * (len(found.times) - 1)]
        cells = [row.cells.get(when, "–") for when in found.times] if row.cells else nothing
        users = "?" if row.users is None else f"{row.users:,}{' *' if row.few else ''}"
        rows.append([row.level or "unscored", row.playbook, users, *cells])
    times = list(found.times) or [""]
    told = [table(rows, head=[found.tier, "", "users", *times], right=(2,))]
    if any(row.few for row in found.rows):
        told.append(f"* fewer than {FEW} users: too few to learn from")
    if any(row.users is None for row in found.rows):
        told.append("? the number of users is known after 'sop apply'")
    return "\n".join(told)
