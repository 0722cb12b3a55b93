"""Decides what a parsed condition means: which name each word is, and whether the types fit."""

from collections.abc import Callable, Iterable
from datetime import date
from decimal import Decimal

from lark import Token, Tree

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
from sop_engine.language.names import no_such, normal
from sop_engine.language.report import Report, did_you_mean
from sop_engine.language.scopes import Scope
from sop_engine.language.source import Text
from sop_engine.language.typed import BAD, Part, Typed, called, ends, example, number, unquoted

MOST_NESTING = 50
_SIGNS = {"≥": ">=", "≤": "<=", "≠": "!="}


class Meaning:
    """Gives one condition its names and types; everything wrong goes into the report, and nothing that follows from it."""

    def __init__(self, text: Text, scope: Scope, report: Report) -> None:
        self.text = text
        self.scope = scope
        self.report = report
        self.failed = False
        self.depth = 0

    def condition(self, tree: Tree[Token]) -> Condition | None:
        """The tree as a condition, None if anything is wrong."""
        found = self._truth(tree.children[0])
        return None if self.failed else found

    def formula(self, tree: Tree[Token]) -> Term | None:
        """The tree as arithmetic that gives a number, None if anything is wrong."""
        found = self._number(tree.children[0], "value")
        return None if self.failed else found

    def _error(self, part: Part, code: int, sentence: str) -> Typed:
        first, last = ends(part)
        self.report.add(self.text.at(first, max(1, last - first)), code, sentence)
        self.failed = True
        return BAD

    def _read(self, part: Part) -> Typed:
        if not isinstance(part, Tree):
            return self._name(part)
        if self.depth >= MOST_NESTING:
            return self._error(part, 401, "this condition is nested too deeply. Give parts of it a name as tags.")
        self.depth += 1
        typed = self._readers()[part.data](part)
        self.depth -= 1
        self.failed = self.failed or typed.kind == "any"
        return typed

    def _readers(self) -> dict[str, Callable[[Tree[Token]], Typed]]:
        return {
            "any_of": self._any_of,
            "all_of": lambda t: Typed(And(tuple(self._truth(c) for c in t.children)), "condition"),
            "opposite": lambda t: Typed(Not(self._truth(t.children[0])), "condition"),
            "compare": self._compare,
            "among": lambda t: self._among(t, negated=False),
            "not_among": lambda t: self._among(t, negated=True),
            "has": lambda t: self._has(t, negated=False),
            "has_not": lambda t: self._has(t, negated=True),
            "known": lambda t: self._known(t, negated=False),
            "unknown": lambda t: self._known(t, negated=True),
            "chain": self._chain,
            "negative": self._negative,
            "brackets": lambda t: self._read(t.children[0]),
            "constant": self._constant,
            "name": lambda t: self._name(t.children[0]),
        }

    # --- true or false

    def _truth(self, part: Part) -> Condition:
        typed = self._read(part)
        match typed.node:
            case Ref() as ref if typed.kind == "flag":
                return Truth(ref)
            case Constant(bool() as value):
                return Always(value)
            case Constant() | Ref() | Arith() | Negative():
                if typed.kind != "any":
                    self._error(part, 408, f"this is {called(typed.kind)}, not a condition. {example(typed)}")
                return Always()
        return typed.node

    def _any_of(self, tree: Tree[Token]) -> Typed:
        for child in tree.children:
            if isinstance(child, Tree) and child.data == "all_of":
                self._error(child, 402, "'and' and 'or' are mixed: put brackets around one of them.")
        return Typed(Or(tuple(self._truth(c) for c in tree.children)), "condition")

    def _compare(self, tree: Tree[Token]) -> Typed:
        left_part, sign, right_part = tree.children
        op = _SIGNS.get(str(sign), str(sign))
        left = self._read(left_part)
        right = self._right(right_part, left, op)
        if "any" in (left.kind, right.kind):
            return BAD
        if left.kind != right.kind or left.kind == "condition":
            return self._error(tree, 405, f"cannot compare {called(left.kind)} with {called(right.kind)}.")
        if op not in ("=", "!=") and left.kind not in ("number", "date"):
            return self._error(tree, 405, f"'{op}' needs numbers or dates, but this is {called(left.kind)}.")
        if left.kind == "flag" and isinstance(left.node, Ref) and isinstance(right.node, Constant):
            wanted = right.node.value is (op == "=")
            return Typed(Truth(left.node) if wanted else Not(Truth(left.node)), "condition")
        return Typed(Compare(op, left.term, right.term), "condition")

    def _right(self, part: Part, left: Typed, op: str) -> Typed:
        """The right side, where a bare word may be one of the left side's words."""
        leaf = part.children[0] if isinstance(part, Tree) and part.data in ("name", "constant") else None
        if not isinstance(leaf, Token):
            return self._read(part)
        bare = leaf.type == "NAME" and "." not in leaf
        if op in ("=", "!=") and left.kind in ("words", "level") and (bare or leaf.type in ("TEXT", "NUMBER")):
            return Typed(Constant(self._word(leaf, left)), left.kind)
        if bare and left.kind in ("text", "any") and self.scope.find(normal(str(leaf))) is None:
            return Typed(Constant(normal(str(leaf))), left.kind)
        return self._read(part)

    def _word(self, token: Token, left: Typed) -> str:
        word = unquoted(token)
        if word not in left.words and left.words:
            what = "level" if left.kind == "level" else "word"
            self._error(token, 404, f"'{left.name}' has no {what} '{word}'.{did_you_mean(word, left.words)}")
        return word

    def _among(self, tree: Tree[Token], *, negated: bool) -> Typed:
        left = self._read(tree.children[0])
        words = [w for w in tree.children[1:] if isinstance(w, Token)]
        if left.kind == "any":
            return BAD
        if left.kind not in ("words", "level", "text", "number"):
            return self._error(tree, 405, f"'in' chooses among words, but this is {called(left.kind)}.")
        return Typed(In(left.term, tuple(self._member(w, left) for w in words), negated), "condition")

    def _member(self, token: Token, left: Typed) -> Value:
        if left.kind in ("words", "level"):
            return self._word(token, left)
        if left.kind == "number" and token.type == "NUMBER":
            return number(token)
        if left.kind == "number":
            self._error(token, 405, "cannot compare a number with text.")
        return unquoted(token)

    def _has(self, tree: Tree[Token], *, negated: bool) -> Typed:
        left = self._read(tree.children[0])
        if left.kind == "any":
            return BAD
        if left.kind != "text":
            return self._error(tree.children[0], 405, f"'has' looks into text, but this is {called(left.kind)}.")
        word = tree.children[1]
        return Typed(Has(left.term, unquoted(word) if isinstance(word, Token) else "", negated), "condition")

    def _known(self, tree: Tree[Token], *, negated: bool) -> Typed:
        left = self._read(tree.children[0])
        if left.kind == "condition":
            return self._error(tree, 405, "only a value is known or unknown, not a condition.")
        return Typed(Known(left.term, negated), "condition")

    # --- values

    def _number(self, part: Part, sign: str) -> Term:
        typed = self._read(part)
        if typed.kind not in ("number", "any"):
            self._error(part, 405, f"'{sign}' needs numbers, but this is {called(typed.kind)}.")
        return typed.term

    def _chain(self, tree: Tree[Token]) -> Typed:
        first, *rest = tree.children
        if len(rest) > 2 * MOST_NESTING:
            return self._error(tree, 401, "this sum has too many parts. Make it several metrics.")
        term = self._number(first, str(rest[0]))
        for sign, part in zip(rest[::2], rest[1::2], strict=True):
            term = Arith(str(sign), term, self._number(part, str(sign)))
        return Typed(term, "number")

    def _negative(self, tree: Tree[Token]) -> Typed:
        term = self._number(tree.children[1], "-")
        if isinstance(term, Constant) and isinstance(term.value, Decimal):
            return Typed(Constant(-term.value), "number")
        return Typed(Negative(term), "number")

    def _constant(self, tree: Tree[Token]) -> Typed:
        token = tree.children[0]
        if not isinstance(token, Token):
            return BAD
        match token.type:
            case "NUMBER":
                return Typed(Constant(number(token)), "number")
            case "TEXT":
                return Typed(Constant(unquoted(token)), "text")
            case "DATE":
                return self._date(token)
        return Typed(Constant(token.type == "TRUE"), "flag")

    def _date(self, token: Token) -> Typed:
        try:
            return Typed(Constant(date.fromisoformat(token)), "date")
        except ValueError:
            return self._error(token, 401, f"'{token}' is no day of the calendar.")

    def _name(self, part: Part) -> Typed:
        name = normal(str(part))
        found = self.scope.find(name)
        if found is not None:
            return Typed(found[0], found[0].kind, found[1], name)
        models = self.scope.names.models_with(name) if self.scope.fields is None else []
        if models:
            return self._error(part, 406, f"a level is written with its model: {' or '.join(f'{m} = {name}' for m in models)}.")
        return self._error(part, 403, self._missing(name))

    def _missing(self, name: str) -> str:
        scope = self.scope
        if scope.fields is not None:
            return _no_field(name, scope.events, scope.fields)
        first, _, rest = name.partition(".")
        if first == "event" and scope.event is None:
            return f"'{name}' can be read only in 'only' of a flow that is started by an event."
        if first == "event" and scope.event is not None:
            return _no_field(rest, scope.events, scope.event)
        if first in ("start", "step") and not scope.start:
            return f"'{name}' can be read only while a flow runs: in 'when', 'exit' and a goal's 'enter'."
        if rest and scope.names.knows("event", first):
            return f"a condition does not read events. Make a metric of '{name}', such as {{last: {name}}}, and read that."
        return no_such("attribute, metric, tier or tag", name, scope.readable())


def _no_field(name: str, events: tuple[str, ...], fields: Iterable[str]) -> str:
    whose = f"'{events[0]}' has" if len(events) == 1 else "these events together have"
    return f"{whose} no field '{name}'.{did_you_mean(name, fields)}"
