"""Decides for which levels of which tiers a flow is."""

from collections.abc import Iterator

from sop_engine.core.conditions import And, Compare, Condition, Constant, In, Ref
from sop_engine.core.playbook import Flow


def levels_addressed(flow: Flow) -> Iterator[tuple[str, str]]:
    """The (tier, level) pairs a flow is for: its own level, and those its start and `only` ask for."""
    if flow.start.kind == "level":
        yield flow.start.tier, flow.start.level or "unscored"
    if flow.start.kind != "leave":
        yield from _levels_asked(flow.start.condition)
    yield from _levels_asked(flow.only)


def _levels_asked(condition: Condition | None) -> Iterator[tuple[str, str]]:
    match condition:
        case And(parts):
            for part in parts:
                yield from _levels_asked(part)
        case Compare("=", Ref(space="tier", name=name), Constant(str() as level)):
            yield name, level
        case In(Ref(space="tier", name=name), values, False):
            yield from ((name, str(level)) for level in values)
