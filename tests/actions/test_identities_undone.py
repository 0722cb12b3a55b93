"""A merge taken back: two users again, each with what it had; nothing is sent because of it, nothing counts less than before."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Engine

from sop_engine.actions.ingest import record_events
from sop_engine.actions.part import was_one
from sop_engine.core.errors import NotFound, Refused
from sop_engine.store.consent import opt_outs_of
from sop_engine.store.outbox import list_tasks
from sop_engine.store.people import get_id
from tests.actions.identity_shop import FLOW, VALUE, WHO, become_one, broken, by_hand, merges, open_shop, take_back, two
from tests.shop import Shop

pytestmark = pytest.mark.slow


def seen(shop: Shop, user: str) -> list[Any]:
    """What is known of a user and goes on, without ids."""
    names = ("phone", "city", "orders", "spent", "value", "joined", "vip", "angry")
    return [shop.facts(user, *names), shop.ends(user), shop.planned(user), shop.sent(user), [g.state for g in shop.grants(user)]]


def test_x_13_undoing_gives_each_what_it_had(engine: Engine) -> None:
    shop = open_shop(engine, FLOW.replace("send: hello", "give: gift, send: coupon"), VALUE)
    two(shop, city="Paris")
    for key, amount in (("a", 60), ("b", 70)):
        shop.event(key, "visit")
        shop.event(key, "order", at="2025-03-02 11:00", order_id=f"o{key}", amount=amount)  # before the runs: no goal
    shop.set("a", city="Beijing", angry=True)
    shop.set("b", vip=True)
    before = seen(shop, "a"), seen(shop, "b")
    by_hand(shop, "a", "b")
    assert shop.facts("b", "orders", "value", "vip", "angry") == [2, "big", True, True]
    assert take_back(shop).state == "undone"
    assert (seen(shop, "a"), seen(shop, "b")) == before
    assert broken(shop) == []
    shop.until("2025-03-20 12:00")
    assert [s for s in shop.sent("b") if s.startswith("day3")] == ["day3@03-05 10:00"]
    assert broken(shop) == []


def test_x_13_what_came_after_the_merge_stays_with_the_older_user_and_refusals_with_both(engine: Engine) -> None:
    shop = open_shop(engine)
    two(shop)
    become_one(shop)
    shop.event("b", "order", order_id="o1", amount=5)
    shop.event("b", "unsubscribed", channel="mail")
    shop.set("a", city="Paris")
    take_back(shop)
    assert shop.facts("a", "orders", "city") == [1, "Paris"]
    assert shop.facts("b", "orders", "city", "phone") == [0, None, "13912345671"]
    with shop.app.transaction() as tx:
        assert set(opt_outs_of(tx, [get_id(tx, "a"), get_id(tx, "b")]).values()) == {frozenset({"mail"})}
    assert broken(shop) == []


def test_x_13_what_was_sent_to_the_one_user_counts_in_the_caps_of_both(engine: Engine) -> None:
    shop = open_shop(engine, FLOW.replace("day 3", "day 30"), project={"caps": "1 per 7d"})
    two(shop)
    become_one(shop)
    shop.event("a", "visit")
    take_back(shop)
    shop.event("b", "visit")
    shop.until("2025-03-04 12:00")
    assert (shop.sent("a"), shop.sent("b")) == (["first@03-02 12:00"], [])


def test_x_13_what_became_of_a_run_since_goes_back_with_it(engine: Engine) -> None:
    shop = open_shop(engine, FLOW.replace("send: again", "give: gift, send: coupon"))
    two(shop)
    shop.event("b", "visit")
    become_one(shop)
    shop.until("2025-03-06 12:00")
    assert (len(shop.sent("a")), [g.state for g in shop.grants("a")]) == (2, ["issued"])
    take_back(shop)
    assert (shop.sent("a"), len(shop.sent("b")), [g.state for g in shop.grants("b")]) == ([], 2, ["issued"])
    assert broken(shop) == []


def test_x_13_two_who_were_parted_are_never_united_by_themselves_again_but_by_hand(engine: Engine) -> None:
    shop = open_shop(engine)
    two(shop)
    become_one(shop)
    take_back(shop)
    shop.set("b", phone="13912345671", city="Paris")
    shop.user("c", joined="2025-02-01 10:00", phone="", unionid="U1")
    shop.set("a", unionid="U1")
    with shop.app.work(shop.now) as work:
        assert get_id(work.tx, "a") == get_id(work.tx, "c") != get_id(work.tx, "b")
    by_hand(shop, "a", "b")
    with shop.app.work(shop.now) as work:
        assert get_id(work.tx, "b") == get_id(work.tx, "c")


def test_x_13_a_chain_is_undone_from_its_end_and_the_ids_follow(engine: Engine) -> None:
    shop = open_shop(engine)
    two(shop)
    shop.user("c", joined="2025-02-01 10:00")
    by_hand(shop, "a", "b")
    by_hand(shop, "a", "c")
    with shop.app.work(shop.now) as work:
        found = was_one(work, "b")
    assert found is not None
    assert (found.now, found.merge) == ("c", 1)
    with pytest.raises(Refused, match="undo merge 2 first"):
        take_back(shop, 1)
    take_back(shop, 2)
    with shop.app.work(shop.now) as work:
        assert get_id(work.tx, "b") == get_id(work.tx, "a") != get_id(work.tx, "c")
    take_back(shop, 1)
    with shop.app.work(shop.now) as work:
        assert was_one(work, "b") is None
    with pytest.raises(Refused, match="undone already"):
        take_back(shop, 1)
    with pytest.raises(NotFound):
        take_back(shop, 99)
    assert broken(shop) == []


def test_x_13_a_pair_that_waits_may_be_left_as_two(engine: Engine) -> None:
    shop = open_shop(engine)
    shop.user("a", phone="13912345671", unionid="U1")
    shop.user("b", phone="13912345671", unionid="U2")
    take_back(shop, merges(shop).waiting[0].id)
    shop.set("b", phone="13912345671")
    assert merges(shop).waiting == ()
    assert [m.state for m in merges(shop).made] == ["undone"]


@pytest.mark.parametrize("engine", [pytest.param("postgresql", marks=pytest.mark.server)], indirect=True)  # SQLite has one writer
def test_x_13_two_workers_unite_the_same_users_once(engine: Engine) -> None:
    shop = open_shop(engine)
    two(shop)
    shop.event("a", "visit")
    shop.event("b", "visit")

    def work_on(job: int) -> str:
        try:
            if job % 2:
                record_events(shop.app, [shop.record("b", "say", shop.local(), {"id": f"say{job}", "text": "13912345671"})], shop.now)
            else:
                by_hand(shop, "a", "b")
        except Exception as error:
            return type(error).__name__
        return ""

    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(work_on, range(8)))
    assert [one for job, one in enumerate(said) if job % 2] == [""] * 4
    assert set(said) <= {"", "BadInput"}
    assert [m.state for m in merges(shop).made] == ["done"]
    shop.until("2025-03-20 12:00")
    assert len([s for s in shop.sent("a") if s.startswith("day3")]) == 1
    assert broken(shop) == []


def test_x_18_what_escalates_a_task_of_a_user_goes_back_with_the_task(engine: Engine) -> None:
    """A person was asked for by `b`; while the two were one it was escalated."""
    desk = WHO.replace("desk: {via: outbox, to: adviser}", "desk: {via: staff_task, to: adviser, due: 24h, escalate_to: head}")
    shop = open_shop(engine, catalogue=desk, project={"on_reply": "task"})
    two(shop)
    shop.event("b", "replied", text="hello?")
    by_hand(shop, "a", "b")
    shop.until("2025-03-03 13:00")
    take_back(shop)
    with shop.app.transaction() as tx:
        assert {(row.assignee, row.user_id) for row in list_tasks(tx)} == {("", get_id(tx, "b")), ("head", get_id(tx, "b"))}
