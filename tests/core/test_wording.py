"""Says what is found in texts: forbidden words and offers."""

import pytest

from sop_engine.core.wording import forbidden_words, offer_words


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
