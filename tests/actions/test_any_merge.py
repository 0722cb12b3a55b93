"""Whatever three users do while they are united and parted, in any order: every invariant holds, and who refused gets nothing."""

import sqlite3
from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from sop_engine.core.errors import BadInput, Refused
from sop_engine.store import metric_values
from sop_engine.store.consent import opt_outs_of
from sop_engine.store.people import all_ids
from sop_engine.store.scope import Scope
from tests.actions.identity_shop import FLOW, VALUE, broken, by_hand, merges, open_shop, take_back
from tests.conftest import sqlite_copy
from tests.shop import Shop

pytestmark = pytest.mark.slow

CART = "playbook: cart\nintent: cultivate\nstart: {event: cart}\ngoal: buys\nagain: always\nvariants: {x: 50%, y: 50%}\n" + (
    "steps:\n  gift: {at: now, give: gift, send: coupon}\n  more: {at: day 2 10:00, from: gift, send: third}\n"
)
USERS = st.sampled_from("abc")
DEEDS = st.one_of(
    st.tuples(st.sampled_from(["visit", "cart", "order", "refund", "unsubscribed", "phone"]), USERS),
    st.tuples(st.just("merge"), st.sampled_from(["ab", "bc", "ca"])),
    st.tuples(st.sampled_from(["undo", "wait"]), st.just("")),
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(DEEDS, min_size=4, max_size=14))
def test_x_13_whatever_is_united_and_parted_the_invariants_hold(
    migrated_sqlite: sqlite3.Connection, deeds: Sequence[tuple[str, str]]
) -> None:
    with sqlite_copy(migrated_sqlite) as engine:
        shop = open_shop(engine, FLOW, VALUE, CART, project={"caps": "3 per 7d"})
        for n, key in enumerate("abc"):
            shop.user(key, joined=f"2025-02-0{n + 1} 10:00", phone=f"1391234567{n}")
        for deed, whom in deeds:
            do(shop, deed, whom)
            assert broken(shop) == []
        refused = refusing(shop)
        sent = {t.id for t in shop.touches() if t.state == "sent"}
        shop.until("2025-04-20 12:00")
        assert broken(shop) == []
        assert [t.id for t in shop.touches() if t.state == "sent" and t.id not in sent and t.user_id in refused] == []
        values_follow_from_the_log(shop)


def do(shop: Shop, deed: str, whom: str) -> None:
    """One thing happens."""
    if deed == "wait":
        shop.until((shop.now + timedelta(hours=26)).astimezone(shop.zone).strftime("%Y-%m-%d %H:%M"))
    elif deed == "phone":
        shop.set(whom, phone="13912345670")
    elif deed == "merge":
        try:
            by_hand(shop, whom[0], whom[1])
        except BadInput:
            assert merges(shop).made
    elif deed == "undo":
        undo_one(shop)
    else:
        shop.event(whom, deed, **({"order_id": "o1", "amount": 120} if deed in ("order", "refund") else {}))


def undo_one(shop: Shop) -> None:
    """The latest merge that may be undone."""
    for made in merges(shop).made:
        if made.state == "done":
            try:
                take_back(shop, made.id)
            except Refused:
                continue
            return


def refusing(shop: Shop) -> set[int]:
    """Users who refuse all marketing."""
    with shop.app.transaction() as tx:
        return {user for user, channels in opt_outs_of(tx, all_ids(tx)).items() if "*" in channels}


def values_follow_from_the_log(shop: Shop) -> None:
    """Stored values are those that a computation of everybody gives."""
    with shop.app.work(shop.now) as work:
        read = text("SELECT * FROM user_metrics ORDER BY user_id")
        before = work.tx.execute(read).all()
        assert [row.user_id for row in before] == all_ids(work.tx)
        metric_values.recompute(work.tx, work.project, Scope.everybody(), shop.now)
        assert work.tx.execute(read).all() == before
