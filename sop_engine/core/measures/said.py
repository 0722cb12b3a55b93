"""How a figure is written: its value by its sort, limits, counts, the reference beside it, and what must be known about it."""

from sop_engine.core.measures.values import Found, Measure
from sop_engine.core.measures.words import LABEL, NOTES, WHY

_FORMS = {
    "rate": "{:.1%}",
    "share": "{:.1%}",
    "change": "{:+.1%}",
    "times": "{:.2f}×",
    "money": "{:,.2f}",
    "number": "{:.2f}",
    "points": "{:+.1f}",
}
COMPARED = ("change", "times")


def value(one: Measure, found: Found) -> str:
    """The figure, or `–` where there is none."""
    return "–" if found.value is None else _FORMS[one.sort].format(found.value)


def limits(one: Measure, found: Found) -> str:
    """The 95 % limits of a rate, or of two rates compared; blank where the figure has none."""
    if found.low is None:
        return ""
    form = _FORMS[one.sort]
    return f"{form.format(found.low)} – {'∞' if found.high is None else form.format(found.high)}"


def counts(found: Found) -> str:
    """Numerator / denominator."""
    if found.numerator is None or found.denominator is None:
        return ""
    return f"{_number(found.numerator)} / {_number(found.denominator)}"


def _number(number: float) -> str:
    return f"{number:,.0f}" if number == int(number) else f"{number:,.2f}"


def references(one: Measure, lang: str) -> str:
    """`25 %, Q-08`: every quoted value with its row; blank without."""
    zh = lang == "zh"
    return ("；" if zh else "; ").join(f"{r.zh}，{r.row}" if zh else f"{r.en}, {r.row}" for r in one.references)


def note(one: Measure, found: Found, lang: str) -> str:
    """Why there is no value or too little behind it; what it is compared with; whatever stands beside it."""
    parts = [WHY[lang][found.why].format(about=found.about)] if found.why else []
    if found.base is not None and one.sort in COMPARED:
        base = f"{found.base:.1%}" if found.low is not None else f"{found.base:,.2f}"
        parts.append(LABEL[lang]["base"].format(base=base))
    parts += [NOTES[lang][word].format(told) for word, told in found.notes]
    return ("，" if lang == "zh" else ", ").join(parts)


def line(one: Measure, found: Found, lang: str) -> str:
    """A figure in one line, its reference beside it: `唤醒率 18.0%（参考 25%，Q-08）`."""
    told, beside = f"{one.title(lang)} {value(one, found)}", references(one, lang)
    if not beside:
        return told
    quoted = LABEL[lang]["reference"].format(quoted=beside)
    return f"{told}（{quoted}）" if lang == "zh" else f"{told} ({quoted})"
