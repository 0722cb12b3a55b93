"""The commands `sop tiers`, `sop moves` and `sop count`: how many users are where, and who moved."""

from typing import TYPE_CHECKING, Annotated

import typer

from sop_engine.cli.finding import named
from sop_engine.cli.opening import HERE, Folder, clock, day, open_database
from sop_engine.cli.output import AsJson, many, show, table
from sop_engine.core.errors import BadInput

if TYPE_CHECKING:
    from sop_engine.actions.asking import MoveMatrix, TierShares


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(tiers)
    app.command()(moves)
    app.command()(count)


def tiers(
    model: Annotated[str | None, typer.Argument(metavar="[TIER]", help="One tier; all if none is named.")] = None,
    on: Annotated[str | None, typer.Option("--on", metavar="DATE", help="At the end of a day gone by.")] = None,
    project: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Show how many users are in each level.

    And their share; users without a level are unscored, and shown apart. Days before the first import have no levels: history is
    kept from then on.

    \b
    Examples:
      sop tiers
      sop tiers RFM五档 --on 2025-06-01
    """
    from sop_engine.actions.asking import tier_shares

    with open_database(project).work(clock()) as work:
        wanted = list(work.project.tiers.values()) if model is None else [named(work.project.tiers, model, "tier")]
        on_day = day(on) if on else None
        if on_day is not None and on_day.toordinal() > work.day:
            raise BadInput(f"{on} is still to come. Levels are known up to today.")
        found = [tier_shares(work, tier, on_day) for tier in wanted]
    show(found, as_json, "\n\n".join(_shares(one) for one in found) or "The project has no tiers.")


def _shares(one: "TierShares") -> str:
    rows = [[level.level or "unscored", f"{level.users:,}", f"{level.percent:.1f}%"] for level in one.levels]
    rows.append(["all", f"{one.users:,}", "100.0%" if one.users else "0.0%"])
    return f"{one.tier} · {one.on}\n{table(rows, right=(1, 2))}"


def moves(
    model: Annotated[str, typer.Argument(metavar="TIER", help="The tier.")],
    since: Annotated[str | None, typer.Option("--from", metavar="DATE", help="The first day; 30 days before the last if not said.")] = None,
    until: Annotated[str | None, typer.Option("--to", metavar="DATE", help="The last day; today if not said.")] = None,
    project: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Show who moved from which level to which.

    Between two days, both included, and what made them move.

    \b
    Examples:
      sop moves RFM五档
      sop moves 生命周期 --from 2025-06-01 --to 2025-06-30
    """
    from sop_engine.actions.asking import move_matrix

    first, last = day(since) if since else None, day(until) if until else None
    if first and last and first > last:
        raise BadInput(f"--from {since} is after --to {until}.")
    with open_database(project).work(clock()) as work:
        tier = named(work.project.tiers, model, "tier")
        found = move_matrix(work, tier, first, last)
        levels = [*(tier.ladder or tier.level_names)]
    show(found, as_json, _matrix(found, levels))


def _matrix(found: "MoveMatrix", levels: list[str]) -> str:
    title = f"{found.tier} · {found.since} to {found.until}"
    if not found.moves:
        return f"{title}\nnobody moved"
    counted = {(old, new): users for old, new, users in found.moves}
    names = list(dict.fromkeys([*levels, *(n for pair in counted for n in pair if n is not None)]))
    listed: list[str | None] = [*names, None]
    rows = [
        [old or "unscored", *(f"{counted.get((old, new), 0):,}" if counted.get((old, new)) else "·" for new in listed)] for old in listed
    ]
    head = ["from \\ to", *(new or "unscored" for new in listed)]
    causes = ", ".join(f"{cause} {users:,}" for cause, users in found.causes.items())
    grid = table(rows, head=head, right=range(1, len(head)))
    return f"{title}\n{grid}\n{many(sum(counted.values()), 'move')}: {causes}"


def count(
    condition: Annotated[str, typer.Argument(help="A condition as in a playbook, in quotes.")],
    project: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Count the users a condition holds for.

    Names are those of the applied project.

    \b
    Examples:
      sop count '近30天订单数 >= 2 and 城市 = 上海'
      sop count 'RFM五档 = 潜力 and not 内部账号'
    """
    from sop_engine.language.conditions import parse_audience
    from sop_engine.store.facts import count_audience
    from sop_engine.store.tallies import count_users

    with open_database(project).work(clock()) as work:
        users = count_audience(work.tx, work.project, parse_audience(condition, work.project), work.now)
        everybody = count_users(work.tx)
    show({"condition": condition, "users": users, "of": everybody}, as_json, f"{users:,} of {many(everybody, 'user')}")
