"""Says a report in plain text: the answer, then its health, the arms, the comparisons, tiers and guardrails."""

from collections.abc import Iterator

from sop_engine.core.comparison.labels import ADVICE, LABELS, MODES, WARNING_WORDS
from sop_engine.core.comparison.phrases import SENTENCES, points, rate, word
from sop_engine.core.comparison.values import ArmTold, Comparison, Report

Row = list[str]


def shown_word(report: Report, c: Comparison, lang: str) -> str:
    """The word of a comparison; a difference may still show until the end."""
    return word(lang, c.verdict, final=report.plan.final or report.plan.mode == "fixed")


def band(low: float | None, high: float | None, lang: str, digits: int = 1) -> str:
    """`-1.2 to 3.4`."""
    if low is None or high is None:
        return "-"
    return f"{points(low, digits)} {LABELS[lang]['to']} {points(high, digits)}"


def arm_rows(report: Report, lang: str) -> Iterator[Row]:
    """One row an arm: name, assigned, started, mature, back, rate with limits; then money and messages where known."""
    for arm in report.arms:
        limits = "-" if arm.low is None or arm.high is None else f"{rate(arm.low)} – {rate(arm.high)}"
        shown = "-" if arm.rate is None else rate(arm.rate)
        cells = [arm_name(arm, report, lang), *(f"{n:,}" for n in (arm.assigned, arm.started, arm.mature, arm.won_back)), shown, limits]
        if any(a.value for a in report.arms):
            money = arm.value
            cells += ["-", "-", "-"] if money is None else [_money(money.mean), f"{money.buyers:,}", _money(money.per_buyer)]
        if any(a.funnel for a in report.arms):
            cells += [f"{(arm.funnel or {}).get(key, 0):,}" for key in ("sent", "delivered", "woke")]
        yield cells


def arm_head(report: Report, lang: str) -> Row:
    """The names of the columns of `arm_rows`."""
    keys = ["arm", "assigned", "started", "mature", "won_back", "rate", "limits"]
    keys += ["mean", "buyers", "per_buyer"] if any(a.value for a in report.arms) else []
    keys += ["sent", "delivered", "woke"] if any(a.funnel for a in report.arms) else []
    return [LABELS[lang][key] for key in keys]


def shown_arm(name: str, report: Report, lang: str) -> str:
    """The arm's name as people read it: in Chinese the hold-out is 不发消息的对照组; in CSV and JSON it keeps its own name."""
    held_out = report.plan.hold_out and name == report.plan.control
    return SENTENCES[lang]["hold_out"] if held_out and lang == "zh" else name


def pair_name(c: Comparison, report: Report, lang: str) -> str:
    """The two arms of a comparison."""
    return f"{shown_arm(c.variant, report, lang)} – {shown_arm(c.control, report, lang)}"


def arm_name(arm: ArmTold, report: Report, lang: str) -> str:
    """The arm's name, with a mark on the control where the name does not say it."""
    name = shown_arm(arm.name, report, lang)
    if arm.role != "control" or name != arm.name:
        return name
    return f"{name} ({LABELS[lang]['hold_out' if report.plan.hold_out else 'control']})"


def _money(value: float | None) -> str:
    return "-" if value is None else f"{value:,.2f}"


def comparison_head(lang: str) -> Row:
    """The names of the columns of `comparison_rows`."""
    keys = ("comparison", "difference", "interval", "per_1000", "lift", "p_adjusted", "p_better", "detectable", "verdict")
    return [LABELS[lang][key] for key in keys]


def comparison_rows(report: Report, lang: str) -> Iterator[Row]:
    """One row a comparison."""
    for c in report.comparisons:
        if c.difference is None:
            yield [pair_name(c, report, lang), *["-"] * 7, shown_word(report, c, lang)]
            continue
        digits = 2 if abs(c.difference) < 0.01 else 1
        thousand = f"{round(c.per_1000 or 0)} ({round(c.per_1000_low or 0)} {LABELS[lang]['to']} {round(c.per_1000_high or 0)})"
        yield [
            pair_name(c, report, lang),
            points(c.difference, digits),
            band(c.low, c.high, lang, digits),
            thousand,
            "-" if c.lift is None else rate(c.lift, 0),
            "-" if c.p_adjusted is None else f"{c.p_adjusted:.4f}",
            "-" if c.bayes is None else rate(c.bayes.p_better, 0),
            "-" if c.detectable is None else points(c.detectable, 1),
            shown_word(report, c, lang),
        ]


def header_lines(report: Report, lang: str) -> Iterator[str]:
    """What was compared, with what plan, until when."""
    label, plan = LABELS[lang], report.plan
    window = f", {label['window'].format(days=plan.window_days)}" if plan.window_days is not None else ""
    yield f"{report.source.name} · {MODES[lang][plan.mode]}{window}"
    if plan.planned is not None:
        mature = sum(a.mature for a in report.arms)
        left = label["days_left"].format(days=plan.days_left) if plan.days_left else ""
        yield label["planned"].format(planned=plan.planned, mature=mature, part=rate(plan.part or 0, 0)) + left
    if report.data_through is not None:
        yield label["through"].format(day=report.data_through)
    yield f"{label['engine']} {report.engine} · {label['input']} {report.source.sha256[:12]}"


def health_lines(report: Report, lang: str) -> Iterator[str]:
    """Whether it may be believed, and every warning."""
    label, health = LABELS[lang], report.health
    ratio = health.sample_ratio
    p = "-" if ratio.p is None else f"{ratio.p:.4f}"
    counts = ", ".join(f"{shown_arm(a.name, report, lang)} {ratio.observed[a.name]:,}/{ratio.expected[a.name]:,.0f}" for a in report.arms)
    yield f"{label['health']}: {label[health.status]} · {label['sample_ratio']} p {p} ({counts})"
    if any(health.contamination.values()):
        yield label["contamination"].format(**health.contamination)
    if health.early_alarm is not None and health.early_alarm >= 20:
        yield label["alarm"].format(e=health.early_alarm)
    for one in health.warnings:
        yield f"! {WARNING_WORDS[lang][one]}"


def money_lines(report: Report, lang: str) -> Iterator[str]:
    """What a variant earns, or why nothing is said yet."""
    label = LABELS[lang]
    for c in report.comparisons:
        v = c.value
        if v is None or v.difference is None or c.kind != "against_control":
            continue
        if v.reason is not None:
            yield label["money_waits"].format(v=c.variant, d=v.difference, why=label[f"why_{v.reason}"])
            continue
        after = "" if v.margin_per_1000 is None else label["margin"].format(m=v.margin_per_1000)
        yield label["money"].format(v=c.variant, k=v.per_1000 or 0.0, low=1000 * (v.low or 0), high=1000 * (v.high or 0), after=after)


def natural_lines(report: Report, lang: str) -> Iterator[str]:
    """How many came back by themselves before, where it is known."""
    n = report.natural_return
    if n is not None and n.rate is not None:
        yield LABELS[lang]["natural"].format(
            lapsed=n.lapsed, quiet=n.lapsed_days, returned=n.returned, rate=rate(n.rate), window=n.window_days
        )


def tier_head(lang: str) -> Row:
    """The names of the columns of `tier_rows`."""
    label = LABELS[lang]
    return [label["tier"], label["arm"], label["control"], label["arm"], label["difference"], "p"]


def tier_rows(report: Report, lang: str) -> Iterator[Row]:
    """One row a tier and variant: both rates with their counts, the difference, p adjusted for all tiers."""
    for s in report.strata:
        one, two = s.arms[s.variant], s.arms[report.plan.control]
        cells = [_counted(two), _counted(one)]
        yield [
            s.name,
            s.variant,
            *cells,
            "-" if s.difference is None else points(s.difference, 1),
            "-" if s.p_adjusted is None else f"{s.p_adjusted:.3f}",
        ]


def _counted(arm: "object") -> str:
    assert isinstance(arm, dict)
    return f"{arm['won_back']:,}/{arm['n']:,}" + ("" if arm["rate"] is None else f" {rate(arm['rate'])}")


def tier_lines(report: Report, lang: str) -> Iterator[str]:
    """Crude beside standardised, and whether the tiers differ in the effect."""
    label = LABELS[lang]
    for c in report.comparisons:
        s = c.stratified
        if s is None or c.kind != "against_control":
            continue
        one, two = report.arm(c.variant), report.arm(c.control)
        crude = (one.rate or 0.0) - (two.rate or 0.0)
        standardised = label["standardised"].format(by=label["tier"] if s.by == "tier" else s.by)
        yield f"{c.variant}: {label['crude']} {points(crude, 1)}; {standardised} {points(s.difference, 1)} ({band(s.low, s.high, lang)})"
        if s.p_same_odds is not None:
            but = "" if s.p_same_odds < 0.05 else label["same_odds_no"]
            yield label["same_odds"].format(p=s.p_same_odds, but=but)


def guard_rows(report: Report, lang: str, states: dict[str, dict[str, str]]) -> Iterator[Row]:
    """One row a guardrail and variant; messages are a number per user, the others a share of users."""
    for g in report.guardrails:
        share = g.name != "messages"

        def shown(value: float | None, share: bool = share) -> str:
            return "-" if value is None else rate(value, 2) if share else f"{value:.2f}"

        limits = "-" if g.low is None or g.high is None else f"{shown(g.low)} – {shown(g.high)}"
        if g.state in ("harm", "no_harm_seen"):
            limits = LABELS[lang]["against"].format(limits=limits)
        yield [g.name, g.variant, shown(g.rate), limits, shown(g.limit), states[lang][g.state]]


def shown_answer(report: Report, lang: str) -> str:
    """The overall word."""
    return word(lang, report.answer.verdict, final=report.plan.final or report.plan.mode == "fixed")


def advice(report: Report, lang: str) -> str:
    """What to do, or how long to wait."""
    verdict = report.answer.verdict
    if verdict == "better":
        return ADVICE[lang]["better"].format(v=report.answer.winner) if report.answer.winner else ADVICE[lang]["several"]
    if verdict == "no_clear_difference" and not report.plan.final and report.plan.mode != "fixed":
        smallest = max((c.detectable for c in report.comparisons if c.detectable is not None), default=None)
        words = ADVICE[lang]["wait" if report.plan.planned is not None else "wait_open"]
        return "" if smallest is None else words.format(d=points(smallest, 1))
    if verdict == "no_clear_difference":
        return ADVICE[lang]["end"]
    return ADVICE[lang].get(verdict, "")
