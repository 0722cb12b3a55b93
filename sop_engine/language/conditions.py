"""Reads the text of a condition into its tree: syntax here, names and types in `meaning`."""

import re
from functools import cache, lru_cache
from importlib.resources import files

from lark import Lark, Token, Tree, UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from sop_engine.core.conditions import Always, Condition, Term
from sop_engine.core.errors import BadInput
from sop_engine.core.project import Project
from sop_engine.language.meaning import Meaning
from sop_engine.language.names import names_of
from sop_engine.language.report import Place, Report
from sop_engine.language.scopes import Scope, user_scope
from sop_engine.language.source import Text

MOST_CHARACTERS = 2_000
_WRITE = {
    "==": "=", "&&": "and", "||": "or", "<>": "!=", "=>": ">=", "=<": "<=", "＝": "=", "＞": ">", "＜": "<", "！": "!", "（": "(",
    "）": ")", "，": ",", "、": ",", "＋": "+", "－": "-", "—": "-", "×": "*", "÷": "/", "％": "%", "“": '"', "”": '"', "‘": '"', "’": '"',
    "且": "and", "并且": "and", "或": "or", "或者": "or", "非": "not", "AND": "and", "OR": "or", "NOT": "not", "IN": "in", "HAS": "has",
    "IS": "is", "。": ".", "；": ",",
}  # fmt: skip
_FOREIGN = re.compile(
    r'"[^"]*"|[＞＜！]＝|==|&&|\|\||<>|=>|=<|[＝＞＜！（），、＋－—×÷％“”‘’。；]|(?<![\w.])(?:且|并且|或者?|非|AND|OR|NOT|IN|HAS|IS)(?!\w)'
    r"|(?<=[0-9])(?:且|或)"
)
_UNIT = re.compile(
    r'"[^"]*"|(?<![\w.])([0-9]+(?:\.[0-9]+)?) ?(?:d|h|m|days?|hours?|minutes?|weeks?|months?|天|日|小时|分钟|个?月|周|年)(?!\w)'
)


def parse_condition(text: Text, scope: Scope, report: Report) -> Condition | None:
    """The tree of a condition, or None with every problem in the report."""
    tree = _tree(text, report)
    return Meaning(text, scope, report).condition(tree) if tree is not None else None


def parse_formula(text: Text, scope: Scope, report: Report) -> Term | None:
    """The tree of arithmetic that gives a number, or None with every problem in the report."""
    tree = _tree(text, report)
    return Meaning(text, scope, report).formula(tree) if tree is not None else None


def parse_audience(text: str, project: Project) -> Condition:
    """The tree of a condition over attributes, metrics, tags and tiers; `everyone` is allowed.

    Raises BadInput with every problem and its column.
    """
    if text.strip() == "everyone":
        return Always()
    report = Report()
    tree = parse_condition(Text(text, Place("", 1, 1, len(text))), user_scope(names_of(project)), report)
    if tree is None or report.has_errors():
        raise BadInput("\n".join(f"'{text}', column {p.column}: {p.sentence}" for p in report.sorted()))
    return tree


@cache
def _parser() -> Lark:
    grammar = files("sop_engine.language").joinpath("grammar.lark").read_text("utf-8")
    return Lark(grammar, parser="lalr", lexer="basic", maybe_placeholders=False)


@lru_cache(maxsize=4096)
def _parsed(text: str) -> Tree[Token]:
    return _parser().parse(text)


def _tree(text: Text, report: Report) -> Tree[Token] | None:
    if len(text.value) > MOST_CHARACTERS:
        report.add(text.place, 401, f"this condition is too long: at most {MOST_CHARACTERS:,} characters. Give parts of it a name as tags.")
        return None
    if _foreign_signs(text, report):
        return None
    try:
        return _parsed(text.value)
    except UnexpectedInput as error:
        offset, length, sentence = _explained(text.value, error)
        report.add(text.at(offset, length), 401, sentence)
        return None


def _foreign_signs(text: Text, report: Report) -> bool:
    """Report the first sign that is not written here, or else every unit of time; whether there was any."""
    for match in _FOREIGN.finditer(text.value):
        word = match.group()
        if not word.startswith('"'):
            write = "".join(_WRITE.get(c, c) for c in word) if word[-1] == "＝" else _WRITE[word]
            report.add(text.at(match.start(), len(word)), 401, f"write '{write}' instead of '{word}'.")
            return True
    found = [match for match in _UNIT.finditer(text.value) if match[1]]
    for match in found:
        sentence = f"a number in a condition has no unit of time: write '{match[1]}' instead of '{match.group()}'."
        report.add(text.at(match.start(), len(match.group())), 407, sentence)
    return bool(found)


def _explained(text: str, error: UnexpectedInput) -> tuple[int, int, str]:
    """Offset, length and sentence of a mistake in the syntax."""
    bracket = _unbalanced(text)
    if text.count('"') % 2:
        return text.rindex('"'), 1, "this quotation mark is not closed."
    if isinstance(error, UnexpectedCharacters):
        at = error.pos_in_stream or 0
        return at, 1, f"'{text[at]}' cannot stand in a condition."
    if not isinstance(error, UnexpectedToken):
        return 0, max(1, len(text)), "the condition cannot be read."
    if error.token.type == "$END":
        return bracket or (*_last_word(text), "the condition stops too early.")
    return bracket or (error.token.start_pos or 0, len(error.token), _unexpected(error.token))


def _unexpected(token: Token) -> str:
    if token.type == "COMPARES":
        return f"'{token}' cannot stand here: a comparison joins two things. Write 'a < b and b < c'."
    if token.type in ("NAME", "NUMBER", "TEXT", "DATE"):
        return (
            f"'{token}' cannot stand here. Join it with 'and', 'or' or a comparison; text with spaces or signs is written in quotes \"…\"."
        )
    return f"'{token}' cannot stand here."


def _last_word(text: str) -> tuple[int, int]:
    words = list(re.finditer(r"[\w.%]+|\S", text))
    return (words[-1].start(), len(words[-1].group())) if words else (0, 1)


def _unbalanced(text: str) -> tuple[int, int, str] | None:
    opened: list[int] = []
    for match in re.finditer(r'"[^"]*"|[()]', text):
        if match.group() == "(":
            opened.append(match.start())
        elif match.group() == ")":
            if not opened:
                return match.start(), 1, "this bracket closes nothing. Delete it."
            opened.pop()
    return (opened[-1], 1, "this bracket is not closed.") if opened else None
