"""What the ingestion API answers: to whole calls, wrong keys, broken and oversized bodies, too much at once, and a database away."""

import gzip
import json
from typing import Any

import pytest

from sop_engine.actions import take_in as taking
from sop_engine.actions.keys import list_keys, revoke_key
from sop_engine.console import ingest_routes
from sop_engine.console.gate import Gate
from sop_engine.console.ingest_routes import ROUTES
from tests.console.ingesting import ORIGIN, Door

pytestmark = pytest.mark.slow

MIB = 1024 * 1024


def said(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")


def test_every_route_takes_a_call_with_and_without_a_slash_at_its_end_and_never_redirects(door: Door) -> None:
    for kind, short in ROUTES.items():
        for path in (kind, f"{kind}/", short, f"{short}/"):
            body = {"userId": "u1", "previousId": "v1", "event": "visit", "batch": []}
            answer = door.post(path, body)
            assert (path, answer.status_code, answer.json()) == (path, 200, {"success": True})


def test_what_is_answered_200_is_stored(door: Door) -> None:
    door.batch(door.track("visit", messageId="a"), door.track("visit", messageId="b"))
    assert door.stored("message_id", "kind", "source") == [("web/a", "visit", "web"), ("web/b", "visit", "web")]


def test_one_broken_item_of_a_hundred_is_refused_and_the_others_are_stored(door: Door) -> None:
    items = [door.track("visit", messageId=str(n)) for n in range(100)]
    items[50] = {"type": "track", "userId": "u1"}
    door.batch(*items)
    assert len(door.stored("id")) == 99
    assert door.refused() == {"no_event_name": 1}


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "application/x-www-form-urlencoded", ""])
def test_every_content_type_is_read_as_json(door: Door, content_type: str) -> None:
    assert door.post("t", door.track("visit"), **{"content-type": content_type}).status_code == 200
    assert door.stored("kind") == ["visit"]


def test_the_key_is_taken_from_basic_then_from_the_body_then_from_the_event(door: Door) -> None:
    other = door.new_key("other")
    one = {**door.track("visit"), "writeKey": door.key}
    assert door.post("track", one, key="").status_code == 200
    assert door.post("batch", {"batch": [door.track("visit")], "writeKey": door.key}, key="").status_code == 200
    assert door.post("batch", {"batch": [door.track("visit"), one]}, key="").status_code == 200
    assert door.post("track", one, key=other).status_code == 200
    assert door.stored("source") == ["web"] * 4 + ["other"]


def test_an_item_with_the_key_of_another_source_is_refused_where_the_items_bring_the_key(door: Door) -> None:
    mine, theirs = ({**door.track("visit", messageId=k), "writeKey": k} for k in (door.key, door.new_key("other")))
    assert door.post("batch", {"batch": [mine, theirs]}, key="").status_code == 200
    assert door.stored("source") == ["web"]
    assert door.refused() == {"other_key": 1}


def test_a_wrong_a_missing_a_revoked_key_and_one_for_something_else_are_401_and_store_nothing(door: Door) -> None:
    last = door.key[:-1] + ("A" if door.key[-1] != "A" else "B")
    reader, revoked = door.new_key("web", "read"), door.new_key("web")
    revoke_key(door.shop.app, revoked.split("_")[1], door.shop.now, by="test")
    for key in (last, "", "nonsense", "\N{SNOWMAN}", reader, revoked, door.key.upper()):
        assert said(door.post("track", door.track("visit"), key=key)) == (401, "unauthorized"), key
    bearer = door.post("track", door.track("visit"), key="", authorization=f"Bearer {door.key}")
    broken = door.post("track", door.track("visit"), key="", authorization="Basic %%%")
    assert (said(bearer), said(broken)) == ((401, "unauthorized"),) * 2
    assert door.stored("id") == []


def test_of_a_key_the_hash_alone_is_stored_and_two_keys_of_a_source_work_side_by_side(door: Door) -> None:
    second = door.new_key("web")
    for n, key in enumerate((door.key, second)):
        door.post("t", {**door.track("visit", messageId=str(n)), "writeKey": key}, key=key)
    assert door.stored("source") == ["web", "web"]
    everything = "".join(door.shop.app.engine.raw_connection().driver_connection.iterdump())
    assert [key for key in (door.key, second) if key.split("_", 2)[2][:8] in everything] == []
    assert door.key not in repr(list_keys(door.shop.app))


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'"text"', b"null", b"{}x", b'{"batch": {}}', b'{"batch": null}', b"[" * 100_000, b'{"batch":' * 5000, b"\xff\xfe"],
    ids=str,
)  # fmt: skip
def test_what_is_no_json_object_is_400(door: Door, body: bytes) -> None:
    assert said(door.post("batch", body)) == (400, "invalid_json")


def test_gzip_is_read_and_what_is_no_gzip_or_ends_early_is_400(door: Door) -> None:
    packed = gzip.compress(json.dumps({"batch": [door.track("visit")]}).encode())
    assert door.post("batch", packed, **{"content-encoding": "gzip"}).status_code == 200
    for body, encoding in ((packed[:-9], "gzip"), (b"{}", "gzip"), (b"", "gzip"), (packed, "br"), (packed, "")):
        assert said(door.post("batch", body, **{"content-encoding": encoding})) == (400, "invalid_json")
    assert door.stored("kind") == ["visit"]


def test_a_gzip_bomb_is_400_and_is_unpacked_no_further_than_4_mib(door: Door) -> None:
    bomb = gzip.compress(b" " * (64 * MIB), 1)
    assert len(bomb) < MIB
    assert said(door.post("batch", bomb, **{"content-encoding": "gzip"})) == (400, "too_large")


def test_a_body_over_4_mib_is_400_and_one_of_4_mib_is_read(door: Door) -> None:
    whole = json.dumps({"batch": [door.track("visit")]}).encode()
    assert said(door.post("batch", whole + b" " * (4 * MIB + 1 - len(whole)))) == (400, "too_large")
    assert door.stored("id") == []
    assert door.post("batch", whole + b" " * (4 * MIB - len(whole))).status_code == 200
    assert door.stored("kind") == ["visit"]


def test_an_item_over_32_kb_is_refused_by_itself_and_what_is_kept_of_it_is_32_kb(door: Door) -> None:
    def sized(size: int, message_id: str) -> dict[str, Any]:
        item = door.track("visit", messageId=message_id, properties={"page": ""})
        left = size - len(json.dumps(item, separators=(",", ":")))
        return {**item, "properties": {"page": "x" * left}}

    door.batch(sized(32_768, "fits"), sized(32_769, "too long"), door.track("visit", messageId="small"))
    assert door.stored("message_id") == ["web/fits", "web/small"]
    assert door.refused() == {"too_large": 1}
    assert len(door.told().refused[0].examples[0]) == 32 * 1024


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (7, "not_object"),
        ({"type": "track", "event": "visit"}, "no_identity"),
        ({"type": "track", "event": "visit", "userId": "", "anonymousId": None}, "no_identity"),
        ({"type": "track", "event": "visit", "userId": "undefined"}, "no_identity"),
        ({"type": "alias", "userId": "u1"}, "no_identity"),
        ({"type": "alias", "previousId": "u1", "anonymousId": "v"}, "no_identity"),
        ({"type": "track", "userId": "u1", "event": " "}, "no_event_name"),
        ({"type": "trick", "userId": "u1"}, "unknown_type"),
        ({"userId": "u1", "event": "visit"}, "unknown_type"),
        ({"type": "track", "userId": "u1", "event": "visit", "timestamp": "2025-03-01T12:05:01Z"}, "future"),
        ({"type": "track", "userId": "u1", "event": "unsubscribed"}, "own_event"),
    ],
    ids=str,
)
def test_an_item_that_cannot_be_used_is_refused_with_its_reason_and_kept(door: Door, item: Any, reason: str) -> None:
    door.batch(item)
    assert door.stored("id") == []
    kept = door.told().refused[0]
    assert (kept.reason, kept.number, json.loads(kept.examples[0])) == (reason, 1, item)


def test_a_refused_item_that_is_sent_again_is_one_refused_item(door: Door) -> None:
    for _ in range(3):
        door.batch({"type": "trick"})
    assert door.refused() == {"unknown_type": 1}


def test_what_was_refused_is_forgotten_after_30_days_and_still_counted(door: Door) -> None:
    door.batch({"type": "trick"})
    door.shop.jump("2025-03-31 19:00")
    door.shop.beat()
    assert len(door.told().refused[0].examples) == 1
    door.shop.jump("2025-04-01 00:30")
    door.shop.beat()
    assert (door.told().refused[0].examples, door.refused()) == ((), {"unknown_type": 1})


def test_an_item_the_engine_fails_at_is_kept_and_the_others_are_stored(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = taking.understood

    def fails(item: Any, *rest: Any) -> Any:
        if item.message_id == "bad":
            raise KeyError("planted")
        return whole(item, *rest)

    monkeypatch.setattr(taking, "understood", fails)
    door.batch(*(door.track("visit", messageId=m) for m in ("a", "bad", "b")))
    assert door.stored("message_id") == ["web/a", "web/b"]
    assert door.refused() == {"failed": 1}


def test_while_the_database_is_away_it_is_503_and_the_same_call_is_stored_once_afterwards(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {"batch": [door.track("visit", messageId="a")]}
    with monkeypatch.context() as away:
        away.setattr(taking, "record_events", lambda *_a, **_k: (_ for _ in ()).throw(OSError("gone")))
        answer = door.post("batch", body)
    assert (said(answer), answer.headers["retry-after"]) == ((503, "unavailable"), "5")
    assert door.post("batch", body).status_code == 200
    assert door.stored("message_id") == ["web/a"]


def at_once(door: Door, *ids: str) -> list[int]:
    """Calls of one event each that come at the same time; how they are answered."""
    bodies = [json.dumps(door.track("visit", f"u{n}", messageId=m)).encode() for n, m in enumerate(ids)]
    return [a.status_code for a in door.client.together(*(("/v1/track", {"content": body, "auth": (door.key, "")}) for body in bodies))]


def test_calls_that_wait_are_taken_in_together_and_each_is_answered(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    whole = ingest_routes.take_in
    monkeypatch.setattr(ingest_routes, "take_in", lambda app, arrivals, now: sizes.append(len(arrivals)) or whole(app, arrivals, now))
    assert at_once(door, "a", "b", "c", "b", "d") == [200] * 5
    assert sorted(door.stored("message_id")) == ["web/a", "web/b", "web/c", "web/d"]
    assert (sum(sizes), max(sizes) > 1) == (5, True)
    assert (door.told().accepted, door.told().repeated) == (4, 1)


def test_a_call_the_engine_fails_at_keeps_none_of_those_that_came_with_it_out(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = ingest_routes.take_in

    def fails(app: Any, arrivals: Any, now: Any) -> Any:
        if any(item.get("messageId") == "bad" for one in arrivals for item in one.call.items):
            raise KeyError("planted")
        return whole(app, arrivals, now)

    monkeypatch.setattr(ingest_routes, "take_in", fails)
    assert at_once(door, "a", "b", "bad", "c") == [200, 200, 503, 200]
    assert sorted(door.stored("message_id")) == ["web/a", "web/b", "web/c"]


def test_a_failure_nobody_foresaw_is_503_and_the_next_call_is_answered(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(ingest_routes, "parsed", lambda _body: 1 / 0)
        assert at_once(door, "a", "b") == [503, 503]
    assert at_once(door, "a", "b") == [200, 200]


def test_when_the_gate_is_full_it_is_429_with_a_whole_number_of_seconds(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Gate, "enter", lambda _self: False)
    answer = door.post("batch", {"batch": [door.track("visit")]})
    assert said(answer) == (429, "too_many_requests")
    assert 1 <= int(answer.headers["retry-after"]) <= 300
    assert door.stored("id") == []


def test_the_gate_is_full_of_calls_of_bytes_or_of_seconds_in_line() -> None:
    gate: Gate[str, str] = Gate(list, 1, most_calls=3, most_bytes=10)
    assert [gate.enter() for _ in range(4)] == [True, True, True, False]
    gate.leave()
    gate.bytes = 10
    assert not gate.enter()
    gate.bytes, gate._round_s = 0, 5.1  # a third would be answered after its client has given up
    assert not gate.enter()
    gate.leave()
    assert gate.enter()


def test_calls_that_are_taken_in_together_count_as_one_round_of_the_line() -> None:
    gate: Gate[str, str] = Gate(list, 1)
    gate._round_s = 1.0
    assert [gate.enter() for _ in range(6 * 64)].index(False) == 5 * 64 + 1


def test_whoever_finds_the_gate_full_is_told_to_come_when_the_others_are_done_in_1_to_300_seconds() -> None:
    gate: Gate[str, str] = Gate(list, 2)
    gate.calls, gate._round_s = 4 * 64, 2.0
    told = {gate.come_back_s for _ in range(200)}
    assert 4 <= min(told) < max(told) <= 12
    gate._round_s = 10_000.0
    assert gate.come_back_s == 300
    gate._round_s = 0.0
    assert gate.come_back_s == 1


def test_a_page_of_a_listed_origin_may_send_and_another_one_is_told_nothing(door: Door) -> None:
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type"}
    for path in ("t", "track/", "batch", "projects/x/settings"):
        mine = door.client.request("OPTIONS", f"/v1/{path}", headers={"origin": ORIGIN, **asked})
        assert (mine.status_code, mine.headers["access-control-allow-origin"]) == (200, ORIGIN)
        assert mine.headers["access-control-allow-headers"] == "authorization, content-type, x-retry-count"
        other = door.client.request("OPTIONS", f"/v1/{path}", headers={"origin": "https://evil.example", **asked})
        assert (other.status_code, "access-control-allow-origin" in other.headers) == (200, False)
    assert door.post("t", door.track("visit"), origin=ORIGIN).headers["access-control-allow-origin"] == ORIGIN
    assert door.post("t", b"{", origin=ORIGIN).headers["access-control-allow-origin"] == ORIGIN


def test_a_browser_is_told_where_to_send_to_if_its_key_is_one(door: Door) -> None:
    answer = door.client.get(f"/v1/projects/{door.key}/settings", headers={"origin": ORIGIN})
    told = {"integrations": {"Segment.io": {"apiKey": door.key, "apiHost": "sop.example/v1"}}}
    assert (answer.json(), answer.headers["access-control-allow-origin"]) == (told, ORIGIN)
    assert said(door.client.get("/v1/projects/nonsense/settings")) == (401, "unauthorized")


def test_nothing_is_served_to_other_methods_and_paths_and_nothing_of_it_is_a_redirect(door: Door) -> None:
    assert {door.client.get(f"/v1/{path}").status_code for path in ("track", "batch/", "users/", "")} == {404, 405}
