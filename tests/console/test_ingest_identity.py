"""Who is who over HTTP: visitors who say who they are, aliases, devices of several users, and shared identities."""

import pytest

from sop_engine.store import merges
from tests.console.ingesting import Door, Doors, identify
from tests.shop_project import CATALOGUE

pytestmark = pytest.mark.slow


def waiting(door: Door) -> list[tuple[str, str]]:
    with door.shop.app.transaction() as tx:
        return [(m.older, m.younger) for m in merges.list_merges(tx, state="waiting")]


def test_a_visitor_becomes_the_user_it_says_it_is_and_what_it_did_before_is_the_users(door: Door) -> None:
    door.batch({"type": "track", "event": "visit", "anonymousId": "v1", "timestamp": "2025-02-28T10:00:00Z"})
    assert door.keys() == ["anonymous:v1"]
    door.batch(identify({"name": "Ann"}, anonymousId="v1"), {"type": "track", "event": "visit", "anonymousId": "v1"})
    assert door.keys() == ["u1"]
    assert door.shop.facts("u1", "visits7", "name") == [2, "Ann"]
    assert door.user()["joined_at"].isoformat() == "2025-02-28T10:00:00+00:00"


def test_a_visitor_nobody_saw_before_is_the_users_from_then_on(door: Door) -> None:
    door.batch(identify({}, anonymousId="v1"))
    door.batch({"type": "track", "event": "visit", "anonymousId": "v1"}, door.track("visit", "u2"))
    assert door.keys() == ["u1", "u2"]
    assert [door.shop.facts(user, "visits7") for user in ("u1", "u2")] == [[1], [1]]


def test_a_device_of_two_users_waits_for_a_person_and_nothing_is_merged(door: Door) -> None:
    for _ in range(2):
        door.batch(identify({}, anonymousId="v1"), identify({}, anonymousId="v1", userId="u2"))
    door.batch({"type": "track", "event": "visit", "anonymousId": "v1"})
    assert (door.keys(), waiting(door)) == (["u1", "u2"], [("u1", "u2")])
    assert door.shop.facts("u1", "visits7") == [1]


def test_an_alias_makes_one_user_of_two_once_and_the_other_way_round_changes_nothing(door: Door) -> None:
    door.batch(door.track("visit", "old", timestamp="2025-02-27T00:00:00Z"), door.track("visit", "new"))
    alias = {"type": "alias", "userId": "new", "previousId": "old"}
    for item in (alias, alias, {"type": "alias", "userId": "old", "previousId": "new"}):
        door.batch(item)
    assert door.keys() == ["old"]
    assert door.shop.facts("new", "visits7") == [2]


def test_a_client_that_gives_everybody_one_alias_melts_five_users_and_the_others_wait(door: Door) -> None:
    door.batch(*(door.track("visit", f"u{n}", timestamp=f"2025-02-2{n}T10:00:00Z") for n in range(8)))
    door.batch(*({"type": "alias", "userId": "u0", "previousId": f"u{n}"} for n in range(1, 8)))
    assert door.keys() == ["u0", "u5", "u6", "u7"]
    assert sorted(waiting(door)) == [("u0", "u5"), ("u0", "u6"), ("u0", "u7")]


def test_an_alias_of_a_visitor_names_the_user(door: Door) -> None:
    door.batch({"type": "track", "event": "visit", "anonymousId": "v1"}, {"type": "alias", "userId": "u1", "previousId": "v1"})
    door.batch({"type": "alias", "userId": "u1", "previousId": "v2"}, {"type": "track", "event": "visit", "anonymousId": "v2"})
    assert door.keys() == ["u1"]
    assert door.shop.facts("u1", "visits7") == [2]


def test_a_new_user_is_never_given_the_id_of_one_who_became_part_of_another(door: Door) -> None:
    for n in range(3):
        door.batch({"type": "track", "event": "visit", "anonymousId": f"v{n}"}, identify({}, anonymousId=f"v{n}", userId=f"u{n}"))
        door.batch(identify({}, anonymousId=f"w{n}", userId=f"u{n}"))
    door.batch(door.track("visit", "last"))
    assert [door.shop.facts(f"u{n}", "visits7") for n in range(3)] == [[1]] * 3
    assert door.keys() == ["last", "u0", "u1", "u2"]


def test_two_users_who_say_the_same_identity_become_one(doors: Doors) -> None:
    with doors.open(catalogue=CATALOGUE + "---\nidentities: {phone: private}\n") as door:
        door.batch(identify({"phone": "13912345678"}), identify({"phone": "139-1234-5678"}, userId="u2"))
        assert door.keys() == ["u1"]
