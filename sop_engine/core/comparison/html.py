"""Writes a report as one HTML page that needs nothing else: plots inline, no script, nothing fetched."""

from collections.abc import Iterator, Sequence
from html import escape

from sop_engine.core.comparison import text
from sop_engine.core.comparison.chart_words import CHART, WITHHELD
from sop_engine.core.comparison.charts import interval_chart, path_chart, return_chart
from sop_engine.core.comparison.labels import LABELS, STATES
from sop_engine.core.comparison.phrases import points, rate
from sop_engine.core.comparison.values import Report

STYLE = """
:root{color-scheme:light}
body{font:15px/1.55 system-ui,
"Noto Sans","PingFang SC","Microsoft YaHei","Noto Sans CJK SC",sans-serif;color:#1f2933;
background:#f4f6f8;margin:0}
main{max-width:880px;margin:24px auto;padding:0 16px}
section{background:#fff;border:1px solid #dfe4ea;border-radius:8px;padding:14px 20px;margin:14px 0}
h1{font-size:20px;margin:0 0 4px}
h2{font-size:15px;margin:0 0 8px}
p{margin:6px 0}
.small{color:#5b6470;font-size:13px}
.answer{border-left:6px solid #5b6470;font-size:17px}
.better{border-left-color:#00734f}
.worse,.do_not_trust{border-left-color:#a3341f}
.word{font-weight:700}
.warning{margin:4px 0;padding:4px 10px;background:#fff6e0;border-left:3px solid #b7791f}
table{border-collapse:collapse;width:100%;font-size:13px;font-variant-numeric:tabular-nums}
th,td{text-align:right;padding:5px 8px;border-bottom:1px solid #e8ecf0;vertical-align:top}
th{font-weight:600;color:#48515c}
td:first-child,th:first-child,.words td:last-child,.words th:last-child{text-align:left}
.scroll{overflow-x:auto}
svg{width:100%;height:auto;font:12px system-ui,"Noto Sans","Noto Sans CJK SC",sans-serif;fill:#1f2933}
dl{display:grid;grid-template-columns:max-content 1fr;gap:2px 14px;font-size:13px;margin:0}
dt{color:#5b6470}
dd{margin:0;overflow-wrap:anywhere}
"""


def as_html(report: Report, lang: str) -> str:
    """The page."""
    title = f"{CHART[lang]['title']} · {report.source.name}"
    head = f'<!doctype html>\n<html lang="{"zh-CN" if lang == "zh" else "en"}">\n<head>\n<meta charset="utf-8">\n'
    head += '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
    body = "\n".join(fragments(report, lang))
    return f"{head}<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"


def fragments(report: Report, lang: str) -> Iterator[str]:
    """The sections, for a page of one's own; STYLE goes with them."""
    label, chart = LABELS[lang], CHART[lang]
    yield _section(f"<h1>{escape(chart['title'])} · {escape(report.source.name)}</h1>" + _lines(text.header_lines(report, lang), "small"))
    yield _answer(report, lang)
    yield _section(_health(report, lang))
    yield _section(_titled(label["comparisons"], f'<p class="small">{escape(chart["how_sure"])}</p>' + interval_chart(report, lang)))
    table = _table(text.comparison_head(lang), list(text.comparison_rows(report, lang)), "words")
    yield _section(table + f'<p class="small">{escape(chart["bayes"])}</p>' + _lines(text.money_lines(report, lang)))
    yield _section(
        _titled(label["arms"], _table(text.arm_head(report, lang), list(text.arm_rows(report, lang))) + _funnel_note(report, lang))
    )
    yield _section(_titled(chart["curves"], return_chart(report, lang) + _lines(text.natural_lines(report, lang), "small")))
    yield _section(_titled(chart["paths"], "".join(path_chart(report, c, lang) for c in report.comparisons)))
    yield _section(_titled(label["tiers"], _tiers(report, lang)))
    yield _section(_titled(label["guardrails"], _guards(report, lang)))
    yield _section(_titled(label["reached"], _reached(report, lang)))
    yield _section(_titled(chart["about"], _about(report)))


def _section(inner: str) -> str:
    return f"<section>{inner}</section>" if inner else ""


def _titled(title: str, inner: str) -> str:
    return f"<h2>{escape(title)}</h2>{inner}" if inner else ""


def _lines(lines: Iterator[str], css: str = "") -> str:
    return "".join(f'<p class="{css}">{escape(one)}</p>' if css else f"<p>{escape(one)}</p>" for one in lines)


def _answer(report: Report, lang: str) -> str:
    word = text.shown_answer(report, lang)
    sentence = escape(report.answer.sentence[lang])
    advice = escape(text.advice(report, lang))
    inner = f'<p class="word">{escape(word)}</p><p>{sentence}</p><p class="small">{advice}</p>'
    return f'<section class="answer {report.answer.verdict}">{inner}</section>'


def _health(report: Report, lang: str) -> str:
    lines = list(text.health_lines(report, lang))
    told = "".join(f'<p class="{"warning" if one.startswith("!") else ""}">{escape(one.removeprefix("! "))}</p>' for one in lines)
    return told


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], css: str = "") -> str:
    """`css` is `words` where the last column is no number."""
    if not rows:
        return ""
    top = "".join(f"<th>{escape(h)}</th>" for h in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    kind = f' class="{css}"' if css else ""
    return f'<div class="scroll"><table{kind}><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def _funnel_note(report: Report, lang: str) -> str:
    listed = [(text.shown_arm(a.name, report, lang), a.funnel["not_sent"]) for a in report.arms if a.funnel and a.funnel.get("not_sent")]
    if not any(a.funnel for a in report.arms):
        return ""
    lines = [
        f"{CHART[lang]['not_sent']} ({name}): " + ", ".join(f"{WITHHELD[lang].get(k, k)} {v:,}" for k, v in why.items())
        for name, why in listed
    ]
    return _lines(iter([*lines, CHART[lang]["funnel_note"]]), "small")


def _tiers(report: Report, lang: str) -> str:
    table = _table(text.tier_head(lang), list(text.tier_rows(report, lang)))
    return table + _lines(text.tier_lines(report, lang), "small") if table else ""


def _guards(report: Report, lang: str) -> str:
    label = LABELS[lang]
    head = [label["guard"], label["arm"], label["share"], label["interval"], label["limit"], label["standing"]]
    return _table(head, list(text.guard_rows(report, lang, STATES)), "words")


def _reached(report: Report, lang: str) -> str:
    if report.reached is None:
        return ""
    rows = [
        [text.shown_arm(a.name, report, lang), f"{a.mature:,}", f"{a.won_back:,}", "-" if a.rate is None else rate(a.rate)]
        for a in report.reached.arms
    ]
    told = [
        f"{text.pair_name(c, report, lang)}: {points(c.difference, 1)} ({text.band(c.low, c.high, lang)})"
        for c in report.reached.comparisons
        if c.difference is not None
    ]
    label = LABELS[lang]
    return _table([label["arm"], label["mature"], label["won_back"], label["rate"]], rows) + _lines(iter(told), "small")


def _about(report: Report) -> str:
    known = {"sha256": report.source.sha256, **(report.source.about or {}), "as_of": report.as_of}
    return "<dl>" + "".join(f"<dt>{escape(k)}</dt><dd>{escape(str(v))}</dd>" for k, v in known.items() if v is not None) + "</dl>"
