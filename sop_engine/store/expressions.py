"""Decides how a condition is written in SQL, so that it holds exactly where `core.conditions.holds` does."""

from collections.abc import Callable
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
    Has,
    In,
    Known,
    Negative,
    Not,
    Or,
    Ref,
    Term,
    Truth,
    Value,
)
from sop_engine.store.dialect import Dialect


def _never(ref: Ref) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Read:
    """How names are read: the SQL of each, and whether it is always a whole number, which needs no rounding."""

    sql: Callable[[Ref], str]
    is_whole: Callable[[Ref], bool] = _never


def condition_sql(to: Dialect, condition: Condition, read: Read) -> str:
    """The condition as SQL: true where it holds, else false or NULL."""
    match condition:
        case Always(value):
            return "TRUE" if value else "FALSE"
        case And(parts):
            return _joined(to, " AND ", parts, read)
        case Or(parts):
            return _joined(to, " OR ", parts, read)
        case Not(part):
            # Only here does unknown differ from false.
            return f"NOT COALESCE({condition_sql(to, part, read)}, FALSE)"
        case Truth(ref):
            return f"({read.sql(ref)} IS TRUE)"
        case _:
            return f"({_compared(to, condition, read)})"


def flag_sql(to: Dialect, condition: Condition, read: Read) -> str:
    """The condition as SQL that is never NULL."""
    return f"COALESCE({condition_sql(to, condition, read)}, FALSE)"


def term_sql(to: Dialect, term: Term, read: Read) -> str:
    """The term as SQL; NULL where it is unknown."""
    match term:
        case Constant(value):
            return constant_sql(to, value)
        case Ref():
            return read.sql(term)
        case Negative(inner):
            return f"(-{term_sql(to, inner, read)})"
        case Arith(op, left, right):
            return f"({_arith(to, op, left, right, read)})"


def constant_sql(to: Dialect, value: Value) -> str:
    """A constant as SQL: a date is its ordinal."""
    match value:
        case bool():
            return "TRUE" if value else "FALSE"
        case Decimal():
            return to.number(value)
        case date():
            return str(value.toordinal())
    return to.quoted(value)


def _joined(to: Dialect, word: str, parts: tuple[Condition, ...], read: Read) -> str:
    return f"({word.join(condition_sql(to, p, read) for p in parts)})"


def _arith(to: Dialect, op: str, left: Term, right: Term, read: Read) -> str:
    a, b = term_sql(to, left, read), term_sql(to, right, read)
    whole = [is_whole(left, read.is_whole), is_whole(right, read.is_whole)]
    if op == "/":
        return to.quotient(a, b)
    if all(whole):
        return f"{a} {op} {b}"
    # A whole number times 6 decimals has 6 decimals: there is no half to round.
    return to.product(a, b) if op == "*" and not any(whole) else to.rounded(f"{a} {op} {b}")


def is_whole(term: Term, ref_is_whole: Callable[[Ref], bool]) -> bool:
    """Whether the term is always a whole number."""
    match term:
        case Constant(value):
            return isinstance(value, Decimal) and value == value.to_integral_value()
        case Ref():
            return ref_is_whole(term)
        case Negative(inner):
            return is_whole(inner, ref_is_whole)
        case Arith(op, left, right):
            return op != "/" and is_whole(left, ref_is_whole) and is_whole(right, ref_is_whole)


def _compared(to: Dialect, condition: Compare | In | Has | Known, read: Read) -> str:
    left = term_sql(to, condition.left, read)
    match condition:
        case Compare(op, _, right):
            return f"{left} {'<>' if op == '!=' else op} {term_sql(to, right, read)}"
        case In(_, values, negated):
            listed = ", ".join(constant_sql(to, v) for v in values)
            return f"{left} {'NOT ' if negated else ''}IN ({listed})"
        case Has(_, word, negated):
            found = to.contains(left, to.quoted(word))
            return f"NOT ({found})" if negated else found
        case Known(_, negated):
            return f"{left} IS {'' if negated else 'NOT '}NULL"
