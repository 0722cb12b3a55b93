"""The rows about who is in which level or carries which flag in a private domain: each bound at, below and above its number."""

from datetime import date
from decimal import Decimal
from itertools import product

import pytest
from sqlalchemy import Engine

from sop_engine.core import fitting
from sop_engine.core.tiers import Placer
from sop_engine.store import fits
from sop_engine.store.engine import transaction
from tests.requirements.shops import Base, Did, LibraryShop, bought, did, library, user


def rfm5(points: int | None) -> str | None:
    """The level of five that so many points give; None for nobody who ever bought."""
    facts = {"累计订单数": Decimal(0 if points is None else 1), "RFM总分": None if points is None else Decimal(points)}
    return Placer(library().tiers["RFM五档"]).level_of(facts, None)


def test_s1_02_novice_occasional_and_monthly_buyers_are_told_apart_by_rules() -> None:
    assert user(did("visit", 3))["新熟黄金"] == "小白"
    assert user(bought(90, 20, 170))["新熟黄金"] == "潜力"
    assert user(bought(90, 5, 35, 65))["新熟黄金"] == "黄金"
    assert user(bought(90, 5, 35, 40))["新熟黄金"] == "潜力"


@pytest.mark.parametrize(
    ("orders", "diamond"),
    [
        ([bought(2000, 10, 50, 90, 130)], True),
        ([bought(2000, 10, 50, 90), bought(1999, 130)], False),
        ([bought(9000, 10, 50, 90)], False),
        ([bought(2000, 10, 50, 90, 364)], True),
        ([bought(2000, 10, 50, 90, 365)], False),
    ],
    ids=["4 of 2,000", "1,999.75 on average", "3 orders", "the oldest on its last day", "the oldest a day later"],
)
def test_s1_07_diamond_is_four_orders_a_year_of_two_thousand_on_average(orders: list[Did], diamond: bool) -> None:
    assert user(*orders)["钻石会员"] is diamond


def test_s1_07_when_the_flag_is_withdrawn_the_pending_trial_is_cancelled(memory: Engine) -> None:
    shop = LibraryShop(memory, "钻石试用", start="2025-06-30 12:00")
    shop.somebody(bought(2000, 10, 50, 90, 364), did("visit", 1))
    assert shop.planned("u") == ["试用@07-02 10:00"]
    shop.until("2025-07-03 12:00")  # on 1 July the oldest order is 365 days old
    assert shop.facts("u", "钻石会员") == [False]
    assert (shop.ends("u"), shop.grants("u")) == (["left"], [])


def test_s1_10_whoever_has_no_order_is_new_however_much_they_interact() -> None:
    assert user(did("like", 1, times=5))["三层"] == "新客层"
    assert user(did("like", 1, times=5), bought(10, 0))["三层"] == "活跃层"


def test_s1_11_three_interactions_in_thirty_days_are_active() -> None:
    assert user(bought(50, 200), did("like", 1, 10, 29))["三层"] == "活跃层"
    assert user(bought(50, 200), did("like", 1, 10, 30))["三层"] == "一般层"


def test_s1_12_sixty_days_without_interaction_or_order_are_silent_and_who_never_bought_stays_new() -> None:
    assert user(bought(50, 90), did("like", 60))["三层"] == "沉默层"
    assert user(bought(50, 90), did("like", 59))["三层"] == "一般层"
    assert user(bought(50, 10, 200), did("like", 70))["三层"] != "沉默层"
    assert user(did("like", 60), joined="2025-01-01")["三层"] == "新客层"


def test_s1_27_one_condition_reads_who_how_much_and_why() -> None:
    flow = library().tags["三面合一"].when
    told = bought(300, *range(0, 24, 2)), did("consult", 1, 2, topic="产品")
    assert user(*told, 城市="上海").fits(flow)
    assert not user(*told, 城市="无锡").fits(flow) and not user(told[0], 城市="上海").fits(flow)
    assert not user(told[1], bought(300, 80), 城市="上海").fits(flow)


@pytest.mark.parametrize(("born", "inside"), [("2000-06-30", True), ("1989-07-01", True), ("2000-07-01", False), ("1989-06-30", False)])
def test_s1_29_ranges_and_sets_of_a_family_are_combined_to_the_day(born: str, inside: bool) -> None:
    child = {"孩子生日": date.fromisoformat("2015-06-30"), "婚姻": "已婚", "性别": "女"}
    assert user(生日=date.fromisoformat(born), **child)["中产妈妈"] is inside


def test_s1_29_a_child_that_turns_thirteen_takes_the_parent_out_at_midnight(memory: Engine) -> None:
    shop = LibraryShop(memory, start="2025-06-29 12:00")
    shop.somebody(did("visit", 1), 生日=date.fromisoformat("1995-01-01"), 孩子生日=date.fromisoformat("2012-06-30"), 婚姻="已婚", 性别="女")
    assert shop.facts("u", "中产妈妈", "孩子年龄") == [True, 12]
    shop.until("2025-06-30 00:00")
    assert shop.facts("u", "中产妈妈", "孩子年龄") == [False, 13]


def test_s1_31_main_channel_top_category_and_average_come_from_what_was_paid() -> None:
    known = user(*(did("paid", n, channel=c, category=k, amount=a) for n, (c, k, a) in enumerate(PAID)))
    assert (known["主渠道"], known["主品类"], known["渠道客单价"]) == ("小程序", "奶粉", 55)


PAID = [("小程序", "奶粉", 40), ("小程序", "奶粉", 60), ("小程序", "辅食", 50), ("线下门店", "奶粉", 70)]


@pytest.mark.parametrize(("orders", "amount", "is_vip"), [(12, "200.00", True), (11, "200.00", False), (12, "199.99", False)])
def test_s1_32_fresh_food_vip_is_three_orders_a_week_of_two_hundred(orders: int, amount: str, is_vip: bool) -> None:
    assert user(bought(amount, *range(orders)))["生鲜尊享"] is is_vip


def test_s1_33_nine_visits_in_ninety_days_are_three_a_month_and_posts_and_consults_are_counted() -> None:
    known = user(did("visit", *range(0, 90, 10)), did("visit", 90), did("post", 3, 4), did("consult", 2, topic="售后"))
    assert known["月均访问"] == 3
    assert (known["社交信号"], known["功能信号"]) == (2, 1)


def test_s1_35_a_weeks_spending_is_that_of_28_days_over_four() -> None:
    assert user(bought(100, 0, 9, 18, 27), bought(100, 28))["周均消费"] == 100


def test_s1_36_recency_frequency_and_money_share_one_window_of_a_year() -> None:
    known = user(bought(100, 10, 40, 400))
    assert [known[n] for n in ("距上次消费天数", "近365天订单数", "近365天消费额")] == [10, 2, 200]


def test_s1_38_two_orders_a_month_are_a_seed_of_referral() -> None:
    assert user(bought(30, *range(0, 90, 15)))["转介种子"] is True
    assert user(bought(30, *range(0, 75, 15)))["转介种子"] is False


def test_s1_39_high_net_worth_is_strictly_above_the_average_of_the_industry() -> None:
    assert [user(bought(amount, 10))["高净值客"] for amount in ("300.01", "300.00")] == [True, False]


@pytest.mark.parametrize(
    ("orders", "black"),
    [([bought("5000.00", 9)], False), ([bought("5000.01", 9)], True), ([bought(3000, 9, 12)], False), ([bought(5001, 365)], False)],
)
def test_s1_40_a_black_card_is_one_order_over_five_thousand_in_a_year(orders: list[Did], black: bool) -> None:
    assert user(*orders)["黑卡"] is black


def test_s1_40_a_refund_withdraws_the_black_card() -> None:
    known = user(did("order", 9, order_id="black", amount=6000), did("refund", 5, order_id="black", amount=6000))
    assert known["黑卡"] is False


def test_s1_41_three_scores_are_kept_and_summed_and_nobody_without_orders_has_a_level() -> None:
    known = user(bought(300, 2, *range(20, 350, 30)))
    assert [known[n] for n in ("R分", "F分", "M分", "RFM总分", "RFM五档")] == [5, 5, 4, 14, "高价值"]
    assert user(did("visit", 1))["RFM五档"] is None


def test_s1_41_by_quintiles_equal_customers_score_alike_and_the_richest_fifth_has_five() -> None:
    base = Base(fresh=True)
    spent = [100, 100, 100, 100, 200, 300, 400, 500, 600, 700]
    people = [base(bought(amount, 10)) for amount in spent]
    metric = library().metrics["消费五等"]
    with transaction(base.engine) as tx:
        rows = fits.values_for(tx, library(), metric, people[0].now)
        fits.save_fit(tx, metric, fitting.fit_cuts(metric, [row[0] for row in rows]), people[0].now)
    grades = [person["消费五等"] for person in people]
    assert len(set(grades[:4])) == 1 and grades[-2:] == [5, 5]
    assert grades == sorted(grades)


@pytest.mark.parametrize(("points", "level"), [(15, "高价值"), (13, "高价值"), (12, "潜力")])
def test_s1_42_high_value_begins_at_thirteen_points(points: int, level: str) -> None:
    assert rfm5(points) == level


def test_s1_43_potential_is_ten_to_twelve_points_and_the_weakest_dimension_is_known() -> None:
    assert [rfm5(points) for points in (12, 10, 9)] == ["潜力", "潜力", "活跃"]
    rare = user(bought(5000, 3))
    assert [rare[n] for n in ("RFM总分", "RFM五档", "最弱维度")] == [11, "潜力", "频次"]
    small = user(bought(100, 20, *range(40, 90, 10)))
    assert [small[n] for n in ("RFM总分", "RFM五档", "最弱维度")] == [10, "潜力", "金额"]
    step = library().flows["RFM五档经营/潜力"].steps[0]
    assert step.send is not None and {word for word, _ in step.send.options} == {"时近", "频次", "金额"}


def test_s1_44_active_is_seven_to_nine_points_and_who_bought_long_ago_gets_no_promotion() -> None:
    assert [rfm5(points) for points in (9, 7, 6)] == ["活跃", "活跃", "沉默"]
    long_ago = user(bought(400, 100, *range(120, 170, 10)))
    assert [long_ago[n] for n in ("R分", "F分", "M分", "RFM五档", "近分矛盾")] == [1, 4, 4, "活跃", True]
    assert not long_ago.fits(library().flows["RFM五档经营/活跃"].only)


def test_s1_45_silent_is_four_to_six_points_and_a_recent_buyer_is_not_missed() -> None:
    assert [rfm5(points) for points in (6, 4, None)] == ["沉默", "沉默", None]
    recent = user(bought(100, 20))
    assert [recent[n] for n in ("R分", "F分", "M分", "RFM五档", "近期买过")] == [4, 1, 1, "沉默", True]
    assert not recent.fits(library().flows["RFM五档经营/沉默"].only)
    assert user(bought(100, 40)).fits(library().flows["RFM五档经营/沉默"].only)
    assert user(bought(100, 5))["RFM五档"] == "活跃"


def test_s1_46_low_value_is_exactly_three_points_one_triple_of_125_and_gets_general_benefits_alone() -> None:
    levels = [rfm5(sum(triple)) for triple in product(range(1, 6), repeat=3)]
    assert {level: levels.count(level) for level in set(levels)} == {"高价值": 10, "潜力": 43, "活跃": 52, "沉默": 19, "低价值": 1}
    assert rfm5(3) == "低价值"
    flow = library().flows["RFM五档经营/低价值"]
    assert {name for step in flow.steps if step.give for name in step.give.names()} == {"通用福利券"}


@pytest.mark.parametrize(
    ("happened", "level", "cooling"),
    [
        ([did("like", 0, 3, 6)], "深度", False),
        ([did("like", 0, 6)], "中度", False),
        ([did("like", 10, 29)], "中度", True),
        ([did("like", 30)], "轻度", False),
    ],
    ids=["three in a week", "two in a week", "two in a month, none in a week", "none in a month"],
)
def test_s1_49_content_levels_leave_no_gap(happened: list[Did], level: str, cooling: bool) -> None:
    known = user(*happened)
    assert (known["内容互动"], known["转冷"]) == (level, cooling)


def test_s1_53_the_need_is_what_was_shown_most_and_the_survey_wins() -> None:
    consults, shares = did("consult", 1, 5, 9, topic="产品"), did("share", 2, 3)
    known = user(consults, shares)
    assert [known[n] for n in ("需求场景", "功能需求", "社交需求")] == ["功能型", True, True]
    assert user(consults, did("survey", 100, answer="情感型"))["需求场景"] == "情感型"
    assert user(consults, did("survey", 365, answer="情感型"))["需求场景"] == "功能型"
    assert user(did("consult", 1, topic="产品"))["需求场景"] is None


def test_s1_55_seven_daily_check_ins_are_a_streak_of_seven_and_a_miss_ends_it() -> None:
    assert user(did("checkin", *range(7)))["连续打卡"] == 7
    assert user(did("checkin", *range(1, 8)))["连续打卡"] == 7  # today is not over
    assert user(did("checkin", *range(2, 9)))["连续打卡"] == 0
    assert user(did("post", 1, 2, 3, 20))["社群发言环比"] == 3


def test_s1_58_a_silent_comparer_views_five_times_and_one_interaction_withdraws_it() -> None:
    assert user(did("detail_view", *range(5)))["默默对比"] is True
    assert user(did("detail_view", *range(4)))["默默对比"] is False
    assert user(did("detail_view", *range(5)), did("like", 29))["默默对比"] is False


@pytest.mark.parametrize(
    ("opened", "before", "after", "warned"), [(15, 6, 3, True), (15, 6, 4, False), (14, 6, 3, False), (15, 0, 0, False)]
)
def test_s1_62_fifteen_days_unopened_and_half_the_posts_are_an_early_warning(opened: int, before: int, after: int, warned: bool) -> None:
    known = user(
        bought(50, 20), did("open_app", opened), did("like", 2, times=3), did("post", 20, times=before), did("post", 5, times=after)
    )
    assert known["三层"] == "活跃层"
    assert known.fits(library().flows["预警沉默"].start.condition) is warned
