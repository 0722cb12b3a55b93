"""The commands `sop benefits …`: what the shop owes in benefits, codes left, and a code that is taken back."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sop_engine.cli.opening import HERE, Folder, clock, open_database
from sop_engine.cli.operator import By, who
from sop_engine.cli.output import AsJson, many, show, table

if TYPE_CHECKING:
    from sop_engine.actions.liability import Owed

HEAD = ["issued", "outstanding", "redeemed", "expired", "voided", "value", "cost"]
app = typer.Typer(help="Show what is owed in benefits, or take a code back.", rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def benefits(ctx: typer.Context, project: Folder = HERE, as_json: AsJson = False) -> None:
    """Show benefits given, what is owed, and codes left.

    By benefit, by level at the send and by flow: issued, outstanding (may still be used), redeemed, expired, voided; the face value of
    what is outstanding, and the cost of all that counts.

    \b
    Examples:
      sop benefits
      sop benefits --json
      sop benefits void 000G-40R4-0M30-E209-B
    """
    if ctx.invoked_subcommand is not None:
        return
    from sop_engine.actions.liability import low_stocks, owed
    from sop_engine.store import asked_benefits, grants, redemptions, tallies

    with open_database(project).work(clock()) as work:
        given = grants.benefit_costs(work.tx)
        found, low = owed(work), low_stocks(work)
        pools = tallies.pool_counts(work.tx)
        asked, reports, public = asked_benefits.counts(work.tx), redemptions.counts(work.tx), redemptions.shared_uses(work.tx)
        currency = work.project.settings.currency
    stock = [{"pool": name, "kind": kind, "size": size, "taken": taken, "low": low.get(name, "")}
             for name, (kind, size, taken) in pools.items()]  # fmt: skip
    coupons = [{"provider": provider, "state": state, "many": number} for (provider, state), number in asked.items()]
    parts = [_owed(by, rows, currency) for by, rows in found.items()] if given else ["no benefit was given yet"]
    parts += [_pool(one) for one in stock]
    parts += [f"coupons of {one['provider']}: {one['many']:,} {one['state']}" for one in coupons]
    parts += [f"public code {code}: used {many(number, 'time')}" for code, number in sorted(public.items())]
    if reports:
        parts.append("reports of uses: " + ", ".join(f"{number:,} {word}" for word, number in sorted(reports.items())))
    show(
        {"given": given, "owed": found, "pools": stock, "coupons": coupons, "reports": reports, "public": public}, as_json, "\n".join(parts)
    )


def _owed(by: str, rows: "Sequence[Owed]", currency: str) -> str:
    listed = [
        [
            one.name or "none",
            *(f"{n:,}" for n in (one.issued, one.outstanding, one.redeemed, one.expired, one.voided)),
            f"{one.value:,.2f} {currency}",
            f"{one.cost:,.2f} {currency}",
        ]
        for one in rows
    ]
    return table(listed, head=[by, *HEAD], right=tuple(range(1, 8)))


def _pool(one: Mapping[str, Any]) -> str:
    left = "without end" if one["size"] is None else f"{one['size'] - one['taken']:,} left"
    low = f" (low: {one['low']})" if one["low"] else ""
    return f"pool {one['pool']}: {many(one['taken'], 'code')} taken, {left}{low}"


@app.command()
def void(
    code: Annotated[str, typer.Argument(help="The code, however it is written.")],
    by: By = "",
    project: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Take back an unused code.

    It can no longer be used, and counts in no limit or budget. Used ones and those that are over stay as they are.

    \b
    Examples:
      sop benefits void 000G-40R4-0M30-E209-B
      sop benefits void VIP2025 --by 王经理
    """
    from sop_engine.actions.liability import void_code

    benefit = void_code(open_database(project), code, clock(), by=who(by))
    show({"benefit": benefit, "state": "voided"}, as_json, f"the code of '{benefit}' is taken back")
