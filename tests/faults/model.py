"""A state machine over the real actions beside a small reference: what it knows of touches must be so in the database, whatever happens."""

import sqlite3
from collections import Counter
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from sop_engine.actions.deliver import deliver
from sop_engine.actions.intend import intend
from sop_engine.actions.invariants import ask_invariants
from sop_engine.actions.stopping import resume, stop
from sop_engine.channels.contract import Capability
from sop_engine.core.errors import DeliveryError
from sop_engine.store import queue
from sop_engine.store.engine import open_engine
from tests.shop import Shop
from tests.shop_project import Scripted

BOOK = "playbook: p\nintent: cultivate\nstart: {event: cart}\ngoal: buys\nagain: always\nsteps:\n  hi: {after: 1h, send: hello}\n"
CAP = 2
users = st.sampled_from(["u1", "u2", "u3"])


class Keyed(Scripted):
    """Knows every key again; `taken` counts what it took, by key."""

    capability = Capability(idempotent_for=timedelta.max)


class Sending(RuleBasedStateMachine):
    """The reference: how many carts each user filled, who refused, whether all is stopped; and what the provider was handed."""

    migrated: sqlite3.Connection  # set by the test

    @initialize()
    def begin(self) -> None:
        self.engine = open_engine("sqlite://")
        copy = self.engine.raw_connection()
        assert isinstance(copy.driver_connection, sqlite3.Connection)
        self.migrated.backup(copy.driver_connection)
        copy.close()
        self.provider = Keyed()
        self.shop = Shop(self.engine, BOOK, start="2025-03-01 10:00", project={"caps": f"[{CAP} per 1d]"}, channels={"sms": self.provider})
        for user in ("u1", "u2", "u3"):
            self.shop.user(user)
        self.carts: Counter[str] = Counter()
        self.refused: dict[str, int] = {}  # user -> how many messages the provider had been handed for them by then
        self.stopped = False
        self.hints: list[tuple[int, int]] = []

    @rule(user=users)
    def cart(self, user: str) -> None:
        self.shop.event(user, "cart")
        self.carts[user] += 1

    @rule(user=users)
    def buy(self, user: str) -> None:
        self.shop.event(user, "order", order_id=f"{user}{self.shop.now}", amount=5)

    @rule(user=users)
    def refuse(self, user: str) -> None:
        self.shop.event(user, "unsubscribed", channel="sms")
        self.refused.setdefault(user, self._handed(user))

    @rule(minutes=st.integers(1, 600))
    def wait(self, minutes: int) -> None:
        self.shop.now += timedelta(minutes=minutes)
        self.shop.beat()

    @rule()
    def claim_and_lose(self) -> None:
        self.hints = self.shop.claim()

    @rule()
    def deliver_what_was_claimed(self) -> None:
        deliver(self.shop.app, self.hints, self.shop.now)

    @rule()
    def die_after_the_intent(self) -> None:
        hints = self.shop.claim()
        with self.shop.app.work(self.shop.now) as work:
            intend(work, queue.queued_for_delivery(work.tx, hints))

    @rule(kinds=st.lists(st.sampled_from(["unknown", "retry_after", "permanent"]), max_size=3))
    def fail(self, kinds: list[Any]) -> None:
        self.provider.answers += [DeliveryError(kind, "scripted") for kind in kinds]

    @rule()
    def stop_or_resume(self) -> None:
        with self.shop.app.work(self.shop.now) as work:
            if self.stopped:
                resume(work, "all", by="model", why="a rule")
            else:
                stop(work, "all", by="model")
        self.stopped = not self.stopped

    @invariant()
    def one_touch_for_each_cart(self) -> None:
        if hasattr(self, "shop"):
            assert Counter(t.user_id for t in self.shop.touches()) == Counter(
                {n + 1: self.carts[f"u{n + 1}"] for n in range(3) if self.carts[f"u{n + 1}"]}
            )

    @invariant()
    def caps_and_refusals_hold_at_the_provider(self) -> None:
        if not hasattr(self, "shop"):
            return
        keys = {m.key: m for m in self.provider.handed}
        per_day = Counter((m.user_key, m.now.astimezone(self.shop.zone).date()) for m in keys.values())
        failed = sum(1 for t in self.shop.touches() if t.proof or t.state == "failed")
        assert max(per_day.values(), default=0) <= CAP + failed
        assert all(self._handed(user) == before for user, before in self.refused.items())

    @invariant()
    def every_invariant_holds(self) -> None:
        if hasattr(self, "shop"):
            with self.shop.app.work(self.shop.now) as work:
                assert [(b.invariant.id, b.subjects) for b in ask_invariants(work, sending=False).broken] == []

    def teardown(self) -> None:
        if hasattr(self, "engine"):
            self.engine.dispose()

    def _handed(self, user: str) -> int:
        return sum(1 for m in self.provider.handed if m.user_key == user)
