"""Holds that a signed link is known again, for its own purpose alone, and that no other text is taken for one."""

import pytest

from sop_engine.core.tokens import read, sign

KEYS = {"k1": bytes(range(32)), "k2": bytes(32)}


@pytest.mark.parametrize(
    ("purpose", "payload", "size", "token"),
    [
        ("unsub", "42.email.marketing.1007", 16, "k1.NDIuZW1haWwubWFya2V0aW5nLjEwMDc.3WhgYOAUSxVbcraI206thA"),
        ("unsub", "42.短信.marketing.1007", 16, "k1.NDIu55-t5L-hLm1hcmtldGluZy4xMDA3.aJ7gTqwzBeLERuLOrhryDQ"),
        ("click", "1007.0", 12, "k1.MTAwNy4w.b8D70AlU3S7sUlR0"),
    ],
)
def test_tokens_are_written_as_published_and_read_back(purpose: str, payload: str, size: int, token: str) -> None:
    assert sign(KEYS, "k1", purpose, payload, size) == token
    assert read(KEYS, token, purpose, size) == payload


def test_a_token_of_an_older_key_is_read_as_long_as_the_key_is_known() -> None:
    token = sign(KEYS, "k2", "click", "7.1", 12)
    assert read(KEYS, token, "click", 12) == "7.1"
    assert read({"k1": KEYS["k1"]}, token, "click", 12) is None


@pytest.mark.parametrize("place", range(len("k1.MTAwNy4w.b8D70AlU3S7sUlR0")))
def test_a_token_with_any_character_changed_is_refused(place: int) -> None:
    token = "k1.MTAwNy4w.b8D70AlU3S7sUlR0"
    changed = token[:place] + ("x" if token[place] != "x" else "y") + token[place + 1 :]
    assert read(KEYS, changed, "click", 12) is None


@pytest.mark.parametrize(
    "text", ["", ".", "..", "k1", "k1..", "k1.MTAwNy4w", "k1.MTAwNy4w.", "k1.MTAwNy4w.b8D70AlU3S7sUlR0=", "k1.ÿ.ÿ", "k1.gA.gA"]
)
def test_other_texts_are_refused(text: str) -> None:
    assert read(KEYS, text, "click", 12) is None


def test_a_token_for_one_purpose_is_none_for_another() -> None:
    assert read(KEYS, sign(KEYS, "k1", "click", "1007.0", 12), "task", 12) is None
