"""`sop test` plays the stories that are asked for and says which lines did not hold."""

import pytest

from tests.cli.conftest import Shop

pytestmark = pytest.mark.slow


def test_stories_that_hold_are_listed_with_their_place(fresh: Shop) -> None:
    lines = fresh.ok("test").splitlines()
    assert lines[0] == "ok  playbooks/10-lifecycle.yml:21  新客当天收到欢迎，第 3 天收到券，下单即止"
    assert lines[-1] == "2 of 2 stories hold"


def test_a_story_that_fails_says_which_line_and_exits_with_1(fresh: Shop) -> None:
    fresh.change("playbooks/10-lifecycle.yml", "{at: day 3 10:00, expect: 第3天送券", "{at: day 2 10:00, expect: 第3天送券")
    said = fresh.sop("test", "-k", "新客")
    assert said.code == 1
    lines = said.out.splitlines()
    assert lines[0].startswith("FAILED  playbooks/10-lifecycle.yml:21  ")
    assert any("'第3天送券' was not sent now" in line for line in lines)
    assert lines[-1] == "0 of 1 stories hold"


def test_a_word_or_a_file_chooses_stories(fresh: Shop) -> None:
    assert fresh.ok("test", "-k", "第 45 天").splitlines()[-1] == "1 of 1 stories hold"
    assert fresh.ok("test", "playbooks/10-lifecycle.yml", "-k", "新客").splitlines()[-1] == "1 of 1 stories hold"


def test_no_story_is_an_error(fresh: Shop) -> None:
    said = fresh.sop("test", "-k", "没有这个")
    assert (said.code, said.err.strip()) == (1, "Error: no story has the word '没有这个'.")
    assert "there is no story in 'playbooks/01-tiers.yml'" in fresh.sop("test", "playbooks/01-tiers.yml").err


def test_a_project_with_errors_plays_nothing(fresh: Shop) -> None:
    fresh.change("playbooks/01-tiers.yml", "未访问天数 >= 30", "未访问天 >= 30")
    said = fresh.sop("test")
    assert said.code == 1
    assert "SOP403" in said.err
    assert said.err.splitlines()[-1].startswith("Nothing was done: the project has 1 error.")


def test_json_tells_of_each_story(fresh: Shop) -> None:
    told = fresh.json("test", "-k", "新客")
    assert [(t["ok"], t["failures"]) for t in told] == [(True, [])]
