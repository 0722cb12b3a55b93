"""Says which names a condition may read at its place in the language."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sop_engine.core.catalog import Field
from sop_engine.core.conditions import Ref
from sop_engine.language.names import Names, Symbol, kind_of_type

STEP_PARTS = ("opened", "clicked", "replied", "done", "used")


@dataclass(frozen=True)
class Scope:
    """What may be read. `fields`: only these (in `where`); `event`: fields of the starting event; `steps`: names of steps."""

    names: Names
    fields: Mapping[str, Field] | None = None
    events: tuple[str, ...] = ()  # named in messages about `fields` and `event`
    event: Mapping[str, Field] | None = None
    start: bool = False
    steps: tuple[str, ...] | None = None

    def find(self, name: str) -> tuple[Ref, tuple[str, ...]] | None:
        """The value a name reads, with its words or levels; None if it cannot be read here."""
        if self.fields is not None:
            return _field("field", self.fields.get(name))
        first, _, rest = name.partition(".")
        if not rest:
            symbol = self.names.symbols.get(first)
            return _plain(symbol) if symbol else None
        match first:
            case "event":
                return _field("event", self.event.get(rest) if self.event is not None else None)
            case "start":
                return self._at_start(rest)
            case "step":
                return self._step(rest)
        return self._level_part(first, rest)

    def _at_start(self, rest: str) -> tuple[Ref, tuple[str, ...]] | None:
        symbol = self.names.symbols.get(rest) if self.start else None
        return (Ref("start", rest, symbol.kind), symbol.words) if symbol else None

    def _step(self, rest: str) -> tuple[Ref, tuple[str, ...]] | None:
        step, _, part = rest.partition(".")
        if step not in (self.steps or ()) or (part and part not in STEP_PARTS):
            return None
        return Ref("step", step, "flag", part or "ran"), ()

    def _level_part(self, first: str, rest: str) -> tuple[Ref, tuple[str, ...]] | None:
        symbol = self.names.symbols.get(first)
        if symbol is None or symbol.space != "tier" or rest not in ("before", "days"):
            return None
        if rest == "days":
            return Ref("tier_days", first, "number"), ()
        return Ref("tier_before", first, symbol.kind), symbol.words

    def readable(self) -> list[str]:
        """Names that may be read here, for suggestions."""
        if self.fields is not None:
            return list(self.fields)
        listed = self.names.listed("fact")
        listed += [f"event.{n}" for n in self.event or ()]
        return listed + [f"step.{n}" for n in self.steps or ()]


def _field(space: str, found: Field | None) -> tuple[Ref, tuple[str, ...]] | None:
    return (Ref(space, found.name, kind_of_type(found.type)), found.words) if found else None


def _plain(symbol: Symbol) -> tuple[Ref, tuple[str, ...]]:
    return Ref(symbol.space, symbol.name, symbol.kind), symbol.words


def user_scope(names: Names) -> Scope:
    """Attributes, metrics, tags and tiers."""
    return Scope(names)


def event_scope(names: Names, events: tuple[str, ...]) -> Scope:
    """The fields all these events have."""
    return Scope(names, fields=names.common_fields(events), events=events)


def flow_scope(names: Names, events: tuple[str, ...]) -> Scope:
    """Facts, and the fields of the event that starts the flow where one does."""
    return Scope(names, events=events, event=names.common_fields(events) if events else None)


def run_scope(names: Names, steps: tuple[str, ...] = ()) -> Scope:
    """Facts, facts at the start, and what the steps of the flow did."""
    return replace(Scope(names), start=True, steps=steps)
