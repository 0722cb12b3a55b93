"""Brings addresses onto the list of those that are not written to, one by hand or a million from a file, and counts them."""

from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from sop_engine.actions.importing import BATCH, Imported, Progress, Source, good_rows
from sop_engine.actions.suppressing import keys_of
from sop_engine.app import App, Work
from sop_engine.core.errors import BadInput
from sop_engine.core.suppression import kind_of_address
from sop_engine.store import audit, suppressions
from sop_engine.store.suppressions import Entry


@dataclass(frozen=True, slots=True)
class Count:
    """How many addresses are on the list over a channel (`*`: any), for a reason."""

    channel: str
    scope: str
    reason: str
    addresses: int
    latest: datetime


def suppress_by_hand(work: Work, address: str, channel: str, *, scope: str, by: str) -> bool:
    """Put one address on the list; False when it stood there. Raises BadInput for an unknown channel or what is no address."""
    _check(work, channel)
    entry = Entry(kind_of_address(address), address, channel, "manual", scope)
    fresh = suppressions.suppress(work.tx, keys_of(work)[0], entry, work.now)
    audit.note(work.tx, by, "put an address on the list of those not written to", {"channel": channel, "scope": scope}, work.now)
    return fresh


def lift_by_hand(work: Work, address: str, channel: str | None, *, by: str) -> int:
    """Take one address off the list, over one channel or all; how many entries. Erased people stay on it."""
    _check(work, channel or "*")
    rows = suppressions.lift(work.tx, keys_of(work), (kind_of_address(address), address), channel)
    audit.note(work.tx, by, "took an address off the list of those not written to", {"channel": channel or "*", "entries": rows}, work.now)
    return rows


def counted(work: Work) -> list[Count]:
    """What is on the list now."""
    return [Count(*row) for row in suppressions.counted(work.tx, work.now)]


def _check(work: Work, channel: str) -> None:
    if channel != "*" and channel not in work.project.channels:
        raise BadInput(f"there is no channel '{channel}'. There are: {', '.join(work.project.channels)}.")


def import_suppressions(
    app: App, source: Source, now: datetime, *, dry_run: bool = False, progress: Progress = lambda _read: None
) -> Imported:
    """Store the rows in batches, one transaction each; the same file twice changes nothing. Nothing but one batch is in memory."""
    found = Imported()
    good = (row for row in good_rows(source, found) if isinstance(row, Entry))
    while batch := list(islice(good, BATCH)):
        if not dry_run:
            with app.work(now) as work:
                fresh = suppressions.suppress_all(work.tx, keys_of(work)[0], batch, now)
            found.stored, found.repeated = found.stored + fresh, found.repeated + len(batch) - fresh
        else:
            found.stored += len(batch)
        progress(found.read)
    return found
