"""Draws what a command printed as a picture: `sop why 小王 | python docs/pictures/draw.py 'sop why 小王' > why.svg`."""

import re
import sys
import unicodedata
from itertools import groupby
from xml.sax.saxutils import escape

CELL, LINE, EDGE, TOP = 8.4, 21, 20, 52
FONTS = (
    "ui-monospace, 'SF Mono', Menlo, Consolas, 'Noto Sans Mono CJK SC', 'Source Han Mono SC', 'PingFang SC', 'Microsoft YaHei', monospace"
)
COLOURS = {
    "sent": "#3fb950",
    "ok": "#3fb950",
    "yes": "#3fb950",
    "skipped": "#d29922",
    "cancelled": "#8b949e",
    "no": "#f85149",
    "error": "#f85149",
}
WORDS = re.compile(rf"(?<![\w-])({'|'.join(COLOURS)})(?![\w-])")


def cells(text: str) -> int:
    """How many columns of a terminal a text takes."""
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)


def piece(text: str, column: int, row: int, colour: str) -> str:
    """Signs of one width, stretched to their columns whatever the font."""
    if not text.strip():
        return ""
    width = f'textLength="{cells(text) * CELL:.1f}" lengthAdjust="spacingAndGlyphs"'
    return f'<text x="{EDGE + column * CELL:.1f}" y="{TOP + row * LINE}" fill="{colour}" {width}>{escape(text)}</text>'


def line(text: str, row: int, colour: str) -> list[str]:
    """The pieces of one line: words of state coloured, narrow and wide signs apart."""
    drawn, column = [], 0
    for part in WORDS.split(text):
        for _, signs in groupby(part, key=lambda sign: (cells(sign), sign == " ")):
            run = "".join(signs)
            drawn.append(piece(run, column, row, COLOURS.get(part, colour)))
            column += cells(run)
    return [p for p in drawn if p]


def picture(command: str, printed: str) -> str:
    """The SVG of a window with a command and what it printed."""
    lines = [f"$ {command}", *printed.rstrip("\n").split("\n")]
    width = 2 * EDGE + max(map(cells, lines)) * CELL
    height = TOP + (len(lines) - 1) * LINE + EDGE
    drawn = [piece for row, text in enumerate(lines) for piece in line(text, row, "#e6edf3" if row else "#79c0ff")]
    dots = "".join(
        f'<circle cx="{EDGE + 18 * i}" cy="20" r="5.5" fill="{fill}"/>' for i, fill in enumerate(("#ff5f57", "#febc2e", "#28c840"))
    )
    box = f'<rect width="{width:.0f}" height="{height}" rx="10" fill="#0d1117"/>'
    size = f'viewBox="0 0 {width:.0f} {height}" width="{width:.0f}" height="{height}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="{FONTS}" font-size="14" xml:space="preserve" role="img">'
    return "\n".join([head, f"<title>{escape(command)}</title>", box, dots, *drawn, "</svg>\n"])


if __name__ == "__main__":
    sys.stdout.write(picture(sys.argv[1], sys.stdin.read()))
