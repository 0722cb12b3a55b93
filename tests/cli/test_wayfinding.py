"""`sop path` tells the way of a user and `sop paths` the common ways to a first order."""

import pytest

from tests.cli.conftest import Shop


@pytest.fixture
def busy(shop: Shop) -> Shop:
    """A visit, then an order."""
    shop.ok("track", "小王", "visit", at="2025-06-02T02:00:00Z")
    shop.ok("track", "小王", "order", "-f", "order_id=a1", "-f", "amount=99", at="2025-06-06T02:00:00Z")
    return shop


@pytest.mark.slow
def test_s2_65_s3_12_paths_are_told_as_text_and_json(busy: Shop) -> None:
    lines = busy.ok("path", "小王").splitlines()
    assert lines[0] == "小王 · no identity says public or private · first touch visit cli on 2025-06-02 10:00"
    assert [line.split() for line in lines[1:]] == [
        ["2025-06-02", "10:00", "visit", "cli"],
        ["2025-06-02", "10:00", "生命周期", "unscored", "→", "新客期"],
        ["2025-06-06", "10:00", "order", "cli"],
        ["2025-06-06", "10:00", "生命周期", "新客期", "→", "活跃期"],
    ]
    assert [step["what"] for step in busy.json("path", "小王", "--limit", 1)["steps"]] == ["visit", "生命周期"]
    assert busy.ok("paths").splitlines() == ["everybody · 1 first order", "100.0%  1  visit → order"]
    (way,) = busy.json("paths", "--by", "生命周期")
    assert (way["segment"], way["steps"], way["share"]) == ("活跃期", ["visit", "order"], 1)
    assert "is no dimension here" in busy.sop("paths", "--by", "first_channel").err
