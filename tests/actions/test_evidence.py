"""What a tag or a level rests on: the events its rule counts now, by its own windows, and the words that were said."""

import pytest
from sqlalchemy import Engine

from sop_engine.actions.why import why_level
from sop_engine.actions.why_tag import WhyTag, why_tag
from tests.shop import Shop

MORE = """
metrics:
  asks: {count: say, within: 30d}
  shows: {count: visit, within: 30d}
  first_look: {first: visit.page}
  big: {count: order, where: amount >= 100, within: 48h}
  need: {highest: [asks, shows], names: [practical, social]}
---
tags:
  practical: {when: need = practical and asks >= 2}
  buyer: {when: big >= 1 and not angry, for: 10d}
  looked: {when: first_look is known}
  either: {when: wants_discount or quiet > 900}
---
tier: scene
note: why
ladder: none
levels: {practical: practical, social: need = social}
"""


@pytest.fixture
def shop(engine: Engine) -> Shop:
    """A user who asked twice this month, once long ago, looked around, and whose colleague wrote something."""
    shop = Shop(engine, MORE, start="2025-06-30 12:00")
    shop.history(
        ("u", "say", "2025-05-02 10:00", {"text": "old"}),
        ("u", "visit", "2025-05-20 10:00", {"page": "home"}),
        ("u", "say", "2025-06-20 10:00", {"text": "which one is quieter?"}),
        ("other", "say", "2025-06-20 11:00", {"text": "mine"}),
        ("u", "say", "2025-06-21 10:00", {"text": "this one", "actor": "staff"}),
        ("u", "say", "2025-06-29 10:00", {"text": "and the filter?"}),
        ("u", "visit", "2025-06-29 10:00", {"page": "filters"}),
    )
    return shop


def told(shop: Shop, tag: str, user: str = "u") -> WhyTag:
    with shop.app.work(shop.now) as work:
        return why_tag(work, user, work.project.tags[tag])


def lines(shop: Shop, found: WhyTag) -> list[str]:
    return [f"{shop._local(e.at)} {e.kind} {e.by}{e.word and ' ' + e.word}" for e in found.events]


def test_s1_48_the_tag_of_a_need_lists_the_two_consults_behind_it(shop: Shop) -> None:
    found = told(shop, "practical")
    assert (found.held, found.how) == (True, "rule")
    assert lines(shop, found) == ["06-20 10:00 say asks", "06-29 10:00 say asks"]
    assert [(r.text, r.holds) for r in found.reasons] == [("need = practical", True), ("asks >= 2", True)]
    other = told(shop, "practical", "other")
    assert (other.held, other.events) == (False, ())


def test_s1_48_a_level_lists_them_too(shop: Shop) -> None:
    with shop.app.work(shop.now) as work:
        found = why_level(work, "u", work.project.tiers["scene"])
    assert found.level == "practical"
    assert [(e.kind, shop._local(e.at)) for e in found.events] == [("say", "06-20 10:00"), ("say", "06-29 10:00")]


def test_s1_48_of_a_first_thing_only_the_first_is_evidence(shop: Shop) -> None:
    assert lines(shop, told(shop, "looked")) == ["05-20 10:00 visit first_look"]


def test_s1_48_a_tag_that_outlives_its_rule_lists_what_it_rested_on_when_it_held_last(shop: Shop) -> None:
    shop.event("u", "order", at="2025-06-30 13:00", order_id="small", amount=50)
    shop.event("u", "order", at="2025-06-30 14:00", order_id="big", amount=150)
    assert lines(shop, told(shop, "buyer")) == ["06-30 14:00 order big"]
    shop.until("2025-07-05 09:00")
    found = told(shop, "buyer")
    assert (found.held, [r.holds for r in found.reasons]) == (True, [False, True])
    assert lines(shop, found) == ["06-30 14:00 order big"]


def test_s1_48_69_a_tag_by_words_and_what_rests_on_it_keep_the_word_that_was_said(shop: Shop) -> None:
    assert told(shop, "wants_discount").held is False
    shop.event("u", "say", at="2025-06-30 13:00", text="any discount?")
    for tag in ("wants_discount", "either"):  # the other half of `either` does not hold: nothing of it is evidence
        assert lines(shop, told(shop, tag)) == ["06-30 13:00 say wants_discount discount"]


def test_s1_48_a_tag_somebody_set_has_no_events(shop: Shop) -> None:
    shop.set("u", vip=True)
    found = told(shop, "vip")
    assert (found.held, found.how, found.events, found.since) == (True, "set", (), shop.now)
