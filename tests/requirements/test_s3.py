"""The rows of personalised tiering: dimensions, needs that differ by state, two axes, and overlays that choose words and add no level."""

from datetime import date, timedelta
from decimal import Decimal
from functools import cache

import pytest
from sqlalchemy import Engine

from sop_engine.actions.asking import profile
from sop_engine.core.matrix import matrix_of
from sop_engine.core.project import Project
from sop_engine.core.wording import offer_words
from sop_engine.language.load import load
from tests.requirements.shops import Base, Did, LibraryShop, book, bought, did, library, library_files, of_code, said_of, user
from tests.shipped.library import files
from tests.shop_project import BENEFIT


def test_s3_01_an_audience_by_age_alone_is_pointed_out() -> None:
    ages = "metrics:\n  age: {years_since: birthday}\n---\n"
    [told] = of_code(said_of(ages + book("enter: age >= 25", "a: {at: now, send: hello}")), 719)
    assert told.startswith("info")
    assert of_code(said_of(ages + book("enter: age >= 25 and orders >= 1", "a: {at: now, send: hello}")), 719) == []


def test_s3_03_where_a_user_came_from_first_is_kept_and_later_touches_stand_apart() -> None:
    known = user(did("register", 30, channel="社媒"), did("register", 3, channel="搜索"))
    assert (known["首次来源"], known["最近来源"]) == ("社媒", "搜索")


COURSE = {"category": "课程"}


@pytest.mark.parametrize(
    ("happened", "price", "service"),
    [
        ([bought(299, 30, **COURSE), bought(699, 9, **COURSE)], True, False),
        ([bought(299, 30, **COURSE), bought("699.01", 9, **COURSE)], False, False),
        ([bought(299, 30, **COURSE)], False, False),
        ([bought(299, 30, **COURSE), bought(599, 9, **COURSE), did("tutoring", 9, amount=599)], False, True),
        ([did("ask_tutor", 3, 5)], False, True),
        ([did("ask_tutor", 3)], False, False),
    ],
    ids=["299 and 699", "a cent over", "one course", "a tutor, though cheap", "asked twice", "asked once"],
)
def test_s3_04_05_who_buys_up_to_699_minds_the_price_and_evidence_of_service_wins(happened: list[Did], price: bool, service: bool) -> None:
    known = user(*happened)
    assert (known["课程价格敏感"], known["服务敏感"]) == (price, service)


def test_s3_06_an_expert_looks_at_parameters_and_a_novice_at_reviews() -> None:
    expert, novice, few = ((8, 2), (2, 8), (3, 1))
    found = [user(did("param_view", 3, times=p), did("review_view", 3, times=r)) for p, r in (expert, novice, few)]
    assert [(one["参数型"], one["口碑型"]) for one in found] == [(True, False), (False, True), (False, False)]


def test_s3_07_a_preference_shows_in_what_is_bought() -> None:
    known = user(bought(30, 10, 20, 30, 40, 50, category="咖啡"), bought(90, 1, 2, category="茶"))
    assert known["常买品类"] == "咖啡"


@cache
def moments(hours: str) -> Project:
    """The library with the playbook of usual hours, sending inside these hours."""
    used = ("52-moments.yml", "路上听_推送.md", "睡前读_推送.md", "周末做_推送.md")
    texts = {**library_files(), **{file: text for file, text in files().items() if file.endswith(used)}}
    texts["playbooks/00-project.yml"] = texts["playbooks/00-project.yml"].replace("hours: 09:00-21:00  ", f"hours: {hours}  ", 1)
    return load(texts)


@pytest.mark.parametrize(("hours", "sent"), [("07:00-21:00", "03-04 08:00"), ("09:00-21:00", "03-04 09:00")], ids=["", "hours win"])
def test_s3_08_who_opens_on_the_way_to_work_hears_at_eight_and_who_has_no_habit_at_no_hour_of_its_own(
    memory: Engine, hours: str, sent: str
) -> None:
    """Seven of ten opens between 07:30 and 09:00 on workdays; the other user opens at noon."""
    shop = LibraryShop(memory, "场景时段", start="2025-03-03 12:00", project=moments(hours))
    early = [days + (12 - hour) / 24 for days, hour in ((3, 7.5), (3, 8), (4, 8.5), (5, 7.5), (5, 8), (6, 8.5), (6, 8.75))]
    shop.somebody(did("open_app", *early, 2, 2, 1), key="commuter", joined="2024-06-01")
    shop.somebody(did("open_app", *range(1, 11)), key="anytime", joined="2024-06-01", 手机号="13700000001")
    assert [shop.facts(key, "使用时段") for key in ("commuter", "anytime")] == [["上下班路上"], ["时间不定"]]
    assert shop.planned("commuter") == ["路上听@03-04 08:00"]
    shop.until("2025-03-05 12:00")
    assert shop.sent("commuter") == [f"路上听@{sent}"]
    assert shop.touches("anytime") == []


def test_s3_09_a_split_without_its_reason_is_warned_of() -> None:
    tier = "tier: mothers\nlevels: {a: orders >= 1, b: otherwise}\n"
    assert [told[:7] for told in of_code(said_of(tier), 707)] == ["warning"]
    assert of_code(said_of(tier.replace("mothers\n", "mothers\nnote: needs differ, interviews of May\n")), 707) == []


def test_s3_13_a_value_a_user_told_is_the_level_and_unknown_is_none() -> None:
    assert [user(身份=told)["身份阶段"] for told in ("正常", "备孕", "已孕")] == ["正常", "备孕", "已孕"]
    assert user()["身份阶段"] is None


def test_s3_14_the_next_period_is_a_cycle_after_the_last() -> None:
    known = user(did("period", 7), 周期天数=28, now="2025-03-08 12:00")
    assert date(2025, 3, 8) + timedelta(days=int(known["距下次经期"] or 0)) == date(2025, 3, 29)


def test_s3_15_days_to_ovulation_and_the_safe_days_follow_a_stated_formula(memory: Engine) -> None:
    for local, to_go, safe in (("2025-03-08", 7, True), ("2025-03-10", 5, False), ("2025-03-12", 3, False), ("2025-03-16", -1, False)):
        known = user(did("period", (date.fromisoformat(local) - date(2025, 3, 1)).days), 周期天数=28, now=f"{local} 12:00")
        assert (known["距排卵"], known["安全期"]) == (to_go, safe), local
    assert user(did("period", 7), now="2025-03-08 12:00")["距排卵"] is None  # an irregular cycle: no forecast
    shop = LibraryShop(memory, "身份关怀", start="2025-03-08 12:00")
    shop.somebody(did("period", 7), 周期天数=28, 身份="备孕")
    shop.until("2025-03-08 21:00")
    assert shop.texts_sent("u") == ["距排卵 7 天，安全期。仅为估算，不是医嘱。"]


def test_s3_16_week_days_to_go_and_size_are_counted_from_the_last_period(memory: Engine) -> None:
    shop = LibraryShop(memory, "身份关怀", start="2025-03-11 12:00")
    shop.somebody(did("visit", 1), 身份="已孕", 末次月经=date(2025, 1, 1))
    shop.until("2025-03-12 12:00")
    assert shop.texts_sent("u") == ["今天 10 周 0 天，距预产期 210 天，宝宝像柠檬。"]
    assert date(2025, 1, 1) + timedelta(days=280) == date(2025, 10, 8)


def test_s3_17_when_the_state_changes_nothing_of_the_old_one_is_sent_not_even_what_is_queued(memory: Engine) -> None:
    shop = LibraryShop(memory, "身份关怀", start="2025-03-11 12:00")
    shop.somebody(did("visit", 1), 身份="已孕", 末次月经=date(2025, 1, 1))
    shop.jump("2025-03-12 10:00")
    hints = shop.claim()
    assert len(hints) == 1
    shop.set("u", 身份="正常")
    shop.deliver(hints)
    shop.until("2025-03-30 12:00")
    assert (shop.texts_sent("u"), shop.ends("u")) == ([], ["left"])
    assert library().attributes["身份"].sensitive
    with shop.app.work(shop.now) as work:
        assert profile(work, "u").attributes["身份"] == "•••"


@pytest.mark.parametrize(
    ("skill", "will", "level"),
    [(60, 60, "专业强"), (59, 60, "小白强"), (60, 59, "专业弱"), (59, 59, "小白弱"), (None, 90, None), (90, None, None)],
)
def test_s3_18_19_two_axes_cut_at_sixty_cross_to_four_levels(skill: int | None, will: int | None, level: str | None) -> None:
    given = {"理财测评分": skill, "投资意愿分": will}
    known = user(**{name: value for name, value in given.items() if value is not None})
    assert known["理财四类"] == level
    if skill is not None:
        assert known["专业度"] == ("专业" if skill >= 60 else "小白")


def test_s3_20_will_and_ability_is_the_mean_of_three_and_each_is_kept() -> None:
    known = user(风险承受分=80, 可投资金分=20, 交易频率分=0)
    assert (known["意愿"], round(Decimal(str(known["意愿能力分"])))) == ("弱", 33)
    assert known.levels("风险承受分", "可投资金分", "交易频率分") == [80, 20, 0]
    assert user(风险承受分=80, 可投资金分=70, 交易频率分=30)["意愿"] == "强"
    assert user(风险承受分=80)["意愿"] is None


def test_s3_23_a_flow_that_promises_no_sale_and_gives_a_benefit_is_refused() -> None:
    gift = f"benefits:\n  small: {{pool: s, {BENEFIT}}}\n"
    flow = book("event: cart", "a: {at: now, send: coupon, give: small}", "no_benefit: a relation first")
    assert [told[:5] for told in of_code(said_of(gift, flow), 611)] == ["error"]


def test_s3_26_base_level_channel_preference_and_role_stand_in_one_record(memory: Engine) -> None:
    shop = LibraryShop(memory, start="2025-06-30 12:00")
    shop.somebody(bought(50, 9, category="咖啡"), did("share", 1, 2, 3), did("visit", 1), 来源渠道="搜索")
    with shop.app.work(shop.now) as work:
        told = profile(work, "u")
    assert told.attributes["来源渠道"] == "搜索"
    assert {level.tier: level.level for level in told.levels}["叠加基座"] == "成长"
    assert (told.metrics["常买品类"], told.metrics["近30天分享数"]) == ("咖啡", 3)


@pytest.mark.parametrize(
    ("channel", "template"), [("社媒", "行_社媒引导_推送"), ("搜索", "行_功能说明_推送"), ("门店", "行_签到_推送"), (None, "行_签到_推送")]
)
def test_s3_27_newcomers_are_guided_by_where_they_came_from(memory: Engine, channel: str | None, template: str) -> None:
    shop = LibraryShop(memory, "叠加演示", start="2025-06-30 12:00")
    shop.somebody(did("visit", 1), key="new", 来源渠道=channel)
    shop.somebody(bought(5000, 3, 4, 5, 6), did("visit", 1), key="rich", 来源渠道=channel)
    shop.until("2025-06-30 21:00")
    assert [t.template for t in shop.touches("new")] == [template]
    assert shop.touches("rich") == []


def test_s3_28_growing_users_are_high_or_low_against_frozen_medians_and_newcomers_neither() -> None:
    base = Base(fresh=True)
    busy = [base(bought(50, 1, 2, 3, 5), did("like", 1, times=9), did("visit", 20)) for _ in range(2)]
    calm = [base(bought(50, 9), did("like", 40), did("visit", 1, times=5)) for _ in range(2)]
    new = base(did("like", 1, times=5), did("visit", 1), joined="2025-06-25")
    base.fit("成长频率档", "成长到访档", "成长互动档")
    assert [one.levels("成长频率档", "成长到访档", "成长互动档") for one in busy] == [["高", "低", "高"]] * 2
    assert [one.levels("成长频率档", "成长到访档", "成长互动档") for one in calm] == [["低", "高", "低"]] * 2
    assert new.levels("成长频率档", "成长到访档", "成长互动档") == [None, None, None]


@pytest.mark.parametrize(("sensitive", "offers"), [(True, True), (False, False)])
def test_s3_29_the_same_step_speaks_of_price_or_of_the_brand(memory: Engine, sensitive: bool, offers: bool) -> None:
    shop = LibraryShop(memory, "叠加演示", start="2025-06-30 12:00")
    shop.somebody(bought(60, 3), did("visit", 1))
    if sensitive:
        shop.event("u", "chat_message", text="便宜点吧")
    shop.until("2025-06-30 20:00")
    [told] = shop.texts_sent("u")
    assert bool(offer_words(told)) is offers
    assert shop.sent("u") == ["偏好@06-30 20:00"]


@pytest.mark.parametrize(("shares", "switch", "invited"), [(4, None, True), (2, None, False), (4, "0", False)])
def test_s3_30_an_active_sharer_who_grows_is_invited_unless_that_is_off(
    memory: Engine, shares: int, switch: str | None, invited: bool
) -> None:
    shop = LibraryShop(memory, "叠加演示", start="2025-06-30 12:00")
    shop.somebody(bought(60, 3), did("share", 5, times=shares), did("visit", 1))
    shop.somebody(did("share", 5, times=4), did("visit", 1), key="new")
    if switch:
        shop.level_by_hand("u", "用户互相影响", switch)
    shop.until("2025-06-30 21:00")
    assert ("邀请@06-30 20:30" in shop.sent("u")) is invited
    assert "邀请" not in " ".join(shop.sent("new"))


def test_s3_31_overlays_choose_words_and_add_no_level() -> None:
    tier = library().tiers["叠加基座"]
    assert len(tier.level_names) == 5
    step = library().flows["叠加演示/新手"].steps[0]
    assert step.send is not None and len(step.send.options) == 3
    rows = matrix_of(tier, library(), {"新手": 4, "成长": 300}).rows
    assert {row.level for row in rows if row.level} == set(tier.level_names)
    assert next(row.users for row in rows if row.level == "新手") == 4
