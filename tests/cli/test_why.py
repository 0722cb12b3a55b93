"""`sop why` tells what happened to a user and why, and what keeps a flow from starting."""

from pathlib import Path

import pytest

from tests.cli.conftest import Shop

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def lived(applied_starter: Path, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """Welcomed, not sent the second message for the phone number was gone by then, and then bought; to be copied."""
    shop = Shop(applied_starter).copy(tmp_path_factory.mktemp("lived"))
    shop.ok("track", "小王", "visit", at="2025-06-02T02:00:00Z")
    for name, value in (("手机号", "13812340001"), ("短信许可", "true")):
        shop.ok("set", "小王", name, value, at="2025-06-02T02:00:00Z")
    shop.ok("tick", at="2025-06-02T02:00:00Z")
    shop.ok("set", "小王", "短信许可", "false", at="2025-06-03T02:00:00Z")
    shop.ok("tick", at="2025-06-05T02:00:00Z")
    shop.ok("track", "小王", "order", "-f", "order_id=a1", "-f", "amount=99", at="2025-06-06T02:00:00Z")
    return shop


@pytest.fixture
def told(lived: Shop, tmp_path: Path) -> Shop:
    """The same in a folder of its own."""
    return lived.copy(tmp_path)


def test_a_run_is_told_from_its_start_to_its_end(told: Shop) -> None:
    assert told.ok("why", "小王", "生命周期经营/新客期").splitlines()[:5] == [
        "生命周期经营/新客期 v1 · 2025-06-02 10:00 · entered 生命周期 = 新客期 (未访问天数 0, 累计订单数 0) · anchor 2025-06-02",
        '06-02 10:00  欢迎       sent       短信 欢迎_短信 "您好，欢迎来到小店！有任何想找的，直接回复告诉我们。拒收请回复R"'
        "  delivered 06-02 10:00",
        "06-05 10:00  第3天送券  skipped    needs    新客券_短信: needs (no  短信许可  (短信许可 false))",
        "06-06 10:00  goal reached",
        "06-06 10:00  ended      goal",
    ]


def test_a_flow_that_has_not_started_says_which_rule_does_not_hold(told: Shop) -> None:
    lines = told.ok("why", "小王", "生命周期经营/流失期").splitlines()
    assert lines == [
        "生命周期经营/流失期 · not started · it starts when the user enters 生命周期 = 流失期   playbooks/10-lifecycle.yml:12",
        "    no  生命周期 = 流失期  (生命周期 活跃期)",
    ]


def test_a_refused_start_is_told_with_its_reason(told: Shop) -> None:
    told.ok("set", "小王", "生命周期", "新客期", "--until", "2025-06-30", at="2025-06-07T02:00:00Z")
    refused = told.json("why", "小王")["refused"]
    assert [(r["flow"], r["reason"]) for r in refused] == [("生命周期经营/新客期", "again")]
    assert "生命周期经营/新客期 · 2025-06-07 10:00 · not started: again" in told.ok("why", "小王")


def test_a_tier_is_explained_rule_by_rule(told: Shop) -> None:
    lines = told.ok("why", "小王", "生命周期").splitlines()
    assert lines[0] == "小王 · 生命周期 = 活跃期 since 2025-06-06"
    assert "    流失期  does not hold   playbooks/01-tiers.yml:5" in lines
    assert "      yes  累计订单数 >= 1  (累计订单数 1)" in lines
    assert "      no  未访问天数 >= 30  (未访问天数 4)" in lines
    assert lines[-1] == "  2025-06-06 10:00  新客期 → 活跃期  (event)"


def test_a_level_set_by_hand_is_said_to_be(told: Shop) -> None:
    told.ok("set", "小王", "生命周期", "流失期", "--until", "2025-06-12", "--author", "王经理")
    assert "  set by hand: 流失期" in told.ok("why", "小王", "生命周期")
    assert told.json("why", "小王", "生命周期")["by_rules"] == "活跃期"


def test_a_user_for_whom_nothing_started_gets_a_hint(shop: Shop) -> None:
    shop.ok("import", shop.write("u.csv", "user_id\nu9\n"), "--as", "users")
    assert shop.ok("why", "u9") == "u9: no flow has started, and none was refused. 'sop why u9 FLOW' says what is missing.\n"


def test_unknown_names_are_one_sentence(told: Shop) -> None:
    for words, sentence in (
        (["why", "小"], "there is no user '小'"),
        (["why", "小王", "生命周期经"], "there is no playbook or flow '生命周期经'. Did you mean '生命周期经营'?"),
    ):
        said = told.sop(*words)
        assert said.code == 1
        assert sentence in said.err


def test_sensitive_values_are_masked_in_reasons(told: Shop) -> None:
    told.change("playbooks/00-project.yml", "  短信许可: flag", "  短信许可: flag\n  身份: {type: [正常, 已孕], sensitive: true}")
    told.change("playbooks/10-lifecycle.yml", "    intent: win_back", "    intent: win_back\n    only: 身份 = 正常")
    told.ok("apply", "--yes", "--no-test")
    told.ok("set", "小王", "身份", "已孕")
    assert "    no  身份 = 正常  (身份 •••)" in told.ok("why", "小王", "生命周期经营/流失期")


def test_json_is_the_same_value(told: Shop) -> None:
    run = told.json("why", "小王")["runs"][0]
    assert [(t["step"], t["state"], t["reason"], list(t["receipts"])) for t in run["touches"]] == [
        ("欢迎", "sent", None, ["delivered"]),
        ("第3天送券", "skipped", "needs", []),
    ]


def test_s1_48_the_events_behind_a_level_and_a_tag_are_listed(told: Shop) -> None:
    told.change("playbooks/00-project.yml", "metrics:", "tags:\n  买过: {when: 累计订单数 >= 1}\n---\nmetrics:")
    told.ok("apply", "--yes", "--no-test", at="2025-06-06T03:00:00Z")
    assert told.ok("why", "小王", "买过").splitlines() == [
        "小王 · 买过 · has it, by its rule",
        "      yes  累计订单数 >= 1  (累计订单数 1)",
        "  2025-06-06 10:00  order  cli  累计订单数",
    ]
    assert [event["kind"] for event in told.json("why", "小王", "买过")["events"]] == ["order"]
    told.change("playbooks/01-tiers.yml", "活跃期: otherwise", "活跃期: 买过")
    told.ok("apply", "--yes", "--no-test", at="2025-06-06T04:00:00Z")
    assert "  2025-06-06 10:00  order  cli  累计订单数" in told.ok("why", "小王", "生命周期").splitlines()
