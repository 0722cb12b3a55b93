"""Holds the length of SMS in messages, here and elsewhere, and what such a text cannot carry."""

import pytest

from sop_engine.core.sms import Length, foreign_characters, has_address, sign_of, sms_length, sms_parts, unfit_value, without_sign


@pytest.mark.parametrize(
    ("text", "units", "parts"),
    [
        ("", 0, 1),
        ("字" * 70, 70, 1),
        ("字" * 71, 71, 2),
        ("字" * 134, 134, 2),
        ("字" * 135, 135, 3),
        ("a" * 70, 70, 1),
        ("a" * 71, 71, 2),
        ("😀" * 35, 70, 1),
        ("😀" * 36, 72, 2),
        ("【某品牌】老朋友，满199减50回归券ABCD1234已到账，7天内有效。拒收请回复R", 43, 1),
    ],
)
def test_in_the_mainland_70_characters_fit_and_67_in_each_of_several(text: str, units: int, parts: int) -> None:
    assert sms_length(text) == Length(units, parts)
    assert sms_parts(text) == parts


@pytest.mark.parametrize(
    ("text", "units", "parts"),
    [
        ("a" * 160, 160, 1),
        ("a" * 161, 161, 2),
        ("a" * 306, 306, 2),
        ("a" * 307, 307, 3),
        ("€" * 80, 160, 1),
        ("€" * 81, 162, 2),
        ("a" * 152 + "€" + "a" * 152, 306, 3),
        ("`", 1, 1),
        ("`" + "a" * 70, 71, 2),
        ("^{}\\[~]|€\f", 20, 1),
        ("字" * 71, 71, 2),
    ],
)
def test_elsewhere_the_gsm_alphabet_counts_septets_and_never_parts_a_pair(text: str, units: int, parts: int) -> None:
    assert sms_length(text, mainland=False) == Length(units, parts)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("【某品牌】老朋友，满199减50，¥9.9，第①档，±5℃。", []),
        ("两行\n文字", []),
        ("好😀", [(1, "😀")]),
        ("到貨", [(1, "貨")]),
        ("優惠", [(0, "優")]),
        ("零\u200b宽", [(1, "\u200b")]),
        ("铃\x07", [(1, "\x07")]),
        ("星★☎", [(2, "☎")]),
    ],
)
def test_emoji_traditional_and_control_characters_are_found_with_their_places(text: str, found: list[tuple[int, str]]) -> None:
    assert list(foreign_characters(text)) == found


@pytest.mark.parametrize("value", ["小红🌸", "a\nb", "a\tb", "https://x.example", "shop.com/a", "WWW.x.cn"])
def test_a_value_that_no_variable_takes(value: str) -> None:
    assert unfit_value(value)


@pytest.mark.parametrize("value", ["", "张三", "王珺喆", "12.5", "2025年3月4日", "A.B", "¥1,200.01"])
def test_a_value_that_a_variable_takes(value: str) -> None:
    assert not unfit_value(value)


def test_an_address_is_found_with_and_without_its_scheme() -> None:
    assert has_address("看 t.example.cn/a") and has_address("http://a") and not has_address("v1.2")


def test_only_the_equal_signature_at_the_beginning_is_taken_away() -> None:
    assert without_sign("【某品牌】你好", "某品牌") == "你好"
    assert without_sign("【别家】你好", "某品牌") == "【别家】你好"
    assert without_sign("你好【某品牌】", "某品牌") == "你好【某品牌】"
    assert (sign_of(" 【某品牌】你好"), sign_of("你好【某品牌】")) == ("某品牌", "")
