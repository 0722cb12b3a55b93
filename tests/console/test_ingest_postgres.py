"""One round of ingestion on PostgreSQL: every kind of call, repeats, merges, odd characters and several threads at a time."""

from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import Engine

from sop_engine.actions.take_in import Arrival, Taken, take_in
from sop_engine.language.segment import call_of
from tests.console.ingesting import Door, open_door


def test_every_kind_of_item_is_stored_once_and_means_the_same_as_on_sqlite(postgres: Engine) -> None:
    door = open_door(postgres)
    items = [
        {"type": "track", "event": "visit", "anonymousId": "v1", "messageId": "a", "timestamp": "2025-02-28T10:00:00Z"},
        {"type": "identify", "userId": "u1", "anonymousId": "v1", "messageId": "b", "traits": {"city": "Paris", "shoe": 43, "x": None}},
        {"type": "identify", "userId": "u2", "anonymousId": "v1", "messageId": "c"},
        {"type": "alias", "userId": "u1", "previousId": "v9", "messageId": "d"},
        {
            "type": "track",
            "event": "Order Completed",
            "anonymousId": "v9",
            "messageId": "e",
            "properties": {"order_id": "1", "revenue": 2.5},
        },
        {"type": "page", "userId": "u1", "name": "\ud83d \u0000 end", "messageId": "f", "context": {"ip": "203.0.113.7"}},
        {"type": "group", "userId": "u1", "groupId": "g", "messageId": "g"},
        {"type": "track", "event": "Quiz", "userId": "u2", "messageId": "h", "properties": {"n": 12345678901234567890, "d": 0.1}},
        {"type": "trick"},
    ]
    for _ in range(2):
        door.batch(*items)
    told = door.told()
    assert (told.accepted, told.repeated, told.differing, door.refused()) == (8, 8, 0, {"unknown_type": 1})
    assert door.keys() == ["u1", "u2"]
    assert door.shop.facts("u1", "visits7", "spent", "city") == [1, 2.5, "Paris"]
    assert door.user()["attributes"] == {"city": "Paris", "shoe": 43, "group_id": "g"}
    assert {c.name: c.number for c in told.cleaned} == {"broken characters, stored as U+FFFD": 2, "texts with NUL, stored without": 2}
    answer = door.client.get("/v1/users", params={"by": "anonymous_id", "value": "v9"}, auth=(door.new_key("desk", "read"), ""))
    assert [one["user"] for one in answer.json()["users"]] == ["u1"]


def test_threads_that_send_the_same_calls_at_once_store_each_event_once(postgres: Engine) -> None:
    door: Door = open_door(postgres)
    calls = [[door.track("visit", f"u{(n + m) % 7}", messageId=f"{n}/{m}") for m in range(10)] for n in range(8)] * 2

    def send(items: list[dict[str, object]]) -> Taken | None:
        return take_in(door.shop.app, [Arrival(call_of({"batch": items}, "batch", door.shop.now), door.key)], door.shop.now)[0]

    with ThreadPoolExecutor(8) as threads:
        done = [one for one in threads.map(send, calls) if one is not None]
    assert (sum(one.stored for one in done), sum(one.repeated for one in done)) == (80, 80)
    assert (len(door.stored("id")), door.told().accepted, door.refused()) == (80, 80, {})
    assert sum(int(door.shop.facts(f"u{n}", "visits7")[0] or 0) for n in range(7)) == 80
