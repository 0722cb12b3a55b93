"""Takes in what providers report: stored first, applied after; what cannot be applied yet is tried again for a day."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sop_engine.actions.apply_facts import Outcome, apply
from sop_engine.actions.reported import short
from sop_engine.actions.telling import tell
from sop_engine.app import App, Work
from sop_engine.channels.contract import Fact
from sop_engine.core.errors import NotFound
from sop_engine.core.feedback import next_look
from sop_engine.store import audit, inbox
from sop_engine.store.inbox import Waiting
from sop_engine.store.repeating import repeated
from sop_engine.store.set_aside import may_be_one_user, said

BATCH = 100
MOST_TRIES = 10  # so often a fact is tried with which something fails
FIRST_PAUSE = timedelta(minutes=1)


def keep(app: App, channel: str, facts: Sequence[Fact], now: datetime, *, body: bytes = b"") -> int:
    """Store facts that are new, with the request that brought them; how many were. After an error of the database nothing is stored."""
    listed = [inbox.Reported(short(f.event_key), f.kind, f.at, _written(f)) for f in facts]

    def once() -> int:
        with app.transaction() as tx:
            return len(inbox.add(tx, channel, listed, now, body=body))

    return repeated(once) if listed else 0


def apply_waiting(app: App, now: datetime) -> int:
    """Apply every fact whose turn it is; how many are over."""
    over, size = 0, BATCH
    while True:
        taken = list[Waiting]()
        try:
            looked, ended = repeated(partial(_batch, app, now, size, taken))
        except Exception as error:
            if not taken or not may_be_one_user(error, app.told_to_end):
                raise
            if len(taken) > 1:
                size = 1  # the others are not held up by the one with which it fails
                continue
            _set_back(app, taken[0], error, now)
            looked, ended = 1, 0
        if not looked:
            return over
        over += ended


def _batch(app: App, now: datetime, size: int, taken: list[Waiting]) -> tuple[int, int]:
    """How many facts were looked at in one transaction, and how many are over."""
    taken.clear()
    with app.transaction() as tx:
        if not inbox.has_due(tx, now):
            return 0, 0
    with app.work(now) as work:
        taken += inbox.take_due(work.tx, now, size)
        done: list[tuple[int, str, str, int | None]] = []
        for channel in dict.fromkeys(one.channel for one in taken):
            mine = [one for one in taken if one.channel == channel]
            outcomes = apply(work, channel, [_read(one.fact) for one in mine])
            for one, outcome in zip(mine, outcomes, strict=True):
                done += _over(work, one, outcome)
        inbox.done(work.tx, done, now)
    return len(taken), len(done)


def _over(work: Work, one: Waiting, outcome: Outcome) -> list[tuple[int, str, str, int | None]]:
    """What is to be written of a fact that is over; one that is not is parked, for a day at most."""
    if outcome.state != "parked":
        return [(one.id, outcome.state, outcome.note, outcome.touch_id)]
    wait = next_look(work.now - one.received_at)
    if wait is None:
        return [(one.id, "dropped", outcome.note, None)]
    inbox.park(work.tx, one.id, outcome.note, one.received_at + wait)
    return []


def _set_back(app: App, one: Waiting, error: Exception, now: datetime) -> None:
    tell("fact_failed", level="error", channel=one.channel, error=said(error))

    def once() -> None:
        with app.transaction() as tx:
            if one.tries + 1 >= MOST_TRIES:
                inbox.done(tx, [(one.id, "dropped", said(error), None)], now)
            else:
                inbox.park(tx, one.id, said(error), now + FIRST_PAUSE * 2**one.tries)

    repeated(once)


def _written(fact: Fact) -> dict[str, Any]:
    return {**asdict(fact), "fields": dict(fact.fields), "at": fact.at.isoformat()}


def _read(written: Any) -> Fact:
    return Fact(**{**written, "at": datetime.fromisoformat(written["at"])})


def try_again(app: App, report: int, now: datetime, by: str) -> str:
    """Apply a report that was dropped or waits once more, as if it came now; the state it is in then. Raises NotFound."""
    with app.transaction() as tx:
        if not inbox.wait_again(tx, report, now):
            raise NotFound(f"there is no report {report} that was dropped or waits. 'sop receipts --state dropped' lists those that were.")
        audit.note(tx, by, "tried a report again", {"report": report}, now)
    apply_waiting(app, now)
    with app.transaction() as tx:
        return inbox.state_of(tx, report)
