"""Holds what every channel promises: one outcome per message, in order, and never another exception."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from sop_engine.channels.contract import REASONS, Capability, Message, Receipt, call
from sop_engine.channels.outbox import Outbox
from sop_engine.channels.task import StaffTask
from sop_engine.core.errors import DeliveryError

NOW = datetime(2025, 3, 1, 2, 0, tzinfo=UTC)
MESSAGES = [Message(key=f"k{n}", now=NOW, to=f"+86138000012{n:02}") for n in range(5)]


class Scripted:
    """Answers by the key of the message."""

    kind = "scripted"
    capability = Capability()

    def __init__(self, answers: dict[str, Exception]) -> None:
        self.answers = answers

    def send(self, message: Message) -> Receipt:
        if message.key in self.answers:
            raise self.answers[message.key]
        return Receipt(f"id-{message.key}", "accepted")

    def close(self) -> None: ...


class Batched(Scripted):
    """Takes two messages in a call."""

    capability = Capability(batch=2)

    def __init__(self, outcomes: list[list[Receipt | DeliveryError] | Exception]) -> None:
        self.outcomes = iter(outcomes)
        self.sizes: list[int] = []

    def send_many(self, messages: Sequence[Message]) -> list[Receipt | DeliveryError]:
        self.sizes.append(len(messages))
        outcome = next(self.outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def test_each_message_has_its_own_outcome_in_order() -> None:
    refused = DeliveryError("permanent", "content")
    outcomes = call(Scripted({"k1": refused}), MESSAGES[:3])
    assert outcomes == [Receipt("id-k0", "accepted"), refused, Receipt("id-k2", "accepted")]


def test_a_foreign_exception_is_unknown_and_the_next_message_still_goes() -> None:
    first, second = call(Scripted({"k0": RuntimeError("+8613800001200 is wrong")}), MESSAGES[:2])
    assert isinstance(first, DeliveryError)
    assert (first.kind, first.reason, first.detail) == ("unknown", "crashed", "RuntimeError")
    assert "+86138" not in str(first)
    assert isinstance(first.__cause__, RuntimeError)
    assert second == Receipt("id-k1", "accepted")


def test_a_batch_is_cut_to_what_the_channel_takes() -> None:
    good = Receipt("x", "accepted")
    channel = Batched([[good, good], [good, good], [good]])
    assert call(channel, MESSAGES) == [good] * 5
    assert channel.sizes == [2, 2, 1]


def test_a_batch_that_fails_gives_its_error_to_each_of_its_messages_only() -> None:
    good, later = Receipt("x", "accepted"), DeliveryError("retry_after", "throttled", retry_after_s=60)
    assert call(Batched([later, [good, good], [good]]), MESSAGES) == [later, later, good, good, good]
    crashed = call(Batched([ValueError("x"), [good, good], [good]]), MESSAGES)
    assert [getattr(o, "kind", "") for o in crashed] == ["unknown", "unknown", "", "", ""]


def test_too_few_answers_to_a_batch_leave_all_of_it_unknown() -> None:
    good = Receipt("x", "accepted")
    outcomes = call(Batched([[good], [good, good], [good]]), MESSAGES)
    assert [getattr(o, "kind", "") for o in outcomes] == ["unknown", "unknown", "", "", ""]


def test_a_message_shows_nothing_personal_in_its_repr() -> None:
    message = replace(MESSAGES[0], text="你好张三", subject="张三", benefit_code="ABCD", user_key="u-1", vars=(("昵称", "张三"),))
    for secret in ("+8613800001200", "张三", "ABCD", "u-1"):
        assert secret not in repr(message)


@pytest.mark.parametrize(("make", "stage"), [(Outbox, "delivered"), (StaffTask, "awaiting_staff")])
def test_what_stays_here_goes_to_the_sink_and_keeps_its_first_id(make: type, stage: str) -> None:
    stored: dict[str, str] = {}
    channel = make(lambda message: stored.setdefault(message.key, f"row-{len(stored)}"))
    assert call(channel, [*MESSAGES[:2], MESSAGES[0]]) == [Receipt("row-0", stage), Receipt("row-1", stage), Receipt("row-0", stage)]
    assert not channel.capability.remote
    channel.close()


def test_every_reason_of_the_code_tables_is_explained() -> None:
    from sop_engine.channels import codes

    meanings = [m for m in vars(codes).values() if isinstance(m, codes.Meaning)] + list(codes.REJECTED.values())
    assert all(meaning.reason in REASONS[meaning.kind] for meaning in meanings)
