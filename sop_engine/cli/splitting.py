"""The command `sop split`: whether users who differ in one thing differ in another, so that a model should look at it."""

from typing import TYPE_CHECKING, Annotated

import typer

from sop_engine.cli.opening import HERE, Folder, clock, open_database
from sop_engine.cli.output import AsJson, show, table

if TYPE_CHECKING:
    from sop_engine.actions.split import Split
    from sop_engine.core.stats.splits import Group


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(split)


def split(
    dimension: Annotated[str, typer.Argument(help="An attribute, tag, tier or metric of words; or first_channel.")],
    outcome: Annotated[str, typer.Argument(help="A condition, a flag, or a number.")],
    within: Annotated[str, typer.Option("--within", metavar="LEVEL", help="A level, or a condition: only these users.")] = "everyone",
    lang: Annotated[str, typer.Option(help="en or zh.")] = "en",
    project: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Test whether a dimension divides users by an outcome.

    needed: p < 0.05 and at least 5 points between groups of enough users; not_needed; or insufficient, when fewer than 5 users are
    expected in a cell. Shares are compared by chi-square, numbers by their ranks.

    \b
    Examples:
      sop split 来源渠道 '近30天分享数 > 0'
      sop split first_channel 近365天消费额 --within 'RFM五档 = 潜力' --lang zh
    """
    from sop_engine.actions.split import split as asked

    if lang not in ("en", "zh"):
        raise typer.BadParameter(f"'{lang}' is not a language. It can be: en, zh.", param_hint="--lang")
    with open_database(project).work(clock()) as work:
        found = asked(work, dimension, outcome, within)
    show(found, as_json, "" if as_json else _told(found, lang))


def _told(found: "Split", lang: str) -> str:
    from sop_engine.core.split_words import HEADS, sentences

    tested, words = found.tested, HEADS[lang]
    asked = {"dimension": found.dimension, "outcome": found.outcome, "within": found.within, "unknown": found.unknown}
    title, lines = sentences(tested, asked, lang)
    rate = tested.test == "chi_square"
    head = [words["group"], words["users"], *(words[name] for name in (("yes", "rate") if rate else ("mean", "median"))), ""]
    rows = [[*_row(g, rate), words["few"] if g in tested.few else ""] for g in (*tested.groups, *tested.few)]
    return "\n".join([title, table(rows, head=head, right=(1, 2, 3)), *lines])


def _row(group: "Group", rate: bool) -> list[str]:
    if rate:
        return [group.name, f"{group.users:,}", f"{group.yes:,}", f"{100 * group.yes / group.users:.1f}%"]
    return [group.name, f"{group.users:,}", f"{group.mean or 0:,.2f}", f"{group.median or 0:,.2f}"]
