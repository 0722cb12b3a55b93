"""Bodies as clients send them: what no database stores is put right and counted, and nothing makes reading them fail."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sop_engine.language.wire import NotJson, as_text, parsed, unpacked


def read(text: str) -> tuple[Any, dict[str, int]]:
    said, counted = parsed(text.encode("utf-8", "surrogatepass"))
    return said, {word: n for word, n in counted.items() if n}


@pytest.mark.parametrize(
    ("text", "said", "counted"),
    [
        ('{"a": NaN, "b": [Infinity, -Infinity]}', {"a": None, "b": [None, None]}, {"nan": 3}),
        ('{"a": "x\\ud83dy", "\\udc00": 1}', {"a": "x\ufffdy", "\ufffd": 1}, {"surrogate": 2}),
        ('{"a": "\\ud83d\\ude00"}', {"a": "\U0001f600"}, {}),
        ('{"a\\u0000": "b\\u0000c"}', {"a": "bc"}, {"nul": 2}),
        ('{"a": 0.10, "b": 12345678901234567890}', {"a": Decimal("0.10"), "b": 12345678901234567890}, {}),
        (f'{{"a": {"9" * 38}, "b": {"9" * 39}, "c": [{"1" * 5000}]}}', {"a": int("9" * 38), "c": [None]}, {"number": 2}),
        ('{"a": 1e38, "b": 1e37, "c": 1e999999999, "d": 1e-39, "e": 0e99}', {"b": Decimal("1e37"), "e": Decimal("0e99")}, {"number": 3}),
        ('\ufeff{"a": 1}', {"a": 1}, {}),
        ('{"a": 1, "a": 2}', {"a": 2}, {}),
    ],
)
def test_what_cannot_be_stored_is_put_right_and_counted(text: str, said: Any, counted: dict[str, int]) -> None:
    assert read(text) == (said, counted)


def test_a_byte_that_is_no_utf_8_becomes_one_sign_and_the_rest_is_read() -> None:
    said, counted = parsed(b'{"a": "x\xffy"}')
    assert (said, counted["surrogate"]) == ({"a": "x\ufffdy"}, 1)


def test_what_lies_deeper_than_20_levels_of_an_item_becomes_null() -> None:
    def nested(levels: int) -> Any:
        return {"a": nested(levels - 1)} if levels else 1

    fits, counted = read(json.dumps({"batch": [nested(21)]}))
    assert (fits, counted) == ({"batch": [nested(21)]}, {})
    cut, counted = read(json.dumps({"batch": [nested(22)]}))
    assert counted == {"deep": 1}
    assert as_text(cut) == as_text({"batch": [nested(21)]}).replace(":1}", ":null}")


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters()), inner, max_size=4),
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(st.characters()), JSON, max_size=4))
def test_whatever_json_says_can_be_written_as_utf_8_afterwards_and_read_again_unchanged(value: dict[str, Any]) -> None:
    said, _ = parsed(json.dumps(value).encode())
    text = as_text(said)
    assert "\\u0000" not in text
    again, counted = parsed(text.encode("utf-8"))
    assert (as_text(again), sum(counted.values())) == (text, 0)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60), st.sampled_from(["", "gzip", "identity", "br", "nonsense"]))
def test_whatever_bytes_come_they_are_read_or_refused(body: bytes, encoding: str) -> None:
    try:
        said, _ = parsed(unpacked(body, encoding))
    except NotJson:
        return
    assert isinstance(said, dict)
