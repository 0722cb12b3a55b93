"""Conditions: one tree, read here as true or false with its reasons (and by store as SQL)."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

Value = Decimal | str | bool | date
Facts = Mapping[str, Value | None]
"""Values by `Ref.key`; what is missing or None is unknown."""

SIX_PLACES = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class Constant:
    """A number, text, flag or date written in a condition."""

    value: Value


@dataclass(frozen=True, slots=True)
class Ref:
    """A name read by a condition.

    `space`: attribute, metric, tag, tier, tier_before, tier_days, field (of the event, in `where`), event (of the start or goal),
    start (the value when the run started) or step (`part`: ran, opened, clicked, replied, done, used).
    `kind`: number, text, flag, date, words or level.
    """

    space: str
    name: str
    kind: str
    part: str = ""

    @property
    def key(self) -> str:
        """The name as it is written: the key of the value in `Facts`."""
        match self.space:
            case "tier_before":
                return f"{self.name}.before"
            case "tier_days":
                return f"{self.name}.days"
            case "event" | "start":
                return f"{self.space}.{self.name}"
            case "step":
                return f"step.{self.name}" if self.part == "ran" else f"step.{self.name}.{self.part}"
        return self.name


@dataclass(frozen=True, slots=True)
class Arith:
    """`+ - * /` of two numbers, rounded to 6 decimals half up; unknown if a side is unknown, or on division by 0."""

    op: str
    left: "Term"
    right: "Term"


@dataclass(frozen=True, slots=True)
class Negative:
    """The negative of a number."""

    term: "Term"


@dataclass(frozen=True, slots=True)
class Compare:
    """`= != < <= > >=`; false when a side is unknown."""

    op: str
    left: "Term"
    right: "Term"


@dataclass(frozen=True, slots=True)
class In:
    """One of a list of words; false (`not in` too) when unknown."""

    left: "Term"
    values: tuple[Value, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Has:
    """A text contains a word; false (`not has` too) when unknown."""

    left: "Term"
    word: str
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """`is known`, or with `negated` `is unknown`."""

    left: "Term"
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Truth:
    """A flag or tag that stands alone: unknown is no."""

    ref: Ref


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    part: "Condition"


@dataclass(frozen=True, slots=True)
class And:
    """All hold."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """One holds."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Always:
    """`everyone`, `otherwise`, true, false."""

    value: bool = True


Term = Constant | Ref | Arith | Negative
Condition = Compare | In | Has | Known | Truth | Not | And | Or | Always
Node = Term | Condition

ORDER: dict[str, Callable[[int], bool]] = {
    "=": lambda c: c == 0,
    "!=": lambda c: c != 0,
    "<": lambda c: c < 0,
    "<=": lambda c: c <= 0,
    ">": lambda c: c > 0,
    ">=": lambda c: c >= 0,
}


def rounded(number: Decimal) -> Decimal:
    """The number rounded to 6 decimals, half up, as every reader of the language rounds it."""
    return number.quantize(SIX_PLACES, rounding=ROUND_HALF_UP)


def value_of(term: Term, facts: Facts) -> Value | None:
    """The value of a term, None where it is unknown."""
    match term:
        case Constant(value):
            return value
        case Ref():
            return facts.get(term.key)
        case Negative(inner):
            number = value_of(inner, facts)
            return -number if isinstance(number, Decimal) else None
        case Arith(op, left, right):
            return _arith(op, value_of(left, facts), value_of(right, facts))


def _arith(op: str, left: Value | None, right: Value | None) -> Decimal | None:
    if not isinstance(left, Decimal) or not isinstance(right, Decimal):
        return None
    if op == "/":
        return None if right == 0 else rounded(left / right)
    return rounded({"+": left.__add__, "-": left.__sub__, "*": left.__mul__}[op](right))


def holds(condition: Condition, facts: Facts) -> bool:
    """Whether the condition is true of these facts; a comparison with something unknown is false."""
    match condition:
        case And(parts):
            return all(holds(p, facts) for p in parts)
        case Or(parts):
            return any(holds(p, facts) for p in parts)
        case Not(part):
            return not holds(part, facts)
        case Truth(ref):
            return facts.get(ref.key) is True
        case Always(value):
            return value
        case _:
            return _compared(condition, facts)


def _compared(condition: Compare | In | Has | Known, facts: Facts) -> bool:
    left = value_of(condition.left, facts)
    if isinstance(condition, Known):
        return (left is not None) != condition.negated
    if left is None:
        return False
    match condition:
        case Compare(op, _, right):
            other = value_of(right, facts)
            return other is not None and ORDER[op](sign(left, other))
        case In(_, values, negated):
            return (left in values) != negated
        case Has(_, word, negated):
            return (word in str(left)) != negated


def sign(left: Value, right: Value) -> int:
    """Below 0, 0 or above 0 as left is less than, equal to or more than right; texts and flags only differ or not."""
    if isinstance(left, Decimal) and isinstance(right, Decimal):
        return (left > right) - (left < right)
    if isinstance(left, date) and isinstance(right, date):
        return (left > right) - (left < right)
    return 0 if left == right else 1


def refs_of(node: Node | None) -> Iterator[Ref]:
    """Every name the tree reads, in order, repeated where it is read twice."""
    match node:
        case (Ref() as ref) | Truth(ref):
            yield ref
        case Negative(inner) | Not(inner) | In(inner) | Has(inner) | Known(inner):
            yield from refs_of(inner)
        case Compare(_, left, right) | Arith(_, left, right):
            yield from refs_of(left)
            yield from refs_of(right)
        case And(parts) | Or(parts):
            for part in parts:
                yield from refs_of(part)
