"""The shipped library is clean, complete and told in stories: no level is forgotten, no cell blank, no step untested."""

import re

import pytest

from sop_engine.actions.rehearse import play
from sop_engine.core.matrix import matrix_of
from sop_engine.core.playbook import Flow
from sop_engine.core.story import Story
from tests.shipped.library import checked, files, mapped_tiers, shipped

PLAYBOOKS = (
    "新客首单培育", "沉默45天唤醒", "三层经营", "RFM五档经营", "零售流失召回",
    "生命周期经营", "竞品浏览拦截", "复购培育", "预警沉默", "破纪录即时升级",
    "RFM行动", "消费场景推荐", "社媒四层经营", "核心评论回复", "内容互动", "母婴钻石",
    "AARRR五阶段", "社区金字塔", "团长挽留", "AIPL链路", "近7天浏览未下单", "需求场景", "签到习惯",
    "咨询优惠即时应答", "拒收意向", "转介种子", "黑卡礼遇", "生鲜尊享", "预测流失关怀", "服务补救", "默默对比",
    "叠加运营", "孕期陪伴", "理财四类经营", "教育偏好经营", "场景时段", "春季新品首发", "高潜即时拦截",
)  # fmt: skip
NOBODY_REACHED = {"no_channel", "opted_out", "holdout"}


def stories_of(playbook: str) -> list[Story]:
    return [story for story in shipped().stories if playbook in story.playbooks]


def test_there_is_nothing_to_say_against_any_file() -> None:
    assert [str(problem) for problem in checked().problems] == []


def test_the_playbooks_of_the_library_are_there_and_no_others() -> None:
    assert sorted(shipped().playbooks) == sorted(PLAYBOOKS)


@pytest.mark.slow
@pytest.mark.parametrize("story", shipped().stories, ids=lambda story: story.title)
def test_the_story_holds(story: Story) -> None:
    assert list(play(shipped(), story).failures) == []


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_a_playbook_has_three_stories_and_one_of_users_who_get_nothing(playbook: str) -> None:
    told = stories_of(playbook)
    assert len(told) >= 3
    nothing = [
        s for s in told if s.variant == "holdout" or any(line.because in NOBODY_REACHED or line.name == "undone" for line in s.lines)
    ]
    assert nothing


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_a_playbook_has_a_story_of_an_edge_at_which_nothing_may_be_sent(playbook: str) -> None:
    """Somewhere a run ends early, a start is refused, a step does not fit, or nothing is expected at all."""
    early = [
        s
        for s in stories_of(playbook)
        if not any(line.kind == "expect" for line in s.lines)
        or any(line.name in ("goal", "left", "undone", "start") or line.because in ("when", "late", "only", "again") for line in s.lines)
    ]
    assert early


def test_every_step_that_reaches_somebody_is_named_in_a_story() -> None:
    named = {
        (p, line.level, line.name) for s in shipped().stories for p in s.playbooks for line in s.lines if line.kind in ("expect", "skip")
    }
    named |= {(p, None, name) for p, _, name in named}
    untold = [
        f"{flow.id}/{step.name}"
        for flow in shipped().flows.values()
        for step in flow.steps
        if step.send and not {(flow.playbook, flow.level, step.name), (flow.playbook, None, step.name)} & named
    ]
    assert untold == []


def test_every_way_a_run_ends_or_starts_again_is_in_a_story() -> None:
    lines = [line for story in shipped().stories for line in story.lines]
    assert {"goal", "left", "finished", "undone", "投诉"} <= {line.name for line in lines if line.kind == "end"}
    assert {"only", "again", "late"} <= {line.because for line in lines if line.name == "start"}
    assert {"late", "when", "no_channel", "holdout", "limit", "stale"} <= {line.because for line in lines if line.kind == "skip"}


@pytest.mark.parametrize("tier", mapped_tiers())
def test_every_level_of_a_mapped_tier_has_a_flow_or_a_reason(tier: str) -> None:
    levels = set(shipped().tiers[tier].level_names)
    for playbook in shipped().playbooks.values():
        if playbook.tier == tier:
            flows = {shipped().flows[flow].level for flow in playbook.flows}
            reasons = {level for level, reason in playbook.none if len(reason) > 5}
            assert flows | reasons == levels and not flows & reasons


@pytest.mark.parametrize("tier", mapped_tiers())
def test_s1_64_the_matrix_of_a_tier_has_no_blank_cell(tier: str) -> None:
    rows = matrix_of(shipped().tiers[tier], shipped(), None).rows
    assert [row.level for row in rows] == list(shipped().tiers[tier].ladder or shipped().tiers[tier].level_names)
    for row in rows:
        assert row.cells or row.nothing, row.level
        assert "not mapped" not in row.nothing
        for when, does in row.cells.items():
            assert when and any(channel in does for channel in shipped().channels), row.level


@pytest.mark.parametrize("flow", shipped().flows.values(), ids=lambda flow: flow.id)
def test_a_flow_says_when_where_what_and_what_for(flow: Flow) -> None:
    sends = [shipped().template(name, None) for step in flow.steps if step.send for name in step.send.names()]
    assert {t.channel for t in sends} and all(t.content_type or t.purpose == "internal" for t in sends)
    assert flow.no_benefit or any(step.give for step in flow.steps)
    assert flow.goal is not None and flow.owner


def test_every_benefit_ends_and_has_a_limit_and_a_budget_in_days() -> None:
    for benefit in shipped().benefits.values():
        assert benefit.valid and benefit.limit.per.days and benefit.budget.per.days, benefit.name
        assert benefit.cost > 0, benefit.name


@pytest.mark.parametrize("file", [file for file in files() if not re.search(r"/0\d-", file)])
def test_a_file_says_in_english_what_it_is(file: str) -> None:
    told = [line for line in files()[file].splitlines() if line.startswith("# ") and "$schema" not in line]
    assert told and all(len(re.findall(r"[a-z]{2,}", line)) >= 3 for line in told), told
