"""`sop tiers`, `moves`, `count`, `user`, `touches`, `outbox`, `tasks`, `benefits` answer from what is stored, and mask what is personal."""

from decimal import Decimal
from pathlib import Path

import pytest

from sop_engine.actions.asking import shares_of
from tests.cli.conftest import Shop

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def lived(applied_starter: Path, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A shop with one user who got two messages, and one who never came; to be copied."""
    shop = Shop(applied_starter).copy(tmp_path_factory.mktemp("lived"))
    shop.ok("track", "小王", "visit", at="2025-06-02T02:00:00Z")
    for name, value in (("昵称", "小王"), ("手机号", "13812340001"), ("短信许可", "true")):
        shop.ok("set", "小王", name, value, at="2025-06-02T02:00:00Z")
    shop.ok("track", "老陈", "visit", at="2025-06-03T02:00:00Z")
    shop.ok("tick", at="2025-06-03T02:00:00Z")
    shop.ok("tick")
    return shop


@pytest.fixture
def busy(lived: Shop, tmp_path: Path) -> Shop:
    """The same in a folder of its own."""
    return lived.copy(tmp_path)


def test_shares_add_up_to_100_percent_and_unscored_stands_apart(busy: Shop) -> None:
    lines = busy.ok("tiers").splitlines()
    assert lines[0] == "生命周期 · 2025-06-10"
    assert lines[2].split() == ["新客期", "2", "100.0%"]
    assert lines[-2].split() == ["unscored", "0", "0.0%"]
    assert lines[-1].split() == ["all", "2", "100.0%"]


@pytest.mark.parametrize("counts", [[1, 1, 1], [1, 0, 0, 6], [333, 333, 334, 1], [10**7, 1, 1]])
def test_rounded_shares_always_add_up_to_100(counts: list[int]) -> None:
    shares = shares_of(counts)
    assert sum(shares) == Decimal("100.0")
    assert all(abs(share - Decimal(100 * n) / sum(counts)) < Decimal("0.1") for share, n in zip(shares, counts, strict=True))
    assert shares_of([0, 0]) == [0, 0]


def test_a_past_day_is_told_from_the_moves(busy: Shop) -> None:
    assert busy.json("tiers", "生命周期", "--on", "2025-06-02")[0]["users"] == 1
    assert busy.json("tiers", "生命周期", "--on", "2025-06-03")[0]["users"] == 2
    assert "is still to come" in busy.sop("tiers", "--on", "2025-07-01").err
    assert "is not a date" in busy.sop("tiers", "--on", "gestern").err


def test_moves_are_a_matrix_with_their_causes(busy: Shop) -> None:
    busy.ok("track", "小王", "order", "-f", "order_id=a1", "-f", "amount=9")
    told = busy.json("moves", "生命周期")
    assert told["moves"] == [[None, "新客期", 2], ["新客期", "活跃期", 1]]
    assert told["causes"] == {"event": 3}
    assert busy.json("moves", "生命周期", "--to", "2025-06-02")["moves"] == [[None, "新客期", 1]]
    assert "--from 2025-06-09 is after --to 2025-06-02." in busy.sop("moves", "生命周期", "--from", "2025-06-09", "--to", "2025-06-02").err


def test_an_unknown_name_suggests_a_close_one(busy: Shop) -> None:
    assert "there is no tier '生命期'. Did you mean '生命周期'?" in busy.sop("tiers", "生命期").err
    assert "there is no user '小'" in busy.sop("user", "小").err
    assert "Did you mean '未访问天数'?" in busy.sop("count", "未访问天 > 3").err
    assert "there is no state 'send'. Did you mean 'sent'?" in busy.sop("touches", "--state", "send").err
    assert "there is no channel '短息'. Did you mean '短信'?" in busy.sop("outbox", "--channel", "短息").err
    assert "there is no playbook or flow '生命周期经'" in busy.sop("touches", "--flow", "生命周期经").err
    for words in (["tiers", "生命期"], ["user", "小"], ["count", "x"], ["touches", "--state", "send"]):
        assert busy.sop(*words).code == 1


def test_count_is_the_audience_of_a_condition(busy: Shop) -> None:
    assert busy.ok("count", "生命周期 = 新客期 and 未访问天数 >= 8") == "1 of 2 users\n"
    assert busy.ok("count", "everyone") == "2 of 2 users\n"
    assert "write '=' instead of '=='" in busy.sop("count", "累计订单数 == 0").err


def test_a_user_is_shown_with_personal_values_masked(busy: Shop) -> None:
    out = busy.ok("user", "小王")
    assert "13812340001" not in out
    told = busy.json("user", "小王")
    assert told["attributes"] == {"手机号": "•••", "昵称": "小王", "短信许可": True}
    assert told["metrics"]["未访问天数"] == 8
    assert [(r["flow"], r["state"]) for r in told["runs"]] == [("生命周期经营/新客期", "open")]


def test_touches_can_be_narrowed_and_are_counted(busy: Shop) -> None:
    told = busy.json("touches", "--user", "小王")
    assert [(t["step"], t["state"]) for t in told["touches"]] == [("欢迎", "sent"), ("第3天送券", "skipped")]
    assert busy.ok("touches", "--reason", "late").splitlines()[-1] == "skipped (late) 2"
    assert busy.json("touches", "--flow", "生命周期经营", "--limit", "1")["counts"] != []
    assert busy.ok("touches", "--state", "failed") == "no touches\n"
    assert busy.sop("touches", "--limit", "0").code == 2


def test_the_outbox_shows_the_text_and_masks_the_address(busy: Shop) -> None:
    out = busy.ok("outbox", "--user", "小王")
    assert "小王 (•••0001)  欢迎_短信" in out
    assert "    小王，欢迎来到小店！" in out
    assert busy.ok("outbox", "--user", "老陈") == "the outbox is empty\n"


def test_benefits_and_tasks_are_counted(shop: Shop) -> None:
    assert shop.ok("benefits") == "no benefit was given yet\n"
    assert shop.ok("tasks") == "no open tasks\n"
    assert "there is no state of a task 'offen'" in shop.sop("tasks", "--state", "offen").err
    shop.ok("track", "小王", "visit", at="2025-06-02T02:00:00Z")
    for name, value in (("手机号", "13812340001"), ("短信许可", "true")):
        shop.ok("set", "小王", name, value, at="2025-06-02T02:00:00Z")
    shop.ok("tick", at="2025-06-02T02:00:00Z")
    shop.ok("tick", at="2025-06-05T02:00:00Z")
    assert shop.json("benefits")["given"] == [
        {"flow": "生命周期经营/新客期", "benefit": "新客券满99减20", "state": "issued", "many": 1, "cost": 20}
    ]
