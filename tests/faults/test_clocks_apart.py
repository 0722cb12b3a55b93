"""F54: clocks that are wrong, go back or differ between hosts send nothing too early, nothing twice, and lose nothing."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from sop_engine.actions.clocks import skew_of
from sop_engine.actions.doctor_settings import database_checks
from sop_engine.actions.resolve import resolve_unknown
from sop_engine.channels.contract import Capability
from sop_engine.core.errors import DeliveryError
from sop_engine.core.readiness import judge
from sop_engine.core.signs import Leader, Signs
from sop_engine.store import leases
from sop_engine.store.clock import database_time
from sop_engine.worker.leading import Leader as Candidate
from tests.shop import Shop, keys
from tests.shop_project import Scripted

FLOW = "playbook: p\nintent: cultivate\nstart: {event: cart}\ngoal: buys\nagain: always\nsteps:\n  hi: {after: 1h, send: hello}\n"
DAY = timedelta(days=1)


class Keyed(Scripted):
    """Knows every key again."""

    capability = Capability(idempotent_for=timedelta.max)


class Hosts:
    """A shop whose database has the true time, and hosts whose clocks are off by so much."""

    def __init__(self, engine: Engine, provider: Scripted) -> None:
        self.provider = provider
        self.shop = Shop(engine, FLOW, start="2025-03-01 10:00", channels={"sms": provider})
        self.true = self.shop.now
        self.off = timedelta(0)
        self.shop.app.lease_clock = lambda _tx: self.true
        self.shop.app.host_clock = lambda: self.true + self.off
        for user in keys(3):
            self.shop.event(self.shop.user(user), "cart")

    def at(self, local: str, off: timedelta = timedelta(0)) -> None:
        """It is so late, and the host at work is off by so much."""
        self.true, self.off = self.shop.at(local), off
        self.shop.now = self.true + off

    @property
    def calls(self) -> int:
        return len(self.provider.handed)


@pytest.mark.parametrize("off", [timedelta(seconds=31), timedelta(seconds=40), DAY])
def test_f54_what_is_due_by_a_clock_that_is_ahead_is_not_claimed_and_what_was_claimed_is_not_sent(engine: Engine, off: timedelta) -> None:
    hosts = Hosts(engine, Scripted())
    hosts.at("2025-03-01 10:59:45", off)
    assert hosts.shop.beat().released == 0
    hosts.at("2025-03-01 11:00")
    hints = hosts.shop.claim()
    hosts.at("2025-03-01 11:00:01", off)  # the worker of another host
    assert hosts.shop.deliver(hints) == 0
    assert (hosts.calls, hosts.shop.states()) == (0, ["hi:planned:clock"] * 3)
    hosts.at("2025-03-01 11:01:02")
    hosts.shop.beat()
    assert (hosts.calls, hosts.shop.states()) == (3, ["hi:sent"] * 3)


@pytest.mark.parametrize("off", [-timedelta(seconds=40), -DAY])
def test_f54_a_clock_that_is_behind_sends_nothing_either_and_a_clock_set_back_sends_nothing_again(engine: Engine, off: timedelta) -> None:
    hosts = Hosts(engine, Scripted())
    hosts.at("2025-03-01 11:00:10")
    hints = hosts.shop.claim()
    hosts.shop.deliver(hints[:1])
    hosts.at("2025-03-01 11:00:11", off)
    for _ in range(2):
        hosts.shop.deliver(hints)
        hosts.shop.beat()
    assert hosts.calls == 1
    hosts.at("2025-03-01 11:02")
    hosts.shop.beat()
    assert (hosts.calls, hosts.shop.states()) == (3, ["hi:sent"] * 3)


@pytest.mark.parametrize("off", [timedelta(seconds=29), -timedelta(seconds=29)])
def test_clocks_that_differ_a_little_send(engine: Engine, off: timedelta) -> None:
    hosts = Hosts(engine, Scripted())
    hosts.at("2025-03-01 11:01", off)
    hosts.shop.beat()
    assert hosts.calls == 3


@pytest.mark.parametrize("off", [-DAY, DAY])
def test_f54_where_both_clocks_move_by_a_day_nothing_is_sent_twice_and_nothing_early(engine: Engine, off: timedelta) -> None:
    """The database's own host has the wrong time too: nobody can notice; what was sent stays sent."""
    hosts = Hosts(engine, Scripted())
    hosts.at("2025-03-01 11:00")
    hints = hosts.shop.claim()
    hosts.shop.deliver(hints[:1])
    hosts.true += off
    hosts.shop.now += off
    for _ in range(3):
        hosts.shop.beat()
        hosts.shop.deliver(hints[:1])
    assert hosts.calls == (1 if off < timedelta(0) else 3)
    hosts.at("2025-03-01 11:03")
    hosts.shop.beat()
    assert (hosts.calls, hosts.shop.states()) == (3, ["hi:sent"] * 3)
    assert len({message.key for message in hosts.provider.handed}) == 3


def test_f54_a_lost_outcome_is_not_repeated_by_a_clock_to_which_the_window_of_its_key_seems_open(engine: Engine) -> None:
    hosts = Hosts(engine, Keyed([DeliveryError("unknown", "no_answer")] * 3))
    hosts.at("2025-03-01 11:00")
    hosts.shop.beat()
    hosts.at("2025-03-01 11:01", timedelta(seconds=40))
    assert resolve_unknown(hosts.shop.app, hosts.shop.now) == 0
    assert hosts.calls == 3
    hosts.at("2025-03-01 11:01")
    assert resolve_unknown(hosts.shop.app, hosts.shop.now) == 3
    assert hosts.shop.states() == ["hi:sent"] * 3


def test_f54_a_host_whose_clock_is_wrong_does_not_lead_and_steps_back_when_it_did(engine: Engine) -> None:
    shop = Shop(engine, FLOW, start="2025-03-01 10:00")
    shop.app.lease_clock = lambda tx: database_time(tx)
    wrong = timedelta(seconds=40)
    off = [timedelta(0)]
    shop.app.host_clock = lambda: datetime.now(UTC) + off[0]
    first, second = Candidate(shop.app, "first"), Candidate(Shop(engine).app, "second")
    assert first.try_once()
    off[0] = wrong
    assert not first.try_once()
    assert not first.leads
    assert not first.try_once()
    assert second.try_once()  # at once: the lease was given back
    with shop.app.transaction() as tx:
        held = leases.read(tx)
    assert held is not None
    assert (held.holder, held.epoch) == ("second", 2)


def test_a_file_of_the_same_host_has_the_same_clock_whatever_it_says(engine: Engine) -> None:
    shop = Shop(engine, FLOW, start="2025-03-01 10:00")
    shop.app.lease_clock, shop.app.host_clock = database_time, lambda: shop.now
    with shop.app.transaction() as tx:
        assert (skew_of(shop.app, tx) == timedelta(0)) is (engine.dialect.name == "sqlite")


@pytest.mark.parametrize(("skew", "why"), [(30.0, ""), (-41.0, "this host's clock is 41 s behind the database's")])
def test_readiness_says_when_the_clocks_are_too_far_apart(skew: float, why: str) -> None:
    signs = Signs(released=True, leader=Leader(1, 9.0), clock_skew_s=skew)
    (clocks,) = [c for c in judge(signs, 0) if c.name == "clocks"]
    assert clocks.why.startswith(why)
    assert clocks.ok is not bool(why)


def test_doctor_says_which_clock_is_ahead(engine: Engine) -> None:
    with Shop(engine).app.transaction() as tx:
        found = {c.name: c for c in database_checks(tx, lambda: database_time(tx) + timedelta(seconds=90))}
    assert found["clocks"].grade == "failed"
    assert "90 s ahead of the database's" in found["clocks"].says
