"""`sop split`: whether a dimension divides users by an outcome, with the statistics of scipy and the verdicts of the requirement."""

from dataclasses import replace
from random import Random

import pytest
from scipy.stats import chi2_contingency, kruskal, mannwhitneyu
from sqlalchemy import Engine

from sop_engine.actions.split import Split, split
from sop_engine.core.errors import BadInput, Refused
from sop_engine.core.records import EventRecord, UserRecord
from sop_engine.core.split_words import sentences
from sop_engine.core.stats.splits import Group, split_by_number, split_by_rate
from tests.shop import Shop

SAMPLES = {  # name -> city -> (users with leave to mail, users)
    "clear": {"Shanghai": (40, 100), "Beijing": (10, 100)},
    "alike": {"Shanghai": (21, 100), "Beijing": (20, 100)},
    "small": {"Shanghai": (3, 5), "Beijing": (1, 5)},
}
SPENT = {"Shanghai": [1, 1, 2, 3, 5, 8], "Beijing": [2, 3, 3, 4, 9, 9, 9], "Paris": [7, 7, 8, 8, 8, 9]}
TIER = "tier: worth\nnote: why\nlevels: {some: spent > 4, little: otherwise}\n"


def shop_of(engine: Engine) -> Shop:
    """The samples, and buyers of three cities whose orders came by ads (Shanghai) or by search."""
    shop = Shop(engine, TIER, start="2025-03-01 09:00")
    people = [
        UserRecord(f"{name}-{city}-{n}", shop.now, {"name": name, "city": city, "mail_ok": n < yes})
        for name, cities in SAMPLES.items()
        for city, (yes, users) in cities.items()
        for n in range(users)
    ]
    orders = list[EventRecord]()
    for city, amounts in SPENT.items():
        for n, amount in enumerate(amounts):
            key = f"buyer-{city}-{n}"
            people.append(UserRecord(key, shop.now, {"name": "buyers", "city": city}))
            order = shop.record(key, "order", "2025-02-01 10:00", {"order_id": key, "amount": amount})
            orders.append(replace(order, source="ads" if city == "Shanghai" else "search"))
    people += [UserRecord(f"nowhere-{n}", shop.now, {"name": "clear", "mail_ok": True}) for n in range(3)]
    shop.load_history(people, orders)
    return shop


def asked(shop: Shop, dimension: str, outcome: str, within: str = "everyone") -> Split:
    with shop.app.work(shop.now) as work:
        return split(work, dimension, outcome, within)


def test_s3_11_rates_of_40_and_10_of_100_need_a_split_21_and_20_do_not_and_3_and_1_of_5_are_too_few(engine: Engine) -> None:
    shop = shop_of(engine)
    clear = asked(shop, "city", "mail_ok", "name = clear")
    assert (clear.tested.verdict, clear.unknown) == ("needed", 3)
    assert clear.tested.statistic == pytest.approx(24.0) and clear.tested.p is not None and clear.tested.p < 0.001
    assert (clear.tested.points, clear.tested.highest, clear.tested.lowest) == (pytest.approx(30), "Shanghai", "Beijing")
    assert [(g.name, g.users, g.yes) for g in clear.tested.groups] == [("Beijing", 100, 10), ("Shanghai", 100, 40)]
    alike = asked(shop, "city", "mail_ok", "name = alike").tested
    assert (alike.verdict, round(alike.statistic or 0, 2), round(alike.p or 0, 2)) == ("not_needed", 0.03, 0.86)
    small = asked(shop, "city", "mail_ok", "name = small").tested
    assert (small.verdict, small.p, [g.users for g in small.few]) == ("insufficient", None, [5, 5])


def test_s3_02_11_a_number_is_compared_by_ranks_as_scipy_does_it_with_ties(engine: Engine) -> None:
    shop = shop_of(engine)
    three = asked(shop, "city", "spent", "name = buyers").tested
    found = kruskal(*(SPENT[city] for city in SPENT))
    assert (three.statistic, three.p) == (pytest.approx(found.statistic), pytest.approx(found.pvalue))
    assert {g.name: (g.mean, g.median) for g in three.groups} == {
        "Shanghai": (pytest.approx(20 / 6), 2.5),
        "Beijing": (pytest.approx(39 / 7), 4),
        "Paris": (pytest.approx(47 / 6), 8),
    }
    few = asked(shop, "city", "spent", "name = buyers and (city != Paris or spent > 8)").tested
    assert ([g.name for g in few.few], [g.name for g in few.groups]) == (["Paris"], ["Beijing", "Shanghai"])
    two = asked(shop, "city", "spent", "name = buyers and city != Paris").tested
    assert (few.p, few.effect, few.verdict) == (two.p, two.effect, two.verdict)
    u = mannwhitneyu(SPENT["Beijing"], SPENT["Shanghai"], use_continuity=False, method="asymptotic")
    assert (two.test, two.p) == ("mann_whitney", pytest.approx(u.pvalue))
    assert two.effect == pytest.approx(2 * u.statistic / 42 - 1)


def test_s3_11_a_dimension_is_an_attribute_a_tag_a_tier_or_the_first_channel(engine: Engine) -> None:
    shop = shop_of(engine)
    shop.set("buyer-Paris-0", vip=True)

    def groups(dimension: str) -> dict[str, int]:
        tested = asked(shop, dimension, "orders >= 1", "name = buyers").tested
        return {g.name: g.users for g in (*tested.groups, *tested.few)}

    assert groups("vip") == {"no": 18, "yes": 1}
    assert groups("worth") == {"little": 8, "some": 11}
    assert groups("first_channel") == {"ads": 6, "search": 13}
    assert asked(shop, "first_channel", "spent >= 7", "some").tested.groups == ()  # a level alone, where only one model has it
    assert asked(shop, "first_channel", "mail_ok").unknown == 413  # nothing ever happened to them


def test_s3_11_what_is_no_dimension_is_refused(engine: Engine) -> None:
    shop = shop_of(engine)
    wrong = [
        ("spent", "orders", "is a number"),
        ("phone", "orders", "different for everybody"),
        ("id", "orders", "different for everybody"),
    ]
    for dimension, outcome, said in wrong:
        with pytest.raises(BadInput, match=said):
            asked(shop, dimension, outcome)
    shop.load_history([UserRecord(f"x{n}", shop.now, {"adviser": f"a{n}"}) for n in range(202)], [])
    with pytest.raises(Refused, match="more than 200 values"):
        asked(shop, "adviser", "mail_ok")


def test_s3_11_a_small_city_does_not_hide_the_large_ones_and_is_named() -> None:
    groups = [Group("a", 100, 40), Group("b", 100, 10), Group("tiny", 4, 4)]
    tested = split_by_rate(groups)
    assert (tested.verdict, [g.name for g in tested.few]) == ("needed", ["tiny"])
    assert tested.statistic == pytest.approx(24.0)
    _, lines = sentences(tested, {"dimension": "city", "outcome": "o", "within": "w", "unknown": 7}, "en")
    assert lines == [
        "χ² = 24.0, df = 1, p < 0.001; effect Cramér's V = 0.35; 30.0 points from b to a",
        "Needed: the groups differ by more than chance, 30.0 points between b and a. Treat them differently.",
        "Left out for being too small: tiny (4).",
        "7 users whose city is unknown are left out.",
    ]


def test_s3_11_many_groups_agree_with_chi_square_of_scipy() -> None:
    draw = Random(7)
    for _ in range(50):
        groups = [Group(str(n), users := draw.randint(40, 300), draw.randint(users // 4, users // 2)) for n in range(draw.randint(2, 6))]
        found = chi2_contingency([[g.yes, g.users - g.yes] for g in groups], correction=False)
        tested = split_by_rate(groups)
        assert (tested.statistic, tested.p) == (pytest.approx(found.statistic), pytest.approx(found.pvalue))


def test_s3_11_a_sure_difference_below_5_points_needs_no_split_and_says_so() -> None:
    tested = split_by_rate([Group("a", 100_000, 50_000), Group("b", 100_000, 46_000)])
    assert (tested.verdict, round(tested.points or 0, 2)) == ("not_needed", 4.0)
    asked = {"dimension": "d", "outcome": "o", "within": "w", "unknown": 0}
    assert sentences(tested, asked, "zh")[1][-1] == "不需要：差别确实存在，但不到 5 个百分点，用同一种做法就够了。"
    assert split_by_rate([Group("a", 1000, 450), Group("b", 1000, 400)]).verdict == "needed"  # 5 points are enough


def test_s3_11_nothing_can_be_said_of_one_group_of_equal_numbers_or_of_an_outcome_nobody_has() -> None:
    assert split_by_rate([Group("a", 1000, 300)]).verdict == "insufficient"
    assert split_by_rate([Group("a", 1000), Group("b", 1000)]).verdict == "insufficient"
    assert split_by_number([Group("a", 6, ranks=39, ties=6 * 143), Group("b", 6, ranks=39, ties=6 * 143)]).verdict == "insufficient"
    assert split_by_number([]).verdict == "insufficient"
