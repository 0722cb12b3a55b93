"""Says how texts are measured: parts of an SMS, forbidden words, offers."""

import pytest

from sop_engine.core.wording import forbidden_words, offer_words, sms_parts


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", 1),
        ("字" * 70, 1),
        ("字" * 71, 2),
        ("字" * 134, 2),
        ("字" * 135, 3),
        ("a" * 70, 1),
        ("a" * 71, 2),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
        ("【某品牌】老朋友，满199减50回归券ABCD1234已到账，7天内有效。拒收请回复R", 1),
    ],
)
def test_a_text_of_more_than_70_characters_is_cut_into_parts_of_67(text: str, parts: int) -> None:
    assert sms_parts(text) == parts


def test_forbidden_words_are_found_in_any_width_and_case() -> None:
    assert forbidden_words("您是ＶＩＰ流失用户", ["vip", "流失用户", "低价值"]) == ("vip", "流失用户")
    assert forbidden_words("您好", ["低价值"]) == ()


@pytest.mark.parametrize(
    "text",
    [
        "满 99 减 20",
        "满199元减50",
        "一张券",
        "八折",
        "9折",
        "限时领取",
        "第二杯半价",
        "包邮",
        "a 20% off coupon",
        "Discount inside",
        "新人红包",
    ],
)
def test_an_offer_is_heard_in_both_languages(text: str) -> None:
    assert offer_words(text)


@pytest.mark.parametrize("text", ["好久不见", "证券资讯更新了", "减肥餐", "这本书骨折后慢慢读", "your discovery", "不减热情"])
def test_ordinary_words_are_no_offer(text: str) -> None:
    assert offer_words(text) == ()


def test_the_place_of_an_offer_is_counted_in_characters() -> None:
    assert offer_words("小王，满99减20") == ((3, "满99减"),)
