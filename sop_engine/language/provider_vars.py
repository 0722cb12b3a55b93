"""Checks that the fields of an approved WeChat template take the values a text gives them."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

from sop_engine.core.catalog import Channel
from sop_engine.core.conditions import Value
from sop_engine.core.project import Project
from sop_engine.core.template import Template
from sop_engine.core.wechat_fields import VIAS, field_problem
from sop_engine.core.writing import Writer
from sop_engine.language.front_matter import FrontMatter
from sop_engine.language.names import normal
from sop_engine.language.template_names import Readable

_SAMPLES: dict[str, Value] = {"number": Decimal(100), "date": date(2025, 12, 30), "flag": True}
"""A value of each kind whose form alone says whether it fits a field."""


def check_provider_vars(matter: FrontMatter, template: Template, readable: Readable, catalogue: Project) -> None:
    """Add 515 for a field that will not take the value in every case that can be foreseen."""
    channel: Channel | None = catalogue.channels.get(template.channel)
    listed = dict(template.variables)
    for name, value in matter.pairs("provider_vars"):
        variable = normal(value.value)
        if variable in listed and channel is not None and channel.via in VIAS:
            problems = (field_problem(name.value, text) for text in _foreseen(variable, listed[variable], readable))
            problem = next((p for p in problems if p), "")
            if problem:
                matter.report.add(value.place, 515, f"'{value.value}' does not always fit: {problem}.")


def _foreseen(variable: str, fallback: str | None, readable: Readable) -> Iterator[str]:
    """Texts a variable may be written as: its fallback, each of its words, or one of its kind."""
    if fallback is not None:
        yield fallback
    yield from readable.words(variable)
    sample = _SAMPLES.get(readable.kind(variable) or "")
    if sample is not None:
        yield str(Writer("zh", "CNY").plain(sample))
