"""Says the report of a comparison on a terminal: the answer first, then health, arms and comparisons in columns."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sop_engine.cli.output import table
from sop_engine.core.comparison import text
from sop_engine.core.comparison.labels import LABELS, STATES
from sop_engine.core.comparison.planning import WEEKS, told
from sop_engine.core.comparison.values import Report

if TYPE_CHECKING:
    from datetime import datetime

    from sop_engine.actions.compare_plan import Planned
    from sop_engine.app import App, Work
    from sop_engine.core.comparison.declared import Declared


def in_text(report: Report, lang: str) -> str:
    """The report as text."""
    return "\n\n".join(part for part in _parts(report, lang) if part)


def _parts(report: Report, lang: str) -> Iterator[str]:
    label = LABELS[lang]
    yield "\n".join(text.header_lines(report, lang))
    yield report.answer.sentence[lang] + _once(report, lang) + "\n" + text.advice(report, lang)
    yield "\n".join(text.health_lines(report, lang))
    yield _titled(label["arms"], table(list(text.arm_rows(report, lang)), head=text.arm_head(report, lang), right=range(1, 13)))
    comparisons = list(text.comparison_rows(report, lang))
    yield _titled(label["comparisons"], table(comparisons, head=text.comparison_head(lang), right=range(1, 8)))
    yield "\n".join(text.money_lines(report, lang))
    yield "\n".join(text.natural_lines(report, lang))
    yield _tiers(report, lang)
    yield _guardrails(report, lang)


def _once(report: Report, lang: str) -> str:
    csv_without_plan = report.source.kind == "csv" and report.plan.mode == "open_ended" and report.plan.planned is None
    return f" {LABELS[lang]['once']}" if csv_without_plan else ""


def _titled(title: str, body: str) -> str:
    return f"{title}\n{body}" if body else ""


def _tiers(report: Report, lang: str) -> str:
    rows = list(text.tier_rows(report, lang))
    if not rows:
        return ""
    told = "\n".join(text.tier_lines(report, lang))
    return _titled(LABELS[lang]["tiers"], table(rows, head=text.tier_head(lang), right=range(2, 7))) + (f"\n{told}" if told else "")


def _guardrails(report: Report, lang: str) -> str:
    rows = list(text.guard_rows(report, lang, STATES))
    label = LABELS[lang]
    head = [label["guard"], label["arm"], label["share"], label["interval"], label["limit"], label["standing"]]
    return _titled(label["guardrails"], table(rows, head=head, right=(2, 3, 4))) if rows else ""


def overview(app: "App", now: "datetime", lang: str) -> str:
    """Every experiment on one line with its word."""
    from sop_engine.actions.compare import report_of
    from sop_engine.core.comparison.declared import all_declared

    with app.work(now) as work:
        reports = [report_of(work, one) for one in all_declared(work.project)]
    if not reports:
        return "No flow has 'variants' or 'holdout': there is nothing to compare."
    rows = [[r.source.name, f"{sum(a.mature for a in r.arms):,}", text.shown_answer(r, lang), r.answer.sentence[lang]] for r in reports]
    label = LABELS[lang]
    return table(rows, head=[label["name"], label["mature"], label["verdict"], label["answer"]], right=(1,))


def plan_told(one: "Planned") -> str:
    """The plan as text: what it rests on, then a row for each hold-out."""
    natural, planning = one.natural_return, one.planning
    rests = (
        f"{one.experiment}: of {natural.lapsed:,} users silent for {natural.lapsed_days} days at the last month ends, "
        f"{natural.returned:,} ({planning.natural:.1%}) came back by themselves within "
        f"{natural.window_days} days. {planning.users_a_day:.1f} become silent a day.\n"
        f"To find {100 * planning.effect:g} points more with a chance of {planning.power:.0%} (hybrid, {planning.variants} "
        f"variant{'s' if planning.variants > 1 else ''}):"
    )
    head = ["hold-out", "users", "planned_per_arm", "days", *(f"finds after {w} weeks" for w in WEEKS)]
    return f"{rests}\n{table(told(planning), head=head, right=range(1, 7))}\nFinds: the smallest difference in points; - is too few users."


def winner_told(work: "Work", experiment: "Declared") -> str:
    """What a verdict led to; nothing where it led to nothing."""
    from sop_engine.actions.winners import winner_of

    one = winner_of(work, experiment)
    if one is None:
        return ""
    if one.state == "proposed":
        return f"Winner proposed since {one.at[:10]}: '{one.variant}'. 'sop compare {one.experiment} --approve NAME' gives it to new users."
    who = f", approved by {one.by}" if one.by else ""
    return f"New users get '{one.variant}' since {one.at[:16]}{who}; users drawn before keep their arm, and only they are compared."
