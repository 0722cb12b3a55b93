"""Holds that the test mode is a type: nothing but tests passes it, and to nobody who is not listed (G6)."""

from datetime import UTC, datetime
from typing import Any

import pytest

from sop_engine.channels.contract import Message
from sop_engine.channels.trial import Trial
from sop_engine.core.errors import Refused
from tests.shop_project import Scripted

TEST: dict[str, Any] = {"key": "test-1", "now": datetime(2025, 3, 1, tzinfo=UTC), "to": "+8613800001234", "test": True}


def test_g6_a_test_reaches_a_listed_address_in_any_spelling() -> None:
    channel = Scripted([])
    Trial(channel, ["138-0000-1234", "Me@Example.COM"]).try_out(Message(**TEST))
    Trial(channel, ["Me@Example.COM"]).try_out(Message(**{**TEST, "to": "Me@example.com"}))
    assert len(channel.handed) == 2


@pytest.mark.parametrize(
    "change",
    [{"to": "+8613800001235"}, {"to": ""}, {"test": False}, {"key": "a" * 32}, {"benefit_code": "C"}, {"touch_id": 1}],
    ids=["another address", "no address", "no test", "the key of a touch", "with a code", "of a touch"],
)
def test_g6_a_test_anywhere_else_or_anything_else_raises_and_calls_nobody(change: dict[str, Any]) -> None:
    channel = Scripted([])
    with pytest.raises(Refused):
        Trial(channel, ["+8613800001234"]).try_out(Message(**{**TEST, **change}))
    assert channel.handed == []


def test_g6_what_delivers_cannot_be_given_a_test_channel() -> None:
    assert not hasattr(Trial(Scripted([]), []), "send")
