"""A WeCom message end to end: a task is made, a colleague is reminded and confirms or does not, and the engine follows."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from sop_engine.actions import routing
from sop_engine.channels.contract import Fact
from sop_engine.store import staff_messages, touches
from tests.actions.wecom_shop import PLAIN, WecomShop, wecom_shop

pytestmark = pytest.mark.slow


@pytest.fixture
def shop(memory: Engine) -> Iterator[WecomShop]:
    with wecom_shop(memory) as opened:
        yield opened


@pytest.fixture
def shop_anywhere(engine: Engine) -> Iterator[WecomShop]:
    with wecom_shop(engine) as opened:
        yield opened


def receipts(shop: WecomShop) -> list[str]:
    with shop.app.transaction() as tx:
        return [row.kind for row in tx.execute(touches.receipts.select())]


def test_a_task_is_created_reminded_and_confirmed_and_then_delivered(shop: WecomShop) -> None:
    shop.add("u1", "zhangsan")
    shop.event("u1", "visit")
    shop.until("2025-03-01 11:00")
    assert shop.states("u1")[0] == "mass:sent"
    assert [(t.staff, t.text, list(t.statuses)) for t in shop.fake.tasks.values()] == [("zhangsan", "Come back", ["wm-u1"])]
    assert receipts(shop) == []  # nobody has it yet
    shop.until("2025-03-01 15:00")
    assert shop.fake.paths("groupmsg_send")[-1] == "remind_groupmsg_send"
    shop.until("2025-03-01 16:00")
    shop.confirm("msg1")
    assert receipts(shop) == ["delivered"]
    shop.until("2025-03-03 12:00")
    assert shop.fake.paths("cancel") == []
    assert shop.outbox("u1") == []
    assert len(shop.fake.bodies("remind_groupmsg_send")) == 1
    assert shop.broken() == []


def test_what_nobody_confirms_is_cancelled_and_the_next_channel_is_tried_with_the_same_code(shop_anywhere: WecomShop) -> None:
    shop = shop_anywhere
    shop.codes("tens", "CODE-1")
    shop.add("u1", "zhangsan", mail="u1@example.com")
    shop.event("u1", "visit")
    shop.until("2025-03-02 10:59")
    assert [g.state for g in shop.grants("u1")] == ["issued"]
    assert shop.outbox("u1") == []
    shop.until("2025-03-02 11:00")
    assert shop.fake.tasks["msg1"].cancelled
    assert [m.channel for m in shop.outbox("u1")] == ["mail"]
    assert [(g.state, g.code) for g in shop.grants("u1")] == [("issued", "CODE-1")]
    assert [s for s in shop.states("u1") if s.startswith("mass")] == ["mass:sent"]
    assert len([t for t in shop.touches("u1") if t.step == "later"]) == 1  # what follows was planned once
    assert shop.broken() == []


def test_without_a_next_channel_the_touch_ends_unconfirmed_and_the_code_is_free_again(shop: WecomShop) -> None:
    shop.codes("tens", "CODE-1")
    shop.add("u1", "zhangsan")
    shop.event("u1", "visit")
    shop.until("2025-03-02 11:00")
    assert shop.states("u1")[0] in ("mass:skipped:unconfirmed", "mass:skipped:no_channel", "mass:skipped:needs")
    assert [g.state for g in shop.grants("u1")] == ["released"]
    shop.confirm("msg1")  # too late: the task is gone
    assert receipts(shop) == []
    assert shop.broken() == []


def test_whoever_confirms_at_the_last_moment_has_sent_it(shop: WecomShop) -> None:
    shop.add("u1", "zhangsan", mail="u1@example.com")
    shop.event("u1", "visit")
    shop.until("2025-03-02 10:59")
    shop.fake.confirm("msg1")  # and nobody has fetched the result
    shop.until("2025-03-02 12:00")
    assert receipts(shop) == ["delivered"]
    assert shop.outbox("u1") == []


def test_a_task_that_cannot_be_cancelled_stays_with_the_colleague_until_it_can(shop: WecomShop) -> None:
    shop.add("u1", "zhangsan", mail="u1@example.com")
    shop.event("u1", "visit")
    shop.until("2025-03-02 10:59")
    shop.fake.script = [-1]
    shop.until("2025-03-02 11:05")
    assert (shop.outbox("u1"), shop.states("u1")[0]) == ([], "mass:sent")
    shop.until("2025-03-02 11:10")
    assert [m.channel for m in shop.outbox("u1")] == ["mail"]


def test_a_task_the_provider_never_calls_back_is_left_with_the_colleague_and_nothing_goes_in_its_place(shop: WecomShop) -> None:
    shop.add("u1", "zhangsan", mail="u1@example.com")
    shop.event("u1", "visit")
    shop.until("2025-03-02 10:59")
    shop.fake.script = [41064]
    shop.until("2025-03-02 14:00")
    assert (shop.outbox("u1"), shop.states("u1")[0], shop.fake.paths("cancel")) == ([], "mass:sent", ["cancel_groupmsg_send"])
    shop.confirm("msg1")
    assert receipts(shop) == ["delivered"]


@pytest.mark.parametrize(
    ("word", "state", "mails", "code"),
    [("cancel", "mass:skipped:unconfirmed", 0, "released"), ("leave", "mass:sent", 0, "issued"), ("fallback", "mass:sent", 1, "issued")],
)
def test_the_account_says_what_becomes_of_a_message_nobody_confirmed(memory: Engine, word: str, state: str, mails: int, code: str) -> None:
    with wecom_shop(memory, on_unconfirmed=word) as shop:
        shop.add("u1", "zhangsan", mail="u1@example.com")
        shop.event("u1", "visit")
        shop.until("2025-03-02 12:00")
        assert (shop.states("u1")[0], len(shop.outbox("u1"))) == (state, mails)
        assert [g.state for g in shop.grants("u1")] == [code]
        assert shop.fake.paths("cancel") == ([] if word == "leave" else ["cancel_groupmsg_send"])
        assert shop.broken() == []


def test_a_customer_who_is_no_friend_of_one_colleague_gets_it_from_the_next(shop: WecomShop) -> None:
    shop.add("u1", "zhangsan")
    shop.until("2025-03-01 10:01")
    shop.report(Fact(kind="connected", event_key="x", at=shop.now, to="wm-u1@lisi"))
    shop.event("u1", "visit")
    shop.until("2025-03-01 12:00")
    shop.fake.strangers = {"wm-u1"}
    shop.confirm("msg1")
    assert [b["sender"] for b in shop.fake.bodies("add_msg_template")] == ["zhangsan", "lisi"]


def test_a_customer_the_provider_caps_gets_the_next_channel_and_nothing_more_over_this_one(memory: Engine) -> None:
    with wecom_shop(memory, PLAIN) as shop:
        shop.fake.cap = 0
        shop.add("u1", "zhangsan", mail="u1@example.com")
        shop.event("u1", "visit")
        shop.until("2025-03-01 12:00")
        shop.confirm("msg1")
        assert [m.channel for m in shop.outbox("u1")] == ["mail"]
        shop.event("u1", "visit")
        shop.until("2025-03-01 13:30")
        assert len(shop.fake.tasks) == 1
        assert [m.channel for m in shop.outbox("u1")] == ["mail", "mail"]
        assert shop.broken() == []


def test_our_own_messages_fill_the_cap_that_the_account_names(memory: Engine) -> None:
    with wecom_shop(memory, PLAIN, cap="day_1") as shop:
        shop.add("u1", "zhangsan", mail="u1@example.com")
        for _ in range(2):
            shop.event("u1", "visit")
        shop.until("2025-03-01 12:00")
        assert (len(shop.fake.tasks), len(shop.outbox("u1"))) == (1, 1)


def test_many_customers_of_one_colleague_share_one_task_and_one_call(shop: WecomShop) -> None:
    for n in range(8):
        shop.add(f"u{n}", "zhangsan" if n % 2 else "lisi")
        shop.event(f"u{n}", "visit")
    shop.until("2025-03-01 11:00")
    assert sorted((t.staff, len(t.statuses)) for t in shop.fake.tasks.values()) == [("lisi", 4), ("zhangsan", 4)]


def test_a_colleague_gets_no_more_tasks_a_day_than_one_can_bear(memory: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routing, "MOST_TASKS", 3)
    flow = "playbook: p\nintent: cultivate\nstart: {event: visit}\ngoal: buys\nsteps:\n  one: {after: 1h, send: personal}\n"
    with wecom_shop(memory, flow) as shop:
        for n in range(5):
            shop.add(f"u{n:02}", "zhangsan", name=f"N{n:02}")
            shop.event(f"u{n:02}", "visit")
        shop.until("2025-03-01 11:00")
        assert len(shop.fake.tasks) == 3
        assert shop.skipped() == ["one:staff_load"] * 2


def test_without_a_colleague_there_is_no_relation_and_the_next_channel_is_tried(shop: WecomShop) -> None:
    shop.add("u1", mail="u1@example.com")
    shop.event("u1", "visit")
    shop.until("2025-03-01 11:00")
    assert (shop.fake.tasks, [m.channel for m in shop.outbox("u1")]) == ({}, ["mail"])


def test_defect_9_a_customer_who_removes_one_colleague_is_written_to_by_the_other_and_runs_go_on(shop: WecomShop) -> None:
    shop.add("u1", "zhangsan")
    shop.until("2025-03-01 10:01")
    shop.report(Fact(kind="connected", event_key="x", at=shop.now, to="wm-u1@lisi"))
    shop.event("u1", "visit")
    shop.report(Fact(kind="disconnected", event_key="y", at=shop.now, to="wm-u1@zhangsan", code="left"))
    assert shop.ends("u1") == [None]
    shop.until("2025-03-01 11:01")
    assert [t.staff for t in shop.fake.tasks.values()] == ["lisi"]


def test_a_task_is_called_back_when_the_run_of_every_customer_in_it_is_over(shop: WecomShop) -> None:
    for user in ("u1", "u2"):
        shop.add(user, "zhangsan")
        shop.event(user, "visit")
    shop.until("2025-03-01 11:30")
    shop.event("u1", "order", amount=5, order_id="o1")
    assert shop.fake.paths("cancel") == []  # it would be gone for the other one too
    with shop.app.transaction() as tx:
        assert sorted(m.state for m in staff_messages.of_call(tx, "wecom", "msg1")) == ["awaiting", "left_with_staff"]
    shop.event("u2", "order", amount=5, order_id="o2")
    assert shop.fake.paths("cancel") == ["cancel_groupmsg_send"]
    assert shop.broken() == []


def test_a_lost_answer_is_found_by_asking_and_then_waits_for_the_colleague_like_any_other(shop: WecomShop) -> None:
    shop.add("u1", "zhangsan")
    shop.event("u1", "visit")
    shop.until("2025-03-01 10:59")
    shop.fake.now, shop.fake.script = shop.at("2025-03-01 11:00"), ["accept_then_cut"]
    shop.until("2025-03-01 11:00")
    assert shop.states("u1")[0] == "mass:unknown:no_answer"
    shop.until("2025-03-01 11:10")
    assert shop.states("u1")[0] == "mass:sent"
    shop.confirm("msg1")
    assert receipts(shop) == ["delivered"]
    assert len(shop.fake.tasks) == 1
