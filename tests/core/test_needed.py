"""A story is played with the facts it can read, through tags, metrics, tiers and texts, and with no others."""

import pytest

from sop_engine.core.needed import needed
from sop_engine.core.project import Project
from tests.shipped.library import shipped


@pytest.fixture(scope="module")
def project() -> Project:
    """What a story of the newcomers' playbook is played with."""
    return needed(shipped(), next(story for story in shipped().stories if story.playbooks == ("新客首单培育",)))


def test_flows_of_other_playbooks_are_left_out(project: Project) -> None:
    assert {flow.playbook for flow in project.flows.values()} == {"新客首单培育"}


def test_what_starts_a_flow_is_there_down_to_the_metrics_its_rules_read_through_a_tag(project: Project) -> None:
    """引入期 is what the other levels of 生命周期 are not; one of them asks the tag 团购衰退, which asks 历史月均购买."""
    assert "生命周期" in project.tiers
    assert "团购衰退" in project.tags
    assert "历史月均购买" in project.metrics


def test_what_decides_whether_anybody_is_sent_anything_is_there(project: Project) -> None:
    """The silent levels of the primary tier, and the project's own `only`, which asks for a level of another one."""
    assert {"RFM五档", "社媒互动"} <= project.tiers.keys()


def test_what_a_text_says_is_there(project: Project) -> None:
    assert "最近浏览品类" in project.metrics


def test_words_in_a_chat_still_set_what_they_set(project: Project) -> None:
    assert {"价格敏感", "家有小孩"} <= project.tags.keys()


def test_what_nobody_reads_is_left_out(project: Project) -> None:
    assert "理财四类" not in project.tiers
    assert "课程最高价" not in project.metrics
