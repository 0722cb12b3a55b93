"""Writes Markdown: tables without empty columns, code, links, and text that stays what it is."""

import re
from collections.abc import Iterable, Sequence

MADE = "<!-- made by sop docs -->"
"""Stands in every file the command writes, so that it never replaces or removes one of somebody else."""

_MEANT = re.compile(r"([\\`*<|#\[\]]|^[>+-])")


def plain(text: str) -> str:
    """The text on one line with every sign that means something in Markdown made harmless."""
    return _MEANT.sub(r"\\\1", " ".join(text.split()))


def code(text: str) -> str:
    """The text as code on one line, also inside a table; nothing for nothing."""
    one = " ".join(text.split()).replace("|", r"\|")
    marks = "``" if "`" in one else "`"
    return f"{marks}{one}{marks}" if one else ""


def block(text: str) -> str:
    """The text as it is, in a fence longer than any in it."""
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}text\n{text.strip()}\n{fence}"


def link(text: str, address: str) -> str:
    """A link."""
    return f"[{plain(text)}]({address})"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; columns that are empty in every row are left out. Cells are Markdown already."""
    rows = list(rows)
    kept = [i for i in range(len(head)) if any(row[i] for row in rows)]
    lines = [[head[i] for i in kept], ["---" for _ in kept], *([row[i] for i in kept] for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def bullets(lines: Iterable[str]) -> str:
    """A list."""
    return "\n".join(f"- {line}" for line in lines)


def page(title: str, parts: Iterable[str], note: str) -> str:
    """A page of parts with an empty line between them, empty ones left out; the note in small letters ends it."""
    kept = (part.strip("\n") for part in parts if part)
    return "\n\n".join([f"# {plain(title)}", *kept, f"<sub>{note}</sub>", MADE]) + "\n"


def section(title: str, *parts: str) -> str:
    """A section, or nothing where there is nothing to say."""
    said = [part for part in parts if part]
    return "\n\n".join([f"## {plain(title)}", *said]) if said else ""
