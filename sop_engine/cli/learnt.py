"""The command `sop fits`: what was learnt from everybody, and whether a learnt chance is better than a plain rule."""

from typing import TYPE_CHECKING, Annotated

import typer

from sop_engine.cli.opening import HERE, Folder, clock, day, open_database
from sop_engine.cli.output import AsJson, show, table
from sop_engine.core.errors import BadInput

if TYPE_CHECKING:
    from sop_engine.actions.fitted import Centre, Fitted
    from sop_engine.core.judging import ScoreTest

VERDICTS = {
    "better": "It is better than the plain rule, on users and days it had not seen.",
    "not_better": "It is not better than the plain rule: use the rule, it is easier to explain. A refresh that finds this refuses the fit.",
    "too_few": "Too few users to tell: at least 20 of either kind are needed in both periods.",
}
TESTED = {"better": "better than the plain rule", "not_better": "refused", "too_few": "not tested: too few users"}


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(fits)


def fits(
    metric: Annotated[str, typer.Argument(help="A fitted metric; without one, all are listed.")] = "",
    on: Annotated[str | None, typer.Option("--on", metavar="DATE", help="Test a score as of this day; today if not said.")] = None,
    project: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Show what was learnt from everybody: cut points, clusters, chances.

    Of a cluster: what tells its groups apart, and how far each moved since the fit before. A score is learnt anew from the period
    before the last and tested on the last: against the best plain rule (one number alone), with calibration and lift.

    \b
    Examples:
      sop fits
      sop fits 流失概率 --on 2025-06-01
    """
    from sop_engine.actions.fitted import chance_tested, fitted

    with open_database(project).work(clock()) as work:
        found = fitted(work, [metric] if metric else [])
        until = day(on) if on else None
        if until is not None and until.toordinal() > work.day:
            raise BadInput(f"{on} is still to come.")
        tested = chance_tested(work, metric, until) if metric and found[0].verb == "score" else None
    lines = [_listed(found), *(f"{one.metric}: {one.trouble}." for one in found if one.trouble)]
    if metric:
        lines += [_centre(one) for one in found[0].centres]
    if tested is not None:
        lines.append(_tested(tested))
    show({"fits": found, "test": tested} if metric else found, as_json, "\n".join(lines))


def _listed(found: "list[Fitted]") -> str:
    head = ["metric", "", "fitted", "users", "in use", ""]
    rows = []
    for one in found:
        what = ", ".join(f"{cut:g}" for cut in one.cuts) or (f"{len(one.centres)} groups" if one.centres else "")
        when = f"{one.fitted_at:%Y-%m-%d %H:%M} UTC" if one.fitted_at else "never"
        what = ("refused: all alike" if one.verdict else "all alike") if one.degenerate else what or TESTED.get(one.verdict, "")
        rows.append([one.metric, one.verb, when, f"{one.people:,}", "yes" if one.in_use else "no", what])
    return table(rows, head=head, right=(3,))


def _centre(centre: "Centre") -> str:
    told = ", ".join(f"{name} {z:+.1f} sd" for name, z in centre.told_by) or "near everybody's mean"
    moved = "" if centre.moved is None else f" (moved {centre.moved:.2f} sd since the fit before)"
    return f"  {centre.number}: {told}{moved}"


def _tested(test: "ScoreTest") -> str:
    lines = [f"Learnt from {test.learnt_from:,} users, tested on {test.tested_on:,} a period later; it came true for {test.came_true:.1%}."]
    if test.auc is not None and test.rule_auc is not None:
        lines += [
            f"  order   AUC {test.auc:.3f}; by '{test.rule}' alone {test.rule_auc:.3f}; a coin 0.500",
            f"  chances Brier {test.brier:.4f}; saying the same share to everybody {test.brier_of_share:.4f}",
            f"  lift    {test.lift:.2f} times as many in the top tenth as among all",
            table(
                [[f"fifth {n}", f"{b.users:,}", f"{b.said:.1%}", f"{b.came_true:.1%}"] for n, b in enumerate(test.bins, 1)],
                head=["by chance", "users", "said", "came true"],
                right=(1, 2, 3),
            ),
        ]
    return "\n".join([*lines, VERDICTS[test.verdict]])
