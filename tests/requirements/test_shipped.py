"""Rows about playbooks, on the playbook of the shipped library that says the same; and the catalogue of its models."""

import json

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner

from sop_engine.cli.main import app
from sop_engine.core.families import FAMILIES
from tests.requirements.shops import Did, LibraryShop, bought, did
from tests.shipped.library import shipped

BUYER = bought(1500, 2, 9, 16)
REACHED = {"企微号": "w1", "企微好友": True, "专属顾问": "小顾"}


def shop_of(engine: Engine, *playbooks: str, start: str = "2025-06-30 09:00", variant: str | None = None) -> LibraryShop:
    return LibraryShop(engine, *playbooks, start=start, variant=variant, project=shipped())


def families(*asked: str) -> dict[str, int]:
    """Complexity by family, as the command lists them."""
    result = CliRunner().invoke(app, ["models", *asked, "--json"])
    assert result.exit_code == 0, result.output
    return {one["name"]: one["complexity"] for one in json.loads(result.output)}


def test_s2_50_the_families_of_models_are_listed_by_domain_with_their_complexity() -> None:
    assert families("--domain", "社区") == {"社区金字塔": 2}
    assert list(families().values()) == [2, 3, 2, 3, 4, 4]
    assert {tier for one in FAMILIES for tier in one.tiers} <= shipped().tiers.keys()
    wrong = CliRunner().invoke(app, ["models", "--domain", "养鱼"])
    assert wrong.exit_code == 1


@pytest.mark.parametrize(
    ("stage", "names"), [("startup", {"AARRR"}), ("growth", {"生命周期"}), ("mature", {"RFM", "AIPL"}), ("成熟", {"RFM", "AIPL"})]
)
def test_s2_51_a_stage_of_the_firm_chooses_its_models(stage: str, names: set[str]) -> None:
    assert families("--stage", stage).keys() == names


def test_s1_54_the_second_consultation_makes_a_task_that_compares_both_and_opens_the_fast_lane(memory: Engine) -> None:
    shop = shop_of(memory, "需求场景")
    shop.somebody(did("visit", 1), **REACHED)
    shop.event("u", "consult", at="2025-06-30 10:00", topic="产品", item="甲款")
    assert shop.outbox("u") == []
    shop.event("u", "consult", at="2025-06-30 11:00", topic="产品", item="乙款")
    table, lane = shop.outbox("u")
    assert table.channel == "顾问任务" and "甲款" in table.text and "乙款" in table.text
    assert (lane.channel, [g.benefit for g in shop.grants("u")]) == ("企微", ["极速售后"])
    [task] = [t for t in shop.touches("u") if t.step == "对比表"]
    due = shipped().template(task.template, None).due
    assert due is not None and due.total_seconds() <= 24 * 3600


def test_s3_22_who_wants_and_does_not_know_gets_a_plan_and_after_a_gain_what_fits(memory: Engine) -> None:
    shop = shop_of(memory, "理财四类经营")
    shop.somebody(did("visit", 1), 理财测评分=59, 投资意愿分=60)
    shop.until("2025-07-01 09:00")
    assert shop.sent("u") == ["个人方案@06-30 10:00"]
    assert [g.benefit for g in shop.grants("u")] == ["简易工具"]
    shop.event("u", "order", at="2025-07-02 12:00", order_id="a", amount=1000)
    shop.until("2025-07-08 12:00")
    assert shop.sent("u")[1:] == []  # a Monday without a gain
    shop.event("u", "profit", at="2025-07-10 12:00", product="a", amount=3)
    shop.until("2025-07-15 12:00")
    assert shop.sent("u")[1:] == ["收益之后@07-14 10:00"]


@pytest.mark.parametrize(("bears", "template"), [("进取", "进取策略_推送"), ("稳健", "稳健策略_推送"), ("保守", None)])
def test_s3_24_after_the_first_purchase_a_monthly_digest_no_riskier_than_the_user_can_bear(
    memory: Engine, bears: str, template: str | None
) -> None:
    shop = shop_of(memory, "理财四类经营")
    shop.somebody(did("visit", 1), 理财测评分=60, 投资意愿分=60, 风险承受=bears)
    shop.until("2025-07-01 12:00")
    assert (shop.sent("u"), [g.benefit for g in shop.grants("u")]) == (["数据选择@06-30 10:00"], ["组合工具"])
    shop.event("u", "order", at="2025-07-02 12:00", order_id="a", amount=1000)
    shop.event("u", "visit", at="2025-07-09 12:00")
    shop.until("2025-07-10 12:00")
    sent = [t for t in shop.touches("u") if t.step == "每月策略" and t.state == "sent"]
    assert [t.template for t in sent] == ([template] if template else [])


@pytest.mark.parametrize(
    ("happened", "steps"),
    [([], ["习惯课"]), ([BUYER, did("profit", 3, product="a", amount=3)], ["收益之后"]), ([BUYER], [])],
    ids=["no purchase", "a purchase and a gain", "a purchase, no gain"],
)
def test_s3_21_25_the_phase_chooses_the_steps(memory: Engine, happened: list[Did], steps: list[str]) -> None:
    shop = shop_of(memory, "理财四类经营", start="2025-06-29 12:00")
    shop.somebody(*happened, did("visit", 1), 理财测评分=10, 投资意愿分=10)
    shop.until("2025-06-30 12:00")
    assert [sent.split("@")[0] for sent in shop.sent("u")] == steps


def test_s1_37_a_launch_goes_in_waves_by_the_days_since_the_last_order(memory: Engine) -> None:
    shop = shop_of(memory, "春季新品首发", start="2027-03-16 09:00")
    for days in (29, 30, 31, 59, 60):
        shop.somebody(bought(2000, days), did("visit", 1), key=f"d{days}", 手机号=f"137000000{days}")
    shop.until("2027-03-18 12:00")
    waves = [shop.sent(f"d{days}") for days in (29, 30, 31, 59, 60)]
    first, second, third = ["第一批@03-16 10:00"], ["第二批@03-17 10:00"], ["第三批@03-18 10:00"]
    assert waves == [first, first, second, second, third]


def test_s2_04_who_viewed_within_seven_days_and_has_not_ordered_since_gets_a_coupon_that_ends(memory: Engine) -> None:
    shop = shop_of(memory, "近7天浏览未下单", start="2025-06-30 12:00")
    looked = {"in": [did("detail_view", 6)], "out": [did("detail_view", 7)], "bought": [did("detail_view", 5), bought(9, 3)]}
    looked["long ago"] = [did("detail_view", 2), bought(9, 40)]
    for key, happened in looked.items():
        shop.somebody(*happened, did("visit", 1), key=key)
    assert [key for key in looked if shop.runs(key)] == ["in", "long ago"]
    shop.somebody(did("visit", 1))
    shop.event("u", "detail_view", at="2025-06-30 12:30")
    [grant] = shop.grants("u")
    assert grant.expires_at == shop.at("2025-07-02 12:30")
    shop.event("u", "benefit_used", at="2025-07-02 12:31", code=grant.code)
    assert [g.state for g in shop.grants("u")] == ["issued"]  # too late: the full price
    shop.until("2025-07-03 00:00")
    assert [g.state for g in shop.grants("u")] == ["expired"]


def test_s2_20_todays_reminder_falls_away_once_checked_in_and_a_miss_ends_the_streak(memory: Engine) -> None:
    shop = shop_of(memory, "签到习惯", start="2025-06-29 12:00")
    shop.somebody(did("visit", 0))
    shop.event("u", "checkin")
    shop.event("u", "checkin", at="2025-06-30 08:00")
    shop.until("2025-07-01 21:00")
    assert shop.sent("u") == ["今晚提醒@07-01 20:00"]  # none on the 30th
    assert shop.facts("u", "连续签到天数") == [2]
    shop.until("2025-07-02 12:00")
    assert shop.facts("u", "连续签到天数") == [0]


def test_s2_42_who_only_knows_the_brand_gets_an_article_and_a_detail_view_is_the_goal(memory: Engine) -> None:
    shop = shop_of(memory, "AIPL链路", start="2025-06-30 12:00")
    shop.somebody(did("ad_exposure", 1), did("visit", 1), 抖音号="d1")
    shop.event("u", "detail_view", at="2025-07-02 12:00")
    shop.until("2025-07-02 13:00")
    assert (shop.sent("u"), shop.ends("u")[0]) == (["种草@06-30 19:00"], "goal")
