"""The rows that close contradictions about sending: who wins, what comes late, what a first import may start, refusals and benefits."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from sop_engine.core.records import UserRecord
from tests.requirements.shops import LibraryShop, book, bought, did, library
from tests.shop import Shop, keys
from tests.shop_project import BENEFIT


@pytest.mark.parametrize(("late", "tea"), [("2d", ["tea@03-03 09:00"]), ("6h", [])], ids=["deferred", "its time is over"])
def test_x_08_under_a_cap_the_win_back_goes_and_the_coupon_waits_or_falls_away(memory: Engine, late: str, tea: list[str]) -> None:
    back = book("event: cart", "back: {at: day 1 10:00, send: hello}", "priority: high", name="back", goal="joins")
    coupon = book("event: cart", f"tea: {{at: day 1 10:00, send: again, late: {late}}}", name="tea", goal="joins")
    shop = Shop(memory, coupon, back, start="2025-03-01 12:00", project={"caps": "[1 per 1d]"})
    shop.user("u")
    shop.event("u", "cart")
    shop.until("2025-03-04 12:00")
    assert sorted(shop.sent("u")) == ["back@03-02 10:00", *tea]
    assert [s.split(":")[0] for s in shop.skipped("u")] == ([] if tea else ["tea"])


SILENT = """
playbook: back
intent: win_back
start: {{enter: quiet >= 31}}
goal: joins
anchor: last_active
late: 7d
{existing}
no_benefit: x
steps: {{wake: {{at: day 45 10:00, send: hello}}}}
"""


def silent_for(engine: Engine, days: range, existing: str) -> Shop:
    """One user for each of these days of silence, then the playbook is released at nine."""
    shop = Shop(engine, "tags: {other: {}}\n", start="2025-06-30 08:00")
    people, events = [], []
    for day in days:
        at = shop.now - timedelta(days=day)
        people.append(UserRecord(f"d{day}", at, {"phone": f"139{day:08d}"}))
        events.append(shop.record(f"d{day}", "visit", at.astimezone(shop.zone).strftime("%Y-%m-%d %H:%M"), {}))
    shop.load_history(people, events)
    shop.jump("2025-06-30 09:00")
    shop.apply(SILENT.format(existing=existing))
    return shop


def test_x_12_a_first_import_starts_nobody_who_was_silent_before_the_release(memory: Engine) -> None:
    shop = silent_for(memory, range(46, 401, 6), "existing: ignore")
    shop.until("2025-06-30 23:00")
    assert shop.touches() == []


def test_x_12_if_it_may_only_those_inside_the_allowance_are_sent_and_so_many_a_day(memory: Engine) -> None:
    shop = silent_for(memory, range(46, 60), "existing: enter\nexisting_per_day: 100")
    shop.until("2025-06-30 23:00")
    sent = [key for key in (f"d{day}" for day in range(46, 60)) if shop.sent(key)]
    assert sent == [f"d{day}" for day in range(46, 53)]
    assert {reason for day in range(53, 60) for reason in shop.refused(f"d{day}")} == {"late"}


def test_x_12_at_most_so_many_start_on_one_day(memory: Engine) -> None:
    shop = silent_for(memory, range(40, 45), "existing: enter\nexisting_per_day: 2")
    assert sum(len(shop.runs(f"d{day}")) for day in range(40, 45)) == 2
    shop.until("2025-07-01 12:00")
    assert sum(len(shop.runs(f"d{day}")) for day in range(40, 45)) == 4


def test_x_15_an_order_that_arrives_late_is_recorded_and_not_credited_to_a_later_message(memory: Engine) -> None:
    back = book("event: cart", "back: {at: day 1 10:00, send: hello}", "keep_going: goal")
    shop = Shop(memory, back, start="2025-06-23 12:00")
    shop.user("u")
    shop.event("u", "cart")
    shop.until("2025-06-24 12:00")
    assert shop.sent("u") == ["back@06-24 10:00"]
    shop.now = shop.at("2025-06-25 12:00")
    shop.event("u", "order", at="2025-06-20 12:00", order_id="a", amount=50)
    assert shop.facts("u", "orders") == [1]
    assert [run.goal_at for run in shop.runs("u")] == [None]


def test_x_15_events_twice_or_out_of_order_give_the_same_facts_and_one_send(memory: Engine) -> None:
    shop = Shop(memory, book("event: cart", "a: {at: now, send: hello}", "again: always", goal="joins"), start="2025-06-25 12:00")
    shop.user("u", joined="2025-06-01")
    for local, key in (("2025-06-25 11:59", "c2"), ("2025-06-25 11:58", "c1"), ("2025-06-25 11:59", "c2")):
        shop.event("u", "cart", at=local, id=key)
    assert len(shop.sent("u")) == 2


GIFT = f"benefits:\n  gift: {{pool: G, {BENEFIT}}}\n"


def test_x_17_of_a_stock_of_ten_the_eleventh_is_promised_nothing(memory: Engine) -> None:
    shop = Shop(memory, GIFT, book("event: cart", "a: {at: now, send: coupon, give: gift}", goal="joins"), start="2025-03-01 12:00")
    shop.codes("G", *(f"C{n}" for n in range(10)))
    for key in keys(11):
        shop.user(key)
        shop.event(key, "cart")
    assert len(shop.texts_sent()) == 10 == len({grant.code for grant in shop.grants()})
    assert (shop.skipped("u11"), shop.texts_sent("u11")) == (["a:empty"], [])


@pytest.mark.parametrize("word", ["*", "sms"])
def test_x_19_after_a_refusal_no_sms_from_that_second(memory: Engine, word: str) -> None:
    shop = Shop(memory, book("event: cart", "a: {at: day 1 10:00, send: hello}", goal="joins"), start="2025-03-01 12:00")
    shop.user("u")
    shop.event("u", "cart")
    shop.jump("2025-03-02 10:00")
    hints = shop.claim()
    shop.event("u", "unsubscribed", **({} if word == "*" else {"channel": word}))
    shop.deliver(hints)
    assert (len(hints), shop.texts_sent("u")) == (1, [])


def test_x_19_marketing_rests_from_nine_in_the_evening_to_nine_in_the_morning(memory: Engine) -> None:
    steps = "a: {at: day 1 20:59, send: hello}, b: {at: day 2 21:00, send: again}, c: {at: day 4 08:59, send: third}"
    shop = Shop(memory, book("event: cart", steps, goal="joins"), start="2025-03-01 12:00")
    shop.user("u")
    shop.event("u", "cart")
    shop.until("2025-03-06 12:00")
    assert shop.sent("u") == ["a@03-02 20:59", "b@03-04 09:00", "c@03-05 09:00"]
    assert library().settings.hours is not None and (library().settings.hours.start, library().settings.hours.end) == (540, 1260)


def test_c_05_entering_a_level_plans_its_touches_and_leaving_cancels_them(memory: Engine) -> None:
    shop = LibraryShop(memory, "生命周期经营", start="2025-06-01 12:00")
    shop.somebody(did("visit", 1))
    shop.event("u", "order", order_id="a", amount=300)
    assert shop.planned("u") == ["相关品类@06-08 10:00"]
    for n in (2, 3):
        shop.event("u", "order", at=f"2025-06-0{n} 12:00", order_id=f"a{n}", amount=300)
    assert shop.facts("u", "生命周期") == ["成熟期"]
    growth = [run.end_reason for run in shop.runs("u") if run.flow.endswith("成长期")]
    assert growth == ["goal"]
    assert {t.state for t in shop.touches("u") if t.step == "相关品类"} == {"cancelled"}


def test_c_05_whoever_leaves_without_the_goal_has_left(memory: Engine) -> None:
    shop = LibraryShop(memory, "三层经营", start="2025-06-01 12:00", variant="holdout")
    shop.somebody(bought(50, 90), did("like", 60), did("visit", 1), joined="2024-01-01")
    for n in range(3):
        shop.event("u", "like", at=f"2025-06-01 13:0{n}")
    first = shop.runs("u")[0]
    assert (first.flow, first.end_reason) == ("三层经营/沉默层", "left")
