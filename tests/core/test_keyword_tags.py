"""Keyword tags: which texts set them, what they read, and that no pattern takes for ever."""

from datetime import date
from decimal import Decimal

import pytest

from sop_engine.core.catalog import Attribute, Tag
from sop_engine.core.errors import BadInput
from sop_engine.core.keywords import Hit, birthday, tag_hit
from sop_engine.core.patterns import LONGEST_TEXT, compiled, is_pattern

TODAY = date(2025, 6, 30)
ATTRIBUTES = {
    "孩子生日": Attribute("孩子生日", "date"),
    "人数": Attribute("人数", "number"),
    "城市": Attribute("城市", "words", ("上海", "北京")),
    "昵称": Attribute("昵称", "text"),
}
PRICE = Tag("价格敏感", words=("优惠券", "便宜点", "Sale"), exceptions=("不要", "别再"))
CHILD = Tag("家有小孩", words=(r"/(?:宝宝|孩子|娃).{0,3}?(?P<孩子生日>\d{1,2})岁/",))


def hit(tag: Tag, text: str) -> Hit | None:
    return tag_hit(tag, text, on=TODAY, attributes=ATTRIBUTES)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("有优惠券吗", "优惠券"),
        ("能便宜点吗，或者给张优惠券", "优惠券"),  # the first word of the tag
        ("ＳＡＬＥ 什么时候", "Sale"),  # full width and upper case
        ("不要给我发优惠券", None),
        ("别再发 sale 了", None),
        ("你好", None),
        ("", None),
    ],
)
def test_a_text_with_a_word_and_no_exception_sets_the_tag(text: str, word: str | None) -> None:
    assert hit(PRICE, text) == (Hit(word) if word else None)


@pytest.mark.parametrize("text", ["我家宝宝3岁了", "孩子今年３岁", "娃 3岁"])
def test_an_age_becomes_a_birthday_so_that_it_grows(text: str) -> None:
    found = hit(CHILD, text)
    assert found is not None
    assert found.attributes == {"孩子生日": date(2022, 6, 30)}


def years_since(born: date, on: date) -> int:
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


@pytest.mark.parametrize(("on", "age"), [("2025-06-30", 3), ("2026-06-29", 3), ("2026-06-30", 4), ("2026-07-01", 4)])
def test_who_was_three_that_day_is_four_a_year_later(on: str, age: int) -> None:
    assert years_since(birthday(3, TODAY), date.fromisoformat(on)) == age


def test_an_age_said_on_29_february_is_right_that_day() -> None:
    assert birthday(3, date(2024, 2, 29)) == date(2021, 2, 28)
    assert birthday(4, date(2024, 2, 29)) == date(2020, 2, 29)


def test_named_groups_are_read_as_the_type_of_their_attribute() -> None:
    tag = Tag("聚餐", words=(r"/(?P<昵称>\w{1,4})在(?P<城市>\w{2}) (?P<人数>\d+)人(?P<无名>吗)?/",))
    found = hit(tag, "小王在上海 12人吗")
    assert found is not None
    assert found.attributes == {"昵称": "小王", "城市": "上海", "人数": Decimal(12)}
    elsewhere = hit(tag, "小王在巴黎 12人")
    assert elsewhere is not None
    assert elsewhere.attributes == {"昵称": "小王", "人数": Decimal(12)}


def test_an_age_nobody_reaches_sets_the_tag_and_no_birthday() -> None:
    found = hit(Tag("老寿星", words=(r"/(?P<孩子生日>\d{1,4})岁/",)), "我 999岁")
    assert found is not None
    assert found.attributes == {}


def test_an_exception_may_be_a_pattern_too() -> None:
    tag = Tag("想买", words=("买",), exceptions=(r"/不.{0,2}买/",))
    assert hit(tag, "我想买") == Hit("买")
    assert hit(tag, "不想买") is None


def test_only_the_beginning_of_a_long_text_is_looked_at() -> None:
    assert hit(PRICE, "啊" * (LONGEST_TEXT - 3) + "优惠券") == Hit("优惠券")
    assert hit(PRICE, "啊" * LONGEST_TEXT + "优惠券") is None


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("/退款.*/", "我要退款了"),
        (r"/\d{2,4}元/", "300元"),
        ("/(ab)*c/", "ababc"),
        ("/(?:a|bc)d/", "bcd"),
        ("/a{1,40}b{1,40}/", "aabb"),
        ("/((ab){2})+/", "abab"),
        ("/有货(?:吗|么)?$/", "有货吗"),
    ],
)
def test_a_quick_pattern_is_taken(word: str, text: str) -> None:
    assert hit(Tag("x", words=(word,)), text) == Hit(word)


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("/(a+)+$/", "itself repeats or chooses"),
        ("/(a|aa)*b/", "itself repeats or chooses"),
        ("/(ab?c){3}/", "itself repeats or chooses"),
        ("/(a?){50}b/", "itself repeats or chooses"),
        (r"/(a)(?:\1)*/", "itself repeats or chooses"),
        ("/.*退.*款/", "too many ways"),
        ("/" + "a?" * 30 + "b/", "too many ways"),
        ("/(?=.*a)(?=.*b)c/", "too many ways"),
        ("/(未完/", "not a regular expression"),
        ("/" + "a" * 301 + "/", "too long"),
    ],
)
def test_a_pattern_that_can_take_for_ever_or_is_wrong_says_what_to_write(word: str, why: str) -> None:
    with pytest.raises(BadInput, match=why):
        compiled(word)


def test_only_slashes_on_both_sides_make_a_pattern() -> None:
    assert [is_pattern(word) for word in ["/a/", "/", "//", "a/b", "/a"]] == [True, False, False, False, False]
