"""Decides whether a condition can be true and can be false, by trying every case that makes a difference.

What compares two names, or calculates, is taken as free to be either: nothing is called impossible that might happen.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from math import floor, gcd, prod

from sop_engine.core.conditions import (
    Always,
    And,
    Compare,
    Condition,
    Constant,
    Facts,
    Has,
    In,
    Known,
    Not,
    Or,
    Ref,
    Term,
    Truth,
    Value,
    holds,
)
from sop_engine.core.explain import text_of
from sop_engine.core.metrics import Metric
from sop_engine.core.project import Project

MOST_CASES = 20_000
_FLIPPED = {"=": "=", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_COUNTS = frozenset({"count", "distinct", "streak"})
_RANGES = {"hour": (0, 23), "weekday": (1, 7)}
ELSE = "\0"  # some other text


@dataclass
class Cases:
    """Every case that makes a difference to some conditions: for each name the values that are worth trying."""

    project: Project
    constants: dict[Ref, set[Value]] = field(default_factory=dict)

    def add(self, condition: Condition) -> Condition:
        """The condition in a form that can be tried; its names and constants are remembered."""
        match condition:
            case And(parts):
                return And(tuple(self.add(p) for p in parts))
            case Or(parts):
                return Or(tuple(self.add(p) for p in parts))
            case Not(part):
                return Not(self.add(part))
            case Always():
                return condition
            case Truth(ref):
                self.constants.setdefault(ref, set())
                return condition
        return self._leaf(condition)

    def _leaf(self, leaf: Compare | In | Has | Known) -> Condition:
        left = self._settled(leaf.left)
        match leaf:
            case Compare(op, _, right):
                return self._compare(op, left, self._settled(right), leaf)
            case In(_, values, negated) if isinstance(left, Ref):
                self.constants.setdefault(left, set()).update(values)
                return In(left, values, negated)
            case Known(_, negated) if isinstance(left, Ref):
                self.constants.setdefault(left, set())
                return Known(left, negated)
        return self._free(leaf)

    def _compare(self, op: str, left: Term, right: Term, leaf: Compare) -> Condition:
        if isinstance(left, Constant) and isinstance(right, Constant):
            return Always(holds(Compare(op, left, right), {}))
        if isinstance(left, Constant) and isinstance(right, Ref):
            return self._compare(_FLIPPED[op], right, left, leaf)
        if isinstance(left, Ref) and isinstance(right, Constant):
            self.constants.setdefault(left, set()).add(right.value)
            return Compare(op, left, right)
        return self._free(leaf)

    def _free(self, leaf: Compare | In | Has | Known) -> Condition:
        ref = Ref("free", text_of(leaf), "flag")
        self.constants.setdefault(ref, set())
        return Truth(ref)

    def _settled(self, term: Term) -> Term:
        """A metric that is a setting becomes its number."""
        metric = self.project.metrics.get(term.name) if isinstance(term, Ref) and term.space in ("metric", "start") else None
        return metric.formula if metric is not None and isinstance(metric.formula, Constant) else term

    def all(self) -> Iterator[Facts] | None:
        """Every case once, far apart ones first; None if there are too many."""
        names = [ref.key for ref in self.constants]
        values = [self._values(ref, constants) for ref, constants in self.constants.items()]
        total = prod(len(v) for v in values)
        return _scattered(names, values, total) if total <= MOST_CASES else None

    def _values(self, ref: Ref, constants: set[Value]) -> list[Value | None]:
        match ref.kind:
            case "flag":
                return [True, False, None]
            case "words" | "level":
                return [*self._words(ref, constants), None]
            case "number":
                metric = self.project.metrics.get(ref.name) if ref.space in ("metric", "start") else None
                numbers = _numbers({c for c in constants if isinstance(c, Decimal)}, _kind(ref, metric))
                return [*numbers] if _always_known(metric) else [*numbers, None]
            case "date":
                days = [c for c in constants if isinstance(c, date)]
                return [*sorted({d + timedelta(days=n) for d in days or [date(2025, 1, 1)] for n in (-1, 0, 1)}), None]
        return [*sorted(map(str, constants)), ELSE, None]

    def _words(self, ref: Ref, constants: set[Value]) -> list[Value]:
        project = self.project
        known: Sequence[str] = ()
        if ref.space in ("tier", "tier_before") or ref.name in project.tiers:
            known = project.tiers[ref.name].level_names if ref.name in project.tiers else ()
        elif ref.space in ("attribute", "metric", "start"):
            found = project.attributes.get(ref.name) or project.metrics.get(ref.name)
            known = found.words if found else ()
        return [*known] if known else [*sorted(map(str, constants)), ELSE]


@dataclass(frozen=True, slots=True)
class _Numbers:
    whole: bool
    least: int | None = None
    most: int | None = None


def _kind(ref: Ref, metric: Metric | None) -> _Numbers:
    if ref.space in ("field", "event"):
        return _Numbers(ref.name in _RANGES, *_RANGES.get(ref.name, (None, None)))
    if ref.space == "tier_days":
        return _Numbers(True, 0)
    if metric is None or metric.ratio_to_previous or metric.per:
        return _Numbers(False)
    if metric.verb == "grade" and isinstance(metric.cuts, tuple):
        return _Numbers(True, 1, len(metric.cuts) + 1)
    if metric.verb in _COUNTS:
        return _Numbers(True, 0)
    return _Numbers(metric.verb in ("days_since", "days_until", "years_since"))


def _always_known(metric: Metric | None) -> bool:
    return metric is not None and metric.verb in (*_COUNTS, "sum") and not metric.ratio_to_previous


def _numbers(constants: set[Decimal], kind: _Numbers) -> list[Decimal]:
    ordered = sorted(constants) or [Decimal(kind.least or 0)]
    if kind.whole:
        found = {Decimal(floor(c) + n) for c in ordered for n in (-1, 0, 1)}
    else:
        between = [(a + b) / 2 for a, b in pairwise(ordered)]
        found = {*ordered, *between, ordered[0] - 1, ordered[-1] + 1}
    low, high = kind.least, kind.most
    return sorted(n for n in found if (low is None or n >= low) and (high is None or n <= high)) or [Decimal(low or 0)]


def _scattered(names: Sequence[str], values: Sequence[Sequence[Value | None]], total: int) -> Iterator[Mapping[str, Value | None]]:
    stride = next(n for n in (7919, 7927, 7933, 7937, 7949, 7951, 1) if gcd(n, total) == 1)
    for number in range(total):
        rest, case = number * stride % total, {}
        for name, options in zip(names, values, strict=True):
            rest, index = divmod(rest, len(options))
            case[name] = options[index]
        yield case


def always(condition: Condition, project: Project) -> bool | None:
    """True or False if the condition is so in every case, None if it depends, or if there are too many cases to try."""
    cases = Cases(project)
    tried = cases.add(condition)
    return _constant(cases, lambda facts: holds(tried, facts))


def _constant(cases: Cases, asked: Callable[[Facts], bool]) -> bool | None:
    seen: set[bool] = set()
    for facts in cases.all() or ():
        seen.add(asked(facts))
        if len(seen) == 2:
            return None
    return seen.pop() if seen else None


def first_reached(rules: Sequence[Condition], only: Condition | None, project: Project) -> set[int]:
    """The rules that can be the first to hold, by place; all of them if there are too many cases to try."""
    cases = Cases(project)
    asked = [cases.add(rule) for rule in rules]
    inside = cases.add(only) if only is not None else Always()
    everything = cases.all()
    if everything is None:
        return set(range(len(rules)))
    reached: set[int] = set()
    for facts in everything:
        first = next((n for n, rule in enumerate(asked) if holds(rule, facts)), None)
        if first is not None and holds(inside, facts):
            reached.add(first)
        if len(reached) == len(rules):
            break
    return reached
