"""The rows about movement in a private domain: an event or a midnight moves a user, and what was planned for the old place ends."""

from datetime import date

import pytest
from sqlalchemy import Engine, select

from sop_engine.actions.ingest import record_events
from sop_engine.actions.why import why, why_level
from sop_engine.core.comparison.cross import Delivered, cross_table
from sop_engine.store import events, levels
from sop_engine.store.facts import read_facts
from sop_engine.store.people import get_id
from sop_engine.store.scope import Scope
from sop_engine.store.tables import TagRow
from tests.requirements.shops import LibraryShop, book, bought, did, library
from tests.shop import Shop
from tests.shop_project import CATALOGUE, text


def test_s1_03_a_level_is_explained_by_its_inputs_thresholds_and_time(memory: Engine) -> None:
    shop = LibraryShop(memory, start="2025-06-30 12:00")
    shop.somebody(bought(300, 2, *range(20, 350, 30)))
    with shop.app.work(shop.now) as work:
        told = why_level(work, "u", library().tiers["RFM五档"])
    assert (told.level, str(told.since)) == ("高价值", "2025-06-30")
    first = told.levels[0]
    assert first.holds and [str(reason) for reason in first.reasons] == ["yes  RFM总分 >= 13  (RFM总分 14)"]


def test_s1_06_a_level_set_by_hand_ends_after_its_last_day_and_the_rules_decide_again(memory: Engine) -> None:
    shop = LibraryShop(memory, start="2025-07-30 12:00")
    shop.somebody(bought(100, 5))
    shop.level_by_hand("u", "RFM五档", "高价值", until="2025-07-31")
    shop.until("2025-07-31 23:59")
    assert shop.facts("u", "RFM五档") == ["高价值"]
    shop.until("2025-08-01 00:00")
    assert shop.facts("u", "RFM五档") == ["活跃"]
    with shop.app.transaction() as tx:
        assert [row.author for row in tx.execute(select(levels.overrides))] == ["colleague"]


def test_s1_24_an_order_rescores_at_once_and_what_the_old_level_planned_is_cancelled(memory: Engine) -> None:
    shop = LibraryShop(memory, "RFM五档经营", start="2025-06-30 12:00")
    shop.somebody(bought(100, *range(5, 16)), did("visit", 1), 专属顾问="小美")
    assert shop.facts("u", "RFM总分", "RFM五档") == [12, "潜力"]
    shop.event("u", "order", at="2025-06-30 15:00", order_id="x", amount=100)
    assert shop.facts("u", "RFM总分", "RFM五档") == [13, "高价值"]
    states = {t.step: t.state for t in shop.touches("u")}
    assert (states["场景话术"], states["专属问候"], states["专享礼"]) == ("cancelled", "sent", "planned")


def test_s1_25_a_failed_service_flags_a_high_value_user_and_promotions_pause_a_week(memory: Engine) -> None:
    shop = LibraryShop(memory, "服务失败", "失败后促销", start="2025-06-30 12:00")
    shop.somebody(bought(500, *range(12)), did("visit", 1), 专属顾问="小美")
    shop.event("u", "service_failure", at="2025-06-30 13:00")
    assert shop.sent("u") == ["道歉@06-30 13:00"] and shop.facts("u", "流失边缘") == [True]
    shop.until("2025-07-08 12:00")
    assert [s for s in shop.sent("u") if "新品" in s] == ["新品@07-07 10:00", "新品@07-08 10:00"]


def test_s1_50_an_invitation_comes_once_in_ninety_days_and_an_acceptance_is_a_tag(memory: Engine) -> None:
    shop = LibraryShop(memory, "体验官邀请", start="2025-06-01 12:00")
    shop.somebody(did("visit", 1))
    for month, day in ((6, 2), (7, 20), (8, 31)):
        for _ in range(3):
            shop.event("u", "comment", at=f"2025-{month:02d}-{day:02d} 12:00", text="好", length=1)
    assert shop.sent("u") == ["邀请@06-02 12:00", "邀请@08-31 12:00"]
    assert shop.facts("u", "体验官") == [False]
    shop.event("u", "vote", at="2025-09-01 12:00")
    assert shop.facts("u", "体验官") == [True]


@pytest.mark.parametrize(("liked", "pack"), [("辅食", "辅食干货包"), (None, "新手入门干货包")])
def test_s1_51_the_topic_pack_follows_what_was_liked_and_else_is_the_default(memory: Engine, liked: str | None, pack: str) -> None:
    shop = LibraryShop(memory, "专题包", start="2025-06-01 12:00")
    shop.somebody(did("visit", 1), did("like", 2, category=liked) if liked else did("save", 2))
    assert pack in shop.texts_sent("u")[0]


@pytest.mark.parametrize(("address", "brief"), [("海边 1 号", "寄到 海边 1 号"), (None, "要收件地址")])
def test_s1_56_without_an_address_a_colleague_asks_for_it_and_no_card_is_written(memory: Engine, address: str | None, brief: str) -> None:
    shop = LibraryShop(memory, "感谢卡", start="2025-06-02 10:00")
    shop.somebody(did("brand_content", 1, 2), did("visit", 1), 专属顾问="小美", 地址=address)
    [told] = shop.texts_sent("u")
    assert brief in told


def test_s1_57_three_comparisons_before_an_order_mark_a_price_sensitive_user(memory: Engine) -> None:
    shop = LibraryShop(memory, "比价打标", start="2025-06-30 12:00")
    for key, days in (("three", (0, 3, 6)), ("two", (0, 3)), ("old", (0, 3, 7))):
        shop.somebody(did("compare_price", *days), did("visit", 1), key=key)
        shop.event(key, "order", order_id=key, amount=99)
    assert [shop.facts(key, "价格敏感") for key in ("three", "two", "old")] == [[True], [False], [False]]


STAGE = "tier: stage\nnote: x\nlevels:\n  bought: orders >= 1\n  far: quiet >= 3\n  near: otherwise\nladder: [bought, near, far]\n"


def test_s1_60_each_move_is_kept_with_its_cause_time_and_the_rules_that_decided(memory: Engine) -> None:
    shop = Shop(memory, STAGE, start="2025-03-01 09:00")
    shop.user("u")
    shop.until("2025-03-04 12:00")
    shop.event("u", "order", at="2025-03-05 10:00", order_id="a", amount=9)
    with shop.app.transaction() as tx:
        rows = list(tx.execute(levels.move_rows.select().order_by(levels.move_rows.c.id)))
        event_id = events.events.c.id
        [order] = list(tx.execute(select(event_id)).scalars())
    assert [(r.model, r.old, r.new, r.cause) for r in rows] == [
        ("stage", None, "near", "event"), ("stage", "near", "far", "sweep"), ("stage", "far", "bought", "event"),
    ]  # fmt: skip
    assert rows[1].at == shop.at("2025-03-04 00:00") and rows[2].event_id == order
    with shop.app.work(shop.now) as work:
        assert {row.release for row in rows} == {work.live.release}


def test_s1_61_the_first_payment_ends_the_newcomers_flow_and_starts_repurchase_once(memory: Engine) -> None:
    shop = LibraryShop(memory, "新客首单培育", "复购培育", start="2025-06-28 15:00")
    shop.somebody()
    assert shop.facts("u", "三层") == ["新客层"]
    assert "首单券@07-01 10:00" in shop.planned("u")
    shop.event("u", "order", at="2025-06-30 11:00", id="free", order_id="free", amount=0)
    assert [run.open for run in shop.runs("u")] == [True]
    for _ in range(2):
        shop.event("u", "order", at="2025-06-30 12:00", id="paid", order_id="a", amount=88)
    assert shop.facts("u", "三层") == ["活跃层"]
    assert [(run.flow, run.end_reason) for run in shop.runs("u")] == [("新客首单培育", "goal"), ("复购培育", None)]
    shop.until("2025-07-02 12:00")
    assert [s for s in shop.sent("u") if "首单券" in s] == []


def test_s1_62_the_warning_is_light_and_the_next_opening_clears_it(memory: Engine) -> None:
    shop = LibraryShop(memory, "预警沉默", start="2025-06-30 12:00")
    shop.somebody(
        bought(50, 20), did("open_app", 15), did("post", 20, times=6), did("post", 5, times=3), 企微号="w", 企微好友=True, 手机号=None
    )
    assert shop.facts("u", "预警沉默") == [True]
    shop.until("2025-06-30 21:00")
    assert [s.split("@")[0] for s in shop.sent("u")] == ["标记", "使用反馈"] and shop.grants("u") == []
    shop.event("u", "open_app", at="2025-07-01 10:00")
    assert (shop.ends("u"), shop.facts("u", "预警沉默")) == (["goal"], [False])


def test_s1_63_an_order_above_the_peak_of_earlier_ones_upgrades_at_once(memory: Engine) -> None:
    shop = LibraryShop(memory, "破纪录即时升级", start="2025-06-30 12:00")
    for key in ("above", "equal", "first"):
        past = [] if key == "first" else [bought(800, 40), bought(1200, 20)]
        shop.somebody(*past, did("visit", 1), key=key)
        shop.level_by_hand(key, "RFM五档", "高价值")
    shop.event("equal", "order", order_id="e", amount=1200)
    shop.event("first", "order", order_id="f", amount=5000)
    for _ in range(2):
        shop.event("above", "order", id="once", order_id="a", amount=1200.01)
    assert [len(shop.grants(key)) for key in ("above", "equal", "first")] == [1, 0, 0]
    assert shop.sent("above") == ["升级@06-30 12:00"]
    shop.event("above", "refund", at="2025-07-01 09:00", order_id="a", amount=1200.01)
    assert [grant.state for grant in shop.grants("above")] == ["voided"]


def test_s1_66_a_changed_cut_gives_new_scores_at_once_and_old_moves_keep_their_rules(memory: Engine) -> None:
    def catalogue(cut: int) -> str:
        return CATALOGUE.replace("  visits7:", f"  score: {{grade: spent, cuts: [{cut}]}}\n  visits7:")

    tier = "tier: worth\nnote: x\nlevels: {high: score = 2, low: otherwise}\n"
    shop = Shop(memory, start="2025-03-01 09:00")
    shop.apply(tier, catalogue=catalogue(100))
    shop.user("u")
    shop.event("u", "order", order_id="a", amount=100)
    assert shop.facts("u", "score", "worth") == [2, "high"]
    shop.apply(tier, catalogue=catalogue(101))
    assert shop.facts("u", "score", "worth") == [1, "low"]
    with shop.app.transaction() as tx:
        releases = [row.release for row in tx.execute(levels.move_rows.select().order_by(levels.move_rows.c.id))]
    assert len(releases) == 3 and releases[0] == releases[1] != releases[2]


def test_s1_68_paths_keep_their_order_and_a_word_in_the_chat_is_a_tag_before_ingestion_answers(memory: Engine) -> None:
    shop = LibraryShop(memory, start="2025-06-30 12:00")
    shop.somebody()
    told = [("visit", "12:00:03", {"page": "compare"}), ("visit", "12:00:01", {"page": "list"}), ("visit", "12:00:02", {"page": "detail"})]
    shop.now = shop.at("2025-06-30 12:01")
    record_events(shop.app, [shop.record("u", kind, f"2025-06-30 {time}", fields) for kind, time, fields in told], shop.now)
    record_events(shop.app, [shop.record("u", "chat_message", "2025-06-30 12:00:30", {"text": "有打折吗"})], shop.now)
    with shop.app.work(shop.now) as work:
        one = get_id(work.tx, "u")
        pages = [row.fields["page"] for row in work.tx.execute(events.events.select().order_by(events.events.c.at)) if "page" in row.fields]
        assert pages == ["list", "detail", "compare"]
        assert read_facts(work.tx, work.project, ["价格敏感"], Scope.of([one]), shop.now)[one] == {"价格敏感": True}


def test_s1_69_a_word_of_the_user_is_a_tag_with_evidence_and_a_refusal_is_a_task(memory: Engine) -> None:
    shop = LibraryShop(memory, "不想再收", start="2025-06-30 12:00")
    for key in ("asks", "refuses", "staff"):
        shop.somebody(key=key, 专属顾问="小美")
    shop.event("asks", "chat_message", text="有优惠券吗?")
    shop.event("refuses", "chat_message", text="不要再发优惠券了")
    shop.event("staff", "chat_message", text="有优惠券吗?", actor="staff")
    assert [shop.facts(key, "价格敏感") for key in ("asks", "refuses", "staff")] == [[True], [False], [False]]
    with shop.app.transaction() as tx:
        [(evidence, last_day)] = tx.execute(select(TagRow.evidence, TagRow.until_day))
    assert [e["word"] for e in evidence] == ["优惠券"]
    assert last_day == date(2025, 12, 27).toordinal()  # 180 days
    assert [shop.sent(key) for key in ("asks", "refuses", "staff")] == [[], ["转人工@06-30 12:00"], []]


@pytest.mark.parametrize("joined", ["2025-03-01 15:20", "2025-03-01 23:59"])
def test_s1_70_the_first_order_benefit_is_due_on_day_three_at_ten_whenever_the_user_joined(memory: Engine, joined: str) -> None:
    shop = LibraryShop(memory, "新客首单培育", start=joined)
    shop.somebody()
    assert shop.planned("u")[0] == "首单券@03-04 10:00"
    shop.event("u", "order", at="2025-03-03 12:00", order_id="a", amount=9)
    shop.until("2025-03-05 00:00")
    assert (shop.ends("u"), shop.grants("u")) == (["goal"], [])


def test_s1_71_the_wake_up_sms_comes_on_day_45_of_silence_and_a_visit_starts_the_count_anew(memory: Engine) -> None:
    shop = LibraryShop(memory, "沉默45天唤醒", start="2025-03-01 20:00", variant="怀旧")
    for key in ("silent", "back"):
        shop.somebody(bought(300, 30), key=key)
        shop.event(key, "visit")
    shop.until("2025-04-01 00:00")
    assert [move[1:] for move in shop.moves("silent", "生命周期")][-1] == ("流失期", "04-01 00:00")
    shop.event("back", "visit", at="2025-04-10 12:00")
    assert shop.ends("back") == ["goal"]
    shop.until("2025-05-25 12:00")
    assert shop.sent("silent")[0] == "第45天唤醒@04-15 10:00"
    assert shop.sent("back") == ["第45天唤醒@05-25 10:00"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"手机号": None, "企微号": "w", "企微好友": True}, ("sent", None, "企微")),
        ({"短信许可": False, "企微号": "w", "企微好友": True}, ("sent", None, "企微")),
        ({"短信许可": False, "企微号": "w"}, ("skipped", "needs", None)),
        ({"手机号": None, "企微好友": True}, ("skipped", "no_channel", None)),
    ],
    ids=["no phone", "no consent", "no relation either", "no address at all"],
)
def test_s1_71_who_has_no_phone_or_consent_is_reached_by_the_next_channel(memory: Engine, given: dict, told: tuple) -> None:
    shop = LibraryShop(memory, "沉默45天唤醒", start="2025-04-14 12:00", variant="怀旧")
    shop.somebody(bought(300, 60), did("visit", 44), joined="2024-01-01", **given)
    shop.until("2025-04-15 12:00")
    assert [(t.state, t.reason, t.channel) for t in shop.touches("u") if t.step == "第45天唤醒"] == [told]


def test_s1_72_a_greeting_uses_the_name_of_its_reader(memory: Engine) -> None:
    shop = LibraryShop(memory, "RFM五档经营", start="2025-06-30 12:00")
    shop.somebody(bought(500, *range(12)), 昵称="老陈", 企微号="w", 企微好友=True)
    assert [t.template for t in shop.touches("u") if t.state == "sent"] == ["专属问候_企微"]
    assert "老陈" in shop.texts_sent("u")[0]


def test_s1_72_without_a_required_value_nothing_is_sent_and_the_reason_says_so(memory: Engine) -> None:
    letter = {"letter": text("letter", "sms", variables="name: required", body="{{ name }}, hello")}
    shop = Shop(memory, book("event: cart", "a: {at: now, send: letter}"), start="2025-03-01 09:00", texts=letter)
    for key, name in (("known", {"name": "Anna"}), ("unknown", {})):
        shop.user(key, **name)
        shop.event(key, "cart")
    assert (shop.texts_sent("known"), shop.texts_sent("unknown")) == (["Anna, hello"], [])
    assert shop.skipped("unknown") == ["a:unknown"]


def test_s1_76_a_weak_kind_of_content_is_marked_against_the_rest() -> None:
    told = {"怀旧": 40, "券": 50, "新品": 12}
    rows = [Delivered((kind,), n < woken) for kind, woken in told.items() for n in range(200)]
    cells = {cell.labels[0]: cell for cell in cross_table(rows)}
    assert {kind: round(cell.rate * 100) for kind, cell in cells.items()} == {"怀旧": 20, "券": 25, "新品": 6}
    assert cells["新品"].mark == "weak" and (cells["新品"].p_adjusted or 1) < 0.05
    assert cells["怀旧"].mark == ""
    assert cross_table([Delivered(("a",), True)] * 29 + [Delivered(("b",), False)] * 200)[0].mark == "few"


def test_s1_79_the_same_files_on_two_empty_databases_give_the_same_plan(memory: Engine, second_memory: Engine) -> None:
    plans = []
    for engine in (memory, second_memory):
        shop = LibraryShop(engine, "新客首单培育", start="2025-06-28 15:00")
        shop.somebody()
        plans.append(shop.planned("u"))
    assert plans[0] == plans[1] and plans[0]


def test_s1_79_why_tells_the_move_the_run_the_touch_and_the_outcome(memory: Engine) -> None:
    shop = LibraryShop(memory, "新客首单培育", start="2025-06-28 15:00")
    shop.somebody()
    shop.event("u", "order", at="2025-07-02 12:00", order_id="a", amount=99)
    with shop.app.work(shop.now) as work:
        [run] = why(work, "u").runs
    assert "生命周期 = 引入期" in run.cause and run.end_reason == "goal"
    assert [(t.step, t.state) for t in run.touches][:2] == [("首单券", "sent"), ("到期提醒", "cancelled")]
