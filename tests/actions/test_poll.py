"""Providers that do not report by themselves are asked: six times in a day, in batches, and silence is marked and nothing worse."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from sqlalchemy import Engine, select

from sop_engine.actions import poll
from sop_engine.actions.poll import poll_due
from sop_engine.channels.contract import Capability, Fact, Handed
from sop_engine.core.errors import DeliveryError
from sop_engine.store import touches
from tests.shop import Shop, keys
from tests.shop_project import Scripted

pytestmark = pytest.mark.slow

FLOW = "playbook: p\nintent: cultivate\nstart: {event: cart}\ngoal: buys\nagain: always\nsteps:\n  hi: {at: now, send: hello}\n"


@dataclass
class Silent(Scripted):
    """Reports nothing until it is asked: then what a test says, about each message."""

    capability = Capability(receipts="poll")
    asked: list[list[str]] = field(default_factory=list)
    says: str = ""
    error: Exception | None = None

    def poll(self, handed: Sequence[Handed]) -> Sequence[Fact]:
        """What is known about these."""
        if self.error is not None:
            raise self.error
        self.asked.append([one.key for one in handed])
        assert {(one.to[:3], one.text.strip(), one.provider_id == one.key) for one in handed} == {("138", "hello", True)}
        return [Fact(kind=self.says, event_key=f"{one.key}:{self.says}", at=one.now, key=one.key) for one in handed if self.says]


def shop_of(engine: Engine, provider: Silent, users: int = 1) -> Shop:
    shop = Shop(engine, FLOW, start="2025-03-01 10:00", channels={"sms": provider})
    for key in keys(users):
        shop.user(key)
        shop.event(key, "cart")
    return shop


def receipts(shop: Shop) -> list[str]:
    with shop.app.transaction() as tx:
        return sorted(row.kind for row in tx.execute(select(touches.receipts)))


def look(shop: Shop, minutes: int) -> int:
    return poll_due(shop.app, shop.at("2025-03-01 10:00") + timedelta(minutes=minutes))


def test_a_message_is_asked_after_at_1_5_15_minutes_1_6_and_24_hours_and_then_it_has_no_receipt(engine: Engine) -> None:
    provider = Silent()
    shop = shop_of(engine, provider)
    asked = [minutes for minutes in (0, 1, 1, 4, 5, 14, 15, 59, 60, 359, 360, 1439, 1440, 1500, 2880) if look(shop, minutes)]
    assert asked == [1, 5, 15, 60, 360, 1440]
    assert len(provider.asked) == 6
    assert (receipts(shop), shop.states()) == (["no_receipt"], ["hi:sent"])


def test_what_has_been_reported_is_not_asked_after_again(memory: Engine) -> None:
    provider = Silent(says="delivered")
    shop = shop_of(memory, provider)
    assert [look(shop, minutes) for minutes in (1, 5, 15, 1440)] == [1, 0, 0, 0]
    assert receipts(shop) == ["delivered"]


def test_many_messages_share_a_call_and_each_is_asked_after_once(memory: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poll, "BATCH", 2)
    provider = Silent()
    shop = shop_of(memory, provider, users=5)
    assert look(shop, 1) == 5
    assert [len(batch) for batch in provider.asked] == [2, 2, 1]
    assert len({key for batch in provider.asked for key in batch}) == 5


def test_a_provider_that_does_not_answer_is_asked_from_where_it_stopped(memory: Engine) -> None:
    provider = Silent(error=DeliveryError("unknown", "no_answer"))
    shop = shop_of(memory, provider)
    assert look(shop, 1) == 0
    provider.error = None
    assert look(shop, 2) == 1


def test_a_channel_that_breaks_while_it_asks_stops_no_beat(memory: Engine) -> None:
    provider = Silent(error=ZeroDivisionError())
    shop = shop_of(memory, provider)
    shop.jump("2025-03-01 10:01")
    shop.event("u1", "cart")
    assert shop.states() == ["hi:sent"] * 2
    provider.error = None
    assert look(shop, 2) == 2


def test_what_a_provider_refuses_to_tell_is_left_and_the_next_time_comes(memory: Engine) -> None:
    provider = Silent(error=DeliveryError("permanent", "content"))
    shop = shop_of(memory, provider)
    assert look(shop, 1) == 1
    provider.error = None
    assert [look(shop, minutes) for minutes in (2, 5)] == [0, 1]


def test_after_a_day_without_a_look_each_message_is_asked_after_once_and_not_six_times(memory: Engine) -> None:
    provider = Silent()
    shop = shop_of(memory, provider)
    assert look(shop, 1441) == 1
    assert len(provider.asked) == 1
