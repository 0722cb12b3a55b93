"""Decides the one answer of a report, and says it in English and Chinese in words an operator can act on."""

from collections.abc import Sequence
from dataclasses import dataclass

from sop_engine.core.comparison.health import Checked
from sop_engine.core.comparison.phrases import REASONS, SENTENCES, points, rate
from sop_engine.core.comparison.values import Answer, ArmTold, Comparison, NaturalReturn, PlanTold

LANGUAGES = ("en", "zh")


def answer_of(
    comparisons: Sequence[Comparison], arms: Sequence[ArmTold], plan: PlanTold, checked: Checked, natural: NaturalReturn | None
) -> Answer:
    """The overall word, the winner if there is one, and the sentence."""
    first = [c for c in comparisons if c.kind == "against_control"] or list(comparisons)
    best = winner(comparisons)
    told = _told(first, best)
    if checked.veto:
        return Answer("do_not_trust", None, checked.veto, {lang: _veto(lang, checked, arms) for lang in LANGUAGES})
    word = _overall([c.verdict for c in first], told)
    reason = told.reason if word == "too_early" and told else "no_users" if told is None else None
    around = _Around(comparisons, arms, plan, natural, best)
    parts = {lang: _sentences(lang, told, around) for lang in LANGUAGES}
    return Answer(word, best, reason, parts)


def winner(comparisons: Sequence[Comparison]) -> str | None:
    """The variant better than the control and, if several are, better than each of the others; without a hold-out than all others."""
    against = [c for c in comparisons if c.kind == "against_control"]
    between = [c for c in comparisons if c.kind == "between_variants"]
    names = list(dict.fromkeys(n for c in between for n in (c.control, c.variant)))
    able = [c.variant for c in against if c.verdict == "better"] if against else names
    if against and len(able) == 1:
        return able[0]
    beats = {(c.variant, c.control) for c in between if c.verdict == "better"}
    beats |= {(c.control, c.variant) for c in between if c.verdict == "worse"}
    return next((a for a in able if len(able) > 1 and all((a, b) in beats for b in able if b != a)), None)


def _overall(words: Sequence[str], told: Comparison | None) -> str:
    judged = [w for w in words if w != "too_early"]
    if "better" in judged or (told is not None and told.kind == "between_variants" and "worse" in judged):
        return "better"
    if judged and all(w == "worse" for w in judged):
        return "worse"
    return "no_clear_difference" if judged else "too_early"


def _told(listed: Sequence[Comparison], best: str | None) -> Comparison | None:
    """The comparison the sentence is about: the winner's, else the largest difference among the strongest words."""
    order = {"better": 0, "no_clear_difference": 1, "worse": 2, "do_not_trust": 3, "too_early": 4}
    between = {"better": 0, "worse": 0}
    ranked = sorted(
        listed,
        key=lambda c: (c.variant != best, (between if c.kind == "between_variants" else order).get(c.verdict, 9), -(c.difference or 0.0)),
    )
    return ranked[0] if ranked else None


def _veto(lang: str, checked: Checked, arms: Sequence[ArmTold]) -> str:
    if checked.veto == "sample_ratio":
        expected = " / ".join(f"{checked.ratio.expected[a.name]:.0f}" for a in arms)
        return SENTENCES[lang]["sample_ratio"].format(e=expected, o=" / ".join(str(checked.ratio.observed[a.name]) for a in arms))
    return SENTENCES[lang][str(checked.veto)].format(n=checked.number)


@dataclass(frozen=True, slots=True)
class _Around:
    """What the sentences of a comparison may speak of."""

    comparisons: Sequence[Comparison]
    arms: Sequence[ArmTold]
    plan: PlanTold
    natural: NaturalReturn | None
    best: str | None


def _sentences(lang: str, c: Comparison | None, around: _Around) -> str:
    if c is None:
        return SENTENCES[lang]["too_early"].format(reason=REASONS[lang]["no_users"], x1=0, n1=0, x0=0, n0=0)
    parts = [sentence_of(lang, c, around.arms, around.plan)]
    others = [b for b in around.comparisons if b.kind == "between_variants" and b is not c and around.best in (b.variant, b.control)]
    parts += [variants_sentence(lang, b) for b in others if b.verdict in ("better", "worse")]
    if c.kind == "between_variants":
        parts.insert(0, no_holdout(lang, around.plan, around.natural))
    if c.borderline:
        parts.append(SENTENCES[lang]["borderline"])
    return ("" if lang == "zh" else " ").join(parts)


def no_holdout(lang: str, plan: PlanTold, natural: NaturalReturn | None) -> str:
    """What cannot be known without a hold-out, and the historic rate if there is one."""
    if natural is None or natural.rate is None:
        return SENTENCES[lang]["no_holdout_alone"]
    return SENTENCES[lang]["no_holdout"].format(nat=rate(natural.rate, 1), W=natural.window_days)


def variants_sentence(lang: str, c: Comparison) -> str:
    """Which of two variants brings back more."""
    d, low, high = c.difference or 0.0, c.low or 0.0, c.high or 0.0
    a, b = c.variant, c.control
    if d < 0:
        a, b, d, low, high = b, a, -d, -high, -low
    digits = 2 if abs(d) < 0.01 else 1
    return SENTENCES[lang]["variants"].format(a=a, b=b, d=points(d, digits), low=points(low, digits), high=points(high, digits))


def sentence_of(lang: str, c: Comparison, arms: Sequence[ArmTold], plan: PlanTold) -> str:
    """The sentence of one comparison, by its word."""
    if c.kind == "between_variants" and c.verdict in ("better", "worse"):
        return variants_sentence(lang, c)
    one, two = (next(a for a in arms if a.name == name) for name in (c.variant, c.control))
    if c.verdict == "too_early" or c.difference is None:
        reason = REASONS[lang][c.reason or "no_users"].format(W=plan.window_days or "", date=plan.ended_on or "?")
        return SENTENCES[lang]["too_early"].format(reason=reason, x1=one.won_back, n1=one.mature, x0=two.won_back, n0=two.mature)
    return _judged(lang, c, (one, two), plan)


def _judged(lang: str, c: Comparison, pair: tuple[ArmTold, ArmTold], plan: PlanTold) -> str:
    d, low, high = c.difference or 0.0, c.low or 0.0, c.high or 0.0
    digits = 2 if abs(d) < 0.01 else 1
    key = c.verdict
    if key == "no_clear_difference":
        key = "no_difference" if plan.final or plan.mode == "fixed" else "no_difference_yet"
    known = {
        "v": c.variant,
        "c": SENTENCES[lang]["hold_out" if pair[1].role == "control" and plan.hold_out else "other_control"].format(name=c.control),
        "r1": rate(pair[0].rate or 0.0, 1),
        "r0": rate(pair[1].rate or 0.0, 1),
        "d": points(d, digits),
        "low": points(low, digits),
        "high": points(high, digits),
        "k": round(1000 * d),
        "rest": _rest(lang, plan, sum(a.mature for a in pair)) if key == "no_difference_yet" else "",
    }
    return SENTENCES[lang][key].format(**known)


def _rest(lang: str, plan: PlanTold, mature: int) -> str:
    """How many users, and days, are left; nothing where no end was named."""
    if plan.planned is None:
        return ""
    left = max(0, plan.planned - round((plan.part or 0.0) * plan.planned))
    if plan.days_left is None:
        return SENTENCES[lang]["left"].format(left=left)
    return SENTENCES[lang]["left_days"].format(left=left, days=plan.days_left)
