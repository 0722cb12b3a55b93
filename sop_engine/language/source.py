"""Remembers what a file says as texts, lists and maps, each knowing where it stands."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from sop_engine.language.report import Place

_ESCAPES = {"x": 4, "u": 6, "U": 10}


@dataclass(slots=True)
class Text:
    """A single value. `raw` is what stands in the file where that differs from the value (quotes, several lines)."""

    value: str
    place: Place
    raw: str = ""
    plain: bool = True  # written without quotes

    def at(self, offset: int, length: int = 1) -> Place:
        """The place of a part of the value: `offset` and `length` in characters of the value."""
        if not self.raw:
            return Place(self.place.file, self.place.line, self.place.column + offset, length)
        index = _index_in_raw(self.value, self.raw, offset)
        before = self.raw[:index]
        newline = before.rfind("\n")
        column = self.place.column + index if newline < 0 else index - newline
        return Place(self.place.file, self.place.line + before.count("\n"), column, length)


@dataclass(slots=True)
class List:
    """Several values in order."""

    items: list["Node"]
    place: Place


@dataclass(slots=True)
class Map:
    """Values by key, in the order of the file. `failed` holds keys whose value could not be read (already reported)."""

    entries: dict[str, tuple[Text, "Node"]]
    place: Place
    failed: set[str] = field(default_factory=set)

    def get(self, key: str) -> "Node | None":
        """The value under a key, or None."""
        found = self.entries.get(key)
        return found[1] if found else None

    def key(self, key: str) -> Place:
        """Where the key itself is written; the map's place if it is not there."""
        found = self.entries.get(key)
        return found[0].place if found else self.place

    def has(self, key: str) -> bool:
        """Whether the key is written, readable or not."""
        return key in self.entries or key in self.failed

    def __iter__(self) -> Iterator[tuple[str, Text, "Node"]]:
        for name, (key, value) in self.entries.items():
            yield name, key, value


Node = Text | List | Map


def _index_in_raw(value: str, raw: str, offset: int) -> int:
    """The index in `raw` of the character of `value` at `offset`; right for quotes, escapes and folded lines."""
    quote = raw[0] if raw[0] in "\"'" else ""
    at = 1 if quote else (raw.index("\n") if raw[0] in "|>" and "\n" in raw else 0)
    for i, character in enumerate(value):
        at = _skip_to(character, raw, at)
        if i == offset or at >= len(raw):
            return min(at, len(raw) - 1)
        at += _width(raw, at, quote)
    return min(at, len(raw) - 1)


def _skip_to(character: str, raw: str, at: int) -> int:
    if character in " \n":  # a folded line end stands for one space
        return at
    while at < len(raw) and raw[at] in " \n" and raw[at] != character:
        at += 1
    return at


def _width(raw: str, at: int, quote: str) -> int:
    if quote == '"' and raw[at] == "\\" and at + 1 < len(raw):
        return _ESCAPES.get(raw[at + 1], 2)
    if quote == "'" and raw[at : at + 2] == "''":
        return 2
    if raw[at] == "\n":
        return 1 + len(raw[at + 1 :]) - len(raw[at + 1 :].lstrip(" \n"))
    return 1
