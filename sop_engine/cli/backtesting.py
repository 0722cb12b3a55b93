"""The command `sop backtest`: what the playbooks of this folder would have done in a period, over the stored events."""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sop_engine.cli.finding import flows_of
from sop_engine.cli.opening import HERE, Folder, clock, day, open_database, read_project
from sop_engine.cli.output import AsJson, plain, progress, show
from sop_engine.core.errors import BadInput

if TYPE_CHECKING:
    from sop_engine.actions.tally import Tally
    from sop_engine.core.project import Project

OVERLAPS = 5  # pairs of flows shown; JSON has all


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(backtest)


def backtest(
    first: Annotated[str, typer.Option("--from", metavar="DATE", help="The first day.")],
    last: Annotated[str, typer.Option("--to", metavar="DATE", help="The last day; not later than yesterday.")],
    flow: Annotated[str | None, typer.Argument(metavar="[FLOW]", help="Tell of one playbook or flow; all are played.")] = None,
    project: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Replay a period through the playbooks of this folder.

    Stored events, and the playbooks as they are here, applied or not. Nobody is contacted. Users are those known today; what
    happened before the period is history. All flows are played, for they share caps and budgets.

    \b
    Examples:
      sop backtest --from 2025-05-01 --to 2025-05-31
      sop backtest 沉默45天唤醒 --from 2025-05-01 --to 2025-05-31
    """
    from sop_engine.actions.replay import Period, replay

    _, read = read_project(project)
    flows = [f.id for f in (flows_of(read, flow) if flow else read.flows.values())]
    period = Period(day(first), day(last))
    _check(period.first, period.last, clock().astimezone(read.zone).date())
    with progress("replaying") as say:
        found, played = replay(open_database(project), read, period, progress=lambda on: say(f"{on}"))
    played.engine.dispose()
    told = {name: _of_flow(found, name) for name in flows}
    whole = {
        "first": found.first,
        "last": found.last,
        "currency": read.settings.currency,
        "flows": told,
        "by_day": found.by_day,
        "by_channel": found.by_channel,
        "benefits": _benefits(found, read, flows),
        "overlap": [{"flows": pair, "users": many} for pair, many in sorted(found.overlap.items(), key=lambda one: -one[1])],
        "most_a_day": found.most_a_day,
    }
    show(whole, as_json, _text(whole) if told else "The project has no flows.")


def _check(first: date, last: date, today: date) -> None:
    if first > last:
        raise BadInput(f"--from {first} is after --to {last}.")
    if last >= today:
        raise BadInput(f"--to {last} is not over yet. Only whole days gone by can be replayed.")


def _of_flow(found: "Tally", flow: str) -> dict[str, Any]:
    given = [cost for (name, _), (_, cost) in found.benefit_cost.items() if name == flow]
    return {
        "starts": found.starts.get(flow, 0),
        "refused": _by_reason(found.refused, flow),
        "sent": found.sent.get(flow, 0),
        "skipped": _by_reason(found.skipped, flow),
        "cost": sum(given, found.send_cost.get(flow, Decimal(0))),
        "goals": found.goals.get(flow, 0),
        "ends": _by_reason(found.ends, flow),
        "levels": {level or "unscored": n for (name, level), n in found.by_level.items() if name == flow},
    }


def _benefits(found: "Tally", project: "Project", flows: Iterable[str]) -> list[dict[str, Any]]:
    """What each flow gave: how many, what that costs at full use, and the budget of the benefit."""
    wanted = set(flows)
    rows = []
    for (flow, name), (many, cost) in found.benefit_cost.items():
        if flow in wanted:
            budget = project.benefits[name].budget
            rows.append({"flow": flow, "benefit": name, "given": many, "cost": cost, "budget": f"{budget.most} per {budget.per}"})
    return rows


def _text(whole: dict[str, Any]) -> str:
    currency = whole["currency"]
    lines = [_line(name, one, currency) for name, one in whole["flows"].items()]
    if whole["by_channel"]:
        busiest = max(whole["by_day"].items(), key=lambda one: one[1])
        channels = ", ".join(f"{channel} {n:,}" for channel, n in whole["by_channel"].items())
        lines += [
            "",
            f"by channel: {channels}",
            f"busiest day: {busiest[0]}, {busiest[1]:,} sent; at most {whole['most_a_day']} a day to one user",
        ]
    for one in whole["benefits"]:
        lines.append(f"{one['flow']} gives {one['benefit']}: {one['given']:,}, {plain(one['cost']):,} {currency} (budget {one['budget']})")
    for one in whole["overlap"][:OVERLAPS]:
        lines.append(f"at the same time in {one['flows'][0]} and {one['flows'][1]}: {one['users']:,} users")
    return "\n".join(lines)


def _by_reason(counts: Mapping[tuple[str, str], int], flow: str) -> dict[str, int]:
    mine: Iterable[tuple[str, int]] = ((reason, n) for (name, reason), n in counts.items() if name == flow)
    return dict(sorted(mine, key=lambda pair: -pair[1]))


def _line(flow: str, one: dict[str, Any], currency: str) -> str:
    parts = [f"starts {one['starts']:,}", f"sent {one['sent']:,}"]
    for word in ("refused", "skipped"):
        if one[word]:
            parts.append(f"{word}: " + ", ".join(f"{reason} {n:,}" for reason, n in one[word].items()))
    if one["levels"]:
        parts.append("to: " + ", ".join(f"{level} {n:,}" for level, n in one["levels"].items()))
    parts += [f"cost {plain(one['cost']):,} {currency}", f"goals {one['goals']:,}"]
    return f"{flow}  {' · '.join(parts)}"
