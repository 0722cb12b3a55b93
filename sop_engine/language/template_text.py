"""Reads the text of a template with Jinja's own parser and says what it uses, and where it does more than it may."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache

from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.lexer import TokenStream
from jinja2.parser import Parser

from sop_engine.core.writing import FILTERS
from sop_engine.language.report import did_you_mean
from sop_engine.language.template_parts import Branches, Literal, Mistake, Piece, Text, Use

_ONLY = "only {{ name }}, filters and {% if %}."
_COMPARISONS = frozenset({"eq", "ne", "lt", "lteq", "gt", "gteq"})
_WORDS: tuple[tuple[type[nodes.Node], str], ...] = (
    (nodes.Call, "a call"),
    (nodes.Getattr, "a second '.'"),
    (nodes.Getitem, "'[ ]'"),
    (nodes.CondExpr, "'if' inside {{ }}"),
    (nodes.Test, "'is'"),
    (nodes.Compare, "'in'"),
    (nodes.Const, "a text or number alone"),
    (nodes.BinExpr, "arithmetic"),
    (nodes.Concat, "'~'"),
)
_FULL_WIDTH = str.maketrans("｜（）｛｝％，．＞＜＝＂", '|(){}%,.><="')


def read_text(source: str) -> Text:
    """The text taken apart, with every mistake in it. Line ends must be `\\n`."""
    reader = _Reader(source)
    try:
        reader.text.pieces = reader.read(_parsed(source).body, always=True)
    except TemplateSyntaxError as error:
        reader.refuse_syntax(error)
    except RecursionError:
        reader.refuse(0, "so much nesting")
    return reader.text


@cache
def _environment() -> Environment:
    return Environment(autoescape=False)


class _Unreadable(TemplateSyntaxError):
    """The text cannot be cut into words at all; `lineno` is a line, not an offset."""


def _tokens(source: str) -> Iterator[tuple[int, str, str]]:
    """Jinja's tokens with the offset of each where its line belongs, so that every node of the tree knows its place."""
    at = 0
    try:
        for _, kind, value in _environment().lexer.tokeniter(source, None):
            at = source.index(value, at)  # skips the white space that {%- takes away
            yield at, kind, value
            at += len(value)
    except TemplateSyntaxError as error:
        raise _Unreadable(str(error.message), error.lineno) from error


def _parsed(source: str) -> nodes.Template:
    environment = _environment()
    tokens = list(_tokens(source))
    parser = Parser(environment, "")
    parser.stream = TokenStream(environment.lexer.wrap(tokens), None, None)
    return parser.parse()


class _Reader:
    def __init__(self, source: str) -> None:
        self.source = source
        self.text = Text()

    def refuse(self, offset: int, what: str, length: int = 1) -> None:
        self.text.mistakes.append(Mistake(offset, length, 503, f"{what} cannot be used in a template; {_ONLY}"))

    def refuse_syntax(self, error: TemplateSyntaxError) -> None:
        message = str(error.message)
        tag = re.match(r"Encountered unknown tag '(\w+)'", message)
        sign = re.match(r"unexpected char '(.)' at (\d+)", message)
        if tag:
            self._refuse_tag(error.lineno, tag.group(1))
        elif sign:
            self._refuse_sign(sign.group(1), int(sign.group(2)))
        elif isinstance(error, _Unreadable):
            self._unreadable(sum(len(line) + 1 for line in self.source.split("\n")[: error.lineno - 1]), message)
        elif "end of template" in message and "endif" in message:
            opened = max(self.source.rfind("{% if"), 0)
            self.text.mistakes.append(Mistake(opened, 5, 503, "this {% if %} is not closed. Write {% endif %} where it ends."))
        else:
            self._unreadable(min(error.lineno, len(self.source)), message)

    def _refuse_sign(self, sign: str, offset: int) -> None:
        half = sign.translate(_FULL_WIDTH)
        sentence = f"the sign '{sign}' has no meaning here." if half == sign else f"this is a full-width '{sign}'. Write '{half}'."
        self.text.mistakes.append(Mistake(offset, 1, 503, sentence))

    def _unreadable(self, offset: int, message: str) -> None:
        hint = "Write {{ name }}, {{ name | filter }} or {% if name %} … {% endif %}."
        self.text.mistakes.append(Mistake(offset, 1, 503, f"this cannot be read: {message.rstrip('.')}. {hint}"))

    def read(self, body: Sequence[nodes.Node], *, always: bool) -> tuple[Piece, ...]:
        pieces: list[Piece] = []
        for node in body:
            if isinstance(node, nodes.Output):
                pieces += self._output(node, always)
            elif isinstance(node, nodes.If):
                pieces.append(self._if(node))
            else:
                word = re.match(r"\w*", self.source[node.lineno :])
                self._refuse_tag(node.lineno, word.group() if word else "")
                self._mention(node)
        return tuple(pieces)

    def _refuse_tag(self, offset: int, word: str) -> None:
        begin = max(self.source.rfind("{%", 0, offset), 0)
        self.refuse(begin, f"'{word}'", max(offset + len(word) - begin, 1))

    def _mention(self, node: nodes.Node) -> None:
        stored = {n.name for n in node.find_all(nodes.Name) if n.ctx != "load"}
        read = {n.name for n in node.find_all(nodes.Name) if n.name not in stored}
        self.text.mentioned |= read | {_dotted(n) for n in node.find_all(nodes.Getattr) if isinstance(n.node, nodes.Name)}

    def _output(self, output: nodes.Output, always: bool) -> Iterator[Piece]:
        for node in output.nodes:
            if isinstance(node, nodes.TemplateData):
                literal = Literal(node.data, node.lineno, always)
                self.text.literals.append(literal)
                yield literal
            else:
                use = self._written(node)
                if use is not None:
                    yield use

    def _written(self, node: nodes.Node) -> Use | None:
        if not isinstance(node, nodes.Filter):
            return self._name(node)
        if node.name not in FILTERS:
            hint = did_you_mean(node.name, FILTERS, always_list=True)
            self._refuse_filter(node, f"there is no filter '{node.name}'.{hint}")
            self._mention(node)
            return None
        most = self._most(node)
        if isinstance(node.node, nodes.Filter):
            self.refuse(node.lineno, "a second filter", len(node.name))
        use = self._name(node.node)
        if use is not None:
            use = replace(use, filter=node.name, filter_offset=self._pipe(node), most=most)
            self.text.uses[-1] = use
        return use

    def _refuse_filter(self, node: nodes.Filter, sentence: str) -> None:
        pipe = self._pipe(node)
        self.text.mistakes.append(Mistake(pipe, node.lineno + len(node.name) - pipe, 505, sentence))

    def _pipe(self, node: nodes.Filter) -> int:
        return max(self.source.rfind("|", 0, node.lineno), 0)

    def _most(self, node: nodes.Filter) -> int | None:
        plain = not node.kwargs and node.dyn_args is None and node.dyn_kwargs is None
        value = node.args[0] if len(node.args) == 1 and plain else None
        if node.name == "short" and isinstance(value, nodes.Const) and type(value.value) is int and value.value > 0:
            return value.value
        if node.args or not plain:
            form = "Write short(40), or short alone." if node.name == "short" else f"Write '{node.name}' alone."
            self._refuse_filter(node, f"'{node.name}' does not take this in brackets. {form}")
        return 40 if node.name == "short" else None

    def _name(self, node: nodes.Node | None, *, asked: bool = False) -> Use | None:
        if isinstance(node, nodes.Getattr) and isinstance(node.node, nodes.Name):
            name, offset = _dotted(node), node.node.lineno
        elif isinstance(node, nodes.Name):
            name, offset = node.name, node.lineno
        else:
            if isinstance(node, nodes.Node):
                self._refuse_expression(node)
            return None
        use = Use(unicodedata.normalize("NFKC", name), offset, asked=asked)
        self.text.uses.append(use)
        return use

    def _refuse_expression(self, node: nodes.Node) -> None:
        word = next((word for kind, word in _WORDS if isinstance(node, kind)), "this")
        first = min(n.lineno for n in (node, *node.find_all(nodes.Expr)))
        if not isinstance(node, nodes.Filter):  # a filter of a filter is reported already
            self.refuse(first, word)
        self._mention(node)

    def _if(self, node: nodes.If) -> Branches:
        options = []
        for branch in (node, *node.elif_):
            self._asked(branch.test)
            options.append(self.read(branch.body, always=False))
        options.append(self.read(node.else_, always=False))
        return Branches(tuple(options))

    def _asked(self, node: nodes.Node) -> None:
        match node:
            case nodes.Const():
                return
            case nodes.Name() | nodes.Getattr():
                self._name(node, asked=True)
            case nodes.Not() | nodes.Neg():
                self._asked(node.node)
            case nodes.And() | nodes.Or():
                self._asked(node.left)
                self._asked(node.right)
            case nodes.Compare() if all(o.op in _COMPARISONS for o in node.ops):
                for part in (node.expr, *(o.expr for o in node.ops)):
                    self._asked(part)
            case _:
                self._refuse_expression(node)


def _dotted(node: nodes.Getattr) -> str:
    assert isinstance(node.node, nodes.Name)
    return f"{node.node.name}.{node.attr}"
