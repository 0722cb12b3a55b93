"""Decides whether a text sets a keyword tag, by which word, and what it says about the user."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation

from sop_engine.core.calendar import same_day_in
from sop_engine.core.catalog import Attribute, Tag
from sop_engine.core.conditions import Value
from sop_engine.core.patterns import LONGEST_TEXT, compiled, is_pattern

OLDEST = 130  # years


@dataclass(frozen=True, slots=True)
class Hit:
    """The word of the tag that was found, and the attributes a pattern read from the text."""

    word: str
    attributes: Mapping[str, Value] = field(default_factory=dict)


def tag_hit(tag: Tag, text: str, *, on: date, attributes: Mapping[str, Attribute]) -> Hit | None:
    """The first word of the tag that the text contains, if it contains no exception; else None.

    Compared after NFKC and in lower case; only the first 2,000 signs are looked at. `on` is the local day the text was written,
    which turns an age into a birthday. A pattern is used as it is written, blind to upper and lower case. Raises BadInput for a
    pattern that `sop check` would have refused.
    """
    plain = _plain(text[:LONGEST_TEXT])[:LONGEST_TEXT]
    if any(_found(word, plain) is not None for word in tag.exceptions):
        return None
    for word in tag.words:
        groups = _found(word, plain)
        if groups is not None:
            read = ((name, _value(attributes[name], said, on)) for name, said in groups.items() if said and name in attributes)
            return Hit(word, {name: value for name, value in read if value is not None})
    return None


def birthday(age: int, on: date) -> date:
    """The birthday kept for somebody so many full years old on a day: that very day, so that the age is right and grows in a year."""
    return same_day_in(on.year - age, on)


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).lower()


def _found(word: str, plain: str) -> dict[str, str | None] | None:
    """The named groups of a word that is in the text, None for a word that is not."""
    if not is_pattern(word):
        return {} if _plain(word) in plain else None
    match: re.Match[str] | None = compiled(word).search(plain)
    return None if match is None else match.groupdict()


def _value(attribute: Attribute, said: str, on: date) -> Value | None:
    """What was said as a value of the attribute; None where it cannot be one."""
    match attribute.type:
        case "date":
            return birthday(int(said), on) if said.isdecimal() and int(said) <= OLDEST else None
        case "number":
            return _number(said)
        case "flag":
            return True
        case "words":
            return next((word for word in attribute.words if _plain(word) == said), None)
    return said


def _number(said: str) -> Decimal | None:
    try:
        number = Decimal(said)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
