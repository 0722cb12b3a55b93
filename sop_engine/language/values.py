"""Reads values that a step, a story or a fixture gives to attributes, tags, metrics, tiers and fields of events."""

from collections.abc import Mapping

from sop_engine.core.catalog import Field
from sop_engine.core.conditions import Value
from sop_engine.language import forms
from sop_engine.language.names import UNKNOWN_EVENT, Symbol, no_such, normal
from sop_engine.language.reader import Reader
from sop_engine.language.report import did_you_mean
from sop_engine.language.source import Node, Text

_FORMS = {"number": forms.NUMBER, "flag": forms.FLAG, "date": forms.DATE}
_NOUNS = {"fact": "attribute, metric, tier or tag", "state": "attribute or tag"}
_ID = Field("id", "text")


def typed(node: Node, kind: str, words: tuple[str, ...], name: str, reader: Reader) -> Value | None:
    """A value of a kind; None, reported, if it does not fit."""
    if kind in _FORMS:
        value: Value | None = reader.form(node, _FORMS[kind])
        return value
    text = reader.text(node)
    if text is None or kind not in ("words", "level"):
        return text
    word = normal(text)
    if word in words or not words:
        return word
    what = "level" if kind == "level" else "word"
    reader.error(node, 404, f"'{name}' has no {what} '{text}'.{did_you_mean(text, words)}")
    return None


def settings(node: Node | None, reader: Reader, *, what: str, state_only: bool = False) -> tuple[tuple[str, Value], ...]:
    """Facts and their values; with `state_only` attributes and tags alone, as a step may set them."""
    found = reader.map(node, what) if node is not None else None
    values: list[tuple[str, Value]] = []
    for name, _, value in found or ():
        symbol = reader.names.symbols.get(name)
        if symbol is None or (state_only and symbol.space not in ("attribute", "tag")):
            _no_fact(name, symbol, value, reader, state_only=state_only)
            continue
        read = typed(value, symbol.kind, symbol.words, name, reader)
        if read is not None:
            values.append((name, read))
    return tuple(values)


def _no_fact(name: str, symbol: Symbol | None, value: Node, reader: Reader, *, state_only: bool) -> None:
    names = reader.names
    if symbol is not None:
        reader.error(value, 204, f"'{name}' is a {symbol.space}: it follows from facts and cannot be set by a step.")
    elif state_only:
        reader.error(value, 301, no_such(_NOUNS["state"], name, [*names.listed("attribute"), *names.listed("tag")]))
    else:
        reader.error(value, 301, no_such(_NOUNS["fact"], name, names.listed("fact")))


def event_values(node: Node | None, events: tuple[str, ...], reader: Reader) -> tuple[tuple[str, Value], ...]:
    """The fields of an event that a story lets happen, `id` and `actor` among them."""
    found = reader.map(node, "'with'") if node is not None else None
    fields: Mapping[str, Field] = reader.names.common_fields(events or (UNKNOWN_EVENT,))
    values: list[tuple[str, Value]] = []
    for name, _, value in found or ():
        if name not in fields and name != "id":
            reader.error(value, 301, no_such("field", name, fields))
            continue
        field = fields[name] if name != "id" else _ID
        read = typed(value, field.type, field.words, name, reader)
        if read is not None:
            values.append((name, read))
    return tuple(values)


def word_of(node: Node | None) -> str:
    """The text of a node, empty if it is none."""
    return normal(node.value) if isinstance(node, Text) else ""
