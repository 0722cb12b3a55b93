"""Draws the parts of a plot as SVG text: axes with round steps, lines, bands, words."""

import math
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from xml.sax.saxutils import escape, quoteattr

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
GREY = "#5b6470"
DASHES = ("", "7 4", "2 3", "9 3 2 3")
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Frame:
    """The plotted area in pixels, and the values at its edges."""

    left: float
    right: float
    top: float
    bottom: float
    x: tuple[float, float]
    y: tuple[float, float]

    def at(self, x: float, y: float) -> Point:
        """The pixel of a value."""
        return self.across(x), self.up(y)

    def across(self, x: float) -> float:
        """Pixels from the left."""
        low, high = self.x
        return self.left + (x - low) / ((high - low) or 1) * (self.right - self.left)

    def up(self, y: float) -> float:
        """Pixels from the top."""
        low, high = self.y
        return self.bottom - (y - low) / ((high - low) or 1) * (self.bottom - self.top)


def picture(width: int, height: int, about: str, parts: Iterable[str]) -> str:
    """A whole plot with its text alternative."""
    head = f'<svg viewBox="0 0 {width} {height}" role="img" aria-label={quoteattr(about)} xmlns="http://www.w3.org/2000/svg">'
    return f"{head}<title>{escape(about)}</title>{''.join(parts)}</svg>"


def steps(low: float, high: float, most: int = 6) -> list[float]:
    """Round values between two."""
    if not high > low:
        return [low]
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw - 1e-12)
    first = math.ceil(low / step - 1e-9)
    return [round(n * step, 12) for n in range(first, math.floor(high / step + 1e-9) + 1)]


def width_of(text: str, *, bold: bool = False) -> float:
    """Pixels of a text of 12 px, rather too many than too few: a Chinese character is as wide as high."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return (12.0 * wide + 6.8 * (len(text) - wide)) * (1.06 if bold else 1.0)


def cut(text: str, pixels: float, *, bold: bool = False) -> str:
    """As much of a text as fits, with … where something is left out."""
    if width_of(text, bold=bold) <= pixels:
        return text
    kept = text
    while kept and width_of(kept + "…", bold=bold) > pixels:
        kept = kept[:-1]
    return f"{kept.rstrip()}…"


def apart(heights: Sequence[float], edges: tuple[float, float], gap: float = 15) -> list[float]:
    """The heights of labels, moved so that none covers another and all stay between the edges; their order stays."""
    order = sorted(range(len(heights)), key=heights.__getitem__)
    found = list(heights)
    for before, one in pairwise(order):
        found[one] = max(found[one], found[before] + gap)
    if order and found[order[-1]] > edges[1]:
        found[order[-1]] = edges[1]
        for after, one in pairwise(reversed(order)):
            found[one] = min(found[one], found[after] - gap)
    return found


def line(one: Point, two: Point, colour: str = GREY, *, width: float = 1, dash: str = "") -> str:
    """A straight line."""
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    ends = f'x1="{one[0]:.1f}" y1="{one[1]:.1f}" x2="{two[0]:.1f}" y2="{two[1]:.1f}"'
    return f'<line {ends} stroke="{colour}" stroke-width="{width}"{dashed}/>'


def path(points: Sequence[Point], colour: str, *, dash: str = "", width: float = 2) -> str:
    """A line through points."""
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    listed = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{listed}" fill="none" stroke="{colour}" stroke-width="{width}"{dashed}/>'


def band(lower: Sequence[Point], upper: Sequence[Point], colour: str) -> str:
    """The area between two lines."""
    listed = " ".join(f"{x:.1f},{y:.1f}" for x, y in [*lower, *reversed(upper)])
    return f'<polygon points="{listed}" fill="{colour}" fill-opacity="0.13"/>'


def words(at: Point, text: str, *, anchor: str = "start", colour: str = "", bold: bool = False) -> str:
    """A text in the plot."""
    more = (f' fill="{colour}"' if colour else "") + (' font-weight="600"' if bold else "")
    return f'<text x="{at[0]:.1f}" y="{at[1]:.1f}" text-anchor="{anchor}"{more}>{escape(text)}</text>'


def y_axis(frame: Frame, told: Callable[[float], str]) -> list[str]:
    """Horizontal lines with their values."""
    parts = []
    for value in steps(*frame.y, 5):
        y = frame.up(value)
        parts.append(line((frame.left, y), (frame.right, y), "#d9dee3", width=0.8))
        parts.append(words((frame.left - 6, y + 4), told(value), anchor="end"))
    return parts


def x_axis(frame: Frame, told: Callable[[float], str], values: Sequence[float]) -> list[str]:
    """The lower edge with its values."""
    parts = [line((frame.left, frame.bottom), (frame.right, frame.bottom))]
    for value in values:
        x = frame.across(value)
        parts.append(line((x, frame.bottom), (x, frame.bottom + 4)))
        parts.append(words((x, frame.bottom + 17), told(value), anchor="middle"))
    return parts
