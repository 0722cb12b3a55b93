"""What colleagues have to do: until when, who hears of it when it is not done, once, and what ends it."""

from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from sop_engine.actions.beat import next_moment
from sop_engine.actions.escalate import escalate_overdue, escalate_some
from sop_engine.actions.ingest import record_events
from sop_engine.settings import Settings
from sop_engine.store import outbox, overdue
from sop_engine.store.task_tallies import Rate, rates_since, uncared_for
from sop_engine.worker.scheduler import jobs_of
from tests.actions.test_two_workers import at_once, while_open
from tests.shop import Shop
from tests.shop_project import CATALOGUE, TEXTS
from tests.shop_project import text as template

DESK = CATALOGUE.replace("desk: {via: outbox, to: adviser}", "desk: {via: staff_task, to: adviser, due: 24h, escalate_to: head}")
CALL = """
playbook: call
intent: serve
start: {event: cart}
goal: joins
again: always
no_benefit: a call
steps:
  ring: {at: now, send: task}
"""
CALL_HIM = {"task": template("task", "desk", purpose="internal", body="Call about the skin test")}


def shop_of(engine: Engine, *users: str, catalogue: str = DESK, start: str = "2025-06-01 09:00", **more: Any) -> Shop:
    """Users whose adviser Mei has a task each, made at the start."""
    shop = Shop(engine, start=start, texts={**TEXTS, **CALL_HIM, **more.pop("texts", {})}, **more)
    shop.app.settings = Settings.model_construct(sending="live")
    shop.apply(CALL, catalogue=catalogue)
    for key in users:
        shop.user(key, adviser="Mei")
        shop.event(key, "cart")
    return shop


def tasks(shop: Shop, state: str = "open") -> list[Any]:
    """Tasks in a state, oldest first."""
    with shop.app.transaction() as tx:
        return sorted(outbox.list_tasks(tx, state=state), key=lambda row: int(row.id))


def told(shop: Shop, state: str = "open") -> list[tuple[str, bool]]:
    """(assignee, whether it was escalated) of each."""
    return [(row.assignee, row.escalated_at is not None) for row in tasks(shop, state)]


def look(shop: Shop, local: str) -> list[tuple[str, bool]]:
    """A beat at this moment, with nothing in between; what is open then."""
    shop.jump(local)
    shop.beat()
    return told(shop)


def test_s1_19_a_task_of_09_00_with_24_hours_is_escalated_once_at_09_01_and_not_again_at_09_02(engine: Engine) -> None:
    shop = shop_of(engine, "u")
    assert [(row.due_at, row.assignee) for row in tasks(shop)] == [(shop.at("2025-06-02 09:00"), "Mei")]
    assert look(shop, "2025-06-02 08:59") == [("Mei", False)]
    assert look(shop, "2025-06-02 09:01") == [("Mei", True), ("head", False)]
    first = tasks(shop)
    assert look(shop, "2025-06-02 09:02") == [("Mei", True), ("head", False)]
    assert look(shop, "2025-07-02 09:02") == [("Mei", True), ("head", False)]  # no loop: what escalates is not escalated
    assert tasks(shop) == first
    assert first[0].escalated_at == shop.at("2025-06-02 09:01")
    assert (first[1].user_id, first[1].key) == (first[0].user_id, f"escalated:{first[0].key}")


@pytest.mark.parametrize(
    ("locale", "said"),
    [
        ("en", "Not done in time: Call about the skin test\nGiven to Mei at 2025-06-01 09:00, to be done until 2025-06-02 09:00."),
        ("zh-CN", "超时未办：Call about the skin test\n原交给「Mei」，2025-06-01 09:00 交办，应在 2025-06-02 09:00 前办完。"),
    ],
)
def test_x_18_the_escalation_says_what_was_to_be_done_by_whom_and_since_when(memory: Engine, locale: str, said: str) -> None:
    shop = shop_of(memory, "u", project={"locale": locale})
    look(shop, "2025-06-02 09:01")
    assert [row.text for row in tasks(shop)][1:] == [said]


def test_x_18_made_up_time_stops_at_the_deadline(memory: Engine) -> None:
    shop = shop_of(memory, "u", start="2025-06-01 10:30")
    shop.until("2025-06-02 10:00")
    assert next_moment(shop.app, shop.now) == shop.at("2025-06-02 10:30")
    shop.until("2025-06-02 23:00")
    assert next(row.escalated_at for row in tasks(shop)) == shop.at("2025-06-02 10:30")


def test_x_18_done_is_delivered_and_ends_the_task_and_the_one_that_escalates_it(engine: Engine) -> None:
    shop = shop_of(engine, "u", "v")
    look(shop, "2025-06-02 09:01")
    shop.event("u", "task_done", at="2025-06-02 09:10", playbook="call", step="ring", actor="staff")
    assert told(shop, "done") == [("Mei", True), ("head", False)]
    assert told(shop) == [("Mei", True), ("head", False)]  # those of the other user
    with shop.app.transaction() as tx:
        receipts = tx.execute(text("SELECT t.step, r.kind FROM receipts r JOIN touches t ON t.id = r.touch_id ORDER BY r.kind")).all()
    assert [tuple(row) for row in receipts] == [("ring", "delivered"), ("ring", "done")]


def test_x_18_a_task_done_in_time_is_escalated_to_nobody(memory: Engine) -> None:
    shop = shop_of(memory, "u")
    shop.event("u", "task_done", at="2025-06-01 15:00", playbook="call", step="ring", actor="staff")
    assert look(shop, "2025-06-05 09:00") == []
    assert told(shop, "done") == [("Mei", False)]


@pytest.mark.parametrize(("result", "state"), [("refused", "refused"), ("", "not_reached")])
def test_x_18_a_failed_task_is_over_and_was_not_delivered(memory: Engine, result: str, state: str) -> None:
    shop = shop_of(memory, "u")
    shop.event("u", "task_failed", at="2025-06-01 15:00", playbook="call", step="ring", actor="staff", result=result)
    assert told(shop, state) == [("Mei", False)]
    assert look(shop, "2025-06-05 09:00") == []
    with shop.app.transaction() as tx:
        assert tx.execute(text("SELECT kind FROM receipts")).all() == []


@pytest.mark.parametrize(
    ("own", "due"), [("due: 2h\n", "2025-06-01 11:00"), ("", "2025-06-02 09:00")], ids=["of the template", "of the channel"]
)
def test_x_18_the_deadline_of_the_template_goes_before_that_of_the_channel(memory: Engine, own: str, due: str) -> None:
    shop = shop_of(memory, "u", texts={"task": CALL_HIM["task"].replace("purpose:", f"{own}purpose:")})
    assert [row.due_at for row in tasks(shop)] == [shop.at(due)]


def test_x_18_a_person_who_was_asked_for_by_an_answer_is_escalated_too_and_one_word_ends_both(memory: Engine) -> None:
    shop = shop_of(memory, project={"on_reply": "task"})
    shop.user("u")
    shop.event("u", "replied", text="is anybody there?")
    assert look(shop, "2025-06-02 09:00") == [("", True), ("head", False)]
    shop.event("u", "task_done", at="2025-06-02 10:00", actor="staff")
    assert told(shop) == []


def test_x_18_a_channel_that_names_nobody_escalates_nothing_and_one_that_does_from_now_on_does(memory: Engine) -> None:
    silent = DESK.replace(", escalate_to: head", "")
    shop = shop_of(memory, "u", catalogue=silent)
    assert look(shop, "2025-06-05 09:00") == [("Mei", False)]
    shop.apply(CALL, catalogue=DESK)
    assert look(shop, "2025-06-05 09:01") == [("Mei", True), ("head", False)]


def test_x_18_many_are_escalated_batch_by_batch(memory: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = shop_of(memory, "u1", "u2", "u3")
    monkeypatch.setattr("sop_engine.actions.escalate.BATCH", 2)
    assert escalate_overdue(shop.app, shop.at("2025-06-02 09:00")) == 3
    assert sorted(told(shop)) == [("Mei", True)] * 3 + [("head", False)] * 3


def test_x_18_the_leader_has_a_job_for_it(memory: Engine) -> None:
    shop = shop_of(memory, "u")
    jobs = {job.name: job for job in jobs_of(lambda _hints, _lane: None, lambda _hints: None, lambda: True)}
    jobs["escalate"].do(shop.app, shop.at("2025-06-02 09:01"))
    assert told(shop) == [("Mei", True), ("head", False)]


def test_what_is_overdue_is_found_along_its_index(engine: Engine) -> None:
    shop = shop_of(engine)
    rows = [
        {"key": f"k{n}", "user_id": n, "assignee": "Mei", "text": "", "state": "done" if n % 50 else "open", "created_at": shop.now,
         "due_at": shop.at("2025-05-01 09:00"), "channel": "desk"} for n in range(5000)
    ]  # fmt: skip
    plans: list[str] = []
    explain = "EXPLAIN QUERY PLAN " if engine.dialect.name == "sqlite" else "EXPLAIN "

    def explained(connection: Any, cursor: Any, sql: str, given: Any, _context: Any, _many: bool) -> None:
        if sql.startswith("SELECT") and "FROM tasks" in sql:
            raw = connection.connection.driver_connection
            plans.append(" ".join(str(row[-1]) for row in raw.execute(f"{explain}{sql}", given).fetchall()))

    with engine.begin() as tx:
        tx.execute(outbox.tasks.insert(), rows)
        if engine.dialect.name == "postgresql":
            tx.execute(text("ANALYZE tasks"))
        event.listen(engine, "before_cursor_execute", explained)
        assert len(overdue.overdue(tx, ["desk"], shop.now, 500)) == 100
        assert overdue.next_deadline(tx, ["desk"]) == shop.at("2025-05-01 09:00")
        event.remove(engine, "before_cursor_execute", explained)
    assert len(plans) == 2
    assert all("ix_tasks_due" in plan for plan in plans), plans


@pytest.mark.server
def test_x_18_two_workers_at_once_escalate_once(postgres: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both have found the same tasks before either marks one."""
    shop = shop_of(postgres, "u1", "u2")
    both, found = Barrier(2, timeout=10), overdue.overdue

    def together(tx: Any, channels: Any, now: Any, most: int) -> Any:
        listed = found(tx, channels, now, most)
        if listed:
            both.wait()
        return listed

    monkeypatch.setattr(overdue, "overdue", together)
    now = shop.at("2025-06-02 09:01")
    assert at_once([lambda: escalate_overdue(shop.app, now)] * 2) == []
    assert sorted(told(shop)) == [("Mei", True)] * 2 + [("head", False)] * 2


@pytest.mark.server
def test_x_18_a_task_reported_done_while_it_is_escalated_leaves_nothing_open(postgres: Engine) -> None:
    """The report waits for the user, and then sees the new task too."""
    shop = shop_of(postgres, "u")
    done = shop.record("u", "task_done", "2025-06-02 09:01", {"playbook": "call", "step": "ring", "actor": "staff"})
    shop.jump("2025-06-02 09:01")
    while_open(shop, escalate_some, lambda: record_events(shop.app, [done], shop.now))
    assert told(shop) == []
    assert told(shop, "done") == [("Mei", True), ("head", False)]


WORTH = "tier: worth\nnote: why\nlevels: {top: orders >= 1, rest: otherwise}\n"


def test_s2_27_the_moderator_of_a_group_has_a_done_rate(engine: Engine) -> None:
    """Of three newcomers welcomed one in time, one late after an escalation, and one not at all; the leader's task is no other one."""
    shop = shop_of(engine, "u", "v", "w")
    shop.event("u", "task_done", at="2025-06-01 15:00", playbook="call", step="ring", actor="staff")
    shop.until("2025-06-02 12:00")
    shop.event("v", "task_done", playbook="call", step="ring", actor="staff")
    with shop.app.transaction() as tx:
        [rate] = rates_since(tx, shop.at("2025-06-01 00:00"), shop.now)
        assert rates_since(tx, shop.at("2025-06-01 09:01"), shop.now) == []
    assert rate == Rate("desk", "Mei", made=3, done=2, in_time=1, overdue=1, escalated=2)


def test_s1_19_users_of_the_top_level_without_a_done_task_in_30_days_are_named(engine: Engine) -> None:
    shop = shop_of(engine)
    shop.apply(CALL, WORTH, catalogue=DESK)
    for key in ("cared", "long_ago", "waiting", "never", "low"):
        shop.user(key, adviser="Mei")
        if key != "low":
            shop.event(key, "order", order_id=key, amount=9)
    for key in ("cared", "long_ago", "waiting"):
        shop.event(key, "cart")
    shop.event("long_ago", "task_done", at="2025-06-01 10:00", playbook="call", step="ring", actor="staff")
    shop.event("cared", "task_done", at="2025-06-02 08:00", playbook="call", step="ring", actor="staff")
    with shop.app.transaction() as tx:
        first_of_30 = shop.at("2025-06-02 00:00")
        assert uncared_for(tx, "worth", "top", first_of_30, 9) == (3, ["long_ago", "waiting", "never"])
        assert uncared_for(tx, "worth", "top", first_of_30, 1) == (3, ["long_ago"])
        assert uncared_for(tx, "worth", "rest", first_of_30, 9) == (1, ["low"])
