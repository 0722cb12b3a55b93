"""Remembers the kind of each part of a condition, and reads its tokens."""

from dataclasses import dataclass
from decimal import Decimal

from lark import Token, Tree

from sop_engine.core.conditions import Arith, Constant, Negative, Node, Ref, Term
from sop_engine.language.names import normal

_ARTICLES = {"number": "a number", "flag": "a flag", "date": "a date", "level": "a level", "condition": "a condition"}
_TERMS = (Constant, Ref, Arith, Negative)
Part = Tree[Token] | Token


@dataclass(frozen=True, slots=True)
class Typed:
    """A part of the tree with its kind; `any` where something is wrong already and nothing more is said."""

    node: Node
    kind: str
    words: tuple[str, ...] = ()
    name: str = ""

    @property
    def term(self) -> Term:
        """The node as a side of a comparison."""
        return self.node if isinstance(self.node, _TERMS) else Constant(Decimal(0))


BAD = Typed(Constant(Decimal(0)), "any")


def called(kind: str) -> str:
    """A kind of value in a sentence: a number, text, words."""
    return _ARTICLES.get(kind, kind)


def ends(part: Part) -> tuple[int, int]:
    """Where the first token of a part begins and its last one ends."""
    if isinstance(part, Token):
        return part.start_pos or 0, part.end_pos or 0
    first: Part = part
    last: Part = part
    while isinstance(first, Tree):
        first = first.children[0]
    while isinstance(last, Tree):
        last = last.children[-1]
    return first.start_pos or 0, last.end_pos or 0


def unquoted(token: Token) -> str:
    """The text a token stands for: without quotes, or the name as it is compared."""
    return token[1:-1] if token.type == "TEXT" else normal(str(token))


def number(token: Token) -> Decimal:
    """The number a token stands for; 50% is 0.5."""
    return Decimal(token[:-1]) / 100 if token.endswith("%") else Decimal(token)


def example(typed: Typed) -> str:
    """What to write instead of a value that stands alone."""
    name = typed.name or "近30天互动数"
    if typed.kind in ("level", "words") and typed.words:
        return f"Write '{name} = {typed.words[0]}'."
    if typed.kind == "number":
        return f"Compare it, as in '{name} > 0'."
    return f"Compare it, as in '{name} = …' or '{name} is known'."
