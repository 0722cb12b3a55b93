"""Draws a report: interval chart, curve of returns, difference over time with its band. The numbers are those of the report."""

from datetime import date
from itertools import pairwise

from sop_engine.core.comparison import svg
from sop_engine.core.comparison.chart_words import CHART
from sop_engine.core.comparison.phrases import points, rate
from sop_engine.core.comparison.text import band as limits
from sop_engine.core.comparison.text import pair_name, shown_arm, shown_word
from sop_engine.core.comparison.values import Comparison, Report

WIDTH = 760
ROOM = 160  # right of a plot, for the names of its lines


def colour_of(report: Report, arm: str) -> tuple[str, str]:
    """(colour, dashes) of an arm: the control grey and unbroken; no two variants share a pattern of dashes before the fourth."""
    if report.arm(arm).role == "control":
        return svg.GREY, ""
    index = [a.name for a in report.arms if a.role == "variant"].index(arm)
    return svg.COLOURS[index % len(svg.COLOURS)], svg.DASHES[index % len(svg.DASHES)]


def interval_chart(report: Report, lang: str) -> str:
    """One bar per comparison around its difference, the zero line, and the word at its end."""
    listed = [c for c in report.comparisons if c.difference is not None and c.low is not None and c.high is not None]
    if not listed:
        return ""
    edge = 100 * max(*(abs(v) for c in listed for v in (c.low or 0.0, c.high or 0.0)), 0.005)
    height = 62 + 40 * len(listed)
    frame = svg.Frame(190, WIDTH - 170, 14, height - 38, (-edge * 1.05, edge * 1.05), (0, len(listed)))
    parts = svg.x_axis(frame, lambda v: f"{v:g}", svg.steps(*frame.x))
    zero = frame.across(0)
    parts.append(svg.line((zero, frame.top), (zero, frame.bottom), "#1f2933", width=1.2, dash="4 3"))
    parts.append(svg.words(((frame.left + frame.right) / 2, height - 3), CHART[lang]["points"], anchor="middle"))
    for number, c in enumerate(listed):
        parts += _bar(report, c, frame, frame.top + 22 + number * 40, lang)
    told = "; ".join(f"{pair_name(c, report, lang)}: {points(c.difference or 0, 1)} ({limits(c.low, c.high, lang)})" for c in listed)
    return svg.picture(WIDTH, height, f"{CHART[lang]['interval']}: {told}", parts)


def _bar(report: Report, c: Comparison, frame: svg.Frame, y: float, lang: str) -> list[str]:
    colour = colour_of(report, c.variant)[0]
    low, high, middle = (frame.across(100 * (v or 0.0)) for v in (c.low, c.high, c.difference))
    mark = {"better": "▲ ", "worse": "▼ ", "do_not_trust": "✕ "}.get(c.verdict, "")
    return [
        *_named(report, c, (frame.left - 10, y), lang),
        svg.line((low, y), (high, y), colour, width=7),
        svg.line((low, y - 8), (low, y + 8), colour, width=2),
        svg.line((high, y - 8), (high, y + 8), colour, width=2),
        f'<circle cx="{middle:.1f}" cy="{y:.1f}" r="5" fill="#fff" stroke="{colour}" stroke-width="2.5"/>',
        svg.words((frame.right + 12, y + 4), mark + shown_word(report, c, lang), bold=True),
    ]


def _named(report: Report, c: Comparison, at: svg.Point, lang: str) -> list[str]:
    """The two arms beside their bar: on one line where they fit, else on two, each cut to the room there is."""
    room, whole = at[0] - 4, pair_name(c, report, lang)
    if svg.width_of(whole) <= room:
        return [svg.words((at[0], at[1] + 4), whole, anchor="end")]
    lines = (shown_arm(c.variant, report, lang), f"– {shown_arm(c.control, report, lang)}")
    return [svg.words((at[0], at[1] - 3 + 14 * i), svg.cut(one, room), anchor="end") for i, one in enumerate(lines)]


def return_chart(report: Report, lang: str) -> str:
    """The share that is back by days since the start, with its band; the window marked; users still watched below."""
    arms = [a for a in report.arms if a.curve]
    window = report.plan.window_days
    if not arms or window is None:
        return ""
    last = max(point[0] for a in arms for point in a.curve or ())
    top = max(max(point[3] for point in a.curve or ()) for a in arms) or 0.01
    height = 320 + 17 * len(arms)
    frame = svg.Frame(60, WIDTH - 170, 16, 270, (0, max(last, 1)), (0, top * 1.05))
    days = [v for v in svg.steps(0, max(last, 1), 8) if v == int(v)]
    parts = svg.y_axis(frame, rate) + svg.x_axis(frame, lambda v: f"{v:g}", days)
    parts.append(svg.words(((frame.left + frame.right) / 2, frame.bottom + 34), CHART[lang]["days"], anchor="middle"))
    if window <= last:
        x = frame.across(window)
        parts.append(svg.line((x, frame.top), (x, frame.bottom), "#1f2933", dash="4 3"))
        parts.append(svg.words((x - 5, frame.top + 10), CHART[lang]["window"].format(days=window), anchor="end"))
    for number, arm in enumerate(arms):
        colour, dash = colour_of(report, arm.name)
        curve = arm.curve or ()
        parts.append(svg.band([frame.at(p[0], p[2]) for p in curve], [frame.at(p[0], p[3]) for p in curve], colour))
        parts.append(svg.path(_stairs([frame.at(p[0], p[1]) for p in curve]), colour, dash=dash))
        row = frame.bottom + 54 + 17 * number
        parts.append(svg.words((frame.left - 30, row), "n", anchor="end", colour=colour))
        by_day = {p[0]: p[4] for p in curve}
        parts += [
            svg.words((frame.across(d), row), f"{by_day[int(d)]:,}", anchor="middle", colour=colour) for d in days if int(d) in by_day
        ]
    ends = [(a, (a.curve or ())[-1][1]) for a in arms]
    for (arm, back), y in zip(ends, svg.apart([frame.up(back) for _, back in ends], (frame.top, frame.bottom)), strict=True):
        name = svg.cut(shown_arm(arm.name, report, lang), ROOM - 50, bold=True)
        parts.append(svg.words((frame.right + 8, y + 4), f"{name} {rate(back)}", colour=colour_of(report, arm.name)[0], bold=True))
    told = "; ".join(f"{shown_arm(a.name, report, lang)} {rate(back)}" for a, back in ends)
    return svg.picture(WIDTH, height, f"{CHART[lang]['curve']}: {told}", parts)


def _stairs(listed: list[svg.Point]) -> list[svg.Point]:
    """Between two days the share stays what it was."""
    found = listed[:1]
    for before, one in pairwise(listed):
        found += [(one[0], before[1]), one]
    return found


def path_chart(report: Report, c: Comparison, lang: str) -> str:
    """The difference as it read on each day, with the band that may be looked at every day; the end marked."""
    listed = [p for p in c.path or () if p[1] >= 20]
    if len(listed) < 2:
        return ""
    days = [date.fromisoformat(p[0]).toordinal() for p in listed]
    settled = listed[len(listed) // 10 :]
    edge = 100 * max(*(max(abs(p[3]), abs(p[4])) for p in settled), 0.01)
    frame = svg.Frame(60, WIDTH - 170, 32, 266, (days[0], days[-1]), (-edge, edge))
    parts = svg.y_axis(frame, lambda v: f"{v:g}")
    parts.append(svg.words((frame.left, 16), svg.cut(pair_name(c, report, lang), frame.right - frame.left, bold=True), bold=True))
    ticks = [days[round(i * (len(days) - 1) / 5)] for i in range(6)]
    parts += svg.x_axis(frame, lambda v: date.fromordinal(int(v)).strftime("%m-%d"), list(dict.fromkeys(ticks)))
    zero = frame.up(0)
    parts.append(svg.line((frame.left, zero), (frame.right, zero), "#1f2933", width=1.2, dash="4 3"))
    colour = colour_of(report, c.variant)[0]

    def spot(day: int, value: float) -> svg.Point:
        return frame.at(day, max(-edge, min(edge, 100 * value)))

    pairs = list(zip(days, listed, strict=True))
    parts.append(svg.band([spot(d, p[3]) for d, p in pairs], [spot(d, p[4]) for d, p in pairs], colour))
    parts.append(svg.path([spot(d, p[2]) for d, p in pairs], colour))
    if report.plan.ended_on is not None:
        x = frame.across(date.fromisoformat(report.plan.ended_on).toordinal())
        parts.append(svg.line((x, frame.top), (x, frame.bottom), "#1f2933", dash="2 3"))
        parts.append(svg.words((x - 5, frame.top + 10), CHART[lang]["end"], anchor="end"))
    parts.append(svg.words((frame.right + 8, spot(days[-1], listed[-1][2])[1] + 4), points(listed[-1][2], 1), colour=colour, bold=True))
    parts.append(svg.words(((frame.left + frame.right) / 2, frame.bottom + 36), CHART[lang]["over_time"], anchor="middle"))
    about = CHART[lang]["path"].format(
        v=c.variant, c=shown_arm(c.control, report, lang), d=points(listed[-1][2], 1), band=limits(listed[-1][3], listed[-1][4], lang)
    )
    return svg.picture(WIDTH, 308, about, parts)
