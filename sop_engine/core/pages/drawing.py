"""Draws a timeline as SVG: no script, no fonts of its own, the same bytes every time, readable on light and on dark."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from sop_engine.core.comparison.svg import width_of
from sop_engine.core.pages.markdown import MADE
from sop_engine.core.pages.timeline import Lane, Mark, Timeline
from sop_engine.core.pages.words import page_words
from sop_engine.core.say_words import Words

HEAD, FOOT, LINE, EDGE, NARROW = 44, 34, 16, 12, 6.2  # pixels; NARROW is half of a Chinese character of 12 px
ROOM = 22  # half characters: longer texts go on in the next line
WORD = re.compile(r"[!-~]+\s*|.\s*")
STYLE = """
text{font:12px system-ui,-apple-system,'PingFang SC','Microsoft YaHei','Noto Sans CJK SC',sans-serif;fill:#1f2328}
.b{font-weight:600}.g{fill:#59636e}.gift{fill:#9a3f00}.paper{fill:#fff}.band{fill:#f3f5f8}
.rule{stroke:#d1d9e0}.axis{stroke:#59636e;stroke-width:1.5}.mark{fill:#0969da;stroke:#0969da;stroke-width:1.5}
.quiet{fill:none;stroke:#59636e}.asks{stroke-dasharray:3 2;fill-opacity:.35}.dia{fill:#d9730d}
@media (prefers-color-scheme:dark){text{fill:#e6edf3}.g{fill:#9198a1}.gift{fill:#ffb77c}.paper{fill:#0d1117}.band{fill:#161b22}
.rule{stroke:#30363d}.axis{stroke:#9198a1}.mark{fill:#58a6ff;stroke:#58a6ff}.quiet{fill:none;stroke:#9198a1}.dia{fill:#f0883e}}
"""


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    style: str


@dataclass(frozen=True, slots=True)
class _Sizes:
    """Pixels: where each column begins, the width of the lane names, and the whole width."""

    columns: tuple[float, ...]
    names: float
    width: float


def draw(timeline: Timeline, *, locale: str = "zh-CN") -> str:
    """The timeline as an SVG document that ends with a line feed."""
    words = page_words(locale)
    sizes = _sizes(timeline, words)
    parts, y = [], float(HEAD)
    for number, lane in enumerate(timeline.lanes):
        height = _height(lane, sizes)
        if number % 2 == 0:
            parts.append(f'<rect class="band" y="{y:g}" width="{sizes.width:g}" height="{height:g}"/>')
        y += height
    bottom, parts, y = y, [*parts, *_axis(timeline, sizes)], float(HEAD)
    for lane in timeline.lanes:
        parts += _lane(lane, sizes, y)
        y += _height(lane, sizes)
    parts += _legend(words, bottom + 22)
    return _document(timeline.title, sizes.width, bottom + FOOT, parts)


def _document(title: str, width: float, height: float, parts: list[str]) -> str:
    size = f'viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label={quoteattr(title)}>'
    paper = f'<rect class="paper" width="{width:g}" height="{height:g}"/>'
    return "\n".join([head, MADE, f"<title>{escape(title)}</title>", f"<style>{STYLE}</style>", paper, *parts, "</svg>\n"])


def _sizes(timeline: Timeline, words: Words) -> _Sizes:
    names = max([width_of(line.text) for lane in timeline.lanes for line in _name(lane)], default=0) + 2 * EDGE
    columns, x = [], names + EDGE
    for number, column in enumerate(timeline.columns):
        columns.append(round(x, 1))
        texts = [line.text for lane in timeline.lanes for mark in lane.marks if mark.column == number for line in _lines(mark)]
        x += max(width_of(column.label) + 10, *(width_of(text) + 16 for text in texts), 40) + 2 * EDGE
    least = 640 if any(lane.none for lane in timeline.lanes) else 460
    return _Sizes(tuple(columns), round(names, 1), round(max(x, least)))


def _lines(mark: Mark) -> list[_Line]:
    said = [(mark.step, "b"), (mark.when, "g"), ("/".join(mark.channels), ""), *((benefit, "gift") for benefit in mark.benefits)]
    return [_Line(piece, style) for text, style in said if text for piece in _wrapped(text, ROOM)]


def _name(lane: Lane) -> list[_Line]:
    named = [_Line(piece, "b") for piece in _wrapped(lane.name, ROOM)]
    return [*named, _Line(lane.intent, "g")] if lane.intent else named


def _wrapped(text: str, most: float) -> Iterator[str]:
    """The text in pieces of at most so many half characters; a number or a word is broken only where it is longer than that."""
    piece = ""
    for word in WORD.findall(text):
        for part in [word] if width_of(word) <= most * NARROW else word:
            if piece and width_of(piece + part.rstrip()) > most * NARROW:
                yield piece.rstrip()
                piece = ""
            piece += part
    yield piece.rstrip()


def _none(lane: Lane, sizes: _Sizes) -> list[_Line]:
    return [_Line(piece, "g") for piece in _wrapped(lane.none, (sizes.width - sizes.names - 3 * EDGE) / NARROW)] if lane.none else []


def _height(lane: Lane, sizes: _Sizes) -> float:
    stacks: dict[int, int] = {}
    for mark in lane.marks:
        stacks[mark.column] = stacks.get(mark.column, 0) + LINE * len(_lines(mark)) + 8
    return max(*stacks.values(), LINE * len(_name(lane)), LINE * len(_none(lane, sizes)), 0) + 18


def _axis(timeline: Timeline, sizes: _Sizes) -> Iterator[str]:
    """The days: a broken line where days are left out."""
    for number, (column, x) in enumerate(zip(timeline.columns, sizes.columns, strict=True)):
        yield _text(x - 5, 22, _Line(column.label, "b"))
        if number:
            dashes = ' stroke-dasharray="2 5"' if column.gap else ""
            yield f'<line class="axis" x1="{sizes.columns[number - 1]:g}" y1="{HEAD - 10}" x2="{x:g}" y2="{HEAD - 10}"{dashes}/>'
    for x in sizes.columns:
        yield f'<line class="axis" x1="{x:g}" y1="{HEAD - 14}" x2="{x:g}" y2="{HEAD - 6}"/>'


def _lane(lane: Lane, sizes: _Sizes, top: float) -> Iterator[str]:
    bottom = top + _height(lane, sizes)
    for x in sizes.columns if lane.marks else ():
        yield f'<line class="rule" x1="{x:g}" y1="{top:g}" x2="{x:g}" y2="{bottom:g}"/>'
    for row, line in enumerate(_name(lane)):
        yield _text(EDGE, top + 21 + row * LINE, line)
    for row, line in enumerate(_none(lane, sizes)):
        yield _text(sizes.names + EDGE, top + 21 + row * LINE, line)
    below: dict[int, float] = {}
    for mark in lane.marks:
        y = below.get(mark.column, top + 21)
        x = sizes.columns[mark.column]
        yield _symbol(mark.kind, mark.asks, x, y - 4)
        if mark.benefits:
            yield _gift(x, y + LINE - 4)
        lines = _lines(mark)
        yield from (_text(x + 14, y + row * LINE, line) for row, line in enumerate(lines))
        below[mark.column] = y + LINE * len(lines) + 8


def _symbol(kind: str, asks: bool, x: float, y: float) -> str:
    style = f"{'quiet' if kind == 'quiet' else 'mark'}{' asks' if asks else ''}"
    if kind == "task":
        return f'<rect class="{style}" x="{x - 5:g}" y="{y - 5:g}" width="10" height="10"/>'
    return f'<circle class="{style}" cx="{x:g}" cy="{y:g}" r="5.5"/>'


def _gift(x: float, y: float) -> str:
    return f'<path class="dia" d="M{x:g} {y - 5:g}l5 5-5 5-5-5z"/>'


def _text(x: float, y: float, line: _Line) -> str:
    style = f' class="{line.style}"' if line.style else ""
    return f'<text x="{x:g}" y="{y:g}"{style}>{escape(line.text)}</text>'


def _legend(words: Words, y: float) -> Iterator[str]:
    x = float(EDGE + 6)
    for kind, asks, name in (("message", False, "message"), ("task", False, "task"), ("message", True, "if"), ("quiet", False, "quiet")):
        yield _symbol(kind, asks, x, y - 4)
        yield _text(x + 11, y, _Line(words[name], "g"))
        x = round(x + width_of(words[name]) + 30, 1)
    yield _gift(x, y - 4)
    yield _text(x + 11, y, _Line(words["benefit"], "g"))
