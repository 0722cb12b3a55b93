"""Writes the text of a message: strict, sandboxed, compiled once, with every unknown value replaced or refused."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache

from jinja2 import StrictUndefined, TemplateError, nodes
from jinja2 import Template as Compiled
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from sop_engine.core.conditions import Value
from sop_engine.core.errors import SopError
from sop_engine.core.template import Template
from sop_engine.core.writing import FILTERS, UNKNOWN, Writer, number_in

LONGEST = 20_000  # characters of one value, and of one text

_ALLOWED = (
    nodes.Output,
    nodes.TemplateData,
    nodes.Name,
    nodes.Getattr,
    nodes.Filter,
    nodes.If,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.Neg,
    nodes.Const,
)


class MissingVariable(SopError):
    """A text cannot be written because a name it requires is unknown; `name` is that name as written."""

    def __init__(self, name: str) -> None:
        super().__init__(f"'{name}' is required by the text and unknown for this user")
        self.name = name


class RenderFailed(SopError):
    """A text cannot be written: it uses what is not allowed, compares what cannot be compared, or grows too long."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A message as it is sent. `fallbacks`: names that were unknown, so that the fallback was written; `vars`: the provider's variables."""

    subject: str
    text: str
    fallbacks: tuple[str, ...] = ()
    vars: tuple[tuple[str, str], ...] = ()


def render(
    template: Template,
    values: Mapping[str, Value | None],
    *,
    locale: str,
    links: Mapping[str, str] | None = None,
    html: bool = False,
    currency: str = "CNY",
) -> Rendered:
    """The subject (one line) and the text of the template for these values, keyed as written (`昵称`, `benefit.code`).

    `links` holds the addresses of `link.NAME`; with `html` values are escaped in the text. Raises `MissingVariable` when a
    required name is unknown, `RenderFailed` for anything else that keeps the text from being written.
    """
    language = "zh" if locale.lower().startswith("zh") else "en"
    subject = _compiled(template.subject, (language, currency, False)) if template.subject else None
    body = _compiled(template.body, (language, currency, html))
    known: dict[str, object] = {}
    fallbacks: list[str] = []
    written = dict(template.variables)
    own = {name: _compiled(source, (language, currency, False)) for name, source in template.provider_vars}
    parts = [subject, body, *own.values()] if subject else [body, *own.values()]
    for name in dict.fromkeys(name for part in parts for name in part.names):
        value = (links or {}).get(name[5:]) if name.startswith("link.") else values.get(name)
        if value is None or value == "":
            fallback = written.get(name)
            if fallback is None:
                raise MissingVariable(name)
            fallbacks.append(name)
            known[name] = _fallback(fallback)
        elif isinstance(value, str) and len(value) > LONGEST:
            raise RenderFailed(f"the value of '{name}' is longer than {LONGEST} characters")
        else:
            known[name] = value
    title = " ".join(_written(subject, known).split()) if subject else ""
    variables = tuple((name, _written(part, known)) for name, part in own.items())
    return Rendered(title, _written(body, known), tuple(fallbacks), variables)


def _fallback(text: str) -> object:
    number = number_in(text)
    return UNKNOWN if text == "" else text if number is None else number


@dataclass(frozen=True, slots=True)
class _Text:
    """A compiled text and, for each name it reads, the plain variable that carries the value: no attribute is ever looked up."""

    compiled: Compiled
    names: dict[str, str]


def _written(text: _Text, known: Mapping[str, object]) -> str:
    compiled = text.compiled
    try:
        context = compiled.new_context({plain: known[name] for name, plain in text.names.items()})
        written = "".join(compiled.root_render_func(context))
    except (TemplateError, TypeError, ValueError, ArithmeticError) as error:
        raise RenderFailed(f"the text cannot be written: {error}") from error
    if len(written) > LONGEST:
        raise RenderFailed(f"the text is longer than {LONGEST} characters")
    return written


@lru_cache(maxsize=4096)
def _compiled(source: str, kind: tuple[str, str, bool]) -> _Text:
    environment = _environment(kind)
    try:
        tree = environment.parse(source)
        _refuse_the_rest(tree)
        names = _Names()
        plain = names.visit(tree)
        plain.set_environment(environment)
        return _Text(environment.from_string(plain), names.found)
    except (TemplateError, RecursionError) as error:
        raise RenderFailed(f"the text cannot be read: {error}") from error


def _refuse_the_rest(tree: nodes.Template) -> None:
    for node in tree.find_all(nodes.Node):
        named = isinstance(node, nodes.Getattr) and not isinstance(node.node, nodes.Name)
        filtered = isinstance(node, nodes.Filter) and node.name not in FILTERS
        if not isinstance(node, _ALLOWED) or named or filtered:
            raise RenderFailed(f"'{type(node).__name__.lower()}' cannot be used in a template; only {{{{ name }}}}, filters and {{% if %}}")


class _Names(NodeTransformer):
    """Turns every name and dotted name into one plain variable."""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}

    def visit_Name(self, node: nodes.Name) -> nodes.Name:
        return self._plain(node.name, node.lineno)

    def visit_Getattr(self, node: nodes.Getattr) -> nodes.Name:
        assert isinstance(node.node, nodes.Name)
        return self._plain(f"{node.node.name}.{node.attr}", node.lineno)

    def _plain(self, name: str, line: int) -> nodes.Name:
        plain = self.found.setdefault(unicodedata.normalize("NFKC", name), f"v{len(self.found)}")
        return nodes.Name(plain, "load", lineno=line)


@cache
def _environment(kind: tuple[str, str, bool]) -> ImmutableSandboxedEnvironment:
    language, currency, html = kind
    writer = Writer(language, currency)
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=html, finalize=writer.plain, cache_size=0)
    environment.globals.clear()
    environment.tests.clear()
    environment.filters.clear()
    environment.filters.update({name: getattr(writer, name) for name in FILTERS})
    return environment
