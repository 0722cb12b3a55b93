"""`sop track` and `sop set` change one user at once, and refuse what does not fit with one sentence."""

import pytest

from tests.cli.conftest import Shop

pytestmark = pytest.mark.slow


def test_an_event_moves_a_new_user_and_starts_a_run(shop: Shop) -> None:
    assert shop.ok("track", "😀ｕ1", "visit") == "recorded for a new user\n  生命周期: unscored → 新客期\n"
    told = shop.json("track", "😀ｕ1", "order", "-f", "order_id=a1", "-f", "amount=１２.5")
    assert told["moves"] == [{"tier": "生命周期", "from": "新客期", "to": "活跃期"}]


def test_the_same_id_twice_is_one_event(shop: Shop) -> None:
    shop.ok("track", "u1", "visit", "--id", "m1")
    assert shop.ok("track", "u1", "visit", "--id", "m1").startswith("known already")


def test_a_local_time_is_the_projects(shop: Shop) -> None:
    shop.ok("track", "u1", "visit", "--at", "2025-06-09 23:30")
    assert shop.json("user", "u1")["events"]["visit"][1] == "2025-06-09T15:30:00+00:00"
    shop.ok("track", "u1", "visit", "--at", "2025-06-10T03:00:00+08:00")
    assert shop.json("user", "u1")["metrics"]["最近活动日"] == "2025-06-10"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["u1", "vist"], "there is no event 'vist'. Did you mean 'visit'?"),
        (["u1", "order", "-f", "amout=3"], "there is no field of 'order' 'amout'. Did you mean 'amount'?"),
        (["u1", "order", "-f", "amount=viel"], "amount: 'viel' is not a number"),
        (["u1", "order", "-f", "amount=-3"], "amount: '-3' is negative; money given back is an event of its own."),
        (["u1", "order", "-f", "amount"], "'amount' is no field. Write NAME=VALUE, as in amount=328.5."),
        (["u1", "visit", "--at", "2031-01-01"], "'2031-01-01' is still to come. An event has happened."),
        (["u1", "visit", "--at", "neulich"], "'neulich' is not a time."),
        (["  ", "visit"], "the user's id is empty."),
    ],
)
def test_what_does_not_fit_is_refused(shop: Shop, words: list[str], sentence: str) -> None:
    said = shop.sop("track", *words)
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith(f"Error: {sentence}")


def test_attributes_tags_and_levels_can_be_set(shop: Shop) -> None:
    shop.ok("track", "u1", "visit")
    shop.ok("set", "u1", "手机号", "138 1234 0001")
    shop.ok("set", "u1", "昵称", "unknown")
    assert shop.ok("set", "u1", "生命周期", "流失期", "--until", "2025-06-11") == "set\n  生命周期: 新客期 → 流失期\n"
    assert shop.json("user", "u1")["by_hand"] == {"生命周期": "流失期"}
    shop.ok("tick", at="2025-06-12T04:00:00Z")
    assert shop.json("user", "u1", at="2025-06-12T04:00:00Z")["levels"][0]["level"] == "新客期"


def test_what_was_set_by_hand_can_be_taken_back(shop: Shop) -> None:
    shop.ok("track", "u1", "visit")
    shop.ok("set", "u1", "累计订单数", "3")
    assert shop.json("user", "u1")["levels"][0]["level"] == "活跃期"
    assert "活跃期 → 新客期" in shop.ok("set", "u1", "累计订单数", "-", "--clear")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["u9", "昵称", "x"], "there is no user 'u9'."),
        (["u1", "昵", "x"], "there is no attribute, tag, metric or tier '昵'. Did you mean '昵称'?"),
        (["u1", "生命周期", "流失"], "生命周期: '流失' is none of its words. Did you mean '流失期'?"),
        (["u1", "手机号", "123"], "手机号: '123' is not a phone number."),
        (["u1", "累计订单数", "drei"], "累计订单数: 'drei' is not a number"),
        (["u1", "生命周期", "流失期", "--until", "2025-06-01"], "--until 2025-06-01 is over already."),
        (["u1", "昵称", "x", "--until", "2025-07-01"], "'昵称' is set for good"),
    ],
)
def test_values_that_do_not_fit_are_refused(shop: Shop, words: list[str], sentence: str) -> None:
    shop.ok("track", "u1", "visit")
    said = shop.sop("set", *words)
    assert said.code == 1
    assert said.err.startswith(f"Error: {sentence}")
