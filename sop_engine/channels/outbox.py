"""Speaks to nobody: the message is kept on this machine, where the console shows it as a phone or mail preview."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import ClassVar

from sop_engine.channels.contract import Capability, Find, Handed, Message, Receipt, Sink
from sop_engine.core.errors import DeliveryError


class Outbox:
    """The channel of the demo, of tests and of every project that is not live."""

    kind: ClassVar[str] = "outbox"
    capability: ClassVar[Capability] = Capability(idempotent_for=timedelta.max, ask="sure", batch=500, remote=False)

    def __init__(self, sink: Sink, many: Callable[[Sequence[Message]], list[str]] | None = None, find: Find | None = None) -> None:
        self._sink = sink
        self._find = find or (lambda _key: None)
        self._many = many or (lambda messages: [sink(m) for m in messages])

    def send(self, message: Message) -> Receipt:
        """Store the message; a second time under the same key gives the first receipt."""
        return Receipt(self._sink(message), "delivered")

    def send_many(self, messages: Sequence[Message]) -> list[Receipt | DeliveryError]:
        """Store a batch in one go."""
        return [Receipt(kept, "delivered") for kept in self._many(messages)]

    def ask(self, handed: Handed) -> Receipt | None:
        """Whether the message is here."""
        return Receipt(handed.key, "delivered") if self._find(handed.key) else None

    def close(self) -> None:
        """Nothing is open."""
