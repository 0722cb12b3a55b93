"""The quoted figures that the engine can already compute: flags, unused dimensions, wake-ups, and a coupon against its hold-out."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Engine

from sop_engine.actions.arm_funnel import funnels
from sop_engine.actions.arm_lives import Person
from sop_engine.actions.asking import tier_shares
from sop_engine.actions.ingest import record_events
from sop_engine.core.records import UserRecord
from sop_engine.language.load import check
from sop_engine.store.arms import ArmTouch, Assigned
from tests.builders import at
from tests.cli.test_compare import compare, rows, table
from tests.shop import Shop, keys
from tests.shop_project import CATALOGUE

NOON = at("2025-06-01 12:00")


def reached(n: int, woke: bool) -> Person:
    """A user to whom one message was delivered at noon, awake six days later or never."""
    touch = ArmTouch(n, "a", NOON, "sent", None, "marketing", "sms", Decimal(0), NOON, NOON)
    assigned = Assigned(n, f"u{n}", None, False, NOON, n, "back", 1, NOON, None, None)
    return Person(assigned, [touch], active=[NOON + timedelta(days=6)] if woke else [])


@pytest.mark.parametrize(("woke", "rate"), [(50, 0.25), (42, 0.21)], ids=["q_08", "q_23"])
def test_q_08_23_the_wake_up_rate_is_that_of_the_delivered_within_seven_days(woke: int, rate: float) -> None:
    told = funnels({"all": [reached(n, n < woke) for n in range(200)]}, NOON + timedelta(days=30))["all"]
    assert told["woke"] / told["delivered"] == rate


def test_q_03_twelve_of_a_hundred_carry_the_flag(memory: Engine) -> None:
    shop = Shop(memory, "tier: member\nnote: x\nlevels: {diamond: orders >= 4, other: otherwise}\n", start="2025-06-01 12:00")
    shop.users([UserRecord(key, shop.now, {}) for key in keys(100)])
    orders = [shop.record(key, "order", shop.local(), {"order_id": f"{key}-{n}", "amount": 5}) for key in keys(12) for n in range(4)]
    record_events(shop.app, orders, shop.now)
    with shop.app.work(shop.now) as work:
        shares = {level.level: level.percent for level in tier_shares(work, work.project.tiers["member"]).levels}
    assert shares["diamond"] == 12


def test_q_10_of_ten_dimensions_eight_that_nothing_reads_are_named() -> None:
    head = "project: shop\ntimezone: Asia/Shanghai\npurchase: order.amount\nactivity: active\ncontent_types: [offer]\n---\n"
    dimensions = "attributes: {" + ", ".join(f"d{n}: number" for n in range(10)) + "}\n---\n"
    tier = "tier: some\nnote: x\nlevels: {a: d0 > 1 and d1 > 1, b: otherwise}\n"
    told = check({"playbooks/a.yml": head + CATALOGUE, "playbooks/b.yml": dimensions + tier}).problems
    assert sum(p.code == "SOP711" and p.file == "playbooks/b.yml" for p in told) == 8


def test_q_22_a_coupon_against_its_hold_out_lifts_conversion_by_a_factor(tmp_path: Path) -> None:
    file = table(tmp_path, rows((25, 1000), (60, 1000)))
    said = compare("--csv", file, "--arm", "arm", "--converted", "back", "--planned", 2000, "--shares", "holdout=1,A=1", "--json").json
    rates = {arm["name"]: arm["rate"] for arm in said["arms"]}
    assert rates["A"] / rates["holdout"] == pytest.approx(2.4)
    assert said["comparisons"][0]["verdict"] == "better"
