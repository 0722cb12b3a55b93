"""The contract suite: every channel before every behaviour of a provider keeps its class, its one entry, its bytes and its silence."""

from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from sop_engine.channels.contract import Message, Receipt
from sop_engine.channels.registry import CAPABILITIES, KNOWN
from sop_engine.core.errors import DeliveryError
from tests.channels.suite.adapters import ADAPTERS
from tests.channels.suite.contract import BEHAVIOURS, Behaviour, DoesNotApply, check_cell

pytestmark = pytest.mark.slow

OK, LOST = BEHAVIOURS[0], next(b for b in BEHAVIOURS if b.name == "accept_then_cut")


@pytest.mark.parametrize("behaviour", BEHAVIOURS, ids=lambda behaviour: behaviour.name)
@pytest.mark.parametrize("name", ADAPTERS)
def test_a_channel_keeps_its_contract_whatever_its_provider_does(name: str, behaviour: Behaviour) -> None:
    try:
        check_cell(ADAPTERS[name], behaviour)
    except DoesNotApply as why:
        assert len(str(why)) > 20


def test_every_channel_is_in_the_suite() -> None:
    assert set(ADAPTERS) == KNOWN


def test_what_a_channel_can_do_is_what_the_registry_says() -> None:
    for name, adapter in ADAPTERS.items():
        with adapter() as rig:
            assert rig.channel.capability == CAPABILITIES[name]


def test_only_named_cells_do_not_apply() -> None:
    left_out = Counter[str]()
    for name, adapter in ADAPTERS.items():
        for behaviour in BEHAVIOURS:
            with adapter() as rig:
                try:
                    rig.play(behaviour.name)
                except DoesNotApply:
                    left_out[name] += 1
    once = dict.fromkeys(("aliyun_sms", "tencent_sms", "wecom_customer", "wecom_welcome"), 1)
    assert left_out == {"outbox": 13, "staff_task": 13, "email": 3, "webhook": 2, **once}


class Broken:
    """A channel with one fault: it wraps a good one."""

    def __init__(self, inner: Any, fault: str) -> None:
        self.inner, self.fault, self.capability = inner, fault, inner.capability

    def send(self, message: Message) -> Receipt:
        """With the fault."""
        try:
            if self.fault == "twice":
                self.inner.send(replace(message, key="k2"))
            return self.inner.send(message)
        except DeliveryError as error:
            if self.fault == "class":
                raise DeliveryError("retry_after", "not_accepted") from error
            raise DeliveryError(error.kind, error.reason, f"to {message.to}" if self.fault == "says" else "") from error

    def ask(self, handed: Any) -> Receipt | None:
        """Denies or claims everything with the fault."""
        if self.fault == "claims":
            return Receipt("r1", "accepted")
        return None if self.fault == "denies" else self.inner.ask(handed)


@pytest.mark.parametrize(
    ("name", "fault", "behaviour", "seen"),
    [
        ("aliyun_sms", "twice", OK, "2 entries"),
        ("aliyun_sms", "class", LOST, "not_accepted"),
        ("aliyun_sms", "says", LOST, "was said"),
        ("aliyun_sms", "denies", LOST, "asking is wrong"),
        ("wecom_customer", "twice", OK, "2 entries"),
        ("wecom_customer", "denies", LOST, "asking is wrong"),
        ("wecom_customer", "claims", OK, "another message was claimed"),
        ("wecom_welcome", "class", LOST, "not_accepted"),
        ("oa_template", "twice", OK, "2 entries"),
        ("oa_subscribe", "twice", OK, "2 entries"),
        ("mp_subscribe", "says", LOST, "was said"),
    ],
)
def test_the_suite_sees_a_channel_that_breaks_its_contract(name: str, fault: str, behaviour: Behaviour, seen: str) -> None:
    @contextmanager
    def broken() -> Any:
        with ADAPTERS[name]() as rig:
            yield replace(rig, channel=Broken(rig.channel, fault))

    with pytest.raises(AssertionError, match=seen):
        check_cell(broken, behaviour)
