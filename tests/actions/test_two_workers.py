"""Two workers at the same moment on PostgreSQL: whoever comes second waits, looks again, and never adds to what the first did."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from threading import Thread
from time import monotonic

from sqlalchemy import Engine, text

from sop_engine.actions.catch_up import catch_up
from sop_engine.actions.ingest import record_events
from sop_engine.actions.intend import intend
from sop_engine.actions.slicing import do_slice
from sop_engine.actions.sweep import SWEPT
from sop_engine.app import Work
from sop_engine.core.records import EventRecord
from sop_engine.store import queue, versions
from sop_engine.store.people import SLICE
from sop_engine.store.slices import Hint
from tests.shop import Shop
from tests.shop_project import BENEFIT

DEADLINE_S = 20
FLOW = "playbook: NAME\nintent: cultivate\nstart: {event: cart}\ngoal: buys\nagain: always\nsteps:\n  hi: {after: 1h, send: hello}\n"
GIFT = (
    "playbook: g\nintent: serve\nstart: {event: cart}\ngoal: joins\nagain: always\nsteps:\n  gift: {after: 1h, give: gift, send: coupon}\n"
)


def begin(postgres: Engine, *documents: str, users: int = 1, **project: str) -> Shop:
    """Users with a cart each an hour ago."""
    shop = Shop(postgres, *documents, start="2025-03-01 10:00", project=project)
    for n in range(users):
        shop.user(f"u{n + 1}")
        shop.event(f"u{n + 1}", "cart")
    shop.jump("2025-03-01 11:00")
    return shop


def at_once(acts: Sequence[Callable[[], object]]) -> list[Exception]:
    """Do all of these at the same time; what failed."""
    failed: list[Exception] = []

    def guarded(act: Callable[[], object]) -> None:
        try:
            act()
        except Exception as error:
            failed.append(error)

    workers = [Thread(target=guarded, args=(act,)) for act in acts]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(DEADLINE_S)
    return failed


def store(work: Work, record: EventRecord) -> None:
    """Take in an event inside a transaction that is open already."""

    class Inside:
        """The app, whose work is the transaction that is open."""

        @contextmanager
        def work(self, _now: datetime) -> Iterator[Work]:
            """That transaction."""
            yield work

    record_events(Inside(), [record], work.now)


def while_open(shop: Shop, first: Callable[[Work], object], second: Callable[[], object]) -> None:
    """`first` in a transaction that stays open until the other worker, in `second`, waits for it or has come to its end."""
    worker = Thread(target=second)
    deadline = monotonic() + DEADLINE_S
    waiting = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
    with shop.app.work(shop.now) as work:
        first(work)
        worker.start()
        with shop.app.engine.connect() as looking:
            while worker.is_alive() and monotonic() < deadline and not looking.execute(waiting).scalar():
                looking.rollback()
    worker.join(DEADLINE_S)
    assert not worker.is_alive()


def test_s2_61_two_touches_of_one_user_never_pass_the_cap_together(postgres: Engine) -> None:
    shop = begin(postgres, FLOW.replace("NAME", "a"), FLOW.replace("NAME", "b"), caps="[1 per 1d]")
    one, other = shop.claim()
    while_open(shop, lambda work: intend(work, queue.queued_for_delivery(work.tx, [one])), lambda: shop.deliver([other]))
    assert sorted(t.state for t in shop.touches()) == ["planned", "sending"]
    assert shop.outbox() == []


def test_x_16_the_same_touch_in_two_workers_is_sent_by_one(postgres: Engine) -> None:
    shop = begin(postgres, FLOW.replace("NAME", "a"))
    hints = shop.claim()
    done: list[int] = []
    while_open(shop, lambda work: intend(work, queue.queued_for_delivery(work.tx, hints)), lambda: done.append(shop.deliver(hints)))
    assert done == [0]
    assert shop.outbox() == []


def test_an_order_that_is_being_stored_is_seen_by_the_worker_that_was_about_to_send(postgres: Engine) -> None:
    shop = begin(postgres, FLOW.replace("NAME", "a"))
    hints = shop.claim()
    order = shop.record("u1", "order", "2025-03-01 11:00", {"order_id": "o", "amount": 5})
    done: list[int] = []

    while_open(shop, lambda work: store(work, order), lambda: done.append(shop.deliver(hints)))
    assert done == [0]
    assert shop.states() == ["hi:cancelled:ended"]


def test_an_order_that_comes_during_the_intent_waits_for_it_and_then_ends_the_run(postgres: Engine) -> None:
    shop = begin(postgres, FLOW.replace("NAME", "a"))
    hints = shop.claim()
    order = shop.record("u1", "order", "2025-03-01 11:00", {"order_id": "o", "amount": 5})
    while_open(
        shop,
        lambda work: intend(work, queue.queued_for_delivery(work.tx, hints)),
        lambda: record_events(shop.app, [order], shop.now),
    )
    assert shop.states() == ["hi:sending"]
    assert shop.ends("u1") == ["goal"]


def test_two_workers_never_spend_the_last_coin_twice(postgres: Engine) -> None:
    benefit = f"benefits:\n  gift: {{pool: G, {BENEFIT}}}\n".replace("100000 per 30d", "30 per 30d")
    shop = begin(postgres, benefit, GIFT, users=2)
    one, other = shop.claim()
    while_open(shop, lambda work: intend(work, queue.queued_for_delivery(work.tx, [one])), lambda: shop.deliver([other]))
    assert sorted(shop.states()) == ["gift:sending", "gift:skipped:budget"]


def test_two_workers_never_promise_the_last_code_twice(postgres: Engine) -> None:
    shop = begin(postgres, f"benefits:\n  gift: {{pool: G, {BENEFIT}}}\n", GIFT, users=2)
    shop.codes("G", "LAST")
    one, other = shop.claim()
    while_open(shop, lambda work: intend(work, queue.queued_for_delivery(work.tx, [one])), lambda: shop.deliver([other]))
    assert sorted(shop.states()) == ["gift:sending", "gift:skipped:empty"]


def test_two_claims_at_once_never_take_the_same_touch(postgres: Engine) -> None:
    shop = begin(postgres, FLOW.replace("NAME", "a"), users=4)
    with shop.app.transaction() as tx:
        mine = queue.claim_due(tx, shop.now, shop.now, 2)
        theirs = shop.claim()
    assert len(mine) == len(theirs) == 2
    assert {one.id for one in mine}.isdisjoint({i for i, _ in theirs})


def test_the_same_event_in_two_workers_is_stored_once_and_starts_once(postgres: Engine) -> None:
    shop = begin(postgres, FLOW.replace("NAME", "a"))
    cart = shop.record("u1", "cart", "2025-03-01 11:00", {"id": "same"})
    while_open(shop, lambda work: store(work, cart), lambda: record_events(shop.app, [cart], shop.now))
    assert len(shop.runs("u1")) == 2  # the one of `begin`, and one


def test_workers_that_take_the_same_users_in_another_order_do_not_block_each_other(postgres: Engine) -> None:
    shop = begin(postgres, FLOW.replace("NAME", "a"))
    names = [f"user{n}" for n in range(30)]
    failed: list[Exception] = []

    def take(order: list[str]) -> None:
        try:
            for _ in range(10):
                record_events(shop.app, [shop.record(name, "visit", "2025-03-01 11:00", {}) for name in order], shop.now)
        except Exception as error:
            failed.append(error)

    workers = [Thread(target=take, args=(order,)) for order in (names, names[::-1])]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(DEADLINE_S)
    assert failed == []
    assert {tuple(shop.facts(name, "visits7")) for name in names} == {(20,)}


STAGE = """
tier: stage
note: x
levels:
  lost: quiet >= 3
  awake: otherwise
---
playbook: back
tier: stage
goal: joins
levels:
  lost: {intent: win_back, no_benefit: x, steps: {hi: {at: now, send: hello}}}
  awake: {none: x}
"""


def test_a_midnight_waits_for_the_visit_that_is_being_stored_and_sees_it(postgres: Engine) -> None:
    shop = Shop(postgres, STAGE, start="2025-03-01 10:00")
    for name in ("u1", "u2"):
        shop.user(name)
    shop.until("2025-03-03 23:59")
    visit = shop.record("u1", "visit", "2025-03-03 23:59", {})
    shop.jump("2025-03-04 00:00")
    while_open(shop, lambda work: store(work, visit), lambda: catch_up(shop.app, shop.now))
    assert (shop.facts("u1", "stage"), shop.facts("u2", "stage")) == (["awake"], ["lost"])
    assert (len(shop.runs("u1")), len(shop.runs("u2"))) == (0, 1)


def test_midnights_events_and_deliveries_at_the_same_time_all_come_through(postgres: Engine) -> None:
    shop = Shop(postgres, STAGE, FLOW.replace("NAME", "a"), start="2025-03-01 10:00")
    names = [f"user{n}" for n in range(12)]
    for name in names:
        shop.user(name)
    failed: list[Exception] = []
    for day in range(2, 8):
        shop.jump(f"2025-03-{day:02d} 12:00")
        carts = [shop.record(name, "cart", shop.local(), {}) for name in names[day % 2 :: 2]]
        acts: list[Callable[[], object]] = [shop.beat, shop.beat, lambda now=shop.now, told=carts: record_events(shop.app, told, now)]
        failed += at_once(acts)
    assert failed == []
    with shop.app.transaction() as tx:
        assert versions.get_mark(tx, SWEPT) == str(shop.now.astimezone(shop.zone).toordinal())
    assert all(len(shop.moves(name, "stage")) == 2 for name in names)
    assert all(Counter(r.flow for r in shop.runs(name))["back/lost"] == 1 for name in names)


def test_a_slice_waits_for_who_works_on_its_users_and_not_for_others(postgres: Engine) -> None:
    shop = Shop(postgres, STAGE, start="2025-03-01 10:00")
    for name in ("u1", "u2"):
        shop.user(name)
    with shop.app.transaction() as tx:
        tx.execute(text("UPDATE users SET id = :far WHERE key = 'u2'"), {"far": SLICE + 1})
        for table in ("placements", "user_metrics", "moves"):
            tx.execute(text(f"UPDATE {table} SET user_id = :far WHERE user_id = 2"), {"far": SLICE + 1})
    shop.until("2025-03-03 23:59")
    visit = shop.record("u1", "visit", "2025-03-03 23:59", {})
    shop.jump("2025-03-04 00:00")
    hints: list[Hint] = []
    catch_up(shop.app, shop.now, hints.extend)
    (task, near, _), (_, far, _) = hints
    done: list[int | None] = []

    def beside(work: Work) -> None:
        store(work, visit)
        done.append(do_slice(shop.app, task, far, shop.now))  # would wait for ever, if it did

    while_open(shop, beside, lambda: done.append(do_slice(shop.app, task, near, shop.now)))
    assert done == [1, 0]
    assert (shop.facts("u1", "stage"), shop.facts("u2", "stage")) == (["awake"], ["lost"])


def test_slices_by_two_workers_amid_events_that_bring_new_and_old_users_all_come_through(postgres: Engine) -> None:
    shop = Shop(postgres, STAGE, FLOW.replace("NAME", "a"), start="2025-03-01 10:00")
    names = [f"user{n}" for n in range(12)]
    for name in names:
        shop.user(name)
    failed: list[Exception] = []
    for day in range(2, 8):
        shop.jump(f"2025-03-{day:02d} 00:00")
        hints: list[Hint] = []
        catch_up(shop.app, shop.now, hints.extend)
        fresh = [f"day{day}user{n}" for n in range(3)]
        early = [shop.record(name, "cart", f"2025-02-{28 - day:02d} 10:00", {}) for name in names[::3]]  # they joined before we knew
        told = [*early, *(shop.record(name, "cart", shop.local(), {}) for name in (*fresh, *names[1::3]))]
        tell = [lambda now=shop.now, told=told[::way]: record_events(shop.app, told, now) for way in (1, -1)]
        work = [lambda now=shop.now, hint=hint: do_slice(shop.app, *hint[:2], now) for hint in hints * 2]
        failed += at_once([*tell, *work, shop.beat])
        shop.beat()
    assert failed == []
    with shop.app.transaction() as tx:
        assert versions.get_mark(tx, SWEPT) == str(shop.now.astimezone(shop.zone).toordinal())
        assert tx.execute(text("SELECT COUNT(*) FROM slices")).scalar() == 0
    assert all(Counter(r.flow for r in shop.runs(name))["back/lost"] <= 1 for name in names)
