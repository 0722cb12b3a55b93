"""A condition written back in the language, and why it holds or does not."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sop_engine.core.conditions import (
    Always,
    And,
    Arith,
    Compare,
    Condition,
    Constant,
    Facts,
    Has,
    In,
    Known,
    Negative,
    Node,
    Not,
    Or,
    Ref,
    Truth,
    Value,
    holds,
    refs_of,
)


def text_of_value(value: Value | None) -> str:
    """A value as it is written in the language; unknown for None."""
    match value:
        case None:
            return "unknown"
        case bool():
            return "true" if value else "false"
        case Decimal():
            return format(value.normalize(), "f")
        case date():
            return value.isoformat()
    return str(value)


def text_of(node: Node) -> str:
    """The tree written back in the language."""
    match node:
        case Constant(value):
            return text_of_value(value)
        case (Ref() as ref) | Truth(ref):
            return ref.key
        case Negative(inner):
            return f"-{text_of(inner)}"
        case Arith(op, left, right):
            return f"{_bracketed(left)} {op} {_bracketed(right)}"
        case Compare(op, left, right):
            return f"{text_of(left)} {op} {text_of(right)}"
        case Not(part):
            return f"not {_bracketed(part)}"
        case Always(value):
            return "everyone" if value else "false"
        case _:
            return _text_of_rest(node)


def _text_of_rest(node: In | Has | Known | And | Or) -> str:
    match node:
        case In(left, values, negated):
            words = ", ".join(text_of_value(v) for v in values)
            return f"{text_of(left)} {'not ' if negated else ''}in ({words})"
        case Has(left, word, negated):
            return f"{text_of(left)} {'not ' if negated else ''}has {word}"
        case Known(left, negated):
            return f"{text_of(left)} is {'unknown' if negated else 'known'}"
        case And(parts):
            return " and ".join(_bracketed(p) for p in parts)
        case Or(parts):
            return " or ".join(_bracketed(p) for p in parts)


def _bracketed(node: Node) -> str:
    return f"({text_of(node)})" if isinstance(node, And | Or | Arith) else text_of(node)


@dataclass(frozen=True, slots=True)
class Reason:
    """One comparison of a condition: its text, whether it holds, and the values it read."""

    text: str
    holds: bool
    values: tuple[tuple[str, Value | None], ...]

    def __str__(self) -> str:
        read = ", ".join(f"{k} {text_of_value(v)}" for k, v in self.values)
        return f"{'yes' if self.holds else 'no'}  {self.text}" + (f"  ({read})" if read else "")


def reasons(condition: Condition, facts: Facts) -> list[Reason]:
    """Each comparison in the condition with whether it holds and the values it read: the explanation of `holds`."""
    match condition:
        case And(parts) | Or(parts):
            return [r for p in parts for r in reasons(p, facts)]
    values = tuple((ref.key, facts.get(ref.key)) for ref in dict.fromkeys(refs_of(condition)))
    return [Reason(text_of(condition), holds(condition, facts), values)]


def outcome_reason(condition: Condition, facts: Facts) -> Reason:
    """The one comparison that decides: the first false one of an `and`, the first true one of an `or`, else the whole."""
    listed = reasons(condition, facts)
    result = holds(condition, facts)
    return next((r for r in listed if r.holds == result), Reason(text_of(condition), result, ()))
