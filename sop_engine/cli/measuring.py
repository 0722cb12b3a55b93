"""The command `sop measure`: every quoted figure as it is in this shop, beside its reference, with all that it rests on."""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from sop_engine.cli.opening import HERE, Folder, clock, day, open_database
from sop_engine.cli.output import AsJson, show, table
from sop_engine.core.errors import BadInput

if TYPE_CHECKING:
    from sop_engine.core.measures.values import Found, Measure, Told

COLUMNS = ("measure", "row", "label", "value", "low", "high", "base", "numerator", "denominator", "left_out", "note", "since", "until")


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(measure)


def measure(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME…]", help="Measures by key, title or row (Q-08).")] = None,
    since: Annotated[str | None, typer.Option("--from", metavar="DATE", help="The first day; 90 days up to the last if not said.")] = None,
    until: Annotated[str | None, typer.Option("--to", metavar="DATE", help="The last day; yesterday if not said.")] = None,
    plan: Annotated[list[str] | None, typer.Option(metavar="LEVEL=SHARE", help="A planned share of benefits: 高价值=80%.")] = None,
    task_minutes: Annotated[int, typer.Option(metavar="N", min=0, help="Minutes a colleague's task takes.")] = 10,
    lang: Annotated[str, typer.Option(help="en or zh.")] = "en",
    project: Folder = HERE,
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Write CSV, for spreadsheets.")] = False,
) -> None:
    """Measure the shop by every figure the articles quote, on its own data.

    The reference stands beside each figure with its row, as a quotation, never as a promise. With names, the whole definition too.

    \b
    Examples:
      sop measure
      sop measure silent_wake_up Q-02 --lang zh
      sop measure cost_plan --plan 高价值=80% --from 2025-06-01 --to 2025-06-30
    """
    from sop_engine.actions.measure import measure as measured
    from sop_engine.actions.measure_asked import Given

    if lang not in ("en", "zh"):
        raise typer.BadParameter(f"'{lang}' is not a language. It can be: en, zh.", param_hint="--lang")
    first, last = day(since) if since else None, day(until) if until else None
    given = Given(dict(map(_planned, plan or [])), task_minutes)
    told = measured(open_database(project), clock(), since=first, until=last, names=names or (), given=given)
    if as_csv:
        typer.echo(_in_csv(told, lang), nl=False)
    else:
        show([_plain(one, lang) for one in told], as_json, _defined(told, lang) if names else _overview(told, lang))


def _planned(text: str) -> tuple[str, float]:
    level, _, said = text.partition("=")
    try:
        share = float(said.strip().removesuffix("%")) / (100 if said.strip().endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not level.strip() or not 0 <= share <= 1:
        raise BadInput(f"--plan {text}: write a level and its share, like 高价值=80%.")
    return level.strip(), share


def _row(one: "Measure", found: "Found", lang: str) -> list[str]:
    from sop_engine.core.measures import said

    beside = said.references(one, lang)
    left = f"{found.left_out:,}" if found.left_out else ""
    return [said.value(one, found), said.limits(one, found), said.counts(found), left, beside, said.note(one, found, lang)]


def _head(lang: str) -> list[str]:
    from sop_engine.core.measures.words import LABEL

    return [LABEL[lang][word] for word in ("measure", "own", "limits", "of", "left_out", "beside", "note")]


def _rows(told: Sequence["Told"], lang: str) -> list[list[str]]:
    """A row for each figure; what a measure is called, and its reference, stand in its first row alone."""
    rows = []
    for one in told:
        for number, found in enumerate(one.found):
            row = _row(one.measure, found, lang)
            title = one.measure.title(lang) if number == 0 else " "
            if number:
                row[4] = ""
            rows.append([f"{title} · {found.label}" if found.label else title, *row])
    return rows


def _window(told: Sequence["Told"], lang: str) -> str:
    from sop_engine.core.measures.words import LABEL

    return LABEL[lang]["window"].format(since=told[0].since, until=told[0].until)


def _overview(told: Sequence["Told"], lang: str) -> str:
    from sop_engine.core.measures.values import GROUPS
    from sop_engine.core.measures.words import GROUP, LABEL

    parts = [_window(told, lang)]
    for group in GROUPS:
        rows = _rows([t for t in told if t.measure.group == group], lang)
        if rows:
            parts.append(f"{GROUP[lang][group]}\n{table(rows, head=_head(lang), right=(1, 2, 3, 4))}")
    return "\n\n".join([*parts, LABEL[lang]["unsourced"]])


def _defined(told: Sequence["Told"], lang: str) -> str:
    return f"{_window(told, lang)}\n\n" + "\n\n".join("\n".join(_definition(one, lang)) for one in told)


def _definition(one: "Told", lang: str) -> Iterator[str]:
    from sop_engine.core.measures import said
    from sop_engine.core.measures.words import LABEL

    words, measure = LABEL[lang], one.measure
    yield f"{said.line(measure, one.found[0], lang)} · {measure.key}"
    yield f"{words['definition']}: {measure.what(lang)}"
    if measure.answers:
        yield f"{words['rows']}: {', '.join(measure.answers)}"
    yield table(_rows([one], lang), head=_head(lang), right=(1, 2, 3, 4))


def _plain(one: "Told", lang: str) -> dict[str, object]:
    m = one.measure
    return {
        "measure": m.key,
        "group": m.group,
        "sort": m.sort,
        "title": m.title(lang),
        "definition": m.what(lang),
        "references": [{"row": r.row, "quoted": r.zh if lang == "zh" else r.en} for r in m.references],
        "rows": m.answers,
        "since": one.since,
        "until": one.until,
        "found": one.found,
    }


def _in_csv(told: Sequence["Told"], lang: str) -> str:
    from sop_engine.core.measures import said

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in told:
        for f in one.found:
            figures = (f.value, f.low, f.high, f.base, f.numerator, f.denominator)
            blank = ["" if v is None else v for v in figures]
            note = said.note(one.measure, f, lang)
            writer.writerow([one.measure.key, " ".join(one.measure.answers), f.label, *blank, f.left_out, note, one.since, one.until])
    return out.getvalue()
