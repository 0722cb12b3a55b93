"""Reads what programs send: unpacks it, parses it as JSON, and takes away what no database stores; everything taken away is counted."""

import json
import re
import zlib
from collections import Counter
from decimal import Decimal, InvalidOperation
from typing import Any

from sop_engine.core.errors import BadInput
from sop_engine.language.cells import MOST_DIGITS

MOST_BYTES = 4 * 1024 * 1024  # unpacked
MOST_DEPTH = 20  # of an item or a body
_SURROGATES = re.compile("[\ud800-\udfff]")
_DROP = object()


class TooLarge(BadInput):
    """More than 4 MiB."""


class NotJson(BadInput):
    """The body cannot be unpacked or is no JSON object."""


def unpacked(body: bytes, encoding: str) -> bytes:
    """The bytes as they were before `Content-Encoding`. Raises TooLarge beyond 4 MiB, NotJson for what cannot be unpacked.

    Unpacking ends at the limit, so a small body cannot become a large one.
    """
    match encoding.strip().lower():
        case "" | "identity":
            plain, rest = body, False
        case "gzip" | "x-gzip":
            unpacking = zlib.decompressobj(31)
            try:
                plain = unpacking.decompress(body, MOST_BYTES + 1)
            except zlib.error as error:
                raise NotJson("the body is not gzip") from error
            rest = not unpacking.eof and len(plain) <= MOST_BYTES
        case _:
            raise NotJson("a body is plain or gzip")
    if len(plain) > MOST_BYTES:
        raise TooLarge(f"a body has at most {MOST_BYTES} bytes when it is unpacked")
    if rest:
        raise NotJson("the gzip body ends too early")
    return plain


def parsed(body: bytes) -> tuple[dict[str, Any], Counter[str]]:
    """The JSON object in a body, and how often each kind of thing was put right in it. Raises NotJson.

    Numbers with a point are exact. NaN and Infinity become null (`nan`), halves of characters U+FFFD (`surrogate`), NUL is taken
    out (`nul`), numbers of more than 38 digits are left out (`number`), and what lies deeper than 20 levels becomes null (`deep`).
    """
    found: Counter[str] = Counter()
    text = body.decode("utf-8-sig", "surrogateescape")  # a broken byte becomes a half character, and is counted as one
    reading = _Reading(found)
    try:
        whole = json.loads(text, parse_float=reading.number, parse_int=reading.whole, parse_constant=reading.constant)
    except (ValueError, RecursionError) as error:
        raise NotJson("the body is not JSON" if isinstance(error, ValueError) else "the body is nested too deeply") from error
    if not isinstance(whole, dict):
        raise NotJson("the body is not a JSON object")
    cleaned: dict[str, Any] = reading.clean(whole, 0)
    return cleaned, found


def as_text(value: Any) -> str:
    """A value as compact JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=float)


def size_of(value: Any) -> int:
    """The bytes a value takes as compact JSON."""
    return len(as_text(value).encode())


class _Reading:
    def __init__(self, found: Counter[str]) -> None:
        self.found = found

    def number(self, written: str) -> Any:
        """A number with a point or an exponent."""
        try:
            value = Decimal(written)
        except InvalidOperation:
            return self._drop()
        fits = -MOST_DIGITS <= value.adjusted() < MOST_DIGITS and len(value.as_tuple().digits) <= MOST_DIGITS
        return value if fits or not value else self._drop()

    def whole(self, written: str) -> Any:
        """A whole number."""
        return int(written) if len(written.lstrip("-")) <= MOST_DIGITS else self._drop()

    def constant(self, _written: str) -> None:
        """NaN, Infinity and -Infinity are no JSON, but clients write them."""
        self.found["nan"] += 1

    def _drop(self) -> Any:
        self.found["number"] += 1
        return _DROP

    def clean(self, value: Any, depth: int) -> Any:
        """The value without what cannot be stored. Items of a batch begin anew: they lie two levels down."""
        match value:
            case str():
                return self.text(value)
            case dict() | list() if depth > MOST_DEPTH + 2:
                self.found["deep"] += 1
                return None
            case dict():
                return {self.text(name): self.clean(one, depth + 1) for name, one in value.items() if one is not _DROP}
            case list():
                return [None if one is _DROP else self.clean(one, depth + 1) for one in value]
        return value

    def text(self, written: str) -> str:
        """A text that every database takes."""
        if written.isascii() and "\0" not in written:
            return written
        if "\0" in written:
            self.found["nul"] += 1
            written = written.replace("\0", "")
        whole, halves = _SURROGATES.subn("\ufffd", written)
        self.found["surrogate"] += halves
        return whole
