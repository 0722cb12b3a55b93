"""`sop split` says in words whether a split is needed, in English and Chinese, and as JSON."""

import subprocess
import sys

import pytest

from tests.cli.conftest import Shop


@pytest.fixture
def busy(shop: Shop) -> Shop:
    """Two users of whom one gave leave to be written to."""
    for key, leave in (("小王", "true"), ("老陈", "false")):
        shop.ok("track", key, "visit", at="2025-06-02T02:00:00Z")
        shop.ok("set", key, "短信许可", leave, at="2025-06-02T02:00:00Z")
    return shop


@pytest.mark.slow
def test_s3_11_the_command_says_its_verdict_in_both_languages_and_as_json(busy: Shop) -> None:
    lines = busy.ok("split", "短信许可", "生命周期 = 新客期").splitlines()
    assert lines[0] == "生命周期 = 新客期 by 短信许可, within everyone"
    assert [line.split() for line in lines[1:]][:3] == [
        ["group", "users", "yes", "rate"],
        ["no", "1", "1", "100.0%", "few", "users"],
        ["yes", "1", "1", "100.0%", "few", "users"],
    ]
    assert lines[4].startswith("Insufficient: too few users to tell")
    assert "数据不够：人数太少" in busy.ok("split", "短信许可", "生命周期 = 新客期", "--lang", "zh")
    assert busy.json("split", "短信许可", "累计订单数")["tested"]["verdict"] == "insufficient"
    assert busy.sop("split", "短信许可", "生命周期 = 新客期", "--lang", "fr").code == 2
    assert "is a number" in busy.sop("split", "累计订单数", "短信许可").err


@pytest.mark.slow
def test_s3_11_statistics_are_loaded_when_they_are_asked_for() -> None:
    asks = "import sys, sop_engine.cli.main, sop_engine.actions.split, sop_engine.core.split_words; print('scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", asks], capture_output=True, text=True, check=True).stdout == "False\n"
