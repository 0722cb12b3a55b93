"""What other systems are told: every move and outcome, in order for each user, at least once, and nothing personal."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine
from sqlalchemy import text as sql

from sop_engine.actions import feeding
from sop_engine.actions.feeding import feed, forget_told
from sop_engine.core.records import UserRecord
from sop_engine.store import crash_points, levels, merge_rows
from sop_engine.store import feed as store
from sop_engine.store.people import get_id
from tests.actions.fed_shop import FLOW, fed, order, settings_of
from tests.fakes.feed_receiver import FeedReceiver, Told
from tests.shop import Shop

pytestmark = pytest.mark.slow


@pytest.fixture
def receiver() -> Iterator[FeedReceiver]:
    with FeedReceiver() as server:
        yield server


def test_s1_67_a_move_is_told_with_user_model_levels_time_and_cause_and_nothing_else_of_the_person(
    engine: Engine, receiver: FeedReceiver
) -> None:
    shop = fed(engine, receiver)
    shop.user("u", phone="13812345678", name="欧阳青青")
    order(shop, "u", 10, "2025-03-01 10:00")
    order(shop, "u", 100, "2025-03-01 11:00")
    first, second = receiver.log
    assert first.body == {
        "type": "level.moved",
        "timestamp": "2025-03-01T02:00:00Z",
        "data": {"user": {"id": "u"}, "model": "worth", "from": None, "to": "poor", "cause": "event", "at": "2025-03-01T02:00:00Z"},
    }
    assert (second.data["from"], second.data["to"]) == ("poor", "rich")
    assert first.id != second.id
    assert "13812345678" not in json.dumps([t.body for t in receiver.log]) and "欧阳" not in json.dumps([t.body for t in receiver.log])


def test_s1_67_a_receiver_that_is_down_gets_everything_later_in_the_order_of_each_user(memory: Engine, receiver: FeedReceiver) -> None:
    shop = fed(memory, receiver)
    receiver.always = 503
    for minute, amount in ((0, 10), (5, 100)):
        for user in ("a", "b"):
            order(shop, user, amount, f"2025-03-01 10:0{minute}")
    assert shop.told() == []
    refused = len(receiver.log)
    receiver.always = None
    shop.wait(15)
    assert [move for move in shop.told() if move[0] == "a"] == [("a", None, "poor"), ("a", "poor", "rich")]
    assert [move for move in shop.told() if move[0] == "b"] == [("b", None, "poor"), ("b", "poor", "rich")]
    assert refused <= 6  # the circuit opened: nobody hammers a receiver that is away


def test_s1_67_who_has_this_phone_is_found_with_the_level_that_was_told(memory: Engine, receiver: FeedReceiver) -> None:
    shop = fed(memory, receiver)
    shop.user("u", phone="13812345678")
    order(shop, "u", 100, "2025-03-01 10:00")
    with shop.app.transaction() as tx:
        user = get_id(tx, "u")
        assert levels.current_levels(tx, [user])[user]["worth"].level == shop.told()[0][2] == "rich"


def test_the_next_of_a_user_waits_until_the_one_before_is_taken_and_other_users_do_not(memory: Engine, receiver: FeedReceiver) -> None:
    shop = fed(memory, receiver)
    receiver.script.extend([0, 0])  # twice read and cut: nobody knows whether it was taken
    order(shop, "a", 10, "2025-03-01 10:00")
    order(shop, "a", 100, "2025-03-01 10:00:01")
    order(shop, "b", 10, "2025-03-01 10:00:02")
    shop.wait(5)
    ids = [t.id for t in receiver.log]
    assert [(t.data["user"]["id"], t.data["to"]) for t in receiver.log if t.data["user"]["id"] == "a"] == [
        ("a", "poor"), ("a", "poor"), ("a", "rich"),
    ]  # fmt: skip
    assert len(set(ids)) == 3
    assert {m[0] for m in shop.told()} == {"a", "b"}


def test_a_crash_between_sending_and_writing_tells_the_same_id_again(
    engine: Engine, receiver: FeedReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = fed(engine, receiver)

    def dies(point: str) -> None:
        if point == "after_feeding":
            raise KeyboardInterrupt

    monkeypatch.setattr(crash_points, "hook", dies)
    with pytest.raises(KeyboardInterrupt):
        order(shop, "u", 10, "2025-03-01 10:00")
    monkeypatch.setattr(crash_points, "hook", None)
    assert feed(shop.app, shop.now) == 0  # whoever died may still be at it
    shop.wait(6)
    first, again = receiver.log
    assert (first.id, first.body) == (again.id, again.body)
    shop.wait(60)
    assert len(receiver.log) == 2


def test_a_rolled_back_move_is_told_to_nobody(memory: Engine, receiver: FeedReceiver) -> None:
    shop = fed(memory, receiver)
    with pytest.raises(RuntimeError), shop.app.work(shop.now) as work:
        store.add(work.tx, ["crm"], [(1, "level.moved", shop.now, {})])
        raise RuntimeError
    assert feed(shop.app, shop.now) == 0
    assert receiver.log == []


def test_outcomes_runs_and_goals_are_told_too(memory: Engine, receiver: FeedReceiver) -> None:
    shop = fed(memory, receiver, tells=("touch", "run", "goal"))
    shop.user("u")
    order(shop, "u", 10, "2025-03-01 10:00")
    shop.event("u", "visit", at="2025-03-02 10:00")
    kinds = [t.body["type"] for t in receiver.log]
    assert kinds[0] == "run.started"
    assert sorted(kinds) == ["goal.reached", "run.ended", "run.started", "touch.delivered", "touch.sent", "touch.skipped"]
    of = {t.body["type"]: t.data for t in receiver.log}
    assert (of["touch.sent"]["flow"], of["touch.sent"]["step"], of["touch.sent"]["channel"]) == ("thanks", "say", "sms")
    assert (of["touch.skipped"]["step"], of["touch.skipped"]["reason"]) == ("call", "no_channel")
    assert (of["goal.reached"]["goal"], of["run.ended"]["reason"]) == ("wakes", "goal")
    assert not {"address", "body", "text", "subject", "code"} & {key for data in of.values() for key in data}


@pytest.mark.parametrize(("models", "told"), [((), 1), (("worth",), 1), (("other",), 0)])
def test_a_feed_is_told_of_the_tiers_it_names(memory: Engine, receiver: FeedReceiver, models: tuple[str, ...], told: int) -> None:
    shop = fed(memory, receiver, models=models)
    order(shop, "u", 10, "2025-03-01 10:00")
    assert len(receiver.log) == told


def test_moves_made_inside_the_database_are_told_like_all_others(engine: Engine, receiver: FeedReceiver) -> None:
    shop = fed(engine, receiver)
    for user in ("a", "b"):
        order(shop, user, 10, "2025-03-01 10:00")
    shop.apply(FLOW.replace("spent >= 100", "spent >= 5"))
    shop.beat()
    assert sorted(shop.told()[2:]) == [("a", "poor", "rich"), ("b", "poor", "rich")]
    assert [t.data["cause"] for t in receiver.log[2:]] == ["apply", "apply"]


def test_what_the_receiver_refuses_is_kept_as_refused_and_the_next_goes_on(memory: Engine, receiver: FeedReceiver) -> None:
    shop = fed(memory, receiver)
    receiver.script.append(422)
    order(shop, "u", 10, "2025-03-01 10:00")
    order(shop, "u", 100, "2025-03-01 10:01")
    assert [t.data["to"] for t in receiver.log] == ["poor", "rich"]
    with shop.app.transaction() as tx:
        waiting, _, done, error = store.standing(tx, "crm")
    assert (waiting, done) == (0, {"refused": 1, "taken": 1})
    assert "422" in error


def test_one_that_is_never_answered_holds_its_user_back_for_three_days_and_nobody_else(memory: Engine, receiver: FeedReceiver) -> None:
    shop = fed(memory, receiver)
    plain = receiver.answer_to

    def poison(told: Told) -> int:
        return 500 if told.data["user"]["id"] == "a" and told.data["to"] == "poor" else 200

    def answer(headers: dict[str, str], body: bytes) -> int:
        plain(headers, body)
        last = receiver.log.pop()
        receiver.log.append(Told(last.id, last.body, poison(last)))
        return receiver.log[-1].answered

    receiver.answer_to = answer
    order(shop, "a", 10, "2025-03-01 10:00")
    order(shop, "a", 100, "2025-03-01 10:01")
    order(shop, "b", 10, "2025-03-01 10:02")
    shop.wait(2)
    assert [m[0] for m in shop.told()] == ["b"]
    shop.jump("2025-03-04 11:00")
    shop.beat()
    shop.wait(1)
    assert shop.told() == [("b", None, "poor"), ("a", "poor", "rich")]


def test_a_wrong_secret_opens_the_circuit_and_all_waits_until_it_is_right(memory: Engine, receiver: FeedReceiver) -> None:
    shop = fed(memory, receiver, secret=SecretStr("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="))
    for n in range(4):
        order(shop, f"u{n}", 10, f"2025-03-01 10:00:0{n}")
    assert len(receiver.log) == 1
    shop.app.settings = settings_of(url=SecretStr(receiver.url), tells=("level",))
    shop.wait(7)
    assert len(shop.told()) == 4


@pytest.mark.parametrize(("sending", "written"), [("off", 0), ("live", 1)])
def test_nothing_is_written_for_another_system_before_sending_is_live(
    memory: Engine, receiver: FeedReceiver, sending: str, written: int
) -> None:
    shop = fed(memory, receiver)
    shop.app.settings = shop.app.settings.model_copy(update={"sending": sending})
    order(shop, "u", 10, "2025-03-01 10:00")
    assert len(receiver.log) == written


def test_a_file_gets_a_line_for_each_entry_also_while_nothing_is_sent(memory: Engine, tmp_path: Path) -> None:
    shop = Shop(memory, start="2025-03-01 09:00")
    file = tmp_path / "moves.jsonl"
    shop.app.settings = settings_of(path=str(file), tells=("level",)).model_copy(update={"sending": "off"})
    shop.apply(FLOW)
    order(shop, "u", 10, "2025-03-01 10:00")
    order(shop, "u", 100, "2025-03-01 10:01")
    lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    assert [(line["type"], line["data"]["to"]) for line in lines] == [("level.moved", "poor"), ("level.moved", "rich")]
    assert len({line["id"] for line in lines}) == 2


def test_entries_of_a_user_who_becomes_another_go_on_under_the_other_and_come_back(memory: Engine, receiver: FeedReceiver) -> None:
    shop = fed(memory, receiver)
    shop.users([UserRecord(key, shop.now) for key in ("old", "young")])

    def waiting() -> list[str]:
        with shop.app.transaction() as tx:
            return [e.user_key for e in store.claim(tx, "crm", shop.now, shop.now, 9)]

    with shop.app.transaction() as tx:
        old, young = get_id(tx, "old"), get_id(tx, "young")
        store.add(tx, ["crm"], [(young, "level.moved", shop.now, {})])
        merge_rows.move_rows(tx, 1, young, old)
    assert waiting() == ["old"]
    with shop.app.transaction() as tx:
        merge_rows.give_back(tx, 1, young)
    assert waiting() == ["young"]


def test_what_was_told_is_forgotten_after_a_week_and_what_nobody_takes_after_a_month(memory: Engine, receiver: FeedReceiver) -> None:
    shop = fed(memory, receiver)
    order(shop, "a", 10, "2025-03-01 10:00")
    receiver.always = 503
    order(shop, "b", 10, "2025-03-01 10:01")
    counts = []
    for days in (6, 8, 29, 31):
        forget_told(shop.app, shop.at("2025-03-01 10:00") + timedelta(days=days))
        with shop.app.transaction() as tx:
            counts.append(tx.execute(sql("SELECT count(*) FROM feed")).scalar())
    assert counts == [2, 1, 1, 0]


def test_a_round_takes_no_more_than_its_share(memory: Engine, receiver: FeedReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeding, "MOST", 4)
    monkeypatch.setattr(feeding, "BATCH", 2)
    shop = fed(memory, receiver)
    shop.users([UserRecord(f"u{n}", shop.now) for n in range(6)])
    with shop.app.transaction() as tx:
        store.add(tx, ["crm"], [(get_id(tx, f"u{n}"), "level.moved", shop.now, {}) for n in range(6)])
    assert [feed(shop.app, shop.now) for _ in range(3)] == [4, 2, 0]
