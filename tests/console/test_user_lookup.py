"""Looking a user up over HTTP: by any identity, with a key that may read, and with personal values masked."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.console.ingesting import Door, Doors
from tests.console.test_ingest_meaning import WELCOME
from tests.shop_project import CATALOGUE

TIER = """
tier: buyers
levels: {buyer: orders > 0, looker: otherwise}
"""


@pytest.fixture
def known(doors: Doors) -> Iterator[Door]:
    """Somebody with a phone, a level, a tag, an open flow and a refusal."""
    with doors.open(WELCOME, TIER, catalogue=CATALOGUE + "---\nidentities: {phone: private, mail: public}\n") as door:
        traits = {"phone": "13912345678", "mail": "ann@example.org", "city": "Paris"}
        door.batch({"type": "identify", "userId": "u1", "anonymousId": "v1", "traits": traits}, door.track("visit"))
        door.shop.set("u1", vip=True)
        door.post("t", door.track("unsubscribed", properties={"channel": "mail"}), key=door.new_key("desk", "ingest", "operate"))
        yield door


def ask(door: Door, key: str | None = None, **how: str) -> tuple[int, Any]:
    answer = door.client.get("/v1/users", params=how, auth=(door.new_key("desk", "read") if key is None else key, ""))
    return answer.status_code, answer.json()


def test_a_user_is_found_by_any_identity_and_personal_values_are_masked(known: Door) -> None:
    for by, value in (("id", "u1"), ("anonymous_id", "v1"), ("phone", "+86 139-1234-5678"), ("mail", "ann@example.org")):
        status, said = ask(known, by=by, value=value)
        (one,) = said["users"]
        assert (status, one["user"], one["attributes"]["city"]) == (200, "u1", "Paris")
        assert not {"13912345678", "ann@example.org"} & set(map(str, one["attributes"].values()))
        assert [(level["tier"], level["level"]) for level in one["levels"]] == [("buyers", "looker")]
        assert [tag["tag"] for tag in one["tags"]] == ["vip"]
        assert [flow["flow"] for flow in one["flows"]] == ["welcome"]
        assert one["refused"] == ["mail"]


def test_nobody_is_404_and_an_identity_the_project_does_not_have_400(known: Door) -> None:
    for by, value in (("id", "u9"), ("phone", "13900000000"), ("phone", "no phone"), ("id", ""), ("id", "a\x00b"), ("id", "x" * 5000)):
        assert ask(known, by=by, value=value)[0] == 404
    status, said = ask(known, by="shoe", value="43")
    assert (status, said["message"]) == (400, "nobody is found by 'shoe'. It can be: id, anonymous_id, phone, mail.")


def test_a_key_that_may_only_send_reads_nothing_and_one_that_may_read_sends_nothing(known: Door) -> None:
    assert ask(known, key=known.key, by="id", value="u1")[0] == 401
    assert ask(known, key="", by="id", value="u1")[0] == 401
    assert known.post("t", known.track("visit"), key=known.new_key("desk", "read")).status_code == 401
