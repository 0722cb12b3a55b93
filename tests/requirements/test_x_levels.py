"""The rows that close contradictions about levels and facts: same words, bounds, silences, refunds, history, nobody without data."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import Engine

from sop_engine.actions.arm_funnel import funnels
from sop_engine.actions.arm_lives import Person
from sop_engine.actions.asking import tier_shares
from sop_engine.core.records import UserRecord
from sop_engine.core.say import say
from sop_engine.core.sms import sms_parts
from sop_engine.store.arms import ArmTouch, Assigned
from tests.builders import at
from tests.requirements.shops import Did, LibraryShop, book, bought, did, library, of_code, said_of, user
from tests.shop import Shop, keys
from tests.shop_project import CATALOGUE, text


def test_x_01_a_bare_level_is_an_error_that_suggests_every_model_which_has_it() -> None:
    tier = "tier: {}\nnote: x\nlevels: {{active: orders >= 1, rest: otherwise}}\n"
    two = tier.format("rfm") + "---\n" + tier.format("layer")
    [told] = of_code(said_of(two, book("enter: active and orders > 0", "a: {at: now, send: hello}")), 406)
    assert told.startswith("error") and "rfm = active" in told and "layer = active" in told


@pytest.mark.parametrize(
    ("name", "below", "level", "above"),
    [
        ("零售流失", [bought(9, 29)], [bought(9, 30)], [bought(9, 31)]),
        ("黑卡", [bought("4999.99", 1)], [bought("5000.00", 1)], [bought("5000.01", 1)]),
        ("高净值客", [bought("299.99", 1)], [bought("300.00", 1)], [bought("300.01", 1)]),
        ("转介种子", [bought(9, *range(5))], [bought(9, *range(6))], [bought(9, *range(7))]),
        ("默默对比", [did("detail_view", *range(4))], [did("detail_view", *range(5))], [did("detail_view", *range(6))]),
        ("钻石会员", [bought("1999.99", 1, 2, 3, 4)], [bought(2000, 1, 2, 3, 4)], [bought("2000.01", 1, 2, 3, 4)]),
        ("生鲜尊享", [bought("199.99", *range(12))], [bought(200, *range(12))], [bought("200.01", *range(12))]),
    ],
)
def test_x_02_at_just_below_and_just_above_each_number(name: str, below: list[Did], level: list[Did], above: list[Did]) -> None:
    strict = name in ("黑卡", "高净值客")
    assert [user(*told)[name] for told in (below, level, above)] == [False, not strict, True]


def test_x_02_thirty_and_thirty_one_days_and_ten_thousand_and_one_followers() -> None:
    assert [user(bought(9, 200), did("visit", d))["生命周期"] == "流失期" for d in (29, 30, 31)] == [False, False, True]
    told = did("recommend", 9), did("like", 1)
    assert [user(*told, 粉丝数=n)["社媒互动"] == "KOL" for n in (9999, 10000, 10001)] == [False, False, True]


def test_x_03_a_day_is_read_back_with_its_anchor_and_an_unknown_anchor_is_an_error() -> None:
    told = say(library().flows["沉默45天唤醒"], library())
    assert "最近活动" in told and "第 45 天" in told
    assert len(of_code(said_of(book("event: cart", "a: {at: day 45 10:00, send: hello}", "anchor: last_actve")), 301)) == 1


def test_x_04_each_silence_has_its_own_measure() -> None:
    known = user(bought(60, 70, 200), did("visit", 20), did("like", 61))
    assert (known["零售流失"], known["生命周期"] == "流失期", known["三层"]) == (True, False, "沉默层")


def test_x_05_day_45_is_14_days_after_the_level_begins_on_day_31_and_not_day_76(memory: Engine) -> None:
    shop = LibraryShop(memory, "沉默45天唤醒", start="2025-03-01 20:00", variant="怀旧")
    shop.somebody(bought(300, 30), did("visit", 0), joined="2024-01-01")
    shop.until("2025-04-01 00:00")
    assert shop.facts("u", "未访问天数", "生命周期") == [31, "流失期"]
    assert shop.planned("u")[0] == "第45天唤醒@04-15 10:00"
    wrong = book("enter: quiet >= 31", "a: {at: day 45 10:00, send: hello}", "holdout: 10%", intent="win_back")
    assert [told[:7] for told in of_code(said_of(wrong), 701)] == ["warning"]
    assert of_code(said_of(wrong.replace("holdout", "anchor: last_active\nholdout")), 701) == []


def test_x_14_a_refund_of_the_only_order_leads_back_at_once_without_a_second_welcome(memory: Engine) -> None:
    shop = LibraryShop(memory, "三层经营", start="2025-06-01 12:00")
    shop.somebody()
    assert shop.sent("u") == ["欢迎@06-01 12:00"]
    shop.event("u", "order", at="2025-06-02 12:00", order_id="a", amount=88)
    assert shop.facts("u", "三层", "RFM五档") == ["活跃层", "活跃"]
    shop.event("u", "refund", at="2025-06-03 12:00", order_id="a", amount=88)
    assert shop.facts("u", "三层", "RFM五档") == ["新客层", None]
    shop.event("u", "order", at="2025-06-04 12:00", order_id="trial", amount=0.01)
    assert shop.facts("u", "三层", "累计订单数") == ["新客层", 0]
    shop.until("2025-06-10 12:00")
    assert [s for s in shop.sent("u") if s.startswith("欢迎")] == ["欢迎@06-01 12:00"]


def test_x_14_a_partial_refund_lowers_the_amount() -> None:
    known = user(did("order", 9, order_id="o", amount=100), did("refund", 3, order_id="o", amount=30))
    assert (known["累计订单数"], known["近365天消费额"]) == (1, 70)


STAGES = "tier: stage\nnote: x\nlevels: {a: city = Paris, b: city = Beijing, c: city = Shanghai, d: city is known, e: otherwise}\n"


def test_s1_73_x_20_shares_of_a_past_day_come_from_history_and_stay_as_they_were(memory: Engine) -> None:
    cities = ["Paris"] * 10 + ["Beijing"] * 20 + ["Shanghai"] * 30 + [None] * 40
    tier = STAGES.replace("d: city is known, e: otherwise", "d: name is known")
    shop = Shop(memory, tier, start="2025-06-01 09:00")
    people = [
        UserRecord(key, shop.now, {k: v for k, v in {"city": city, "name": "x" if 60 <= n < 90 else None}.items() if v})
        for n, (key, city) in enumerate(zip(keys(100), cities, strict=True))
    ]
    shop.users(people)
    wanted = [("a", 10), ("b", 20), ("c", 30), ("d", 30), (None, 10)]
    with shop.app.work(shop.now) as work:
        now = tier_shares(work, work.project.tiers["stage"])
    assert [(level.level, level.users) for level in now.levels] == wanted
    assert sum(level.percent for level in now.levels) == 100
    shop.jump("2025-08-10 12:00")
    for key in keys(10):
        shop.set(key, city="Beijing")
    with shop.app.work(shop.now) as work:
        june = tier_shares(work, work.project.tiers["stage"], date(2025, 6, 1))
        august = tier_shares(work, work.project.tiers["stage"])
    assert [(level.level, level.users) for level in june.levels] == wanted
    assert [level.users for level in august.levels] == [0, 30, 30, 30, 10]


def test_x_21_wake_ups_are_counted_among_the_delivered_and_not_the_planned() -> None:
    noon = at("2025-06-01 12:00")

    def person(n: int) -> Person:
        sent = n < 90
        touch = ArmTouch(1, "a", noon, "sent" if sent else "failed", None, "marketing", "sms", Decimal(0), noon, noon if sent else None)
        woke_on = 6 if n < 18 else 8
        return Person(
            Assigned(n, f"u{n}", "A", False, noon, n, "back", 1, noon, None, None), [touch], active=[noon + timedelta(days=woke_on)]
        )

    told = funnels({"A": [person(n) for n in range(100)]}, noon + timedelta(days=30))["A"]
    assert (told["due"], told["delivered"], told["woke"]) == (100, 90, 18)
    assert told["woke"] / told["delivered"] == 0.2


def test_x_22_a_user_without_data_has_no_level_and_is_counted_as_unscored() -> None:
    models = ("RFM五档", "RFM八类", "AIPL", "需求场景", "消费场景")
    assert user().levels(*models) == [None] * 5


def test_x_22_the_unscored_are_shown_beside_the_levels(memory: Engine) -> None:
    shop = LibraryShop(memory, start="2025-06-30 12:00")
    shop.somebody(key="blank")
    shop.somebody(bought(9, 3), key="buyer")
    with shop.app.work(shop.now) as work:
        for model in ("RFM五档", "AIPL", "需求场景"):
            found = {level.level: level.users for level in tier_shares(work, library().tiers[model]).levels}
            assert found[None] == (2 if model == "需求场景" else 1), model


def test_x_24_seventy_one_characters_are_two_parts_of_an_sms() -> None:
    assert [sms_parts("字" * n) for n in (70, 71, 134, 135)] == [1, 2, 2, 3]
    catalogue_texts = {"hello": text("hello", "sms", variables="name: friend", body="{{ name }}" + "字" * 69)}
    by_sms = CATALOGUE.replace("sms: {via: outbox", "sms: {via: aliyun_sms")
    [told] = of_code(said_of(book("event: cart", "a: {at: now, send: hello}"), texts=catalogue_texts, catalogue=by_sms), 708)
    assert "2 messages" in told
