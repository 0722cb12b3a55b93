"""F53: a benefit is used, taken back and runs out at the same moment, from fifty threads: one of them has it, and the sums hold."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from sqlalchemy import Connection, Engine, text

from sop_engine.actions.ingest import record_events
from sop_engine.actions.invariants import ask_invariants
from sop_engine.actions.redeeming import redeem
from sop_engine.core.records import UserRecord
from sop_engine.store import grants
from sop_engine.store.redemptions import Report
from sop_engine.store.repeating import repeated
from tests.shop import Shop, keys
from tests.shop_project import BENEFIT

BOOKS = (
    f"benefits:\n  gift: {{pool: G, {BENEFIT}}}\n---\n"
    "playbook: g\nintent: serve\nstart: {event: cart}\ngoal: joins\nagain: always\nsteps:\n  gift: {after: 1h, give: gift, send: coupon}\n"
)
MANY, THREADS = 25, 50


def with_gifts(engine: Engine) -> Shop:
    """So many users, each with a code that was sent to them."""
    shop = Shop(engine, BOOKS, start="2025-03-01 10:00")
    shop.codes("G", *(f"C{n}" for n in range(MANY)))
    shop.users([UserRecord(key, shop.now, {"phone": "13800000000"}) for key in keys(MANY)])
    record_events(shop.app, [shop.record(key, "cart", "2025-03-01 10:00", {}) for key in keys(MANY)], shop.now)
    shop.until("2025-03-01 11:00")
    assert [g.state for g in shop.grants()] == ["issued"] * MANY
    return shop


def test_f53_used_taken_back_and_run_out_from_fifty_threads_have_one_winner_each(postgres: Engine) -> None:
    shop = with_gifts(postgres)
    given = shop.grants()
    over = given[0].expires_at
    together = Barrier(THREADS)

    def use(grant: int) -> Callable[[Connection], int]:
        return lambda tx: int(grants.redeem(tx, code=given[grant].code, at=shop.now) is not None)

    def take_back(grant: int) -> Callable[[Connection], int]:
        return lambda tx: grants.void_unused(tx, [given[grant].run_id], "gift")

    def run_out(tx: Connection) -> int:
        return grants.expire(tx, over)

    def contend(act: Callable[[Connection], int]) -> int:
        together.wait(60)

        def once() -> int:
            with shop.app.transaction() as tx:
                return act(tx)

        return repeated(once)

    acts = [use(n % MANY) for n in range(20)] + [take_back(n % MANY) for n in range(10, 30)] + [run_out] * 10
    with ThreadPoolExecutor(THREADS) as pool:
        won = list(pool.map(contend, acts))
    states = [g.state for g in shop.grants()]
    assert (states.count("redeemed"), states.count("voided")) == (sum(won[:20]), sum(won[20:40]))
    used_in_time_though_over = sum(won[40:]) - states.count("expired")
    assert states.count("redeemed") + states.count("voided") + states.count("expired") == MANY == sum(won) - used_in_time_though_over
    assert [g.used_at is not None for g in shop.grants()] == [state == "redeemed" for state in states]
    sums_hold(shop)


def sums_hold(shop: Shop) -> None:
    """As many codes are taken as were given, and no invariant is broken."""
    with shop.app.work(shop.now) as work:
        assert work.tx.execute(text("SELECT taken, size FROM pools")).one() == (MANY, MANY)
        assert [f"{b.invariant.id}: {b.subjects}" for b in ask_invariants(work).broken] == []


def test_f53_an_event_of_use_told_by_many_at_once_is_one_use(postgres: Engine) -> None:
    shop = with_gifts(postgres)
    code = shop.grants()[0].code
    owner = "u1"
    together = Barrier(8)

    def tell(n: int) -> int:
        together.wait(60)
        return record_events(shop.app, [shop.record(owner, "benefit_used", "2025-03-01 11:00", {"code": code, "id": f"use{n % 4}"})],
                             shop.now).stored  # fmt: skip

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(tell, range(8))) == 4
    assert [g.state for g in shop.grants() if g.code == code] == ["redeemed"]
    with shop.app.transaction() as tx:
        assert tx.execute(text("SELECT COUNT(*) FROM receipts WHERE kind = 'used'")).scalar() == 1
    sums_hold(shop)


def test_twenty_equal_reports_of_a_use_at_once_are_one_use(postgres: Engine) -> None:
    shop = with_gifts(postgres)
    code = shop.grants()[0].code
    report = Report("e1", "redeemed", code, "", "u1", None, "", shop.now)
    together = Barrier(20)

    def tell(_: int) -> str:
        together.wait(60)
        return redeem(shop.app, report, shop.now).word

    with ThreadPoolExecutor(20) as pool:
        words = list(pool.map(tell, range(20)))
    assert sorted(words) == ["accepted", *["duplicate"] * 19]
    with shop.app.transaction() as tx:
        assert tx.execute(text("SELECT state FROM redemptions")).scalars().all() == ["accepted"]
        assert tx.execute(text("SELECT COUNT(*) FROM events WHERE kind = 'benefit_used'")).scalar() == 1
    sums_hold(shop)
