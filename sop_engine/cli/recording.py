"""The commands `sop track` and `sop set`: one live event, or one value set by hand."""

import uuid
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from sop_engine.cli.finding import named, normal, not_found
from sop_engine.cli.opening import HERE, Folder, clock, day, instant, open_database
from sop_engine.cli.operator import who
from sop_engine.cli.output import AsJson, show
from sop_engine.core.errors import BadInput

if TYPE_CHECKING:
    from sop_engine.core.catalog import Event
    from sop_engine.core.conditions import Value
    from sop_engine.core.project import Project
    from sop_engine.store.history import PastMove

AHEAD = timedelta(minutes=5)  # clocks differ


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(track)
    app.command(name="set")(set_value)


def track(
    key: Annotated[str, typer.Argument(metavar="USER", help="The user's id; a new one is a new user.")],
    event: Annotated[str, typer.Argument(metavar="EVENT", help="The kind of event.")],
    fields: Annotated[list[str] | None, typer.Option("--field", "-f", metavar="NAME=VALUE", help="A field of the event.")] = None,
    at: Annotated[str | None, typer.Option("--at", metavar="TIME", help="Local time of the project, or ISO; now if not said.")] = None,
    message_id: Annotated[str | None, typer.Option("--id", help="The event's own id: the same id twice is one event.")] = None,
    project: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Record one live event.

    Levels move and flows start and end at once; what is due then is sent by the next beat.

    \b
    Examples:
      sop track 老陈 visit
      sop track 老陈 order -f order_id=A-17 -f amount=328.5 --at '2025-06-01 20:15'
    """
    from sop_engine.actions.catch_up import catch_up
    from sop_engine.actions.ingest import record_events
    from sop_engine.core.records import EventRecord
    from sop_engine.store import history, people

    if not key.strip():
        raise BadInput("the user's id is empty.")
    app, now = open_database(project), clock()
    with app.work(now) as work:
        kind = named(work.project.events, event, "event")
        values = _fields(kind, fields or [], work.project)
        moment = _past(at, now, work.live.zone)
        tiers = work.project.tiers
    record = EventRecord(message_id or f"cli:{uuid.uuid4().hex}", key.strip(), kind.name, moment, values, source="cli")
    catch_up(app, now)  # the midnights gone by come first
    done = record_events(app, [record], now)
    with app.transaction() as tx:
        moves = history.list_moves(tx, people.get_id(tx, record.user_key))
    moved = [m for m in moves[len(moves) - done.moves :] if m.model in tiers]
    show({"recorded": done, "moves": [_move(m) for m in moved]}, as_json, _recorded(done.stored, done.new_users, moved))


def _past(at: str | None, now: datetime, zone: ZoneInfo) -> datetime:
    moment = now if at is None else instant(at, zone)
    if moment > now + AHEAD:
        raise BadInput(f"'{at}' is still to come. An event has happened.")
    return moment


def _recorded(stored: int, new_users: int, moves: "list[PastMove]") -> str:
    if not stored:
        return "known already: an event with this id is stored, and nothing changed"
    lines = ["recorded" + (" for a new user" if new_users else "")]
    return "\n".join([*lines, *(f"  {m.model}: {m.old or 'unscored'} → {m.new or 'unscored'}" for m in moves)])


def _move(move: "PastMove") -> dict[str, object]:
    return {"tier": move.model, "from": move.old, "to": move.new}


def _fields(kind: "Event", written: list[str], project: "Project") -> "dict[str, Value]":
    """The fields as they were typed, each by its type. Raises BadInput or NotFound naming the field."""
    from sop_engine.language import cells

    values: dict[str, Value] = {}
    for one in written:
        name, equals, text = one.partition("=")
        known = kind.fields.get(normal(name))
        if not equals:
            raise BadInput(f"'{one}' is no field. Write NAME=VALUE, as in amount=328.5.")
        if known is None:
            raise not_found(name, kind.fields, f"field of '{kind.name}'")
        try:
            value = cells.reader(known.type, known.words, project.zone)(text)
        except BadInput as error:
            raise BadInput(f"{known.name}: '{text}' {error}.") from error
        if (kind.name, known.name) == project.settings.purchase and isinstance(value, Decimal) and value < 0:
            raise BadInput(f"{known.name}: '{text}' is negative; money given back is an event of its own.")
        values[known.name] = value
    return values


def set_value(
    key: Annotated[str, typer.Argument(metavar="USER", help="The user's id.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="An attribute, a tag, a metric or a tier.")],
    value: Annotated[str, typer.Argument(metavar="VALUE", help="The value as the language writes it; 'unknown' for none.")],
    until: Annotated[str | None, typer.Option("--until", metavar="DATE", help="Through this day (metrics and tiers).")] = None,
    author: Annotated[str, typer.Option("--author", metavar="NAME", help="Who sets it; the login name if not said.")] = "",
    clear: Annotated[bool, typer.Option("--clear", help="Take back what was set by hand; write '-' as VALUE.")] = False,
    project: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Set a value of one user by hand.

    An attribute or a tag for good, a metric or a level until a day. It is logged, and followed at once.

    \b
    Examples:
      sop set 老陈 城市 上海
      sop set 老陈 RFM五档 高价值 --until 2025-07-31 --author 王经理
      sop set 老陈 RFM五档 - --clear
    """
    from sop_engine.actions.catch_up import catch_up
    from sop_engine.actions.setting import ByHandValue, set_by_person

    app, now = open_database(project), clock()
    wanted = ByHandValue(normal(name), normal(value), day(until) if until else None, who(author), clear)
    catch_up(app, now)
    with app.work(now) as work:
        moved = set_by_person(work, key, wanted)
        tiers = work.project.tiers
    listed = [{"tier": m.model, "from": m.old, "to": m.new} for m in moved if m.model in tiers]
    text = "\n".join(["set", *(f"  {m['tier']}: {m['from'] or 'unscored'} → {m['to'] or 'unscored'}" for m in listed)])
    show({"set": {wanted.name: None if clear else wanted.value}, "moves": listed}, as_json, text)
