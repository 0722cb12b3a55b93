"""Reads one flow: its keys with all defaults filled in, its start, goal, arms and steps."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sop_engine.core.catalog import Goal
from sop_engine.core.conditions import Condition
from sop_engine.core.forms import Again, Length
from sop_engine.core.playbook import Experiment, Flow, Start
from sop_engine.core.project import Project
from sop_engine.language import forms
from sop_engine.language.catalogue import named_events, read_goal
from sop_engine.language.names import UNKNOWN_EVENT, no_such, normal
from sop_engine.language.reader import Keys, Reader, check_name
from sop_engine.language.scopes import event_scope, flow_scope, run_scope
from sop_engine.language.source import List, Map, Node, Text
from sop_engine.language.steps import Around, read_steps
from sop_engine.language.typed import called
from sop_engine.language.vocabulary import ENDS, EXPERIMENT, GUARDRAILS, START

_PRIORITY = {"win_back": "high", "maintain": "low"}
_PLAIN = (
    "intent", "owner", "note", "only", "late", "existing_per_day", "holdout", "rollout", "budget", "approve_by", "no_benefit",
)  # fmt: skip
_STARTS = ("enter", "leave", "event", "every", "date")


@dataclass(frozen=True)
class Written:
    """A flow as it is written: its keys (defaults of the playbook among them) and the table they follow."""

    id: str
    playbook: str
    level: str | None
    node: Map
    keys: Keys
    what: str
    place: str
    order: int


def read_start(node: Node, reader: Reader) -> Start | None:
    """What starts a flow of form 2."""
    events = named_events(node, reader)
    values = reader.within(where=event_scope(reader.names, events)).keys(node, START, "'start'")
    if not isinstance(node, Map):
        return None
    have = [key for key in _STARTS if node.has(key)]
    if len(have) != 1:
        this = f"this has {' and '.join(have)}" if have else "this has none"
        if have or all(key in START for key in node.entries):
            reader.error(node, 205, f"'start' needs exactly one of {', '.join(_STARTS)}; {this}.")
        return None
    if node.has("where") and have[0] != "event":
        reader.error(node.key("where"), 616, "'where' is used only with 'event'.")
    if have[0] not in values:
        return None
    return Start(
        have[0],
        condition=values.get("enter", values.get("leave")),
        events=events,
        where=values.get("where"),
        schedule=values.get("every"),
        instant=values.get("date"),
    )


def read_flow(written: Written, start: Start | None, catalogue: Project, reader: Reader) -> Flow | None:
    """The flow with its defaults; None if it is too incomplete. Everything wrong is reported."""
    node = written.node
    steps = node.get("steps")
    names = tuple(steps.entries) if isinstance(steps, Map) else ()
    started_by = _starting(start)
    inside = reader.within(flow=flow_scope(reader.names, started_by), run=run_scope(reader.names, names))
    values = inside.keys(node, written.keys, written.what)
    goal = _goal(node.get("goal"), catalogue, inside)
    variants, variants_failed = _variants(node, reader)
    _check_partners(node, values, reader)
    around = Around(
        catalogue,
        variants=tuple(name for name, _ in variants),
        variants_failed=variants_failed,
        started_by=started_by,
        goal_events=goal.events if goal else (UNKNOWN_EVENT,),
        no_benefit=node.has("no_benefit"),
        silence=values.get("intent") == "win_back" and not node.has("anchor"),
    )
    read = read_steps(steps, around, inside) if steps is not None else ()
    more = {
        "goal": goal,
        "variants": variants,
        "steps": read,
        "counts": tuple(catalogue.goals[g] for g in values.get("counts", ()) if g in catalogue.goals),
        "exits": _exits(node.get("exit"), inside),
        "anchor": _anchor(node.get("anchor"), reader),
        "experiment": _experiment(node, variants, reader),
    }
    if start is None or "intent" not in values:
        return None
    return _flow(written, start, values, more)


def _starting(start: Start | None) -> tuple[str, ...]:
    """The events that start the flow; an unknown one where the start could not be read, so that nothing more is said."""
    if start is None or (start.kind == "event" and not start.events):
        return (UNKNOWN_EVENT,)
    return start.events


def _flow(written: Written, start: Start, values: Mapping[str, Any], more: Mapping[str, Any]) -> Flow:
    again = Again("always") if start.kind == "every" else Again("after", Length(days=30))
    return Flow(
        id=written.id,
        playbook=written.playbook,
        start=start,
        level=written.level,
        order=written.order,
        place=written.place,
        keep_going=frozenset(values.get("keep_going", ())),
        again=values.get("again", again),
        existing=values.get("existing") == "enter",
        priority=values.get("priority", _PRIORITY.get(values["intent"], "normal")),
        **{key: values[key] for key in _PLAIN if key in values},
        **more,
    )


def _goal(node: Node | None, catalogue: Project, reader: Reader) -> Goal | None:
    if isinstance(node, Text):
        name = reader.name(node, "goal")
        return catalogue.goals.get(name) if name else None
    return read_goal("goal", node, reader) if node is not None else None


def _variants(node: Map, reader: Reader) -> tuple[tuple[tuple[str, Decimal], ...], bool]:
    value = node.get("variants")
    found = reader.map(value, "'variants'") if value is not None else None
    if found is None:
        return (), node.has("variants")
    shares: list[tuple[str, Decimal]] = []
    fine = True
    for name, key, share in found:
        check_name(key, "a variant", reader.report)
        read = reader.form(share, forms.SHARE)
        fine = fine and read is not None
        shares.append((name, read or Decimal(0)))
    total = sum((share for _, share in shares), Decimal(0)) * 100
    if fine and total != 100:
        reader.error(node.key("variants"), 607, f"the variants add up to {format(total.normalize(), 'f')}%, not to 100%.")
    elif fine and len(shares) < 2:
        reader.error(node.key("variants"), 607, "one variant is no choice. Write at least two, such as {A: 50%, B: 50%}.")
    return tuple(shares), False


def _check_partners(node: Map, values: Mapping[str, Any], reader: Reader) -> None:
    if node.has("existing_per_day") and values.get("existing") != "enter":
        reader.error(node.key("existing_per_day"), 616, "'existing_per_day' is used only with 'existing: enter'.")
    if values.get("existing") == "enter" and not node.has("existing_per_day"):
        sentence = "'existing: enter' needs 'existing_per_day': how many of those who match already may start on one day."
        reader.error(node.key("existing"), 616, sentence)


def _exits(node: Node | None, reader: Reader) -> tuple[tuple[str, Condition], ...]:
    found = reader.map(node, "'exit'") if node is not None else None
    exits = []
    for name, key, value in found or ():
        if name in ENDS:
            reader.error(key, 303, f"'{name}' is an end that every flow has. Choose another name for this reason.")
        else:
            check_name(key, "a reason to end", reader.report)
        condition = reader.condition(value, "run")
        if condition is not None:
            exits.append((name, condition))
    return tuple(exits)


def _anchor(node: Node | None, reader: Reader) -> str | None:
    text = reader.text(node) if node is not None else None
    if node is None or text is None:
        return None
    symbol = reader.names.symbols.get(normal(text))
    dates = [s.name for s in reader.names.symbols.values() if s.kind == "date"]
    if symbol is None:
        reader.error(node, 301, no_such("date attribute or date metric", text, dates))
    elif symbol.kind not in ("date", "any"):
        reader.error(
            node, 405, f"'anchor' needs a date, but '{symbol.name}' is {called(symbol.kind)}. A date is, for instance, {{last: order}}."
        )
    return normal(text)


def _experiment(node: Map, variants: tuple[Any, ...], reader: Reader) -> Experiment | None:
    value = node.get("experiment")
    if value is None:
        return None
    read = reader.keys(value, EXPERIMENT, "an experiment")
    if not variants and not node.has("holdout") and not node.has("variants"):
        reader.error(node.key("experiment"), 615, "an experiment compares arms: write 'variants' or 'holdout' beside it.")
    planned = read.get("planned_per_arm")
    if read.get("mode") == "hybrid" and planned is None:
        reader.error(value, 615, "'mode: hybrid' needs 'planned_per_arm', the users of the smallest arm.")
    return Experiment(
        name=read.get("name", ""),
        metric=read.get("metric", ""),
        planned_per_arm=planned,
        mode=read.get("mode", "hybrid" if planned else "open_ended"),
        guardrails=_guardrails(read.get("guardrails"), reader),
        revenue_cap=read.get("revenue_cap"),
        winner=read.get("winner", "propose"),
    )


def _guardrails(node: Node | None, reader: Reader) -> tuple[tuple[str, str], ...]:
    if node is None:
        return ()
    if not isinstance(node, Map):
        items = node.items if isinstance(node, List) else [node]
        return tuple((name, "") for item in items if (name := reader.one_of(item, GUARDRAILS)))
    limits = []
    for _, key, value in node:
        name, limit = reader.one_of(key, GUARDRAILS), reader.text(value)
        if limit is not None and forms.SHARE.parse(limit) is None and forms.NUMBER.parse(limit) is None:
            reader.error(value, 203, f"'{limit}' is not a limit of a guardrail. Write '2%' or '5'.")
        elif name and limit is not None:
            limits.append((name, limit))
    return tuple(limits)
