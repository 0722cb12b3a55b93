"""`sop plan` shows what would change, `sop apply` makes it live after a question; running users keep their version."""

import pytest

from tests.cli.conftest import Shop

pytestmark = pytest.mark.slow


def test_the_first_plan_is_all_new_and_writes_nothing(fresh: Shop) -> None:
    out = fresh.ok("plan", "--no-test")
    assert "+ 生命周期经营/新客期" in out
    assert out.splitlines()[-1] == "0 changed, 2 new, 0 removed, 0 as they are. Approval: not needed."
    assert fresh.sop("tiers").err.strip() == "Error: no project has been applied to this database yet: run 'sop apply' first"


def test_apply_asks_and_no_means_no(fresh: Shop) -> None:
    said = fresh.sop("apply", "--no-test", typed="n\n")
    assert said.code == 1
    assert "Apply? [y/N]" in said.err
    assert "no project has been applied" in fresh.sop("tiers").err
    assert fresh.sop("apply", "--no-test", typed="y\n").out.endswith("Applied.\n")


def test_the_plan_names_each_key_that_differs(shop: Shop) -> None:
    shop.ok("track", "小王", "visit")
    shop.change(
        "playbooks/10-lifecycle.yml",
        "{at: day 3 10:00, give: 新客券满99减20, send: 新客券_短信}",
        "{at: day 5 10:00, send: 新客券_短信, give: 新客券满99减20, late: 2d}",
    )
    shop.change("playbooks/00-project.yml", "worth: 20", "worth: 30")
    out = shop.ok("plan", "--no-test")
    assert "~ 生命周期经营/新客期       v1 -> v2    playbooks/10-lifecycle.yml:5" in out
    assert "    ~ steps.第3天送券.at   day 3 10:00 -> day 5 10:00" in out
    assert "    + steps.第3天送券.late   2d" in out
    assert "    ~ benefits.新客券满99减20.worth   20 -> 30" in out
    assert "    1 run is on an older version: they stay on it; --move carries them over." in out
    assert out.splitlines()[-1] == "1 changed, 0 new, 0 removed, 1 as they are. Approval: not needed."


def test_running_users_stay_on_their_version_unless_they_are_moved(shop: Shop) -> None:
    shop.ok("track", "小王", "visit")
    shop.change("playbooks/10-lifecycle.yml", "at: day 3 10:00, give", "at: day 5 10:00, give")
    shop.ok("apply", "--yes", "--no-test")
    assert shop.json("why", "小王")["runs"][0]["version"] == 1
    shop.ok("apply", "--yes", "--no-test", "--move")
    moved = shop.json("why", "小王")["runs"][0]
    assert moved["version"] == 2
    assert [t["due_at"] for t in moved["touches"] if t["step"] == "第3天送券"] == ["2025-06-15T02:00:00+00:00"]


def test_a_removed_flow_goes_on_unless_it_is_stopped(shop: Shop) -> None:
    shop.ok("track", "小王", "visit")
    shop.change("playbooks/10-lifecycle.yml", "playbook: 生命周期经营\ntier", "playbook: 别的经营\ntier")
    shop.change("playbooks/10-lifecycle.yml", "playbook: 生命周期经营", "playbook: 别的经营")
    assert "- 生命周期经营/新客期" in shop.ok("plan", "--no-test")
    shop.ok("apply", "--yes", "--no-test", "--stop")
    assert shop.json("why", "小王")["runs"][0]["end_reason"] == "stopped"


def test_a_story_that_fails_keeps_the_project_from_being_applied(shop: Shop) -> None:
    shop.change("playbooks/10-lifecycle.yml", "at: day 3 10:00, give", "at: day 5 10:00, give")
    said = shop.sop("apply", "--yes")
    assert said.code == 1
    assert "1 story fails: 新客当天收到欢迎" in said.err
    assert "Stories: 1 of 2 hold." in said.out


def test_an_approval_that_is_missing_is_refused(shop: Shop) -> None:
    shop.change("playbooks/10-lifecycle.yml", "    goal: 首单", "    approve_by: 店长\n    goal: 首单")
    said = shop.sop("apply", "--yes", "--no-test")
    assert said.code == 1
    assert "Approval: needed for 生命周期经营/新客期 (店长)." in said.out
    assert "need an approval" in said.err
    shop.ok("apply", "--yes", "--no-test", "--approved-by", "王店长")


def test_json_is_the_plan(shop: Shop) -> None:
    shop.change("playbooks/10-lifecycle.yml", "at: day 3 10:00, give", "at: day 5 10:00, give")
    flow = shop.json("plan", "--no-test")["flows"][0]
    assert (flow["change"]["kind"], flow["change"]["new"]) == ("changed", 2)
    assert flow["differences"] == [{"path": "steps.第3天送券.at", "old": "day 3 10:00", "new": "day 5 10:00"}]
