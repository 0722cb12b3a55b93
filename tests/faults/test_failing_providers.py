"""F34 F36 F37 F67 F71: providers that are silent, throttle, are down for hours, refuse our credentials or hang; counted in their calls."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from sop_engine.actions.invariants import ask_invariants
from sop_engine.channels.contract import Message
from sop_engine.core.errors import DeliveryError
from sop_engine.settings import Settings
from sop_engine.settings.accounts import WebhookAccount
from tests.faults.provider_file import ABILITIES, FileProvider
from tests.shop import Shop, keys
from tests.shop_project import CATALOGUE, Scripted

HI = "  hi: {{after: 1h, send: hello}}\n"
FLOW = "playbook: {0}\nintent: cultivate\nstart: {{event: {1}}}\ngoal: joins\nagain: always\nlate: {2}\nsteps:\n" + HI
WEBHOOK = CATALOGUE.replace("sms: {via: outbox", "sms: {via: webhook")


@dataclass
class Faulty(Scripted):
    """Answers everything with `fault` while there is one, and notes the time of each call."""

    fault: DeliveryError | None = None

    def __post_init__(self) -> None:
        self.calls: list[datetime] = []
        self.before = self._note

    def _note(self, message: Message) -> None:
        self.calls.append(message.now)
        if self.fault is not None:
            self.answers.append(self.fault)


def begin(engine: Engine, provider: Scripted, users: int, *, rate: str = "", late: str = "6h") -> Shop:
    """So many users, due at eleven, over an account that may have a rate."""
    shop = Shop(engine, start="2025-03-01 10:00", channels={"sms": provider})
    shop.app.settings = Settings.model_construct(sending="live")
    shop.app.settings._accounts["sms"] = WebhookAccount.model_construct(rate=rate)
    shop.apply(FLOW.format("p", "cart", late), FLOW.format("q", "visit", "1h"), catalogue=WEBHOOK)
    for user in keys(users):
        shop.event(shop.user(user), "cart")
    return shop


def holds(shop: Shop) -> list[str]:
    """Invariants that do not hold."""
    with shop.app.work(shop.now) as work:
        return [f"{one.invariant.id}: {one.subjects}" for one in ask_invariants(work).broken]


def at_each(shop: Shop, *locals_: str) -> None:
    """The engine looks at these times alone."""
    for local in locals_:
        shop.jump(local)
        shop.beat()


@pytest.mark.parametrize("ability", list(ABILITIES))
def test_f34_a_provider_that_takes_nothing_and_says_nothing_gets_it_later_where_it_can_be_known(
    engine: Engine, tmp_path: Path, ability: str
) -> None:
    provider = FileProvider(tmp_path / "log", ABILITIES[ability], datetime.min, ["lost"] * 3)
    shop = begin(engine, provider, 3)
    for minute in (0, 1, 2, 4, 10, 40):
        shop.jump(f"2025-03-01 11:{minute:02}")
        provider.now = shop.now
        shop.beat()
        if minute == 0:
            assert shop.states() == ["hi:unknown:no_answer"] * 3
    taken = Counter(line["touch"] for line in provider.lines())
    if ability == "opaque":
        assert (shop.states(), taken) == (["hi:failed:outcome_unknown"] * 3, Counter())
    else:
        assert shop.states() == ["hi:sent"] * 3
        assert set(taken.values()) == {1}
        assert len(taken) == 3
    assert holds(shop) == []


def test_f36_a_429_pauses_the_account_for_every_worker_and_one_call_tries_when_its_time_is_over(engine: Engine) -> None:
    provider = Faulty(fault=DeliveryError("retry_after", "throttled", retry_after_s=600))
    shop = begin(engine, provider, 30)
    other = Shop(engine, start="2025-03-01 11:00", channels={"sms": provider})
    other.app.settings = shop.app.settings
    shop.jump("2025-03-01 11:00")
    hints = shop.claim()
    shop.deliver(hints[:1])
    assert len(provider.calls) == 1
    for worker in (other, shop):  # neither of two workers calls before the time is over
        worker.now = shop.now
        worker.deliver(hints[1:15] if worker is other else hints[15:])
    for minute in (1, 5, 9):
        other.jump(f"2025-03-01 11:0{minute}")
        other.beat()
    assert len(provider.calls) == 1
    assert sorted(set(shop.states())) == ["hi:planned:throttled"]
    shop.jump("2025-03-01 11:10")
    shop.beat()
    assert len(provider.calls) == 2  # one has tried, and is asked to wait again
    provider.fault = None
    at_each(shop, "2025-03-01 11:20", "2025-03-01 11:21", "2025-03-01 11:40")
    assert shop.states() == ["hi:sent"] * 30
    assert len(provider.calls) == 32
    assert holds(shop) == []


@pytest.mark.slow
def test_f37_a_provider_that_is_down_for_two_hours_is_left_alone_and_then_gets_what_is_not_late_at_its_rate(engine: Engine) -> None:
    provider = Faulty(fault=DeliveryError("retry_after", "not_accepted"))
    shop = begin(engine, provider, 30, rate="20/minute")
    for user in keys(15, "short"):  # their message is late after an hour
        shop.event(shop.user(user), "visit")
    at_each(shop, *(f"2025-03-01 {h}:{m:02}" for h in (11, 12) for m in range(0, 60, 10)))
    assert 5 <= len(provider.calls) <= 5 + 12  # what was under way, then one call for each look
    assert not [s for s in shop.states() if "sent" in s]
    provider.fault, down = None, len(provider.calls)
    shop.jump("2025-03-01 13:00")
    shop.beat()
    shop.until("2025-03-01 14:00")
    came = provider.calls[down:]
    busiest = max(sum(at <= later < at + timedelta(minutes=1) for later in came) for at in came)
    assert busiest <= 21
    states = Counter(shop.states())
    assert states["hi:sent"] == len(came) >= 30 - 1
    assert set(states) <= {"hi:sent", "hi:skipped:late", "hi:failed:not_accepted"}
    assert states["hi:skipped:late"] + states["hi:failed:not_accepted"] + states["hi:sent"] == 30 + 15
    assert {t.state for t in shop.touches() if t.flow == "q"} <= {"skipped", "failed"}
    assert max(came) - min(came) >= timedelta(minutes=1)
    assert holds(shop) == []


def test_f67_credentials_refused_in_the_middle_of_a_wave_fail_nothing_and_once_restored_each_gets_it_once(engine: Engine) -> None:
    provider = Faulty()
    shop = begin(engine, provider, 40)
    refused = DeliveryError("retry_after", "configuration", "401")

    def withdraw(message: Message) -> None:
        provider.fault = refused if len(provider.calls) >= 12 else None
        provider._note(message)

    provider.before = withdraw
    at_each(shop, "2025-03-01 11:00")
    sent, called = len(shop.sent()), len(provider.calls)
    assert sent == 12
    assert called < 40
    at_each(shop, *(f"2025-03-01 {h}:{m:02}" for h in (11, 12) for m in (9, 20, 30, 40, 50)))
    assert len(provider.calls) <= called + 10  # one call tries for all, every few minutes
    assert Counter(s.split(":")[1] for s in shop.states()) == {"sent": 12, "planned": 28}
    provider.before = lambda _message: None
    at_each(shop, "2025-03-01 13:10", "2025-03-01 13:20", "2025-03-01 13:30")
    assert shop.states() == ["hi:sent"] * 40
    assert max(Counter(m.key for m in provider.handed).values()) == 1
    assert holds(shop) == []


class Seconds:
    """A clock in seconds that moves only while a provider is called."""

    def __init__(self) -> None:
        self.passed = 0.0

    def __call__(self) -> float:
        return self.passed


def in_real_time(shop: Shop) -> Seconds:
    """Let time pass in this shop, leases and all, only as the provider takes it."""
    seconds, begun = Seconds(), shop.now
    shop.app.stopwatch = seconds
    shop.app.lease_clock = lambda _tx: max(shop.now, begun + timedelta(seconds=seconds.passed))
    return seconds


def test_f71_of_twenty_calls_of_nine_seconds_four_begin_and_the_others_are_given_back(engine: Engine) -> None:
    def slow(_message: Message) -> None:
        seconds.passed += 9

    provider = Scripted(before=slow)
    shop = begin(engine, provider, 20)
    shop.jump("2025-03-01 11:00")
    seconds = in_real_time(shop)
    shop.deliver(shop.claim())
    assert len(provider.handed) == 4
    assert Counter(s.split(":")[1] for s in shop.states()) == {"sent": 4, "planned": 16}
    assert timedelta(seconds=seconds.passed) < shop.app.ladder.soft
    for _ in range(4):
        shop.now += timedelta(minutes=1)
        shop.deliver(shop.claim())
    assert shop.states() == ["hi:sent"] * 20
    assert len({m.key for m in provider.handed}) == len(provider.handed) == 20
    assert holds(shop) == []


@pytest.mark.parametrize("place", [0, 1, 7, 19])
def test_f71_one_call_of_a_batch_that_hangs_is_unknown_alone_and_ends_within_the_ladder(engine: Engine, place: int) -> None:
    def hang(_message: Message) -> None:
        if len(provider.handed) == place + 1:
            seconds.passed += shop.app.ladder.call.total_seconds()
            provider.answers.insert(0, DeliveryError("unknown", "no_answer"))

    provider = Scripted(before=hang)
    shop = begin(engine, provider, 20)
    shop.jump("2025-03-01 11:00")
    seconds = in_real_time(shop)
    shop.deliver(shop.claim())
    assert Counter(shop.states()) == {"hi:sent": 19, "hi:unknown:no_answer": 1}
    assert timedelta(seconds=seconds.passed) < shop.app.ladder.soft
    shop.now += timedelta(hours=1)
    shop.beat()
    assert Counter(shop.states()) == {"hi:sent": 19, "hi:failed:outcome_unknown": 1}
    assert len(provider.handed) == 20
    assert holds(shop) == []


def test_a_quick_account_shares_one_intent_from_its_second_message_on_and_a_slow_one_none(engine: Engine) -> None:
    together: list[int] = []

    def look(_message: Message) -> None:
        seconds.passed += took
        together.append(shop.states().count("hi:sending"))

    took = 0.001
    shop = begin(engine, Scripted(before=look), 80)
    shop.jump("2025-03-01 11:00")
    seconds = in_real_time(shop)
    hints = shop.claim()
    shop.deliver(hints[:20])
    assert together[0] == 1
    shop.deliver(hints[20:40])
    assert together[20] == 20
    took = 2.0
    shop.deliver(hints[40:60])
    took = 0.001
    shop.deliver(hints[60:])
    assert together[-20] < 20
