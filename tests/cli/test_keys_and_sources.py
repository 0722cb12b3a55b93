"""The commands `sop keys` and `sop sources`: a key is shown once and opens the API until it is revoked; what came is told by source."""

import pytest

from sop_engine.actions.take_in import Arrival, take_in
from sop_engine.cli.opening import clock, open_engine_of
from sop_engine.language.segment import call_of
from tests.cli.conftest import Shop


def send(shop: Shop, key: str, *items: object) -> bool:
    """Whether a call with this key is taken in."""
    app = open_engine_of(shop.folder)
    try:
        return take_in(app, [Arrival(call_of({"batch": list(items)}, "batch", clock()), key)], clock()) != [None]
    finally:
        app.engine.dispose()


def test_a_key_is_shown_once_listed_by_its_id_and_opens_nothing_when_it_is_revoked(shop: Shop) -> None:
    made = shop.sop("keys", "add", "--source", "web", "--by", "王经理")
    key = made.out.strip()
    assert (made.code, key.split("_")[0], "shown this once" in made.err) == (0, "sop", True)
    item = {"type": "track", "event": "visit", "userId": "老陈", "messageId": "1"}
    assert send(shop, key, item)
    (listed,) = shop.json("keys")
    assert {k: listed[k] for k in ("source", "scopes", "made_by", "revoked_at")} == {
        "source": "web", "scopes": ["ingest"], "made_by": "王经理", "revoked_at": None,
    }  # fmt: skip
    assert key not in shop.ok("keys")
    assert shop.ok("keys", "revoke", listed["id"]) == f"key {listed['id']} of 'web' opens nothing any more\n"
    assert not send(shop, key, item)
    assert "revoked" in shop.ok("keys")
    again = shop.sop("keys", "revoke", listed["id"])
    assert (again.code, "no key" in again.err) == (1, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--source", "Web Shop"], "cannot be a source"),
        (["--source", "web", "--scope", "inges"], "Did you mean 'ingest'?"),
        (["--source", "a/b"], "cannot be a source"),
    ],
)
def test_a_source_or_scope_that_is_none_is_one_sentence(shop: Shop, words: list[str], said: str) -> None:
    found = shop.sop("keys", "add", *words)
    assert (found.code, said in found.err, found.out) == (1, True, "")


def test_sources_tell_what_was_stored_refused_and_is_not_in_the_catalogue_and_so_does_the_doctor(shop: Shop) -> None:
    assert "nobody has a key yet" in shop.ok("sources")
    key = shop.ok("keys", "add", "--source", "web").strip()
    send(
        shop, key,
        {"type": "track", "event": "Quiz", "userId": "老陈"},
        {"type": "identify", "userId": "老陈", "traits": {"shoe": 43}, "messageId": "2"},
        {"type": "trick", "userId": "老陈"},
    )  # fmt: skip
    told = shop.ok("sources", "--examples", 1)
    for words in (
        "web · 1 key · stored 2 · repeated 0",
        "1 item came without messageId",
        "refused 1: unknown_type",
        '{"type":"trick","userId":"老陈"}',
        "events the catalogue does not name: Quiz (1)",
        "traits the catalogue does not name: shoe (1)",
    ):
        assert words in told
    assert "trick" not in shop.ok("sources")
    (one,) = shop.json("sources")
    assert (one["accepted"], one["refused"][0]["reason"], one["unknown_events"][0]["name"]) == (2, "unknown_type", "Quiz")
    assert "without messageId" in shop.sop("doctor").out
