"""The command `sop sources`: what comes in over HTTP from whom, what was refused, and names the catalogue does not have."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from sop_engine.cli.opening import HERE, Folder, clock, open_database
from sop_engine.cli.output import AsJson, local, many, show

if TYPE_CHECKING:
    from sop_engine.actions.sources import Name, SourceTold

SHOWN = 10  # names of each kind
LONGEST = 300  # characters of an example
Examples = Annotated[int, typer.Option("--examples", min=0, max=100, metavar="N", help="Show so many refused items for each reason.")]


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(sources)


def sources(examples: Examples = 0, project: Folder = HERE, as_json: AsJson = False) -> None:
    """Show what came in over HTTP, by source.

    Items stored, repeated and refused by reason; events and traits that the catalogue does not name: they are stored, and used from
    when it does. Examples show what was sent, personal data too; refused items are kept for 30 days.

    \b
    Examples:
      sop sources
      sop sources --examples 3
      sop sources --json
    """
    from sop_engine.actions.sources import list_sources

    with open_database(project).work(clock()) as work:
        found, zone = list_sources(work, examples=examples), work.live.zone
    show(found, as_json, "\n\n".join(_told(one, zone) for one in found) or "nobody has a key yet: 'sop keys add --source web' makes one")


def _told(one: "SourceTold", zone: ZoneInfo) -> str:
    last = f" · last {local(one.last_at, zone)}" if one.last_at else ""
    lines = [f"{one.source} · {many(one.keys, 'key')} · stored {one.accepted:,} · repeated {one.repeated:,}{last}"]
    for number, what in (
        (one.differing, "had the messageId of another item, and were not stored"),
        (one.no_message_id, "came without messageId: what is sent twice is stored twice"),
        (one.bad_timestamp, "had a time nobody can use, and were stored at the time they came"),
        (one.dropped, "were not meant for us"),
    ):
        lines += [f"  {many(number, 'item')} {what}"] if number else []
    for refused in one.refused:
        lines.append(f"  refused {refused.number:,}: {refused.reason} ({refused.means}), last {local(refused.last_at, zone)}")
        lines += [f"    {example[:LONGEST]}" for example in refused.examples]
    lines += _names("events the catalogue does not name", one.unknown_events)
    lines += _names("traits the catalogue does not name", one.unknown_traits)
    lines += _names("values that are not of their type", one.unfit)
    lines += _names("put right", one.cleaned)
    return "\n".join(lines)


def _names(title: str, listed: "Sequence[Name]") -> list[str]:
    if not listed:
        return []
    shown = ", ".join(f"{one.name} ({one.number:,})" for one in listed[:SHOWN])
    more = f" and {len(listed) - SHOWN:,} more" if len(listed) > SHOWN else ""
    return [f"  {title}: {shown}{more}"]
