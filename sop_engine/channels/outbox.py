"""Speaks to nobody: the message is kept on this machine, where the console shows it as a phone or mail preview."""

from datetime import timedelta
from typing import ClassVar

from sop_engine.channels.contract import Capability, Message, Receipt, Sink


class Outbox:
    """The channel of the demo, of tests and of every project that is not live."""

    kind: ClassVar[str] = "outbox"
    capability: ClassVar[Capability] = Capability(idempotent_for=timedelta.max, ask="sure", batch=500, remote=False)

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def send(self, message: Message) -> Receipt:
        """Store the message; a second time under the same key gives the first receipt."""
        return Receipt(self._sink(message), "delivered")

    def close(self) -> None:
        """Nothing is open."""
