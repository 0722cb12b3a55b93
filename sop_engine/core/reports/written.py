"""Writes a report as HTML, Markdown, CSV or JSON: the same values give the same bytes, and nothing in it comes from outside."""

import csv
import json
from collections.abc import Callable, Iterator
from html import escape

from sop_engine.core.pages.markdown import plain
from sop_engine.core.pages.markdown import table as in_markdown
from sop_engine.core.reports.picture import moves_picture
from sop_engine.core.reports.tables import Cell, Column, Made, Table
from sop_engine.core.reports.words import NOTES, SHOWN, said

STYLE = (
    "body{font:15px/1.6 system-ui,-apple-system,'PingFang SC','Microsoft YaHei','Noto Sans CJK SC',sans-serif;max-width:75rem;"
    "margin:2rem auto;padding:0 1rem;color:#1f2328;background:#fff}h1{font-size:1.5rem}h2{font-size:1.2rem;margin-top:2rem}"
    "h3{font-size:1rem}table{border-collapse:collapse;display:block;overflow-x:auto}td,th{border:1px solid #d1d9e0;padding:.25rem .6rem;"
    "text-align:left}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}.w{color:#9a3f00}"
    "@media(prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}td,th{border-color:#30363d}.w{color:#ffb77c}}"
)


def write(made: Made, form: str, lang: str) -> str:
    """The report in a format (html, md, csv, json), with the words of a language (zh, en). It ends with a line feed."""
    return FORMATS[form](made, lang)


def shown(cell: Cell, kind: str) -> str:
    """A cell as people read it; a dash for what is not known."""
    if cell is None:
        return "–"
    if isinstance(cell, str):
        return cell
    match kind:
        case "share":
            return f"{cell:.1%}"
        case "money" | "number":
            return f"{cell:,.2f}"
        case "days":
            return f"{cell:,.1f}"
    return f"{cell:,.0f}" if isinstance(cell, float) else f"{cell:,}"


def _notes(table: Table, lang: str) -> list[str]:
    return [NOTES[lang][word].format(about) for word, about in table.notes]


def _title(made: Made, lang: str) -> str:
    period = f"{made.first} – {made.last}"
    return f"{made.name} · {period}" if not made.of else f"{made.name} · {made.of} · {period}"


def _in_html(made: Made, lang: str) -> str:
    title = escape(_title(made, lang))
    parts = [
        f'<!doctype html>\n<html lang="{lang}">\n<meta charset="utf-8">\n<meta name="viewport" content="width=device-width">',
        f"<title>{title}</title>\n<style>{STYLE}</style>\n<h1>{title}</h1>",
    ]
    for section in made.sections:
        parts.append(f"<h2>{escape(SHOWN[lang][section.show])}</h2>")
        for table in section.tables:
            parts += [f"<h3>{escape(said(table.word, lang))}</h3>", *(f'<p class="w">{escape(note)}</p>' for note in _notes(table, lang))]
            if table.word == "moves":
                parts.append(moves_picture([(str(old), str(new), int(many or 0)) for old, new, many in table.rows], said("moves", lang)))
            parts.append(_html_table(table, lang) if table.rows else f"<p>{escape(said('nothing', lang))}</p>")
    return "\n".join([*parts, "</html>\n"])


def _html_table(table: Table, lang: str) -> str:
    head = "".join(f"<th{_right(c)}>{escape(said(c.word, lang))}</th>" for c in table.columns)
    lines = [f"<tr>{''.join(_html_cell(cell, c) for cell, c in zip(row, table.columns, strict=True))}</tr>" for row in table.rows]
    return "\n".join([f"<table>\n<tr>{head}</tr>", *lines, "</table>"])


def _html_cell(cell: Cell, column: Column) -> str:
    return f"<td{_right(column)}>{escape(shown(cell, column.kind))}</td>"


def _right(column: Column) -> str:
    return "" if column.kind == "text" else ' class="n"'


def _in_markdown(made: Made, lang: str) -> str:
    return "\n\n".join(_markdown_parts(made, lang)) + "\n"


def _markdown_parts(made: Made, lang: str) -> Iterator[str]:
    yield f"# {plain(_title(made, lang))}"
    for section in made.sections:
        yield f"## {plain(SHOWN[lang][section.show])}"
        for table in section.tables:
            yield f"### {plain(said(table.word, lang))}"
            yield from (plain(note) for note in _notes(table, lang))
            rows = [[plain(shown(cell, c.kind)) for cell, c in zip(row, table.columns, strict=True)] for row in table.rows]
            yield in_markdown([plain(said(c.word, lang)) for c in table.columns], rows) if rows else plain(said("nothing", lang))


class _Lines(list[str]):
    """What a CSV writer writes."""

    write = list.append


def _in_csv(made: Made, lang: str) -> str:
    """Table after table, each headed by a line of its show and word; columns by their words, numbers as they are."""
    out = _Lines()
    writer = csv.writer(out, lineterminator="\n")
    for section in made.sections:
        for table in section.tables:
            writer.writerow(["#", section.show, table.word, made.first, made.last])
            writer.writerow([column.word for column in table.columns])
            writer.writerows([[_safe(cell) for cell in row] for row in table.rows])
            writer.writerows([["!", word, about] for word, about in table.notes])
    return "".join(out)


def _safe(cell: Cell) -> Cell:
    """Text that a spreadsheet would take for a formula begins with an apostrophe."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in "=+-@\t\r" and cell[:1] else "" if cell is None else cell


def _in_json(made: Made, lang: str) -> str:
    value = {
        "report": made.name,
        "of": made.of,
        "first": made.first,
        "last": made.last,
        "sections": [{"show": s.show, "tables": [_plain_table(t) for t in s.tables]} for s in made.sections],
    }
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def _plain_table(table: Table) -> dict[str, object]:
    rows = [{c.word: cell for c, cell in zip(table.columns, row, strict=True)} for row in table.rows]
    return {"table": table.word, "rows": rows, "notes": [{"note": word, "about": about} for word, about in table.notes]}


FORMATS: dict[str, Callable[[Made, str], str]] = {"html": _in_html, "md": _in_markdown, "csv": _in_csv, "json": _in_json}
