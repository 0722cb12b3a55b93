"""`sop benefits`, `sop benefits void` and `sop import --as redemptions`: what is owed, what is taken back, what a till wrote down."""

import sqlite3
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from sop_engine.actions.ingest import record_events
from sop_engine.actions.liability import Owed, low_stocks, owed, void_code
from sop_engine.cli.importing_uses import read_uses, take_uses
from sop_engine.core.errors import NotFound, Refused
from sop_engine.core.records import Rejected, UserRecord
from sop_engine.core.stock import low_stock
from sop_engine.language.tables import open_table
from tests.conftest import sqlite_copy
from tests.shop import Shop as Engine
from tests.shop import keys
from tests.shop_project import BENEFIT

pytestmark = pytest.mark.slow
BOOKS = (
    f"benefits:\n  gift: {{pool: G, {BENEFIT}}}\n---\n"
    "playbook: g\nintent: serve\nstart: {event: cart}\ngoal: joins\nagain: always\nsteps:\n  gift: {at: now, give: gift, send: coupon}\n"
)


@pytest.fixture
def shop(migrated_sqlite: sqlite3.Connection) -> Iterator[Engine]:
    """Five users with a code each, out of twelve."""
    with sqlite_copy(migrated_sqlite) as engine:
        shop = Engine(engine, BOOKS, start="2025-03-01 12:00")
        shop.codes("G", *(f"C{n:02}" for n in range(12)))
        for key in keys(5):
            shop.user(key)
            shop.event(key, "cart")
        yield shop


def test_what_is_owed_adds_up_however_it_is_split(shop: Engine) -> None:
    shop.event("u1", "benefit_used", code="C00")
    void_code(shop.app, "C01", shop.now, by="operator")
    with shop.app.work(shop.now) as work:
        found = owed(work)
    numbers = {"issued": 5, "outstanding": 3, "redeemed": 1, "expired": 0, "voided": 1, "value": Decimal(60), "cost": Decimal(80)}
    assert found == {by: [Owed(name, **numbers)] for by, name in (("benefit", "gift"), ("level", ""), ("flow", "g"))}


def test_a_code_is_taken_back_once_and_a_used_one_never(shop: Engine) -> None:
    shop.event("u1", "benefit_used", code="C00")
    with pytest.raises(Refused, match="is redeemed"):
        void_code(shop.app, "C00", shop.now, by="operator")
    assert void_code(shop.app, "C02", shop.now, by="operator") == "gift"
    with pytest.raises(Refused, match="is voided"):
        void_code(shop.app, "C02", shop.now, by="operator")
    with pytest.raises(NotFound):
        void_code(shop.app, "C11", shop.now, by="operator")  # in the stock, with nobody


def test_a_stock_that_lasts_three_days_at_the_pace_of_the_week_is_low(shop: Engine) -> None:
    with shop.app.work(shop.now) as work:
        assert low_stocks(work) == {}  # 7 of 12, 5 a week
    shop.codes("G", *(f"D{n}" for n in range(30)))
    shop.users([UserRecord(key, shop.now, {"phone": "13800000000"}) for key in keys(25, "v")])
    record_events(shop.app, [shop.record(key, "cart", shop.local(), {}) for key in keys(25, "v")], shop.now)
    shop.beat()
    with shop.app.work(shop.now) as work:
        assert low_stocks(work) == {"G": "at the pace of the last week they last 2.8 days"}  # 12 of 42, 30 a week


@pytest.mark.parametrize(
    ("size", "left", "week", "low"),
    [(100, 10, 0, True), (100, 11, 0, False), (100, 30, 70, True), (100, 31, 70, False), (10, 0, 0, True), (1000, 999, 0, False)],
)
def test_a_stock_is_low_at_a_tenth_or_three_days_and_not_before(size: int, left: int, week: int, low: bool) -> None:
    assert bool(low_stock(size, left, week)) is low


def test_a_file_of_uses_is_applied_row_by_row_and_the_same_file_changes_nothing(shop: Engine, tmp_path: Path) -> None:
    file = tmp_path / "uses.csv"
    file.write_text(
        "code,at,order_id,amount,kind\nC00,2025-03-01 11:59,A1,20,\nC00,2025-03-01 12:00,A2,20,\nC00,2025-03-01 12:00,A1,20,reversed\n"
        "C01,2025-03-01 12:00,A3,x,\nNONE,2025-03-01 12:00,A4,1,\nC02,2025-03-02 12:00,A5,1,\n,2025-03-01,A6,1,\n", "utf-8",
    )  # fmt: skip
    bad: list[Rejected] = []

    def take() -> dict[str, int]:
        return dict(take_uses(shop.app, read_uses(open_table(file), shop.zone, shop.now), bad.append, shop.now))

    assert take() == {"accepted": 2, "already_redeemed": 1, "rejected": 3, "unknown_code": 1}
    assert [(b.line, b.column) for b in bad] == [(5, "amount"), (7, "at"), (8, "code")]
    assert take() == {"duplicate": 2, "already_redeemed": 1, "rejected": 3, "unknown_code": 1}
    assert [g.state for g in shop.grants()] == ["issued"] * 5
