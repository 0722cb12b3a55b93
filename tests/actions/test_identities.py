"""Users who share an identity become one in mid-flight: nothing is sent twice, no refusal is lost, facts and caps add up."""

from datetime import timedelta
from itertools import permutations

import pytest
from sqlalchemy import Engine

from sop_engine.actions import together
from sop_engine.actions.importing import Source, import_rows
from sop_engine.actions.part import was_one
from sop_engine.core.errors import NotFound
from sop_engine.core.records import UserRecord
from sop_engine.store.people import get_id
from tests.actions.identity_shop import FLOW, VALUE, become_one, broken, by_hand, merges, open_shop, two
from tests.shop import Shop
from tests.shop_project import Scripted

pytestmark = pytest.mark.slow


def test_x_13_both_have_day_3_pending_and_one_is_sent(engine: Engine) -> None:
    shop = open_shop(engine)
    two(shop)
    shop.event("a", "visit")
    shop.event("b", "visit")
    become_one(shop)
    assert sorted(shop.states("a")) == ["day3:cancelled:merged", "day3:planned", "first:sent", "first:sent"]
    assert shop.ends("a") == [None, "merged"]
    shop.until("2025-03-20 12:00")
    assert [s for s in shop.sent("a") if s.startswith("day3")] == ["day3@03-05 10:00"]
    assert broken(shop) == []


def test_x_13_what_one_of_them_has_got_is_not_sent_to_the_other_and_what_follows_from_it_goes_on(engine: Engine) -> None:
    chained = FLOW + "  next: {after: 36h, from: day3, send: third}\n"
    shop = open_shop(engine, chained)
    shop.user("a", phone="13912345671")
    shop.user("b", phone="13912345672")
    shop.event("b", "visit")
    shop.event("a", "visit", at="2025-03-03 12:00")
    shop.until("2025-03-04 12:00")
    become_one(shop)
    shop.until("2025-03-20 12:00")
    assert sorted(s.split("@")[0] for s in shop.sent("a")) == ["day3", "first", "first", "next"]
    assert broken(shop) == []


def test_x_13_a_flow_in_which_only_the_younger_user_is_goes_on_with_the_one_user(engine: Engine) -> None:
    shop = open_shop(engine)
    two(shop)
    shop.event("b", "visit")
    become_one(shop)
    shop.event("a", "visit")
    shop.until("2025-03-20 12:00")
    assert shop.ends("a")[0] in (None, "finished")
    assert shop.sent("a") == ["first@03-02 12:00", "day3@03-05 10:00"]
    assert shop.refused("a") == ["again"]
    assert broken(shop) == []


@pytest.mark.parametrize("refuses", ["a", "b"])
def test_x_13_one_opted_out_and_so_the_merged_user_is(engine: Engine, refuses: str) -> None:
    shop = open_shop(engine)
    two(shop)
    shop.event("a", "visit")
    shop.event("b", "visit")
    shop.event(refuses, "unsubscribed")
    become_one(shop)
    assert None not in shop.ends("a")
    shop.until("2025-03-20 12:00")
    assert not [s for s in shop.sent("a") if s.startswith("day3")]
    assert broken(shop) == []


def test_x_13_a_refused_channel_stays_refused_and_of_two_permissions_the_no_stands(engine: Engine) -> None:
    shop = open_shop(engine, FLOW.replace("send: again", "send: hello_mail"))
    two(shop, mail="b@example.org", mail_ok=True)
    shop.set("a", mail="a@example.org", mail_ok=False)
    shop.set("b", mail_ok=True)
    shop.event("b", "unsubscribed", channel="sms")
    become_one(shop)
    assert shop.facts("a", "mail_ok") == [False]
    shop.event("a", "visit")
    shop.until("2025-03-06 12:00")
    assert shop.sent("a") == []
    assert sorted(shop.skipped("a")) == ["day3:needs", "first:opted_out"]
    assert broken(shop) == []


def test_x_13_messages_to_both_count_in_the_caps_of_the_one(engine: Engine) -> None:
    shop = open_shop(engine, FLOW.replace("day 3 10:00", "day 1 10:00"), project={"caps": "2 per 7d"})
    shop.user("a", phone="13912345671")
    shop.user("b", phone="13912345672")
    shop.event("a", "visit")
    shop.event("b", "visit")
    become_one(shop)
    shop.until("2025-03-06 12:00")
    assert shop.sent("a") == ["first@03-01 12:00", "first@03-01 12:00"]
    assert broken(shop) == []


def test_x_13_one_coupon_instead_of_two(engine: Engine) -> None:
    shop = open_shop(engine, FLOW.replace("send: hello", "give: gift, send: coupon"))
    two(shop)
    shop.event("a", "visit")
    shop.event("b", "visit")
    become_one(shop)
    assert sorted(g.state for g in shop.grants("a")) == ["issued", "voided"]
    assert [g.state for g in shop.grants("a") if g.expires_at == max(g.expires_at for g in shop.grants("a"))][:1] == ["issued"]
    assert broken(shop) == []


def test_x_13_the_older_users_variant_stays_and_the_earliest_registration(engine: Engine) -> None:
    split = FLOW.replace("steps:", "variants: {one: 50%, two: 50%}\nsteps:")
    shop = open_shop(engine, split)
    keys = [f"u{n}" for n in range(12)]
    for n, key in enumerate(keys):
        shop.user(key, joined=f"2025-02-{n + 1:02d} 10:00", phone=f"139{n:08d}")
        shop.event(key, "visit")
    arms = {key: shop.runs(key)[0].variant for key in keys}
    old = keys[0]
    other = next(key for key in keys if arms[key] != arms[old])
    by_hand(shop, other, old)
    assert [(r.variant, r.end_reason) for r in sorted(shop.runs(old), key=lambda r: r.variant != arms[old])] == [
        (arms[old], None),
        (arms[other], "merged"),
    ]
    with shop.app.work(shop.now) as work:
        assert was_one(work, other).now == old
    assert shop.facts(old, "joined") == [shop.at("2025-02-01 10:00").astimezone(shop.zone).date()]
    assert broken(shop) == []


def test_s2_45_an_order_here_and_a_visit_there_are_facts_of_one_user_whose_level_is_asked_again(engine: Engine) -> None:
    shop = open_shop(engine, FLOW, VALUE)
    two(shop)
    shop.event("a", "order", order_id="o1", amount=60)
    shop.event("b", "order", order_id="o2", amount=70)
    shop.event("b", "visit")
    assert shop.facts("a", "value") == ["small"]
    become_one(shop)
    assert shop.facts("a", "orders", "spent", "visits7", "value") == [2, 130, 1, "big"]
    assert shop.moves("a", "value")[-1][:2] == ("small", "big")
    assert broken(shop) == []


def test_s2_45_a_refund_of_one_takes_back_the_order_of_the_other(engine: Engine) -> None:
    shop = open_shop(engine, VALUE)
    two(shop)
    shop.event("a", "order", order_id="o1", amount=60)
    shop.event("b", "refund", order_id="o1", amount=60)
    become_one(shop)
    assert shop.facts("a", "orders", "value") == [0, "no_order"]
    assert broken(shop) == []


def test_s2_45_an_order_of_the_other_is_the_goal_of_a_run_that_was_open(engine: Engine) -> None:
    shop = open_shop(engine)
    two(shop)
    shop.event("a", "visit")
    shop.event("b", "order", order_id="o1", amount=60)
    become_one(shop)
    assert shop.ends("a") == ["goal"]
    assert shop.sent("a") == ["first@03-02 12:00"]


def test_s2_45_a_level_the_other_was_in_already_is_not_entered_again(engine: Engine) -> None:
    welcome = """
playbook: welcome
tier: value
goal: buys
levels:
  big: {intent: cultivate, no_benefit: x, again: always, steps: {hi: {at: now, send: hello_push}}}
  small: {none: x}
  no_order: {none: x}
"""
    shop = open_shop(engine, VALUE, welcome)
    two(shop)
    shop.event("b", "order", order_id="o1", amount=160)
    shop.event("b", "order", order_id="o2", amount=1)
    assert shop.sent("b") == ["hi@03-02 12:00"]
    become_one(shop)
    shop.until("2025-03-03 12:00")
    assert shop.facts("a", "value") == ["big"]
    assert shop.sent("a") == ["hi@03-02 12:00"]


@pytest.mark.parametrize("order", list(permutations("abc")))
def test_x_13_whatever_comes_first_the_user_is_the_same(engine: Engine, order: tuple[str, ...]) -> None:
    """The device ties a and b, the union id b and c; all three are one whoever is seen first."""
    shop = open_shop(engine, VALUE)
    who = {"a": {"device": "d1"}, "b": {"device": "d1", "unionid": "U1"}, "c": {"unionid": "U1"}}
    joined = {"a": "2025-02-03 10:00", "b": "2025-02-02 10:00", "c": "2025-02-01 10:00"}
    for n, key in enumerate(order):
        shop.user(key, joined=joined[key], phone="", **who[key])
        shop.event(key, "order", order_id=f"o{key}", amount=50)
        shop.now += timedelta(minutes=n)
    with shop.app.work(shop.now) as work:
        assert len({get_id(work.tx, key) for key in "abc"}) == 1
    assert shop.facts("a", "orders", "spent", "value", "device", "unionid") == [3, 150, "big", "d1", "U1"]
    assert shop.facts("b", "joined") == [shop.at("2025-02-01 10:00").astimezone(shop.zone).date()]
    assert broken(shop) == []


def test_x_13_an_identity_in_the_text_of_an_event_unites_before_anything_starts(engine: Engine) -> None:
    hi = "playbook: hi\nintent: cultivate\nstart: {event: say}\ngoal: buys\nsteps:\n  hi: {at: now, send: hello_push}\n"
    shop = open_shop(engine, hi)
    shop.user("a", phone="13912345671")
    shop.event("a", "say", text="hello")
    shop.event("new", "say", text="I am 13912345671")
    assert shop.sent("a") == ["hi@03-01 12:00"]
    assert shop.refused("a") == ["again"]
    assert [m.younger for m in merges(shop).made] == ["new"]


def test_x_13_an_event_under_the_old_id_is_the_survivors_and_so_is_an_imported_row(engine: Engine) -> None:
    shop = open_shop(engine, VALUE)
    two(shop)
    become_one(shop)
    shop.event("b", "order", order_id="o1", amount=160)
    import_rows(shop.app, Source([UserRecord("b", attributes={"city": "Paris"})]), shop.now)
    assert shop.facts("a", "orders", "value", "city") == [1, "big", "Paris"]
    with shop.app.work(shop.now) as work:
        assert get_id(work.tx, "a") == get_id(work.tx, "b") == get_id(work.tx, "13912345671")
        with pytest.raises(NotFound):
            get_id(work.tx, "13900000001")


def test_x_13_a_new_user_never_gets_the_number_of_one_who_is_gone(engine: Engine) -> None:
    shop = open_shop(engine, VALUE)
    two(shop)
    with shop.app.work(shop.now) as work:
        gone = get_id(work.tx, "b")
    become_one(shop)
    shop.user("c")
    with shop.app.work(shop.now) as work:
        assert get_id(work.tx, "c") > gone
    assert shop.moves("c", "value")[0][:2] == (None, "no_order")


def test_x_13_a_message_that_is_being_sent_keeps_its_outcome(engine: Engine) -> None:
    channel = Scripted()
    shop = open_shop(engine, channels={"sms": channel})
    two(shop)
    shop.event("b", "visit", at="2025-03-02 13:00")
    shop.event("a", "visit", at="2025-03-03 13:00")
    shop.jump("2025-03-05 10:00")
    channel.before = lambda _message: become_one_aside(shop)
    shop.deliver(shop.claim())
    channel.before = None
    assert sorted(shop.states("a")) == ["day3:cancelled:merged", "day3:sent", "first:sent", "first:sent"]
    assert sorted(str(end) for end in shop.ends("a")) == ["None", "merged"]
    shop.until("2025-03-20 12:00")
    assert len(channel.handed) == 3
    assert broken(shop) == []


def become_one_aside(shop: Shop) -> None:
    """While a provider is called, once."""
    if not merges(shop).made:
        by_hand(shop, "a", "b")


def test_x_13_a_failure_in_the_middle_leaves_two_users_as_they_were(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = open_shop(engine)
    two(shop)
    shop.event("a", "visit")
    shop.event("b", "visit")
    before = shop.touches(), shop.facts("b", "phone")

    def fails(*_given: object, **_named: object) -> None:
        raise RuntimeError("the process ends here")

    monkeypatch.setattr(together, "move_users", fails)
    with pytest.raises(RuntimeError):
        become_one(shop)
    assert (shop.touches(), shop.facts("b", "phone")) == before
    assert merges(shop).made == ()
