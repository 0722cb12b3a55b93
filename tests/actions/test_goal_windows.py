"""Goals: before any touch, inside and outside the window, after the end, by condition; what else is counted; and keep_going."""

import pytest
from sqlalchemy import Engine, select

from sop_engine.store.runs import runs
from tests.shop import Shop

pytestmark = pytest.mark.slow

FLOW = """
playbook: cart
intent: cultivate
start: {event: cart}
GOAL
again: always
steps:
  first: {at: day 1 10:00, send: hello}
  second: {at: day 10 10:00, send: again}
"""


def flow(goal: str) -> str:
    """The flow with its goal."""
    return FLOW.replace("GOAL", goal)


def started(engine: Engine, goal: str = "goal: {event: order, within: 3d}", *others: str) -> Shop:
    """A user in the flow since 1 March, 12:00."""
    shop = Shop(engine, flow(goal), *others)
    shop.user("u1")
    shop.event("u1", "cart", at="2025-03-01 12:00")
    return shop


def order(shop: Shop, local: str, order_id: str = "o1") -> None:
    """An order of 60."""
    shop.event("u1", "order", at=local, order_id=order_id, amount=60)


def counted(shop: Shop) -> list[set[str]]:
    """Names of the other goals that were reached, by run."""
    with shop.app.transaction() as tx:
        return [set(names or {}) for names in tx.execute(select(runs.c.counted_goals).order_by(runs.c.id)).scalars()]


def test_a_goal_reached_before_any_touch_ends_the_run_and_is_the_users_own(engine: Engine) -> None:
    shop = started(engine)
    order(shop, "2025-03-02 09:00")
    (run,) = shop.runs("u1")
    assert (run.end_reason, run.goal_at) == ("goal", shop.at("2025-03-02 09:00"))
    assert shop.outbox() == []


@pytest.mark.parametrize(("local", "ends"), [("2025-03-05 23:59", "goal"), ("2025-03-06 00:00", None)])
def test_days_of_a_goal_count_through_the_end_of_the_last_day_after_the_touch(engine: Engine, local: str, ends: str | None) -> None:
    shop = started(engine)
    order(shop, local)
    assert shop.ends("u1") == [ends]
    assert len(shop.planned()) == (0 if ends else 1)


@pytest.mark.parametrize(("local", "ends"), [("2025-03-02 11:59:59", "goal"), ("2025-03-02 12:00", None)])
def test_hours_of_a_goal_are_exact(engine: Engine, local: str, ends: str | None) -> None:
    shop = started(engine, "goal: {event: order, within: 2h}")
    order(shop, local)
    assert shop.ends("u1") == [ends]


@pytest.mark.parametrize(("local", "reached"), [("2025-03-05 23:59", True), ("2025-03-06 00:00", False)])
def test_a_goal_is_counted_after_the_end_until_the_window_closes(engine: Engine, local: str, reached: bool) -> None:
    shop = started(engine, "goal: {event: order, within: 3d}\nexit: {unhappy: angry}")
    shop.until("2025-03-02 12:00")
    shop.set("u1", angry=True)
    order(shop, local)
    (run,) = shop.runs("u1")
    assert run.end_reason == "unhappy"
    assert (run.goal_at is not None) is reached


def test_the_run_is_finished_when_the_window_after_the_last_touch_is_over(engine: Engine) -> None:
    shop = started(engine)
    shop.until("2025-03-14 23:59")
    assert shop.ends("u1") == [None]
    shop.until("2025-03-15 00:00")
    assert shop.ends("u1") == ["finished"]


def test_a_goal_may_be_a_condition_that_becomes_true(engine: Engine) -> None:
    shop = started(engine, "goal: {enter: spent >= 100, within: 3d}")
    order(shop, "2025-03-02 12:00", "o1")
    assert shop.ends("u1") == [None]
    order(shop, "2025-03-03 12:00", "o2")
    assert shop.ends("u1") == ["goal"]


def test_a_goal_looks_at_its_fields_only(engine: Engine) -> None:
    shop = started(engine, "goal: {event: order, where: amount >= 100, within: 3d}")
    order(shop, "2025-03-02 12:00")
    assert shop.ends("u1") == [None]


def test_other_goals_are_counted_and_end_nothing_and_also_after_the_end(engine: Engine) -> None:
    shop = started(engine, "goal: {event: visit, within: 2d}\ncounts: [buys]")
    order(shop, "2025-03-02 12:00")
    assert (shop.ends("u1"), counted(shop)) == ([None], [{"buys"}])


def test_other_goals_are_counted_after_the_end_until_their_own_window_closes(engine: Engine) -> None:
    shop = started(engine, "goal: {event: visit, within: 2d}\ncounts: [buys]")
    shop.until("2025-03-02 12:00")
    shop.event("u1", "visit")
    order(shop, "2025-03-16 12:00")
    assert (shop.ends("u1"), counted(shop)) == (["goal"], [{"buys"}])


def test_after_a_goal_that_does_not_end_the_flow_the_others_are_still_counted_at_the_end(engine: Engine) -> None:
    shop = started(engine, "goal: {event: visit, within: 2d}\ncounts: [buys]\nkeep_going: goal\nexit: {unhappy: angry}")
    shop.until("2025-03-02 12:00")
    shop.event("u1", "visit")
    shop.set("u1", angry=True)
    order(shop, "2025-03-05 12:00")
    assert (shop.ends("u1"), counted(shop)) == (["unhappy"], [{"buys"}])


def test_keep_going_after_the_goal_sends_the_rest_and_runs_the_goal_step_once(engine: Engine) -> None:
    book = flow("goal: {event: order, within: 3d}\nkeep_going: goal") + "  well_done: {at: goal, send: receipt}\n"
    shop = Shop(engine, book)
    shop.user("u1")
    shop.event("u1", "cart", at="2025-03-01 12:00")
    order(shop, "2025-03-02 12:00", "o1")
    order(shop, "2025-03-03 12:00", "o2")
    shop.until("2025-03-11 10:00")
    assert sorted(shop.sent()) == ["first@03-02 10:00", "second@03-11 10:00", "well_done@03-02 12:00"]
    assert shop.ends("u1") == ["finished"]


def test_keep_going_after_leaving_stays_in_the_flow(engine: Engine) -> None:
    book = """\
playbook: p
intent: maintain
start: {enter: visits7 >= 1}
goal: joins
keep_going: left
steps:
  late_step: {at: day 9 10:00, send: hello}
"""
    shop = Shop(engine, book)
    shop.user("u1")
    shop.event("u1", "visit", at="2025-03-01 12:00")
    shop.until("2025-03-10 10:00")
    assert shop.sent() == ["late_step@03-10 10:00"]


def test_a_goal_step_runs_at_the_goal_and_may_read_the_event_that_reached_it(engine: Engine) -> None:
    body = {
        "thanks": """\
---
template: thanks
channel: sms
purpose: service
variables: {event.order_id: required}
---
thanks for {{ event.order_id }}
"""
    }
    book = flow("goal: {event: order, within: 3d}") + "  well_done: {at: goal, send: thanks}\n"
    shop = Shop(engine, book, texts=body)
    shop.user("u1")
    shop.event("u1", "cart", at="2025-03-01 12:00")
    order(shop, "2025-03-02 12:00", "o7")
    assert shop.texts_sent() == ["hello", "thanks for o7"]
    assert shop.ends("u1") == ["goal"]


@pytest.mark.parametrize("how", ["goal", "unhappy", "finished"])
def test_a_step_at_the_end_runs_however_the_run_ends(engine: Engine, how: str) -> None:
    shop = Shop(engine, flow("goal: {event: order, within: 3d}\nexit: {unhappy: angry}") + "  bye: {at: end, set: {vip: true}}\n")
    shop.user("u1")
    shop.event("u1", "cart", at="2025-03-01 12:00")
    if how == "goal":
        order(shop, "2025-03-02 12:00")
    elif how == "unhappy":
        shop.set("u1", angry=True)
    else:
        shop.until("2025-03-15 00:00")
    assert shop.ends("u1") == [how]
    assert shop.facts("u1", "vip") == [True]


def test_an_order_that_happened_before_the_touch_but_arrives_after_it_ends_the_run_as_the_users_own(engine: Engine) -> None:
    shop = started(engine)
    shop.until("2025-03-03 12:00")
    assert len(shop.outbox()) == 1
    order(shop, "2025-03-01 18:00")
    (run,) = shop.runs("u1")
    assert (run.end_reason, run.goal_at) == ("goal", shop.at("2025-03-01 18:00"))
    assert shop.planned() == []


def test_an_order_that_happened_after_the_starting_event_counts_although_both_arrive_late(engine: Engine) -> None:
    shop = Shop(engine, flow("goal: {event: order, within: 3d}"), start="2025-03-01 13:00")
    shop.user("u1")
    shop.event("u1", "cart", at="2025-03-01 12:00")
    order(shop, "2025-03-01 12:30")
    assert shop.ends("u1") == ["goal"]


def test_an_order_before_the_starting_event_is_no_goal_of_the_run(engine: Engine) -> None:
    shop = started(engine)
    order(shop, "2025-03-01 11:59")
    assert shop.ends("u1") == [None]


def test_a_withheld_message_opens_the_window_like_a_sent_one(engine: Engine) -> None:
    shop = started(engine, "goal: {event: order, within: 3d}\nholdout: 100%")
    shop.until("2025-03-02 10:00")
    assert shop.skipped() == ["first:holdout"]
    order(shop, "2025-03-04 12:00")
    assert shop.ends("u1") == ["goal"]
    assert shop.outbox() == []
