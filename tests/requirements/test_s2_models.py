"""The rows about the six models: who is in which level, at each bound, and how population cuts are found and frozen."""

from collections import Counter
from dataclasses import replace
from decimal import Decimal
from itertools import product
from random import Random

import pytest
from sqlalchemy import Engine

from sop_engine.core.clustering import fit_cluster
from sop_engine.core.fitting import fit_rank
from sop_engine.core.scoring import cluster_of, rank_of
from sop_engine.core.tiers import Placer
from sop_engine.store import fits
from sop_engine.store.engine import transaction
from tests.golden.population import golden_users
from tests.requirements.shops import NOON, Base, Did, Known, LibraryShop, at, bought, did, golden_levels, library, user, with_target


def test_s2_01_all_six_models_stand_side_by_side() -> None:
    models = set(library().tiers)
    assert {"RFM五档", "RFM八类", "AARRR", "社区金字塔", "生命周期", "AIPL", "消费场景", "社媒互动", "三层", "叠加基座"} <= models
    assert user(did("visit", 1), bought(50, 9)).levels("生命周期", "AIPL") == ["成长期", "购买"]


def buyer(base: Base, recency: int, orders: int, money: int) -> Known:
    """A buyer with this R, F and M."""
    return base(bought(Decimal(money) / orders, *range(recency, recency + orders)))


CELLS = ["重要价值", "一般价值", "重要发展", "一般发展", "重要保持", "一般保持", "重要挽留", "一般挽留"]


def test_s2_05_06_eight_cells_are_cut_at_the_medians_of_the_buyers() -> None:
    base = Base(fresh=True)
    people = [buyer(base, r, f, m) for r, f, m in product((5, 60), (8, 1), (1000, 100))]
    nobody = base(did("visit", 1))
    assert [fit.cuts for fit in base.fit("R档", "F档", "M档")] == [(32.5,), (4.5,), (550.0,)]
    assert [person["RFM八类"] for person in people] == CELLS
    assert nobody["RFM八类"] is None
    assert [people[0]["R档"], people[-1]["R档"]] == ["高", "低"]  # 5 days are better than 60


def test_s2_06_when_all_are_equal_all_are_high_and_the_fit_says_degenerate() -> None:
    base = Base(fresh=True)
    people = [buyer(base, r, 2, 100 * (r + 1)) for r in range(4)]
    [fit] = base.fit("F档")
    assert fit.degenerate and {person["F档"] for person in people} == {"高"}


@pytest.mark.parametrize(
    ("recency", "orders", "money", "cell"),
    [
        pytest.param(2, 12, 3600, "重要价值", id="s2_07"),
        pytest.param(20, 1, 5000, "重要发展", id="s2_08"),
        pytest.param(149, 1, 500, "重要挽留", id="s2_09"),
    ],
)
def test_s2_07_08_09_over_medians_of_20_days_two_orders_and_500_a_tie_is_high(recency: int, orders: int, money: int, cell: str) -> None:
    base = Base(fresh=True).frozen(R档=20, F档=2, M档=500)
    assert buyer(base, recency, orders, money)["RFM八类"] == cell


def test_s2_10_x_06_five_actions_cover_the_eight_cells() -> None:
    placer = Placer(library().tiers["RFM行动"])
    rolled = {cell: placer.level_of({"RFM八类": cell}, None) for cell in CELLS}
    assert rolled == {
        "重要价值": "高价值", "重要发展": "潜力", "重要保持": "挽留", "重要挽留": "挽留",
        "一般价值": "成长", "一般发展": "成长", "一般保持": "沉默", "一般挽留": "沉默",
    }  # fmt: skip
    assert len(library().tiers["RFM行动"].levels) == 5 == library().settings.max_levels


@pytest.mark.parametrize(
    ("happened", "inside"),
    [
        ([bought(90, 30, 200)], True),
        ([bought(90, 29, 200)], False),
        ([bought(90, 30, 200, 300)], False),
        ([did("visit", 90)], False),
    ],
    ids=["30 days, two orders", "29 days", "three orders", "never bought"],
)
def test_s2_11_lost_in_retail_is_thirty_days_and_at_most_two_orders(happened: list[Did], inside: bool) -> None:
    assert user(*happened).fits(library().flows["零售流失召回"].start.condition) is inside
    coupon = library().benefits["回归券满199减50"]
    assert (coupon.min_spend, Decimal(str(coupon.worth))) == (199, 50)


def test_s2_12_one_user_a_stage_and_none_in_two() -> None:
    assert {levels["AARRR"] for levels in golden_levels().values()} == {"激活", "留存", "收入", "传播"}
    assert {k: v["AARRR"] for k, v in golden_levels().items()} == {k: e["levels"]["AARRR"] for k, e in golden_users().expect.items()}


def test_s2_13_whoever_has_not_come_yet_is_to_be_acquired() -> None:
    assert user()["AARRR"] == "获取"
    assert user(did("ad_exposure", 3))["AARRR"] == "获取"


def test_s2_14_visits_without_an_order_are_to_be_activated() -> None:
    assert user(did("visit", 3, 2, 1))["AARRR"] == "激活"


def test_s2_15_retained_is_activity_a_week_after_the_first_order_and_lately() -> None:
    base = Base(with_target())
    assert base(bought(50, 8), did("visit", 7))["AARRR"] == "留存"
    assert base(bought(50, 8), did("visit", 1))["AARRR"] != "留存"
    assert base(bought(50, 100), did("visit", 14))["AARRR"] == "留存"
    assert base(bought(50, 100), did("visit", 13))["AARRR"] != "留存"


def test_s2_16_17_spending_under_the_target_is_revenue_and_from_it_on_referral() -> None:
    base = Base(with_target())
    assert base(bought(300, 40), did("visit", 1))["AARRR"] == "收入"
    assert base(bought("999.99", 40), did("visit", 1))["AARRR"] == "收入"
    known = base(bought(1000, 40), did("visit", 1), did("invite", 3, times=5), did("accepted_invite", 2))
    assert [known[n] for n in ("AARRR", "邀请数", "邀请转化率", "意见推广者")] == ["传播", 5, Decimal("0.2"), True]


@pytest.mark.parametrize(("people", "shape"), [(200, [20, 30, 40, 110]), (20, [2, 3, 4, 11]), (7, [1, 1, 1, 4])])
def test_s2_22_by_share_the_pyramid_is_10_15_20_and_55_percent(people: int, shape: list[int]) -> None:
    metric, placer = library().metrics["贡献排名"], Placer(library().tiers["贡献金字塔"])
    fit = fit_rank(metric, list(range(1, people + 1)))
    levels = Counter(placer.level_of({"贡献值": Decimal(n), "贡献排名": rank_of(metric, n, fit)}, None) for n in range(1, people + 1))
    assert [levels[name] for name in ("塔尖", "骨干", "高价值", "普通")] == shape


def test_s2_22_equal_contributions_share_a_level_and_none_is_always_ordinary() -> None:
    base = Base(fresh=True)
    people = [base(did("like", 3, times=n)) for n in (9, 5, 5, 5, 1, 0)]
    metric = library().metrics["贡献排名"]
    with transaction(base.engine) as tx:
        fits.save_fit(tx, metric, fit_rank(metric, [row[0] for row in fits.values_for(tx, library(), metric, at(NOON))]), at(NOON))
        for user_id in base.ids:
            base.place(tx, user_id, at(NOON))
    levels = [person["贡献金字塔"] for person in people]
    assert len(set(levels[1:4])) == 1 and levels[-1] == "普通"


def test_s2_23_staff_are_managers_and_get_no_marketing_ever(memory: Engine) -> None:
    shop = LibraryShop(memory, "新客首单培育", start="2025-03-01 09:00")
    shop.somebody(key="official", 社区角色="官方")
    shop.somebody(key="insider", 内部账号=True)
    assert shop.facts("official", "社区金字塔") == ["管理者"]
    shop.until("2025-03-09 12:00")
    assert shop.texts_sent() == [] and {t.reason for t in shop.touches("insider") if t.state == "skipped"} == {"excluded"}


def test_s2_24_moderators_and_koc_are_collaborators_by_role() -> None:
    assert [user(社区角色=role)["社区金字塔"] for role in ("版主", "社群长", "KOC")] == ["协作者"] * 3


def test_s2_25_26_kol_vip_and_accepted_authors_are_high_value_and_all_others_ordinary() -> None:
    assert [user(社区角色="KOL")["社区金字塔"], user(会员等级="VIP")["社区金字塔"]] == ["高价值"] * 2
    accepted = {"accepted": True}
    assert user(did("post", 29, **accepted))["社区金字塔"] == "高价值"
    assert [user(did("post", 30, **accepted))["社区金字塔"], user(did("post", 3, accepted=False))["社区金字塔"]] == ["普通"] * 2
    assert user(社区角色="成员")["社区金字塔"] == "普通"


@pytest.mark.parametrize("model", ["生命周期", "三层", "AIPL", "RFM五档", "内容互动", "需求场景"])
def test_s2_29_every_golden_user_has_the_known_level(model: str) -> None:
    found = {key: levels[model] for key, levels in golden_levels().items()}
    assert found == {key: expected["levels"][model] for key, expected in golden_users().expect.items()}


def test_s2_30_after_day_seven_an_unconverted_newcomer_is_overdue_and_still_new() -> None:
    for joined, overdue in (("2025-06-23", False), ("2025-06-22", True)):
        known = user(did("visit", 1), joined=joined)
        assert (known["生命周期"], known["逾期"]) == ("引入期", overdue)


@pytest.mark.parametrize("orders", [[10], [10, 20], [5, 6, 8, 9]])
def test_s2_31_growth_is_one_or_two_orders_or_more_small_ones(orders: list[int]) -> None:
    assert user(bought(20, *orders), did("visit", 1))["生命周期"] == "成长期"


def test_s2_32_mature_is_three_orders_in_ninety_days_of_at_least_the_threshold() -> None:
    assert user(bought(150, 1, 40, 89))["生命周期"] == "成熟期"
    assert user(bought("149.99", 1, 40, 89))["生命周期"] == "成长期"
    assert user(bought(150, 1, 40, 90))["生命周期"] == "成长期"


@pytest.mark.parametrize(
    ("before", "since", "level"), [(10, 7, "衰退期"), (10, 8, "成长期"), (3, 1, "成长期")], ids=["exactly 30 %", "20 %", "base too small"]
)
def test_s2_33_decline_is_activity_down_by_thirty_percent_from_at_least_four(before: int, since: int, level: str) -> None:
    assert user(bought(50, 100), did("visit", 45, times=before), did("visit", 5, times=since))["生命周期"] == level


def test_s2_34_lost_is_more_than_thirty_days_without_a_visit() -> None:
    assert [user(bought(9, 100), did("visit", days))["生命周期"] for days in (30, 31)] == ["成长期", "流失期"]
    assert [user(joined=joined)["生命周期"] for joined in ("2025-05-31", "2025-05-30")] == ["引入期", "流失期"]


def test_s2_35_a_group_buyer_of_three_orders_a_month_declines_after_seven_days() -> None:
    for earlier, last, declines in ((9, 7, True), (9, 6, False), (7, 7, False)):
        known = user(bought(80, 90, times=earlier), bought(80, last), did("visit", 1), joined="2025-03-20")
        assert (known["团购衰退"], known["生命周期"] == "衰退期") == (declines, declines)
    assert user(bought(80, 17, 12, 7), did("visit", 1), joined="2025-06-10")["历史月均购买"] == 3


@pytest.mark.parametrize(
    ("happened", "level"),
    [
        pytest.param([did("ad_exposure", 9), did("detail_view", 8), bought(9, 7)], "购买", id="s2_37 the highest stage"),
        pytest.param([], None, id="s2_37 nothing known"),
        pytest.param([did("ad_exposure", 9)], "认知", id="s2_38 an ad"),
        pytest.param([did("search", 9)], "认知", id="s2_38 a search"),
        pytest.param([did("follow", 9)], "兴趣", id="s2_39 a follow"),
        pytest.param([did("add_to_cart", 9)], "兴趣", id="s2_39 a cart"),
        pytest.param([bought(9, 364)], "购买", id="s2_40 one order"),
        pytest.param([bought(9, 365)], None, id="s2_40 too long ago"),
        pytest.param([bought(9, 1, 2, 3)], "忠诚", id="s2_41 three orders"),
        pytest.param([bought(9, 1, 2)], "购买", id="s2_41 two orders"),
        pytest.param([bought(9, 1), did("share", 2)], "忠诚", id="s2_41 an order and a share"),
        pytest.param([did("share", 2)], "兴趣", id="s2_41 a share alone"),
    ],
)
def test_s2_37_38_39_40_41_the_chain_is_the_highest_stage_reached(happened: list[Did], level: str | None) -> None:
    assert user(*happened)["AIPL"] == level


def test_s2_41_other_readings_of_loyalty_are_other_rules() -> None:
    assert user(bought(9, 1, 2))["宽口径AIPL"] == "忠诚"
    assert user(did("share", 2))["宽口径AIPL"] == "忠诚"


@pytest.mark.slow
def test_s2_46_three_groups_are_found_and_named_alike_every_time() -> None:
    random = Random(7)
    centres = {"午后": (0.9, 0.05, 0.05), "拼单": (0.05, 0.9, 0.05), "周末": (0.1, 0.1, 0.8)}
    rows = [(word, [x + random.gauss(0, 0.08) for x in centre]) for word, centre in centres.items() for _ in range(40)]
    metric = replace(library().metrics["场景簇"], into=(2, 5))
    fit = fit_cluster(metric, [row for _, row in rows])
    assert fit == fit_cluster(metric, [row for _, row in rows])
    numbers = {word: Counter(cluster_of(row, fit) for w, row in rows if w == word) for word in centres}
    assert len(fit.centres) == 3
    assert sum(max(found.values()) for found in numbers.values()) / len(rows) >= 0.95
    assert len({found.most_common(1)[0][0] for found in numbers.values()}) == 3


def test_s2_46_fewer_than_three_orders_are_in_no_cluster() -> None:
    base, metric = Base(fresh=True), library().metrics["场景簇"]
    rows = [[0.9, 0.05, 0.05]] * 5 + [[0.05, 0.9, 0.05]] * 4 + [[0.05, 0.05, 0.9]] * 3
    with transaction(base.engine) as tx:
        fits.save_fit(tx, metric, fit_cluster(metric, rows), at(NOON))
    cups = {"items": 1}
    weekdays = (3, 4, 5)  # Friday, Thursday and Wednesday before Monday, 30 June
    assert base(bought(18, *(d + 0.8 for d in weekdays), **cups))["消费场景"] == "工作日午后单人杯"
    assert base(bought(18, *(d + 0.8 for d in weekdays[:2]), **cups))["消费场景"] is None
