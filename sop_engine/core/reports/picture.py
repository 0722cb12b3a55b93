"""Draws moves between levels: where users were on the left, where they went on the right, in bands as wide as there are moves."""

from collections.abc import Mapping, Sequence
from html import escape

WIDTH, LEFT, RIGHT = 720, 150, 570  # the columns of names stand outside LEFT and RIGHT
HEIGHT, GAP, TOP, BAR = 320, 10, 10, 8
COLOURS = ("#2a78d6", "#1baf7a", "#eda100", "#4a3aa7", "#e34948", "#008300", "#e87ba4", "#eb6834")
Move = tuple[str, str, int]


def moves_picture(moves: Sequence[Move], title: str) -> str:
    """An SVG of (from, to, moves), in the order in which levels first appear; each level has one colour. Empty without moves."""
    listed = [move for move in moves if move[2] > 0]
    whole = sum(count for _, _, count in listed)
    if not whole:
        return ""
    names = list(dict.fromkeys([old for old, _, _ in listed] + [new for _, new, _ in listed]))
    colour = {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(names)}
    scale = (HEIGHT - GAP * (len(names) - 1)) / whole
    left = _places(names, [(old, count) for old, _, count in listed], scale)
    right = _places(names, [(new, count) for _, new, count in listed], scale)
    tall = TOP * 2 + HEIGHT
    head = f'<svg viewBox="0 0 {WIDTH} {tall}" width="{WIDTH}" role="img" font-size="13" fill="currentColor">'
    parts = [f"{head}<title>{escape(title)}</title>"]
    at = {"left": {name: y for name, (y, _) in left.items()}, "right": {name: y for name, (y, _) in right.items()}}
    for old, new, count in listed:
        high = count * scale
        parts.append(_band(at["left"][old], at["right"][new], high, colour[old], f"{old} → {new}: {count:,}"))
        at["left"][old] += high
        at["right"][new] += high
    for places, x, anchor, away in ((left, LEFT, "end", -BAR - 6), (right, RIGHT, "start", BAR + 6)):
        for name, (y, count) in places.items():
            bar = x - BAR if away < 0 else x
            high = count * scale
            parts.append(f'<rect x="{bar}" y="{y:.1f}" width="{BAR}" height="{high:.1f}" fill="{colour[name]}"/>')
            parts.append(f'<text x="{x + away}" y="{y + high / 2 + 4:.1f}" text-anchor="{anchor}">{escape(name)} {count:,}</text>')
    return "\n".join([*parts, "</svg>"])


def _places(names: Sequence[str], counted: Sequence[tuple[str, int]], scale: float) -> Mapping[str, tuple[float, int]]:
    """By level that has any: where its bar begins, and how many."""
    found: dict[str, tuple[float, int]] = {}
    y = float(TOP)
    for name in names:
        count = sum(many for one, many in counted if one == name)
        if count:
            found[name] = (y, count)
            y += count * scale + GAP
    return found


def _band(y1: float, y2: float, high: float, colour: str, said: str) -> str:
    middle = (LEFT + RIGHT) / 2
    upper = f"M{LEFT},{y1:.1f}C{middle:.0f},{y1:.1f} {middle:.0f},{y2:.1f} {RIGHT},{y2:.1f}"
    lower = f"L{RIGHT},{y2 + high:.1f}C{middle:.0f},{y2 + high:.1f} {middle:.0f},{y1 + high:.1f} {LEFT},{y1 + high:.1f}Z"
    return f'<path d="{upper}{lower}" fill="{colour}" fill-opacity="0.35"><title>{escape(said)}</title></path>'
