"""Speaks to a colleague: the message becomes a task that a person ticks off."""

from datetime import timedelta
from typing import ClassVar

from sop_engine.channels.contract import Capability, Find, Handed, Message, Receipt, Sink


class StaffTask:
    """A task for a colleague. It counts as delivered when it is marked done, not when it is made."""

    kind: ClassVar[str] = "staff_task"
    capability: ClassVar[Capability] = Capability(idempotent_for=timedelta.max, ask="sure", receipts="push", remote=False)

    def __init__(self, sink: Sink, find: Find | None = None) -> None:
        self._sink = sink
        self._find = find or (lambda _key: None)

    def send(self, message: Message) -> Receipt:
        """Store the task; a second time under the same key gives the first one."""
        return Receipt(self._sink(message), "awaiting_staff")

    def ask(self, handed: Handed) -> Receipt | None:
        """Whether the task was made."""
        return Receipt(handed.key, "awaiting_staff") if self._find(handed.key) else None

    def close(self) -> None:
        """Nothing is open."""
