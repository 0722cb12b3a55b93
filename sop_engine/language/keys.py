"""The kinds of values that keys hold: texts, forms, words, names, conditions, lists of them."""

import re
from dataclasses import replace

from sop_engine.core.forms import Schedule
from sop_engine.language import forms
from sop_engine.language.forms import Form
from sop_engine.language.names import no_such, normal
from sop_engine.language.reader import Kind, Reader
from sop_engine.language.source import Node

TEXT = Kind(Reader.text, {"type": ["string", "number", "boolean"]})
RAW = Kind(lambda _, node: node)


def form(form: Form) -> Kind:
    """A value of a fixed form."""
    pattern = re.sub(r"\?P<\w+>", "", form.pattern).replace(r"[^\W\d]\w*", r"\S+")  # editors know ASCII letters only
    schema = {"pattern": f"^(?:{pattern})$", "patternErrorMessage": f"This {form.sentence}"}
    return Kind(lambda reader, node: reader.form(node, form), {"type": ["string", "number", "boolean"], **schema})


def one_of(*words: str) -> Kind:
    """One of a fixed list of words."""
    return Kind(lambda reader, node: reader.one_of(node, words), {"enum": list(words)})


def name_of(kind: str, *, what: str = "") -> Kind:
    """The name of something that exists."""
    return Kind(lambda reader, node: reader.name(node, kind, what=what), {"type": "string"}, kind)


def condition(slot: str) -> Kind:
    """A condition that may read what its slot allows."""
    return Kind(lambda reader, node: reader.condition(node, slot), {"type": ["string", "boolean"]})


def many(kind: Kind) -> Kind:
    """One value or a list of them."""

    def read(reader: Reader, node: Node) -> tuple[object, ...]:
        return reader.many(node, lambda item: kind.read(reader, item))

    return Kind(read, {"anyOf": [kind.schema, {"type": "array", "items": kind.schema}]}, kind.listed)


def _schedule(reader: Reader, node: Node) -> Schedule | None:
    """A schedule; the date that `year` goes by must be an attribute."""
    found: Schedule | None = reader.form(node, forms.SCHEDULE)
    if found is None or found.kind != "year":
        return found
    name = normal(found.attribute)
    dates = [s.name for s in reader.names.symbols.values() if s.space == "attribute" and s.kind == "date"]
    if name not in dates:
        reader.error(node, 301, no_such("date attribute", name, dates))
    return replace(found, attribute=name)


SCHEDULE = Kind(_schedule, form(forms.SCHEDULE).schema)
FLAG = Kind(form(forms.FLAG).read, {"type": "boolean"})
COUNT = Kind(form(forms.COUNT).read, {"type": "integer", "minimum": 1})
MONEY = Kind(form(forms.MONEY).read, {"type": "number", "minimum": 0})
LENGTH = form(forms.LENGTH)
DAYS = form(forms.DAYS)
SHARE = form(forms.SHARE)
HOURS = form(forms.HOURS)
LIMIT = form(forms.LIMIT)
BUDGET = form(forms.BUDGET)
DUE = form(forms.DUE)
