"""Decides which names a template may read, of what kind their values are, and about how wide they become."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from sop_engine.core.writing import NUMBER_FILTERS
from sop_engine.language.names import EVENT_BASICS, Names, Symbol, kind_of_type, no_such
from sop_engine.language.template_parts import Use

_SPACES: Mapping[str, Mapping[str, str]] = {
    "benefit": {"name": "text", "code": "text", "worth": "any", "min_spend": "number", "expires": "date"},
    "alert": {"name": "text", "value": "any", "before": "any"},
    "report": {"name": "text", "link": "text"},
}
_WIDTHS = {"money": 9, "number": 6, "percent": 5, "date": 11, "time": 5, "weeks": 8}
_KINDS = {"number": 6, "date": 11, "flag": 1, "level": 4}


@dataclass(frozen=True)
class Readable:
    """What templates of one project may read. A kind is text, number, flag, date, words, level, or any."""

    names: Names

    def kind(self, name: str) -> str | None:
        """The kind of the value of a name; None when there is no such name."""
        space, dot, rest = name.partition(".")
        if not dot or space == "start":
            symbol = self._symbol(name)
            return symbol.kind if symbol else None
        return self._space(space).get(rest)

    def is_tier(self, name: str) -> bool:
        """Whether the name, or what stands after `start.`, is a tier."""
        return self.kind(name) == "level"

    def unknown(self, name: str) -> str:
        """The sentence for a name that does not exist."""
        space, dot, _ = name.partition(".")
        facts = self.names.listed("fact")
        if space == "start" and dot:
            return no_such("attribute, metric or tag", name, [f"start.{n}" for n in facts])
        if not dot or not self._space(space):
            return no_such("attribute, metric or tag", name, facts)
        return no_such("event field" if space == "event" else "value", name, [f"{space}.{n}" for n in self._space(space)])

    def unfit(self, use: Use) -> str | None:
        """Why the filter of this use does not fit the kind of value, or None."""
        kind = self.kind(use.name)
        if kind in (None, "any") or not use.filter or use.filter == "short":
            return None
        wanted = "number" if use.filter in NUMBER_FILTERS else "date"
        if kind == wanted:
            return None
        return f"'{use.filter}' needs a {wanted}, but '{use.name}' is {'a ' if kind in ('number', 'date', 'flag') else ''}{kind}."

    def width(self, use: Use, fallback: str | None) -> int:
        """About how many characters the value takes in a long but ordinary case, its fallback included."""
        return max(len(fallback or ""), self._width(use))

    def _width(self, use: Use) -> int:
        if use.filter in _WIDTHS:
            return _WIDTHS[use.filter]
        if use.name.startswith("link."):
            return 24
        if use.name.startswith("benefit."):
            return self._benefit_width(use.name)
        width = max(map(len, self.words(use.name)), default=0) or _KINDS.get(self.kind(use.name) or "", 6)
        return width if use.most is None else use.most

    def _benefit_width(self, name: str) -> int:
        if name == "benefit.code":
            return 12
        if name == "benefit.worth":
            return 8
        return _KINDS.get(self.kind(name) or "", 8)

    def words(self, name: str) -> tuple[str, ...]:
        """The words a name can have; empty where it can have any."""
        symbol = self._symbol(name)
        return symbol.words if symbol else ()

    def _symbol(self, name: str) -> Symbol | None:
        return self.names.symbols.get(name.removeprefix("start."))

    def _space(self, space: str) -> Mapping[str, str]:
        return self._fields if space == "event" else _SPACES.get(space, {})

    @cached_property
    def _fields(self) -> Mapping[str, str]:
        """The fields of any event; the step decides whether its own event has them."""
        kinds: dict[str, str] = {"id": "text"}
        for fields in (EVENT_BASICS, *self.names.events.values()):
            for name, one in fields.items():
                kind = kind_of_type(one.type)
                kinds[name] = kind if kinds.get(name, kind) == kind else "any"
        return kinds
