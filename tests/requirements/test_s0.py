"""The rows of the guide to tiering followers: what is counted, the four levels, what each gets, and what must not be done."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from sop_engine.rendering import render
from sop_engine.store import outbox
from tests.golden.population import golden_users
from tests.requirements.shops import HEAD, LibraryShop, bought, changed_library, did, golden_levels, library, of_code, said_of, user
from tests.shop import Shop
from tests.shop_project import text

EVENTS = """
events:
  like: {}
  comment: {}
  save: {}
  engaged: [like, comment, save]
---
metrics:
  comments30: {count: comment, within: 30d}
  engaged7: {count: engaged, within: 7d}
"""


def test_s0_02_three_guests_of_a_coffee_shop_have_three_outcomes() -> None:
    daily = user(bought(38, *range(30)), did("share", 3, 9))
    assert daily.levels("RFM五档", "AIPL") == ["高价值", "忠诚"]
    assert [daily[n] for n in ("R分", "F分", "M分")] == [5, 5, 3]
    monthly = user(bought(20, 20, 50, 80, 110, 140))
    assert monthly["RFM五档"] == "活跃" and [monthly[n] for n in ("R分", "F分", "M分")] == [4, 3, 1]
    assert user(bought(30, 100), did("visit", 100))["生命周期"] == "流失期"


def test_s0_03_a_flow_without_intent_is_an_error_that_names_its_place() -> None:
    book = "playbook: hello\nstart: {event: cart}\ngoal: buys\nsteps: {a: {at: now, send: hello}}\n"
    found = [p for p in said_of(book) if p.severity == "error"]
    assert [(p.code, p.file, p.line) for p in found] == [("SOP202", "playbooks/1.yml", 1)]
    assert "intent" in found[0].sentence


def test_s0_04_many_likes_and_no_comment_make_a_core_follower_and_judging_by_comments_alone_is_warned_of() -> None:
    lurker = user(did("like", 10, times=15), did("save", 40, times=3), bought(50, 20))
    assert lurker["社媒互动"] == "核心活跃" and lurker["月均互动数"] == 6
    tier = "tier: talk\nnote: why\nlevels: {much: comments30 >= 5, little: otherwise}\n"
    assert [s[:7] for s in of_code(said_of(EVENTS, tier), 705)] == ["warning"]
    both = tier.replace("comments30 >= 5", "comments30 >= 5 or engaged7 >= 3")
    assert of_code(said_of(EVENTS, both), 705) == []


def test_s0_05_a_save_counts_by_its_own_day_and_a_week_is_too_short_a_window_for_this_model() -> None:
    assert user(did("save", 0))["近30天收藏数"] == 1
    tier = "tier: insta\nnote: why\nmin_window: 30d\nlevels: {much: engaged7 >= 3, little: otherwise}\n"
    assert [s[:7] for s in of_code(said_of(EVENTS, tier), 702)] == ["warning"]
    assert library().tiers["社媒互动"].min_window == 30
    assert library().metrics["月均互动数"].within.days == 90


def test_s0_06_a_weighted_score_ranks_real_interaction_above_mere_likes() -> None:
    real = user(did("like", 5, times=4), did("save", 5), did("share", 5))
    mere = user(did("like", 5, times=8), did("comment", 5, 6, text="哈哈", length=2))
    assert (real["互动质量分"], mere["互动质量分"]) == (11, 9)


@pytest.mark.parametrize(("kind", "word"), [("like", "点赞"), ("comment", "评论"), ("save", "收藏"), ("share", "分享")])
def test_s0_07_each_kind_is_counted_in_three_nested_windows_to_the_day(kind: str, word: str) -> None:
    known = user(did(kind, 5, 29, 30, 89, 90))
    assert [known[f"近{days}天{word}数"] for days in (30, 60, 90)] == [2, 3, 4]


def test_s0_08_comments_are_told_apart_as_substantive_or_perfunctory() -> None:
    long = "教程第二步的参数我试了,发酵时间要多久?"
    told = [("哈哈", 2), ("👍👍", 2), (long, len(long)), ("哈哈哈哈哈哈哈哈哈哈", 10)]
    known = user(*(did("comment", 3, text=words, length=length) for words, length in told))
    assert (known["实质评论数"], known["敷衍评论数"]) == (1, 3)


def test_s0_09_the_favourite_kind_of_content_is_the_most_liked_of_equals_the_latest_and_unknown_without_likes() -> None:
    assert user(did("like", 10, times=5, category="教程"), did("like", 2, times=2, category="产品展示"))["最爱内容"] == "教程"
    assert user(did("like", 10, times=2, category="教程"), did("like", 2, times=2, category="幕后花絮"))["最爱内容"] == "幕后花絮"
    nobody = user()
    assert nobody["最爱内容"] is None
    template = library().template("唤醒怀旧_短信", None)
    written = [render(template, {"最爱内容": known, "昵称": None}, locale="zh-CN").text for known in ("手冲教程", nobody["最爱内容"])]
    assert "你喜欢过的手冲教程又更新了" in written[0] and "你喜欢过的内容又更新了" in written[1]


def test_s0_10_a_click_counts_as_clicked_and_not_as_bought() -> None:
    known = user(did("click", 3, link="新品"))
    assert (known["点击数"], known["累计订单数"], known["累计互动数"]) == (1, 0, 1)


def test_s0_11_a_story_share_recorded_as_recommendation_makes_a_kol_and_a_private_share_does_not() -> None:
    assert user(did("recommend", 9, kind="快拍"), did("like", 2), 粉丝数=10001)["社媒互动"] == "KOL"
    private = user(did("share", 9, to="私信"), 粉丝数=10001)
    assert private["社媒互动"] == "普通互动" and private["近365天分享数"] == 1


def test_s0_12_following_again_starts_a_new_streak_and_is_known_as_such() -> None:
    # 1 January, 1 March and 1 May are 180, 121 and 60 days before 30 June.
    again = user(did("follow", 180), did("unfollow", 121), did("follow", 60))
    assert again["本次关注天数"] == 60 and again["重新关注"] is True
    assert str(again["首次关注"]) == "2025-01-01"
    assert user(did("follow", 60))["重新关注"] is not True


def test_s0_14_every_golden_user_has_exactly_one_of_four_levels_and_silence_is_asked_before_core() -> None:
    tier = library().tiers["社媒互动"]
    assert [level.name for level in tier.levels] == ["KOL", "沉默", "核心活跃", "普通互动"]
    found = {key: levels["社媒互动"] for key, levels in golden_levels().items()}
    assert found == {key: expected["levels"]["社媒互动"] for key, expected in golden_users().expect.items()}
    assert set(found.values()) == set(tier.level_names)


def test_s0_15_a_kol_needs_more_than_ten_thousand_followers_and_a_recommendation() -> None:
    told = did("recommend", 100, kind="快拍"), did("like", 3)
    assert user(*told, 粉丝数=10001)["社媒互动"] == "KOL"
    assert user(*told, 粉丝数=10000)["社媒互动"] == "普通互动"
    prospect = user(did("like", 3), 粉丝数=50000)
    assert prospect["社媒互动"] == "普通互动" and prospect["准KOL"] is True
    assert user(*told, 粉丝数=10001)["准KOL"] is not True


@pytest.mark.parametrize(
    ("happened", "level"),
    [
        ([did("like", 5, times=14), did("save", 40)], "核心活跃"),
        ([did("like", 5, times=15)], "普通互动"),
        ([did("like", 5, times=11), did("save", 5, times=3)], "普通互动"),
    ],
    ids=["15 with a save", "15 likes alone", "14 with saves is 4.67 a month"],
)
def test_s0_16_core_is_five_a_month_and_a_comment_save_or_order(happened: list, level: str) -> None:
    assert user(*happened)["社媒互动"] == level


@pytest.mark.parametrize("a_month", [2, 4, 6])
def test_s0_17_whoever_is_alive_and_nothing_else_is_ordinary(a_month: int) -> None:
    assert user(did("like", 5, 35, 65, times=a_month))["社媒互动"] == "普通互动"


@pytest.mark.parametrize(
    ("before", "now", "level"), [(20, 4, "沉默"), (6, 0, "沉默"), (6, 1, "普通互动")], ids=["a collapse", "nothing left", "few before"]
)
def test_s0_18_silence_is_a_collapse_or_nothing_at_all_whatever_the_average(before: int, now: int, level: str) -> None:
    known = user(did("like", 40, times=before), did("save", 3, times=now))
    assert known["社媒互动"] == level
    if before == 20:
        assert known["月均互动数"] == 8


def test_s0_18_who_never_did_anything_is_silent_and_known_as_never_active() -> None:
    known = user()
    assert known["社媒互动"] == "沉默" and known["从不互动"] is True


def test_s0_19_the_bars_follow_the_size_of_the_account() -> None:
    small = changed_library(("KOL粉丝线: {value: 10000", "KOL粉丝线: {value: 1000"))
    told = did("recommend", 10, kind="快拍"), did("like", 3)
    assert user(*told, 粉丝数=3000, project=small)["社媒互动"] == "KOL"
    assert user(*told, 粉丝数=3000)["社媒互动"] == "普通互动"
    large = changed_library(("核心互动线: {value: 5", "核心互动线: {value: 8"))
    often = did("like", 5, times=20), did("save", 5)  # 7 a month
    assert user(*often, project=large)["社媒互动"] == "普通互动" and user(*often)["社媒互动"] == "核心活跃"


def test_s0_20_a_kol_gets_a_person_at_once_and_no_mass_promotion(memory: Engine) -> None:
    shop = LibraryShop(memory, "社媒问候", "月度促销", start="2025-06-27 09:00")
    happened = did("recommend", 10, kind="快拍"), did("like", 3), did("visit", 3), bought(60, 3)
    shop.somebody(*happened, key="kol", 粉丝数=20000, 专属顾问="小美")
    shop.somebody(*happened, key="other", 粉丝数=20)
    shop.until("2025-06-28 10:00")
    assert shop.sent("kol") == ["邀约@06-27 09:00"]
    assert library().channels["顾问任务"].due == timedelta(hours=24)
    assert shop.sent("other") == ["促销@06-28 10:00"]


def test_s0_21_core_followers_get_a_code_of_their_own_each(memory: Engine) -> None:
    shop = LibraryShop(memory, "社媒问候", start="2025-06-01 09:00")
    for key in ("a", "b"):
        shop.somebody(did("like", 3, times=14), did("save", 3), did("visit", 1), key=key)
    shop.until("2025-06-01 10:00")
    codes = [grant.code for grant in shop.grants()]
    assert len(codes) == 2 == len(set(codes))


def test_s0_22_nothing_is_sent_once_an_event_is_over(memory: Engine) -> None:
    steps = "steps:\n  call: {at: day 2 10:00, send: hello, when: open_until >= 1}\n"
    metrics = "attributes: {ends: date}\n---\nmetrics: {open_until: {days_until: ends}}\n"
    book = f"playbook: fest\nintent: cultivate\nstart: {{event: cart}}\ngoal: buys\n{steps}"
    shop = Shop(memory, metrics, book, start="2025-06-01 09:00")
    shop.user("late", ends=shop.at("2025-06-03 12:00").date())
    shop.user("early", ends=shop.at("2025-06-09 12:00").date())
    for user_key in ("late", "early"):
        shop.event(user_key, "cart")
    shop.until("2025-06-04 12:00")
    assert (shop.skipped("late"), shop.sent("early")) == (["call:when"], ["call@06-03 10:00"])


@pytest.mark.parametrize(
    ("happened", "variant", "says"),
    [
        ([did("like", 40, times=3, category="教程")], "内容", "教程更新了"),
        ([did("save", 40)], "内容", "好久没看到你"),
        ([did("like", 40, category="教程")], "问候", "好久没看到你"),
    ],
    ids=["the kind they liked", "nothing known of it", "the other arm"],
)
def test_s0_23_the_silent_get_a_word_without_an_offer(memory: Engine, happened: list, variant: str, says: str) -> None:
    shop = LibraryShop(memory, "社媒问候", start="2025-06-01 09:00", variant=variant)
    shop.somebody(*happened, did("visit", 1))
    shop.until("2025-06-02 12:00")
    [told] = shop.texts_sent("u")
    assert says in told and shop.grants("u") == []


def test_s0_23_who_was_never_there_is_not_missed_and_an_offer_in_such_a_flow_is_warned_of(memory: Engine) -> None:
    shop = LibraryShop(memory, "社媒问候", start="2025-06-01 09:00", variant="问候")
    shop.somebody(did("visit", 1))
    shop.until("2025-06-02 12:00")
    assert (shop.refused("u"), shop.texts_sent("u")) == (["only"], [])
    book = "playbook: hi\nintent: win_back\nstart: {enter: quiet >= 30}\nno_benefit: only hello\ngoal: buys\nholdout: 10%\n"
    offer = {"hello": text("hello", "sms", body="满199减50，快来")}
    assert len(of_code(said_of(f"{book}steps: {{a: {{at: now, send: hello}}}}\n", texts=offer), 706)) == 1
    assert of_code(said_of(f"{book}steps: {{a: {{at: now, send: again}}}}\n", texts=offer), 706) == []


def test_s0_24_a_silent_follower_who_comes_alive_moves_that_day_and_the_pending_word_is_cancelled(memory: Engine) -> None:
    shop = LibraryShop(memory, "社媒问候", start="2025-06-01 09:00", variant="问候")
    shop.somebody(did("like", 40, 70, times=5), did("visit", 1))
    assert shop.facts("u", "社媒互动") == ["沉默"]
    assert shop.planned("u") == ["第一句@06-02 10:00"]
    for n in range(5):
        shop.event("u", "brand_content", at=f"2025-06-01 1{n}:00")
    assert shop.facts("u", "社媒互动") == ["沉默"]  # to look at something is no interaction
    shop.event("u", "order", at="2025-06-01 19:00", order_id="o", amount=30)
    shop.event("u", "visit", at="2025-06-01 19:05")
    assert shop.facts("u", "社媒互动") == ["沉默"]
    for n in range(6):
        shop.event("u", "save" if n == 0 else "like", at=f"2025-06-01 20:0{n}")
    assert [(old, new) for old, new, _ in shop.moves("u", "社媒互动")] == [(None, "沉默"), ("沉默", "核心活跃")]
    shop.until("2025-06-03 12:00")
    assert [t.step for t in shop.touches("u") if t.state == "sent"] == ["试用"]
    assert [t.state for t in shop.touches("u") if t.step == "第一句"] == ["cancelled"]


@pytest.mark.parametrize("word", ["沉默用户", "低价值", "流失风险"])
def test_s0_26_no_text_may_name_a_level_or_a_forbidden_word(word: str) -> None:
    never = ", ".join(library().settings.never_say)
    tier = "tier: worth\nnote: why\nlevels: {高价值: orders >= 3, 低价值: otherwise}\n"
    texts = {"bad": text("bad", "sms", body=f"亲爱的{word}"), "level": text("level", "sms", variables="worth: you", body="{{ worth }}")}
    wrong = said_of(tier, head=f"{HEAD}\nnever_say: [{never}]", texts=texts)
    assert {p.file for p in wrong if p.code == "SOP509"} == {"templates/bad.md", "templates/level.md"}


def test_s0_26_whoever_answers_gets_a_person_and_the_flow_waits(memory: Engine) -> None:
    answer = {"answer": text("answer", "desk", purpose="internal", variables="event.text: required", body="{{ event.text }}")}
    book = "playbook: a\nintent: cultivate\nstart: {event: cart}\ngoal: joins\nsteps: {x: {after: 1h, send: hello, late: 9h}}\n"
    shop = Shop(memory, book, start="2025-06-01 09:00", project={"on_reply": "answer"}, texts=answer)
    shop.user("u", adviser="Mei")
    shop.event("u", "cart")
    shop.event("u", "replied", at="2025-06-01 09:30", text="有人吗")
    shop.until("2025-06-01 12:00")
    with shop.app.transaction() as tx:
        assert [task.text for task in outbox.list_tasks(tx)] == ["有人吗"]
    assert shop.texts_sent("u") == []
    assert [(t.state, t.reason) for t in shop.touches("u") if t.step == "x"] == [("planned", "handoff")]
