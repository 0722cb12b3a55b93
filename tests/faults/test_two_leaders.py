"""F13, F14: two leaders at once, or none for ten minutes: leading saves work, and nothing depends on it."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, cast

import pytest
from sqlalchemy import Engine, text

from sop_engine.actions.deliver import deliver
from sop_engine.actions.invariants import ask_invariants
from sop_engine.actions.slicing import do_slice
from sop_engine.app import App
from sop_engine.core.readiness import judge
from sop_engine.core.records import UserRecord
from sop_engine.settings import Settings
from sop_engine.store import audit, leases
from sop_engine.store import signs as signs_room
from sop_engine.store.slices import Hint
from sop_engine.worker.leading import Leader
from sop_engine.worker.scheduler import Job, jobs_of, run_job
from tests.shop import Shop, keys
from tests.shop_project import Scripted

BOOKS = """
tier: stage
note: x
levels:
  lost: quiet >= 1
  awake: otherwise
---
playbook: back
tier: stage
goal: joins
levels:
  lost: {intent: win_back, no_benefit: x, steps: {hi: {at: now, send: hello}}}
  awake: {none: x}
---
playbook: daily
intent: maintain
start: {every: day 00:00}
only: everyone
goal: wakes
again: always
steps:
  morning: {at: now, send: receipt}
"""
USERS = 12


def holds(shop: Shop) -> None:
    """Every invariant, and the chain of what was done."""
    with shop.app.work(shop.now) as work:
        assert [f"{b.invariant.id}: {b.subjects}" for b in ask_invariants(work).broken] == []
        assert audit.broken(work.tx) == []


def test_c_09_f13_two_who_both_lead_for_a_minute_over_a_midnight_do_everything_once(postgres: Engine) -> None:
    """Both run every job at the same moment, with no lease and no fence between them."""
    provider = Scripted()
    shop = Shop(postgres, BOOKS, start="2025-03-01 10:00", channels={"sms": provider}, project={"hours": "00:00-24:00"})
    shop.users([UserRecord(key, shop.now, {"phone": "13800000000"}) for key in keys(USERS)])
    shop.beat()
    failed: list[str] = []

    class Leading:
        """Leads, whatever the database says."""

        leads = True

    def lead(app: App, jobs: list[Job], tick: int, now: datetime) -> None:
        for job in jobs:
            if tick % max(1, int(job.every.total_seconds())) == 0 and not run_job(job, app, cast(Leader, Leading), lambda: now):
                failed.append(job.name)

    def jobs_with(app: App) -> list[Job]:
        def enqueue(hints: Any, _lane: int) -> None:
            deliver(app, hints, shop.now)

        def hand_out(hints: Any) -> None:
            one: Hint
            for one in hints:
                do_slice(app, one[0], one[1], shop.now, epoch=one[2])

        return jobs_of(enqueue, hand_out, lambda: True)

    both = [(app, jobs_with(app)) for app in (replace(shop.app), replace(shop.app))]
    begin = shop.at("2025-03-01 23:59:40")
    with ThreadPoolExecutor(2) as pool:
        for tick in (*range(0, 60, 5), 60):
            shop.now = begin + timedelta(seconds=tick)
            for running in [pool.submit(lead, app, jobs, tick, shop.now) for app, jobs in both]:
                running.result()
    for _ in range(2):
        shop.beat()
    with shop.app.transaction() as tx:
        assert failed == [], tx.execute(text("SELECT name, error FROM jobs WHERE error <> ''")).all()
    assert Counter(m.step for m in provider.handed) == {"hi": USERS, "morning": USERS}
    assert len({(m.user_key, m.step) for m in provider.handed}) == 2 * USERS
    assert {len(shop.moves(user, "stage")) for user in keys(USERS)} == {2}
    assert set(shop.states()) == {"hi:sent", "morning:sent"}
    holds(shop)


def test_f13_of_two_who_believe_they_lead_the_older_writes_nothing(engine: Engine) -> None:
    shop = Shop(engine, BOOKS, start="2025-03-01 10:00")
    first, second = Leader(replace(shop.app), "first"), Leader(replace(shop.app), "second", alone=True)  # takes what is held
    assert first.try_once()
    assert second.try_once()
    assert first.leads and second.leads
    wrote: list[str] = []

    def write(app: App, now: datetime) -> None:
        with app.transaction():
            wrote.append(f"{now:%H:%M}")

    job = Job("any", "any", timedelta(seconds=1), write)
    old, new = replace(shop.app, fence=first.fence), replace(shop.app, fence=second.fence)
    assert [run_job(job, old, first, lambda: shop.now), run_job(job, new, second, lambda: shop.now)] == [False, True]
    assert len(wrote) == 1
    assert not first.try_once()


class Paced(Settings):
    """Two messages a second."""

    def rate(self, account: str) -> str:
        """The same for every account."""
        return "2/second"

    @property
    def has_rates(self) -> bool:
        """There is one."""
        return True


def test_f14_ten_minutes_without_a_leader_ring_and_then_drain_at_the_channels_rate(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    flow = "playbook: p\nintent: cultivate\nstart: {event: cart}\ngoal: buys\nagain: always\nsteps:\n  hi: {after: 1h, send: hello}\n"
    many, taken = 24, Counter[datetime]()
    provider = Scripted(before=lambda _message: taken.update([shop.now]))
    shop = Shop(engine, flow, start="2025-03-01 10:00", channels={"sms": provider})
    for user in keys(many):
        shop.event(shop.user(user), "cart")
    shop.app.settings = Paced.model_construct(sending="live")
    with shop.app.transaction() as tx:
        held = leases.take(tx, "one", timedelta(seconds=15), shop.at("2025-03-01 10:59:45"))
    assert held is not None
    shop.jump("2025-03-01 11:10")
    monkeypatch.setattr(signs_room, "database_time", lambda _tx: shop.now)
    with shop.app.transaction() as tx:
        signs = signs_room.read_signs(tx, shop.now, release="release")
    assert signs.leader is not None
    assert (signs.leader.left_s, signs.oldest_due_s) == (-600, 600)  # SopNoLeader, SopLate
    assert {check.name for check in judge(signs, 300) if not check.ok} >= {"leader", "late"}
    assert provider.handed == []
    begun = shop.now
    while set(shop.states()) != {"hi:sent"}:
        shop.beat()
        shop.now += timedelta(seconds=0.25)
        assert shop.now < begun + timedelta(seconds=60)
    seconds = Counter(int((at - begun).total_seconds()) for at in taken.elements())
    assert max(seconds.values()) <= 3  # the rate, and what an idle account may have saved up
    assert many / 2 - 1 <= (max(taken) - begun).total_seconds() <= many / 2 + 2
    assert sorted(m.user_key for m in provider.handed) == sorted(keys(many))
    holds(shop)
