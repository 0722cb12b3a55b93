"""Says the report of a comparison on a terminal: the answer first, then health, arms and comparisons in columns."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from sop_engine.cli.output import table
from sop_engine.core.comparison import text
from sop_engine.core.comparison.asked_words import ASKED
from sop_engine.core.comparison.cross import Cell, in_rows
from sop_engine.core.comparison.labels import LABELS, STATES
from sop_engine.core.comparison.planning import WEEKS, AsDeclared, told
from sop_engine.core.comparison.values import Report
from sop_engine.core.errors import Refused

if TYPE_CHECKING:
    from datetime import datetime

    from sop_engine.actions.compare_plan import Planned
    from sop_engine.actions.winners import Winner
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

    rows = []
    with app.work(now) as work:
        for one in all_declared(work.project):
            try:
                r = report_of(work, one)
            except Refused as refused:  # the others are shown all the same
                rows.append([one.name, "-", "-", str(refused)])
            else:
                mature = f"{sum(a.mature for a in r.arms):,}"
                rows.append([r.source.name, mature, text.shown_answer(r, lang), r.answer.sentence[lang]])
    if not rows:
        return "No flow has 'variants' or 'holdout': there is nothing to compare."
    label = LABELS[lang]
    return table(rows, head=[label["name"], label["mature"], label["verdict"], label["answer"]], right=(1,))


def plan_told(one: "Planned", lang: str) -> str:
    """The plan as text: what it rests on, a row for each hold-out, and how long the declared size takes."""
    natural, planning, words = one.natural_return, one.planning, ASKED[lang]
    rests = words["rests"].format(
        name=one.experiment,
        lapsed=natural.lapsed,
        quiet=natural.lapsed_days,
        returned=natural.returned,
        rate=f"{planning.natural:.1%}",
        window=natural.window_days,
        a_day=planning.users_a_day,
    )
    to_find = words["to_find"].format(effect=100 * planning.effect, power=planning.power, variants=planning.variants)
    head = [words["hold_out"], words["users"], "planned_per_arm", words["days"], *(words["finds"].format(weeks=w) for w in WEEKS)]
    lines = [rests, to_find, table(told(planning), head=head, right=range(1, 7)), words["dash"]]
    if one.declared is not None:
        d = one.declared
        lines.append(words["declared" if d.days is not None else "declared_never"].format(users=d.users, days=d.days))
        lines += [f"! {long_told(one.experiment, d, lang)}" for _ in d.warnings]
    return "\n".join(lines)


def long_told(name: str, declared: AsDeclared, lang: str) -> str:
    """That the declared size of an experiment takes over 90 days."""
    key = "over_90_days" if declared.days is not None else "over_90_days_never"
    return ASKED[lang][key].format(name=name, users=declared.users, days=declared.days, a_day=declared.users_a_day)


def crossed_told(cells: Sequence[Cell], by: Sequence[str], lang: str) -> str:
    """A cross table as text."""
    words = ASKED[lang]
    if not cells:
        return words["nothing"]
    head = [*by, words["delivered"], words["goals"], words["rate"], words["limits"], ""]
    rows = [[*row[:-1], words.get(row[-1], "")] for row in in_rows(cells)]
    return table(rows, head=head, right=range(len(by), len(by) + 3))


def approved_told(one: "Winner", lang: str) -> str:
    """That a proposed winner was given to new users."""
    return ASKED[lang]["approved"].format(name=one.experiment, variant=one.variant, by=one.by, sentence=one.said(lang))


def winner_told(work: "Work", experiment: "Declared", lang: str) -> str:
    """What a verdict led to; nothing where it led to nothing."""
    from sop_engine.actions.winners import winner_of

    one, words = winner_of(work, experiment), ASKED[lang]
    if one is None:
        return ""
    if one.state == "proposed":
        return words["proposed"].format(day=one.at[:10], variant=one.variant, name=one.experiment)
    who = words["who"].format(by=one.by) if one.by else ""
    return words["switched"].format(variant=one.variant, at=one.at[:16], who=who)
