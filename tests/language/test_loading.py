"""Loading: what a project becomes, what is filled in, and the checks that need the whole of it."""

import pathlib
from decimal import Decimal

import pytest

from sop_engine.core.conditions import Always, And, Compare, Constant, Ref
from sop_engine.core.errors import BadProject
from sop_engine.core.forms import Again, Length, Moment
from sop_engine.core.playbook import Choice, Flow
from sop_engine.core.project import BUILT_IN_EVENTS
from sop_engine.core.tiers import Level, Tier
from sop_engine.language.dimensions import dimensions_of
from sop_engine.language.documents import read_documents
from sop_engine.language.folder import read_folder
from sop_engine.language.load import check, hash_of, load
from sop_engine.language.places import places_of
from sop_engine.language.report import Place, Report

GOOD = read_folder(pathlib.Path(__file__).parent / "good")
PROJECT = load(GOOD)
SETTINGS, TIERS, CAMPAIGNS = "playbooks/00-project.yml", "playbooks/03-tiers.yml", "playbooks/20-campaigns.yml"


def edited(file: str, old: str, new: str) -> list[str]:
    """What is said after one edit of the good project."""
    assert old in GOOD[file]
    return [str(p) for p in check({**GOOD, file: GOOD[file].replace(old, new, 1)}).problems if p.severity != "info"]


def flow_of(text: str, name: str = "新") -> Flow:
    """The flow of a playbook beside the good project."""
    return load({**GOOD, "playbooks/90-new.yml": text}).flows[name]


def test_a_text_that_only_this_version_refuses_is_refused_when_it_is_applied_and_read_when_it_was_released() -> None:
    name = next(file for file in GOOD if file.endswith("_短信.md"))
    files = {**GOOD, name: GOOD[name] + "😀"}
    assert [p.code for p in check(files, lints=False).problems if p.severity == "error"] == ["SOP523"]
    assert load(files).templates.keys() == PROJECT.templates.keys()


def test_everything_in_the_folder_is_in_the_project() -> None:
    assert len(PROJECT.flows) == 32
    assert len(PROJECT.stories) == 35
    assert len(PROJECT.tiers) == 19
    assert set(PROJECT.events) > set(BUILT_IN_EVENTS)
    assert PROJECT.events["clicked"].built_in and not PROJECT.events["click"].built_in
    assert [f.order for f in PROJECT.flows.values()] == list(range(32))
    assert PROJECT.settings.on_reply == "人工回复_顾问"
    assert PROJECT.settings.salt == "某品牌私域"


def test_groups_are_expanded_to_kinds_of_events_everywhere() -> None:
    active = PROJECT.groups["活跃"]

    assert active[:3] == ("visit", "open_app", "like") and "互动" not in active
    assert PROJECT.settings.activity == active
    assert PROJECT.goals["唤醒"].events == active
    assert PROJECT.metrics["近30天活跃度"].events == active


def test_defaults_of_a_playbook_reach_its_levels_and_are_replaced_whole() -> None:
    flows = PROJECT.flows

    assert flows["三层经营/新客层"].again == Again("never")
    assert flows["三层经营/新客层"].owner == "私域组"
    assert flows["社媒四层经营/KOL"].again == Again("after", Length(days=90))
    assert flows["消费场景推荐/周末家庭"].intent == "maintain"
    assert flows["三层经营/新客层"].note == ""
    assert dict(PROJECT.playbooks["三层经营"].none).keys() == {"一般层"}


def test_priority_and_again_follow_intent_and_start() -> None:
    assert PROJECT.flows["沉默45天唤醒"].priority == "high"
    assert PROJECT.flows["会员日"].priority == "low"
    assert PROJECT.flows["会员日"].again == Again("always")
    assert PROJECT.flows["预警沉默"].again == Again("after", Length(days=30))
    assert PROJECT.flows["破纪录即时升级"].priority == "urgent"


def test_unscored_is_a_level_like_the_others() -> None:
    levels = "".join(f"  {level}: {{none: 不管}}\n" for level in PROJECT.tiers["RFM五档"].level_names)
    steps = "steps: {问: {at: day 2, send: 通用福利_推送, give: 通用福利券}}"
    text = f"playbook: 新\ntier: RFM五档\nlevels:\n{levels}  unscored: {{intent: maintain, goal: 首单, {steps}}}\n"

    flow = flow_of(text, "新/unscored")

    assert (flow.start.kind, flow.start.tier, flow.start.level) == ("level", "RFM五档", None)
    assert flow.steps[0].at == Moment("day", 2)


def test_a_blueprint_is_filled_in_and_keys_beside_use_win() -> None:
    flow = PROJECT.flows["零售流失召回"]

    assert (flow.owner, flow.holdout, flow.again) == ("会员组", Decimal("0.1"), Again("after", Length(days=90)))
    assert flow.note.startswith("最近 30 天没有消费")
    assert flow.steps[0].give == Choice((("", ("回归券满199减50",)),))
    assert PROJECT.flows["母婴流失召回"].note.startswith("最近 45 天没有消费")
    assert PROJECT.playbooks["零售流失召回"].blueprint == "流失召回@1"


def test_the_cost_of_a_benefit_is_its_worth_where_that_is_money() -> None:
    assert PROJECT.benefits["新客首单券"].cost == 20
    assert PROJECT.benefits["回归礼包免邮"].cost == 12
    assert PROJECT.benefits["回归礼包免邮"].worth == "老客回归礼包 + 限时免邮"


def test_only_everyone_always_holds() -> None:
    steps = "steps: {问: {at: now, send: 通用福利_推送, give: 通用福利券}}"
    text = f"playbook: 新\nintent: maintain\nstart: {{every: mon 10:00}}\nonly: everyone\ngoal: 复购\n{steps}\n"

    assert flow_of(text).only == Always()


def test_places_say_where_steps_conditions_and_levels_are_written() -> None:
    step = PROJECT.flows["沉默45天唤醒"].steps[1]

    assert (step.place, step.when_place) == ("playbooks/11-silent-day45.yml:30", "playbooks/11-silent-day45.yml:32")
    assert PROJECT.flows["三层经营/新客层"].place == "playbooks/16-three-layers.yml:12"
    assert PROJECT.playbooks["三层经营"].place == "playbooks/16-three-layers.yml:7"
    assert PROJECT.tiers["RFM五档"].places["潜力"] == "playbooks/03-tiers.yml:25"


def test_every_value_and_key_has_a_place_by_its_path() -> None:
    places = places_of(read_documents(GOOD, Report()), {})

    assert places[("metrics", "近7天互动数", "within")] == Place("playbooks/02-metrics.yml", 12, 31, 2)
    assert places[("metrics", "近7天互动数", "within", "@key")] == Place("playbooks/02-metrics.yml", 12, 23, 6)
    assert places[("playbook", "三层经营", "levels", "新客层", "steps", "欢迎", "send", "1")].line == 20
    assert places[("tier", "RFM五档")] == Place("playbooks/03-tiers.yml", 20, 7, 5)


def test_the_hash_changes_with_any_text_and_with_nothing_else() -> None:
    assert PROJECT.hash == hash_of(dict(reversed(list(GOOD.items()))))
    assert PROJECT.hash != hash_of({**GOOD, SETTINGS: GOOD[SETTINGS] + "\n"})
    assert PROJECT.hash != hash_of({k + "x": v for k, v in GOOD.items()})


def test_a_project_with_errors_is_refused_with_all_of_them() -> None:
    with pytest.raises(BadProject) as refused:
        load({**GOOD, "playbooks/90-new.yml": "workflow: x\n---\ntags:\n  甲: {fro: 3d}\n"})

    assert [p.code for p in refused.value.problems if p.severity == "error"] == ["SOP106", "SOP201"]


def test_a_new_level_needs_a_welcome_on_day_0() -> None:
    said = edited("playbooks/16-three-layers.yml", "at: now\n        give: 新客试用", "at: day 1 10:00\n        give: 新客试用")

    assert said == [
        "playbooks/03-tiers.yml:78:13: error SOP604: '新客层' is marked new, but no flow welcomes it on day 0. "
        "Write a step with 'at: now' for this level."
    ]


def test_rules_read_only_what_the_profile_has() -> None:
    said = edited(SETTINGS, "content_types:", "profile: startup\ncontent_types:")

    assert any(": error SOP612: '黑卡' reads '近365天最高单笔', which is not in the profile 'startup'." in s for s in said)
    assert not any("'忠诚' reads '近365天订单数'" in s for s in said)
    assert all("SOP612" in s for s in said)


def test_a_model_of_ten_dimensions_is_an_error_unless_a_reason_is_written() -> None:
    many = " and ".join(f"{fact} > 1" for fact in ("家庭人数", "城市级别", "粉丝数", "周期天数", "理财测评分", "投资意愿分"))
    levels = f"levels:\n  高: {many} and 小区 = 甲 and 职业 = 医 and 城市 = 乙 and 性别 = 女\n"
    text = "tier: 太多{}\nnote: 演示\n" + levels

    said = [str(p) for p in check({**GOOD, "playbooks/90-new.yml": text.format("")}).problems if p.severity == "error"]

    assert said == [
        "playbooks/90-new.yml:1:7: error SOP613: '太多' reads 10 dimensions; nobody can remember a model of more than 9. Use fewer."
    ]
    assert check({**GOOD, "playbooks/90-new.yml": text.format("   # allow SOP613: 研究用")}).project is not None


def test_windows_of_the_same_thing_are_one_dimension() -> None:
    windows = ("近7天互动数", "近30天互动数", "近90天互动数", "累计互动数", "月均互动数")
    rule = And(tuple(Compare(">", Ref("metric", name, "number"), Constant(Decimal(1))) for name in windows))

    assert len(dimensions_of(Tier("同一", (Level("高", rule),)), PROJECT)) == 1


def test_a_campaign_for_everybody_is_an_error_unless_it_is_meant() -> None:
    start = "start:\n  every: month day 28 10:00\nonly: 累计订单数 > 0"

    assert ["SOP605" in s for s in edited(CAMPAIGNS, start, "start:\n  every: month day 28 10:00")] == [True]
    assert not any("SOP605" in s for s in edited(CAMPAIGNS, start, "start:   # allow SOP605: 人人有份\n  every: month day 28 10:00"))
    assert any("SOP605" in s for s in edited(CAMPAIGNS, start, "start:   # allow SOP605:\n  every: month day 28 10:00"))


def test_a_channel_carries_only_its_purposes() -> None:
    said = edited("templates/升级致谢_顾问.md", "purpose: internal", "purpose: service")

    assert said == ["templates/升级致谢_顾问.md:4:1: error SOP610: '顾问任务' (staff_task) carries no service messages, only internal."]


def test_a_metric_that_fails_is_not_called_missing_elsewhere() -> None:
    said = edited("playbooks/02-metrics.yml", "累计订单数: {count: order}", "累计订单数: {conut: order}")

    assert said == ["playbooks/02-metrics.yml:30:11: error SOP201: 'conut' is not a key of a metric. Did you mean 'count'?"]


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("timezone: Asia/Shanghai", "timezone: 上海", "SOP203"),
        ("purchase: order.amount", "purchase: order", "SOP203"),
        ("purchase: order.amount", "purchase: order.category", "SOP405"),
        ("purchase: order.amount ", "", "SOP202"),
        ("activity: 活跃", "activity: 活越", "SOP301"),
        ("on_reply: 人工回复_顾问", "on_reply: 没有的", "SOP301"),
        ("startup: [年龄,", "startup: [年纪,", "SOP301"),
        ("calendar: 中国", "calendar: 美国", "SOP301"),
        ("hours: 09:00-21:00", "hours: 9-21", "SOP203"),
    ],
)
def test_a_mistake_in_the_project_document_is_one_message(old: str, new: str, code: str) -> None:
    said = edited(SETTINGS, old, new)

    assert [s.split(": ")[1].split()[1] for s in said] == [code]


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        (SETTINGS, "channels:\n", "channels: {\n"),
        (SETTINGS, "{via: aliyun_sms, ", "{vai: aliyun_sms, "),
        (SETTINGS, "project: 某品牌私域", "project: {某品牌私域"),
        ("playbooks/01-catalog.yml", "attributes:\n", "attributes: {\n"),
        ("playbooks/01-catalog.yml", "amount: number, category", "amount: numbr, category"),
        ("playbooks/02-metrics.yml", "  累计互动数: {", "  累计互动数: {{"),
        (TIERS, "  高价值: RFM总分 >= 13", "  高价值: RFM总分 >== 13"),
        ("playbooks/13-record-order-upgrade.yml", "event: order\n", "event: ordr\n"),
        ("playbooks/13-record-order-upgrade.yml", "  免费退换货: {", "  免费退换货: {{"),
        ("playbooks/21-blueprint.yml", "steps:\n", "steps:  }\n"),
        ("playbooks/21-blueprint.yml", "version: 1\n", "version: one\n"),
        ("templates/会员日_推送.md", "template: 会员日_推送\n", "template: 会员日_推送\nx: {\n"),
    ],
)
def test_one_mistake_is_one_message_whatever_depends_on_it(file: str, old: str, new: str) -> None:
    assert len(edited(file, old, new)) == 1
