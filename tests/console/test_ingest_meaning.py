"""What items mean: whose they are, when they happened, what they are called here, and what they say about their user."""

from decimal import Decimal
from itertools import permutations

import pytest

from tests.console.ingesting import Door, Doors, identify
from tests.shop_project import CATALOGUE

pytestmark = pytest.mark.slow

MAPPED = (
    CATALOGUE.replace("  visit: {page: text}", "  visit: {page: text}\n  browse: {product_id: text}\n  bought: {code: text, total: number}")
    + """
---
ingest:
  Checkout Done: {event: bought, fields: {total: money.total, code: voucher}}
  page: visit
  identify: {attributes: {city: address.city, phone: mobile}}
"""
)
WELCOME = """
playbook: welcome
start: {event: visit}
intent: serve
goal: {event: order, within: 7d}
no_benefit: none is needed
steps:
  first: {at: now, send: hello}
"""


# identity of items


def test_a_message_id_is_stored_once_for_ever_in_one_source_and_is_another_one_in_another(door: Door) -> None:
    other = door.new_key("till")
    for key in (door.key, door.key, other):
        door.post("batch", {"batch": [door.track("visit", messageId="m1"), door.track("visit", messageId="m1")]}, key=key)
    assert door.stored("message_id") == ["web/m1", "till/m1"]
    told = door.told()
    assert (told.accepted, told.repeated, told.differing) == (1, 3, 0)


def test_a_new_key_of_the_same_source_does_not_make_its_old_messages_new(door: Door) -> None:
    door.batch(door.track("visit", messageId="m1"))
    door.post("batch", {"batch": [door.track("visit", messageId="m1")]}, key=door.new_key("web"))
    assert door.stored("message_id") == ["web/m1"]


def test_of_two_bodies_with_one_message_id_the_first_stands_and_the_second_is_counted(door: Door) -> None:
    door.batch(door.track("order", messageId="m", properties={"order_id": "a", "amount": 3.5}))
    door.batch(door.track("order", messageId="m", properties={"order_id": "a", "amount": 3.50}), sentAt="2025-03-01T11:00:00Z")
    assert door.told().differing == 0
    door.batch(door.track("order", messageId="m", properties={"order_id": "a", "amount": 4}))
    door.batch(door.track("order", "u2", messageId="m", properties={"order_id": "a", "amount": 3.5}))
    assert door.told().differing == 2
    assert door.stored("fields") == [{"order_id": "a", "amount": 3.5}]


def test_a_long_message_id_is_kept_by_its_hash_and_one_that_is_missing_is_made_and_counted(door: Door) -> None:
    for _ in range(2):
        door.batch(door.track("visit", messageId="m" * 100), door.track("visit", messageId="m" * 101))
    door.batch(door.track("visit"), door.track("visit", messageId=None))
    ids = door.stored("message_id")
    assert ids[0] == "web/" + "m" * 100
    assert ids[1].startswith("web/h:")
    assert (len(set(ids)), door.told().no_message_id) == (4, 2)


# what is called what


def test_what_shops_usually_send_is_known_where_the_project_has_the_event(door: Door) -> None:
    bought = {"order_id": "o1", "revenue": "1,328.50", "total": 1400, "products": [{"sku": "s", "price": 3.5}]}
    door.batch(
        door.track("Order Completed", properties=bought, messageId="a"),
        door.track("Order Refunded", properties={"order_id": "o1", "total": 1000}, messageId="b"),
        door.track("Product Viewed", properties={"product_id": "p"}, messageId="c"),
    )
    assert door.stored("kind") == ["order", "refund", "Product Viewed"]
    assert door.shop.facts("u1", "orders", "spent") == [1, Decimal("328.5")]
    assert [name.name for name in door.told().unknown_events] == ["Product Viewed"]


def test_the_projects_map_says_what_foreign_events_and_traits_are_called_here(doors: Doors) -> None:
    with doors.open(catalogue=MAPPED) as door:
        done = {"voucher": "C1", "money": {"total": 12.5}, "till": 3}
        door.batch(
            door.track("Checkout Done", properties=done),
            {"type": "page", "userId": "u1", "name": "home", "properties": {"page": "/"}},
            door.track("Product Viewed", properties={"product_id": "p"}),
            identify({"address": {"city": "Paris"}, "mobile": "138 0013 8001", "city": 7}),
        )
        assert door.stored("kind") == ["bought", "visit", "browse", "identify"]
        assert door.stored("fields")[0] == {"code": "C1", "total": 12.5, "till": 3, "money": {"total": 12.5}}
        assert {k: door.user()["attributes"][k] for k in ("city", "phone")} == {"city": "Paris", "phone": "+8613800138001"}


def test_pages_screens_and_groups_are_events_and_a_group_is_remembered(door: Door) -> None:
    door.batch(
        {"type": "page", "userId": "u1", "name": "Home", "category": "shop", "properties": {"url": "/"}},
        {"type": "screen", "anonymousId": "v1", "name": "Start"},
        {"type": "group", "userId": "u1", "groupId": "g7", "traits": {"size": 3}},
    )
    assert door.stored("kind", "fields") == [
        ("page", {"url": "/", "name": "Home", "category": "shop"}),
        ("screen", {"name": "Start"}),
        ("group", {"size": 3}),
    ]
    assert door.user()["attributes"] == {"group_id": "g7"}
    assert door.keys() == ["anonymous:v1", "u1"]


def test_unknown_events_and_traits_are_stored_counted_and_used_from_when_the_catalogue_names_them(door: Door) -> None:
    door.batch(door.track("Quiz Finished", properties={"score": 7}), identify({"shoe": 43, "nested": {"a": 1}, "city": "Paris"}))
    told = door.told()
    assert [(n.name, n.number) for n in told.unknown_events] == [("Quiz Finished", 1)]
    assert sorted((n.name, n.number) for n in told.unknown_traits) == [("nested", 1), ("shoe", 1)]
    door.shop.apply(catalogue=CATALOGUE.replace("  city:", "  shoe: number\n  city:"))
    assert door.shop.facts("u1", "shoe", "city") == [43, "Paris"]
    assert [n.name for n in door.told().unknown_traits] == ["nested"]


def test_a_source_that_writes_numbers_into_names_does_not_fill_the_table(door: Door) -> None:
    door.batch(*(door.track(f"order {n}", f"u{n}") for n in range(700)))
    names = door.told().unknown_events
    assert (len(names), names[0].name, names[0].number) == (501, "(further names)", 200)


def test_values_that_are_not_of_their_type_are_kept_aside_and_counted_and_nothing_fails(door: Door) -> None:
    door.batch(
        door.track("order", properties={"order_id": ["x"], "amount": "a lot"}),
        door.track("order", properties={"order_id": "o2", "amount": -5}),
        identify({"phone": "123", "city": "Rome", "birthday": {"year": 1990}, "name": True}),
    )
    assert sorted(f.name for f in door.told().unfit) == ["birthday", "city", "order.amount", "order.order_id", "phone"]
    assert door.stored("context")[0] == {"unfit": {"order.order_id": ["x"], "order.amount": "a lot"}}
    assert door.shop.facts("u1", "spent", "name") == [0, "true"]


# when


def test_the_clock_of_a_client_is_put_right_by_what_it_was_wrong_when_it_sent(door: Door) -> None:
    late = door.track("visit", timestamp="2025-03-01T12:59:00Z", messageId="a")
    door.batch(late, sentAt="2025-03-01T13:00:00Z")
    door.post("track", {**late, "messageId": "b", "sentAt": "2025-03-01T13:00:00Z"})
    door.batch(door.track("visit", timestamp="yesterday", messageId="c"))
    times = [at.isoformat()[11:16] for at in door.stored("at")]
    assert times == ["11:59", "11:59", "12:00"]
    assert door.stored("context") == [None, None, {"bad_timestamp": True}]
    assert door.told().bad_timestamp == 1


def test_a_live_event_starts_a_flow_and_history_starts_nothing_and_is_counted_all_the_same(doors: Doors) -> None:
    with doors.open(WELCOME) as door:
        past = door.track("visit", "u2", timestamp="2025-03-01T11:00:00Z")
        assert door.post("batch?mode=history", {"batch": [past], "sentAt": "2025-03-01T15:00:00Z"}).status_code == 200
        door.batch(door.track("visit", "u1"))
        door.shop.beat()
        assert (door.shop.runs("u2"), len(door.shop.runs("u1"))) == ([], 1)
        assert door.shop.facts("u2", "visits7") == [1]
        assert [at.hour for at in door.stored("at")] == [11, 12]  # history is not put right either


def test_a_playbook_sends_to_a_user_of_whom_one_call_told_everything(doors: Doors) -> None:
    with doors.open(WELCOME) as door:
        door.batch(identify({"phone": "13800138001"}), door.track("visit"))
        door.shop.beat()
        assert door.shop.sent("u1") == ["first@03-01 20:00"]


# what is said about users


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_of_traits_the_last_said_stands_whatever_the_order_of_arrival_and_null_clears(door: Door, order: tuple[int, ...]) -> None:
    said = [
        identify({"city": "Paris", "name": "old"}, "2025-02-01T10:00:00Z", messageId="a"),
        identify({"city": "Beijing", "name": None}, "2025-02-03T10:00:00Z", messageId="b"),
        identify({"city": "Shanghai", "name": "new"}, "2025-02-02T10:00:00Z", messageId="c"),
    ]
    for n in order:
        door.batch(said[n])
    assert door.user()["attributes"] == {"city": "Beijing"}


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_two_said_at_one_moment_the_same_one_stands_whatever_the_order(door: Door, order: tuple[int, int]) -> None:
    said = [identify({"city": "Paris"}, messageId="a"), identify({"city": "Beijing"}, messageId="b")]
    for n in order:
        door.batch(said[n])
    assert door.user()["attributes"] == {"city": "Paris"}


def test_what_a_colleague_says_is_not_overwritten_by_what_was_said_before(door: Door) -> None:
    door.batch(identify({"city": "Paris"}, "2025-02-01T10:00:00Z"))
    door.shop.set("u1", city="Shanghai")
    door.batch(identify({"city": "Beijing"}, "2025-02-02T10:00:00Z"))
    assert door.user()["attributes"] == {"city": "Shanghai"}


def test_a_zone_of_the_context_is_that_of_a_user_without_one_and_a_bad_one_is_none(door: Door) -> None:
    for zone in ("Mars/Olympus", 7, "Europe/Paris", "Asia/Tokyo"):
        door.batch(door.track("visit", context={"timezone": zone}))
    assert door.user()["timezone"] == "Europe/Paris"


def test_campaign_address_and_browser_stay_with_the_event_and_the_rest_of_the_context_is_let_go(door: Door) -> None:
    page = {"ip": "203.0.113.7", "userAgent": "Agent", "campaign": {"name": "spring"}, "library": {"name": "x"}}
    door.batch(door.track("visit", context={"ip": "203.0.113.8"}), context=page)
    assert door.stored("context") == [{"ip": "203.0.113.8", "userAgent": "Agent", "campaign": {"name": "spring"}}]


def test_an_item_that_is_not_meant_for_us_is_dropped_and_counted(door: Door) -> None:
    door.batch(door.track("visit", integrations={"sop_engine": False}))
    door.batch(door.track("visit"), integrations={"sop_engine": False})
    door.batch(door.track("visit", integrations={"sop_engine": True}), integrations={"sop_engine": False})
    assert (door.told().dropped, door.stored("kind")) == (2, ["visit"])


def test_an_event_of_the_engines_own_is_taken_from_a_key_that_may_operate(door: Door) -> None:
    key = door.new_key("desk", "ingest", "operate")
    assert door.post("track", door.track("unsubscribed"), key=key).status_code == 200
    assert door.stored("kind") == ["unsubscribed"]
