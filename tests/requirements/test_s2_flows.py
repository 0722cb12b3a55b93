"""The rows of the six models about what happens: canvases, caps, refreshes, real time, prediction, and the loop back."""

from decimal import Decimal

import pytest
from sqlalchemy import Engine

from sop_engine.core.records import UserRecord
from sop_engine.store import fits
from sop_engine.store.engine import transaction
from sop_engine.store.history import list_past_touches
from tests.requirements.shops import NOON, Base, LibraryShop, at, book, bought, did, library, of_code, said_of, user
from tests.shop import Shop
from tests.shop_project import CATALOGUE


@pytest.mark.parametrize(("category", "template"), [("咖啡", "行_咖啡礼_短信"), ("茶", "行_试用_短信")])
def test_s2_03_the_return_pack_is_that_of_the_favourite_category_else_the_default(memory: Engine, category: str, template: str) -> None:
    shop = LibraryShop(memory, "回归礼", start="2025-06-30 12:00")
    shop.somebody(bought(50, 100, 120, category=category), did("visit", 30), joined="2024-01-01")
    shop.until("2025-07-01 12:00")
    assert [t.template for t in shop.touches("u")] == [template]


def test_s2_27_a_newcomer_of_a_group_is_welcomed_by_its_moderator_and_the_done_task_counts(memory: Engine) -> None:
    shop = LibraryShop(memory, "群主欢迎", start="2025-06-30 12:00")
    shop.somebody(did("visit", 1), 团长="阿强")
    [message] = shop.outbox("u")
    assert (message.channel, message.address) == ("团长任务", "阿强")
    shop.event("u", "task_done", at="2025-06-30 15:00", actor="staff", playbook="群主欢迎", step="欢迎")
    [run] = shop.runs("u")
    with shop.app.transaction() as tx:
        [touch] = list_past_touches(tx, run_ids=[run.id])
    assert touch.receipts["done"] == shop.at("2025-06-30 15:00")


def test_s2_28_the_official_update_goes_out_each_friday_once(memory: Engine) -> None:
    shop = LibraryShop(memory, "官方周更", start="2025-06-30 12:00")
    shop.somebody(did("visit", 1))
    for day in ("2025-07-03 12:00", "2025-07-10 12:00"):
        shop.event("u", "visit", at=day)
    shop.until("2025-07-12 12:00")
    assert shop.sent("u") == ["周更@07-04 10:00", "周更@07-11 10:00"]


@pytest.mark.parametrize(("leader", "channel"), [("阿强", "团长任务"), (None, "企微")])
def test_s2_36_the_leader_is_told_the_habit_and_without_a_leader_another_channel_speaks(
    memory: Engine, leader: str | None, channel: str
) -> None:
    shop = LibraryShop(memory, "团长挽留", start="2025-06-30 12:00")
    days = range(8, 90, 9)
    shop.somebody(
        bought(60, *days, category="蔬菜"),
        bought(60, 7, *range(10, 60, 5), category="水果"),
        did("visit", 1),
        joined="2025-03-20",
        团长=leader,
        企微号="w1",
        企微好友=True,
    )
    assert shop.facts("u", "团购衰退") == [True]
    [told] = [m for m in shop.outbox("u") if m.template in ("团长叮嘱_团长", "常买折扣_企微")]
    assert told.channel == channel and "水果" in told.text


def test_s2_43_a_coupon_comes_on_day_seven_after_the_order_and_member_day_on_the_28th(memory: Engine) -> None:
    shop = LibraryShop(memory, "生命周期经营", "月度促销", start="2025-06-01 12:00")
    shop.somebody(did("visit", 1))
    shop.event("u", "order", order_id="a", amount=400)
    shop.event("u", "visit", at="2025-06-20 12:00")
    shop.event("u", "like", at="2025-06-20 12:01")
    shop.until("2025-06-30 12:00")
    assert [s for s in shop.sent("u") if s.split("@")[0] in ("相关品类", "促销")] == ["相关品类@06-08 10:00", "促销@06-28 10:00"]


def test_s2_44_a_cart_a_day_old_without_an_order_is_reminded_of(memory: Engine) -> None:
    shop = LibraryShop(memory, "加购提醒", start="2025-06-30 12:00")
    for key in ("waits", "buys"):
        shop.somebody(did("visit", 1), key=key)
        shop.event(key, "add_to_cart", category="茶")
    shop.event("buys", "order", at="2025-07-01 11:00", order_id="a", amount=9)
    shop.until("2025-07-02 12:00")
    assert (shop.sent("waits"), shop.sent("buys")) == (["提醒@07-01 12:00"], [])


@pytest.mark.slow
def test_s2_47_workdays_at_two_by_the_calendar_of_the_country(memory: Engine) -> None:
    shop = LibraryShop(memory, "工作日午后", start="2025-09-25 15:00")
    shop.somebody(bought(2000, 5), did("visit", 1))
    for day in ("2025-09-27 09:00", "2025-10-05 09:00"):
        shop.event("u", "visit", at=day)
    shop.until("2025-10-09 15:00")
    sent = [s.split("@")[1] for s in shop.sent("u")]
    # Friday; Saturday is none; Sunday, 28 September, makes up for the holidays of 1 to 8 October.
    assert sent[:4] == ["09-26 14:00", "09-28 14:00", "09-29 14:00", "09-30 14:00"]
    assert [s for s in sent if s.startswith("10-0") and s < "10-09"] == []


def test_s2_49_a_voucher_of_the_weekend_is_over_on_monday(memory: Engine) -> None:
    shop = LibraryShop(memory, "周末童饮", start="2025-06-28 09:00")
    for key in ("sunday", "monday"):
        shop.somebody(did("visit", 1), key=key)
        shop.event(key, "search", word="果汁")
    codes = {key: shop.grants(key)[0].code for key in ("sunday", "monday")}
    shop.event("sunday", "benefit_used", at="2025-06-29 20:00", code=codes["sunday"])
    shop.event("monday", "benefit_used", at="2025-06-30 10:00", code=codes["monday"])
    assert [shop.grants(key)[0].state for key in ("sunday", "monday")] == ["redeemed", "expired"]


def test_s2_54_what_a_user_says_in_the_chat_becomes_a_taste_and_an_age_that_grows(memory: Engine) -> None:
    shop = LibraryShop(memory, start="2025-06-30 12:00")
    shop.somebody()
    shop.event("u", "chat_message", text="有没有低脂的")
    shop.event("u", "chat_message", text="我家宝宝3岁了")
    assert shop.facts("u", "低脂偏好", "家有小孩", "孩子年龄") == [True, True, 3]
    [birthday] = shop.facts("u", "孩子生日")
    assert user(孩子生日=birthday, now="2026-07-01 12:00")["孩子年龄"] == 4


def test_s2_55_an_outcome_rescores_the_user_and_closes_what_waited_for_it(memory: Engine) -> None:
    shop = LibraryShop(memory, "新客首单培育", start="2025-06-01 12:00")
    shop.somebody()
    shop.until("2025-06-04 12:00")
    shop.event("u", "order", at="2025-06-05 09:00", order_id="a", amount=60)
    [run] = shop.runs("u")
    assert (run.end_reason, run.goal_at) == ("goal", shop.at("2025-06-05 09:00"))
    assert shop.facts("u", "AIPL", "三层", "RFM五档") == ["购买", "活跃层", "活跃"]


def test_s2_56_who_viewed_a_rival_and_has_not_ordered_since_is_in_the_audience() -> None:
    condition = library().flows["竞品浏览拦截"].start.condition
    viewed = did("rival_view", 2)  # 20 June, on the 22nd
    assert user(viewed, now="2025-06-22 12:00").fits(condition)
    assert not user(viewed, bought(9, 1), now="2025-06-22 12:00").fits(condition)


@pytest.mark.parametrize(
    ("order", "given"),
    [("2025-06-07 12:00", ["限时券20"]), ("2025-06-08 09:00", ["限时券20"]), (None, ["限时券20", "加码券50"])],
    ids=["on day 6", "on day 7 before the step", "never"],
)
def test_s2_57_seven_days_after_the_coupon_it_is_replaced_by_a_bigger_one_once(memory: Engine, order: str | None, given: list[str]) -> None:
    shop = LibraryShop(memory, "竞品浏览拦截", start="2025-06-01 11:00")
    shop.somebody(did("visit", 1), 抖音号="d")
    shop.event("u", "rival_view", category="咖啡")
    if order:
        shop.event("u", "order", at=order, order_id="a", amount=60)
    shop.until("2025-06-12 12:00")
    assert [grant.benefit for grant in shop.grants("u")] == given
    if len(given) == 2:
        assert shop.grants("u")[0].state == "voided"
        assert "加码@06-08 10:00" in shop.sent("u")


def test_s2_58_a_conversion_flows_back_moves_the_user_and_is_a_label_of_the_next_fit(memory: Engine) -> None:
    shop = LibraryShop(memory, "竞品浏览拦截", start="2025-06-01 11:00")
    shop.somebody(did("visit", 1), 抖音号="d")
    shop.event("u", "rival_view", category="咖啡")
    shop.event("u", "order", at="2025-06-03 12:00", order_id="a", amount=60)
    assert "转化回流@06-03 12:00" in shop.sent("u")
    assert shop.facts("u", "AIPL") == ["购买"]
    base = Base(fresh=True)
    base(did("visit", 40), did("rival_view", 40), bought(60, 10))
    base(did("visit", 40), did("rival_view", 40))
    with transaction(base.engine) as tx:
        _, labels = fits.examples_for(tx, library(), library().metrics["转化概率"], at(NOON))
    assert sorted(labels) == [False, True]


@pytest.mark.parametrize(("levels", "found"), [(6, ["error"]), (5, [])])
def test_s2_59_x_06_a_playbook_acts_on_at_most_five_levels(levels: int, found: list[str]) -> None:
    names = [f"l{n}" for n in range(levels)]
    tier = "tier: many\nnote: why\nlevels: {" + ", ".join(f"{name}: orders = {n}" for n, name in enumerate(names)) + "}\n"
    flow = "{intent: serve, no_benefit: x, steps: {a: {at: now, send: hello}}}"
    acts = "playbook: all\ntier: many\ngoal: buys\nlevels:\n" + "".join(f"  {name}: {flow}\n" for name in names)
    assert [told[:5] for told in of_code(said_of(tier, acts), 603)] == found
    calm = acts.replace(f"  l{levels - 1}: {flow}", f"  l{levels - 1}: {{none: later}}")
    assert of_code(said_of(tier, calm), 603) == []


def test_s2_60_the_monthly_refresh_runs_once_at_three_and_is_caught_up_after_a_night_down(memory: Engine) -> None:
    grades = "metrics:\n  grade: {grade: spent, cuts: median, names: [low, high], only: orders > 0}\n"
    shop = Shop(memory, grades, start="2025-06-15 09:00")
    shop.load_history(
        [UserRecord(key, shop.at("2025-06-01"), {"phone": "13800000000"}) for key in ("a", "b")],
        [shop.record(key, "order", "2025-06-02 10:00", {"order_id": key, "amount": n}) for key, n in (("a", 10), ("b", 50))],
    )
    shop.jump("2025-07-01 03:00")
    assert (shop.beat().refreshed, shop.beat().refreshed) == (("grade",), ())
    with shop.app.transaction() as tx:
        assert fits.latest_fits(tx)["grade"].fit.cuts == (30.0,)
    shop.jump("2025-08-01 11:00")  # nobody worked at three
    assert (shop.beat().refreshed, shop.beat().refreshed) == (("grade",), ())


def test_s2_61_one_a_day_and_three_a_week_and_nothing_at_night(memory: Engine) -> None:
    steps = ", ".join(f"s{n}: {{at: day {n} 10:00, send: hello, late: 5d}}" for n in range(1, 5))
    shop = Shop(memory, book("event: cart", steps, goal="joins"), start="2025-03-01 12:00", project={"caps": "[1 per 1d, 3 per 7d]"})
    shop.user("u")
    shop.event("u", "cart")
    shop.until("2025-03-09 12:00")
    assert shop.sent("u") == ["s1@03-02 10:00", "s2@03-03 10:00", "s3@03-04 10:00", "s4@03-09 09:00"]


def test_s2_61_what_falls_due_at_half_past_ten_at_night_waits_for_nine(memory: Engine) -> None:
    shop = Shop(memory, book("event: cart", "a: {at: day 0 22:30, send: hello}"), start="2025-03-01 12:00")
    shop.user("u")
    shop.event("u", "cart")
    shop.until("2025-03-02 12:00")
    assert shop.sent("u") == ["a@03-02 09:00"]


def test_s2_62_the_third_view_in_ten_minutes_queues_a_touch_before_ingestion_answers(memory: Engine) -> None:
    catalogue = CATALOGUE.replace("  visits7:", "  views10: {count: visit, within: 10m}\n  visits7:")
    shop = Shop(memory, start="2025-03-01 12:00")
    shop.apply(book("enter: views10 >= 3", "a: {at: now, send: hello}"), catalogue=catalogue)
    for key, minutes in (("quick", (0, 4, 9)), ("slow", (10, 15, 20))):
        shop.user(key)
        for minute in minutes:
            shop.event(key, "visit", at=f"2025-03-01 12:{minute:02d}")
    assert (shop.sent("quick"), shop.states("slow")) == (["a@03-01 12:09"], [])


def test_s2_53_three_of_four_coupons_used_are_75_percent_and_make_a_coupon_user(memory: Engine) -> None:
    shop = LibraryShop(memory, "搜索发券", start="2025-06-27 09:00")
    shop.somebody(did("visit", 1))
    for day in (27, 28, 29, 30):
        shop.event("u", "search", at=f"2025-06-{day} 10:00", word="果汁")
        shop.event("u", "delivered", playbook="搜索发券", step="发券", benefit="行试用", actor="system")
    for grant in shop.grants("u")[:3]:
        shop.event("u", "benefit_used", code=grant.code)
    assert shop.facts("u", "券发放数", "券使用数", "用券率", "用券客") == [4, 3, Decimal("0.75"), True]
