"""A provider that outlives the process that calls it: its own append-only log is a file, its abilities are those it is given."""

import json
import os
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

from sop_engine.channels.contract import Capability, Handed, Message, Receipt
from sop_engine.channels.frozen import fingerprint
from sop_engine.core.errors import DeliveryError
from sop_engine.store.crash_points import cp

ABILITIES = {
    "keyed for ever": Capability(idempotent_for=timedelta.max),
    "keyed for a while": Capability(idempotent_for=timedelta(minutes=10)),
    "askable": Capability(ask="sure"),
    "opaque": Capability(),
}


@dataclass
class FileProvider:
    """Takes messages into a file; `now` is its own time. `cp` may end the process before and after it has taken one."""

    log: Path
    ability: Capability
    now: datetime
    script: list[str] = field(default_factory=list)  # what it does with the next calls: take, refuse, silent (takes), lost (does not)
    kind: ClassVar[str] = "file"

    @property
    def capability(self) -> Capability:
        """What it was given."""
        return self.ability

    def send(self, message: Message) -> Receipt:
        """Take one; a key that is known still is answered as before, and not taken again."""
        cp("provider_before_taking")
        what = self.script.pop(0) if self.script else "take"
        if what == "refuse":
            raise DeliveryError("retry_after", "not_accepted")
        if what == "lost":
            raise DeliveryError("unknown", "no_answer")
        if not self._known(message.key):
            self._note(message)
        cp("provider_after_taking")
        if what == "silent":
            raise DeliveryError("unknown", "no_answer")
        return Receipt(message.key, "accepted")

    def ask(self, handed: Handed) -> Receipt | None:
        """What became of a message."""
        return Receipt(handed.key, "accepted") if any(line["key"] == handed.key for line in self.lines()) else None

    def close(self) -> None:
        """Nothing is open."""

    def lines(self) -> list[dict[str, Any]]:
        """Everything it ever took."""
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []

    def _known(self, key: str) -> bool:
        kept = self.ability.idempotent_for
        times = [datetime.fromisoformat(line["at"]) for line in self.lines() if line["key"] == key]
        return kept is not None and any(kept == timedelta.max or self.now - at < kept for at in times)

    def _note(self, message: Message) -> None:
        line = {"key": message.key, "touch": message.touch_id, "body": fingerprint(message), "at": self.now.isoformat()}
        descriptor = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(descriptor, (json.dumps(line) + "\n").encode())
        os.close(descriptor)
