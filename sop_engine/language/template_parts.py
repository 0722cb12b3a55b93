"""Remembers a template's text taken apart: its words, the names it reads, its branches, and its mistakes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Use:
    """A name read by the text, as written, with its place (characters from 0) and the filter it is written through."""

    name: str
    offset: int
    filter: str = ""
    filter_offset: int = 0  # of the | before it
    most: int | None = None  # of short(40)
    asked: bool = False  # read by {% if %}, not written


@dataclass(frozen=True, slots=True)
class Literal:
    """Words of the text itself; `always` unless an {% if %} may leave them out."""

    text: str
    offset: int
    always: bool


@dataclass(frozen=True, slots=True)
class Branches:
    """What an {% if %} writes: one of these."""

    options: tuple[tuple["Piece", ...], ...]


Piece = Literal | Use | Branches


@dataclass(frozen=True, slots=True)
class Mistake:
    """What the text may not do: a place (characters from 0), a code and a sentence."""

    offset: int
    length: int
    code: int
    sentence: str


@dataclass
class Text:
    """A text taken apart. `mentioned` are names inside what was refused: used, and not judged further."""

    pieces: tuple[Piece, ...] = ()
    uses: list[Use] = field(default_factory=list)
    literals: list[Literal] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)
    mentioned: set[str] = field(default_factory=set)

    @property
    def names(self) -> frozenset[str]:
        """Every name the text reads."""
        return frozenset(u.name for u in self.uses) | self.mentioned

    def always(self) -> str:
        """The words that every reader gets, with a gap where a value stands."""
        return "\0".join(part.text for part in self.literals if part.always)

    def longest(self, width: Callable[[Use], int]) -> int:
        """The length in characters of the longest way through the text, given how wide each value is."""
        return _longest(self.pieces, width)


def _longest(pieces: Sequence[Piece], width: Callable[[Use], int]) -> int:
    total = 0
    for piece in pieces:
        match piece:
            case Literal(text):
                total += len(text)
            case Use():
                total += width(piece)
            case Branches(options):
                total += max((_longest(o, width) for o in options), default=0)
    return total
