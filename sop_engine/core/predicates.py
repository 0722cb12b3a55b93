"""Conditions turned into functions, once: the same truth as `conditions.holds`, several times as fast."""

from collections.abc import Callable

from sop_engine.core.conditions import (
    ORDER,
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
    Not,
    Or,
    Ref,
    Term,
    Truth,
    Value,
    sign,
    value_of,
)

Predicate = Callable[[Facts], bool]
Reader = Callable[[Facts], Value | None]


def predicate(condition: Condition) -> Predicate:
    """A function of the facts that is true where the condition holds."""
    match condition:
        case And(parts):
            asked = [predicate(p) for p in parts]
            return lambda facts: all(p(facts) for p in asked)
        case Or(parts):
            asked = [predicate(p) for p in parts]
            return lambda facts: any(p(facts) for p in asked)
        case Not(part):
            inner = predicate(part)
            return lambda facts: not inner(facts)
        case Truth(ref):
            key = ref.key
            return lambda facts: facts.get(key) is True
        case Always(value):
            return lambda facts: value
        case Compare():
            return _comparison(condition)
        case _:
            return _looked_up(condition)


def reader(term: Term) -> Reader:
    """A function of the facts that gives the value of the term, None where it is unknown."""
    match term:
        case Constant(value):
            return lambda facts: value
        case Ref():
            key = term.key
            return lambda facts: facts.get(key)
        case Arith() | Negative():
            return lambda facts: value_of(term, facts)


def _comparison(condition: Compare) -> Predicate:
    left, right, fits = reader(condition.left), reader(condition.right), ORDER[condition.op]

    def compared(facts: Facts) -> bool:
        a, b = left(facts), right(facts)
        return a is not None and b is not None and fits(sign(a, b))

    return compared


def _looked_up(condition: In | Has | Known) -> Predicate:
    left, negated = reader(condition.left), condition.negated
    match condition:
        case Known():
            return lambda facts: (left(facts) is not None) != negated
        case In(_, values):
            listed = frozenset(values)
            return lambda facts: (a := left(facts)) is not None and (a in listed) != negated
        case Has(_, word):
            return lambda facts: (a := left(facts)) is not None and (word in str(a)) != negated
