"""Notices a database that is older than what was last seen of it (a restored copy), and sends nothing until it is reconciled."""

import hashlib
import json
import os
from datetime import datetime
from pathlib import Path
from typing import Protocol

from sop_engine.app import App, Work
from sop_engine.core.errors import Refused
from sop_engine.store import audit, leases, stops
from sop_engine.store.halts import INSTANCE, SAFE_MODE, SEPARATOR, read_halts
from sop_engine.store.versions import get_mark, set_mark


class Memory(Protocol):
    """Remembers a text by name outside the database."""

    def get(self, name: str) -> str | None:
        """What was remembered under this name."""
        ...

    def set(self, name: str, value: str) -> None:
        """Remember it."""
        ...


class PulseFile:
    """A memory in a file beside a SQLite database."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def get(self, name: str) -> str | None:
        """What was remembered; a file that is missing or cannot be read remembers nothing."""
        return self._all().get(name)

    def set(self, name: str, value: str) -> None:
        """Write the file anew, whole or not at all."""
        fresh = self.path.with_name(f"{self.path.name}-new")
        fresh.write_text(json.dumps({**self._all(), name: value}), "utf-8")
        os.replace(fresh, self.path)

    def _all(self) -> dict[str, str]:
        try:
            read = json.loads(self.path.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return read if isinstance(read, dict) else {}


def watch_pulse(app: App, memory: Memory, now: datetime) -> str | None:
    """Compare the pulse of the leader's lease with the highest ever seen; why nothing is sent, or None.

    To be called at start, before the lease is taken, and after every renewal. A lower pulse means that the database lost what it had
    acknowledged: safe mode begins. What is remembered is read before the database, so that a pulse between the two is no loss.
    """
    with app.transaction() as tx:
        instance = get_mark(tx, INSTANCE) or ""
    remembered = int(memory.get(instance) or 0)
    with app.transaction() as tx:
        halts, lease = read_halts(tx), leases.read(tx)
        pulse = lease.pulse if lease is not None else 0
    if halts.safe_mode is not None:
        return str(halts.safe_mode["why"])
    if halts.instance != instance:  # it was adopted or reconciled just now
        return None
    if pulse < remembered:
        return _begin_safe_mode(app, now, pulse, remembered)
    if pulse > remembered:
        memory.set(instance, str(pulse))
    return None


def _begin_safe_mode(app: App, now: datetime, pulse: int, remembered: int) -> str:
    why = f"this database is older than the one last seen (pulse {pulse:,} after {remembered:,}): it is a restored copy."
    with app.transaction() as tx:
        stops.hold_alone(tx)  # whoever writes an intent now is waited for
        if read_halts(tx).safe_mode is None:
            set_mark(tx, SAFE_MODE, json.dumps({"at": now.isoformat(), "why": why}))
            audit.note(tx, "sop", "safe mode began", {"pulse": pulse, "remembered": remembered}, now)
    return why


def adopt(work: Work, by: str) -> str:
    """Make this database one of its own: the name SOP_INSTANCE says, or a new one; every key differs from then on. The name."""
    halts, wanted = read_halts(work.tx), work.app.settings.instance
    if wanted and wanted == halts.name:
        raise Refused(f"this database is '{wanted}' already. Set SOP_INSTANCE to the name it is to have from now on, then adopt it.")
    name = wanted or hashlib.sha256(f"{halts.instance}{work.now.isoformat()}".encode()).hexdigest()[:16]
    rename(work, name)
    audit.note(work.tx, by, "adopted", {"from": halts.name, "to": name}, work.now)
    return name


def rename(work: Work, name: str) -> None:
    """Give the database this name with new keys: no message is taken for one that was sent under the old."""
    stops.hold_alone(work.tx)
    before = get_mark(work.tx, INSTANCE)
    fresh = hashlib.sha256(f"{before}{name}{work.now.isoformat()}".encode()).hexdigest()[:8]
    set_mark(work.tx, INSTANCE, f"{name}{SEPARATOR}{fresh}")
    work.app.know_instance(f"{name}{SEPARATOR}{fresh}")
