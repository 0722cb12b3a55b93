"""Asks providers that do not report by themselves what became of messages: six times in a day, many messages in a call."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sop_engine.actions.deliver import Watch
from sop_engine.actions.hear_back import apply_waiting, keep
from sop_engine.actions.telling import tell
from sop_engine.app import App
from sop_engine.channels.contract import Handed
from sop_engine.core.catalog import Channel
from sop_engine.core.errors import DeliveryError, Refused
from sop_engine.core.feedback import FINAL, POLLS
from sop_engine.store import inbox, touches
from sop_engine.store.inbox import Sent
from sop_engine.store.repeating import repeated

BATCH = 100
FORGOTTEN = timedelta(days=2)  # older messages are not asked after, however long nobody has polled


@dataclass(frozen=True, slots=True)
class _Look:
    """The messages to ask after for the time `number`, from the call after `after` at the beginning of the span."""

    number: int
    span: tuple[datetime, datetime]
    after: int


def poll_due(app: App, now: datetime) -> int:
    """Ask after every message whose time has come: 1, 5 and 15 minutes, 1, 6 and 24 hours after it was handed over; how many were.

    A channel whose provider does not answer is asked again at the next look, from where it stopped. What nobody has said anything
    about after the last time is marked `no_receipt`; it stays sent.
    """
    asked, watch = 0, Watch(app, now)
    for channel in _polled(app, now):
        try:
            for number in range(len(POLLS)):
                asked += _ask_all(app, channel, number, watch)
        except (DeliveryError, Refused) as error:
            tell("not_polled", level="warning", channel=channel.name, reason=getattr(error, "reason", "configuration"))
    if asked:
        apply_waiting(app, now)
    return asked


def _polled(app: App, now: datetime) -> list[Channel]:
    with app.work(now) as work:
        listed = list(work.project.channels.values())
    return [one for one in listed if app.capability(one).receipts in ("poll", "both") and hasattr(app.adapter(one), "poll")]


def _ask_all(app: App, channel: Channel, number: int, watch: Watch) -> int:
    """Ask after all messages of a channel for this time, as long as others need not wait for it; how many there were."""
    asked, now = 0, watch.begun_at
    while watch.spent < app.ladder.begin:
        with app.transaction() as tx:
            look = _look(inbox.polled(tx, channel.name).get(number), number, now)
            batch = inbox.sent_between(tx, channel.name, look.span, look.after, BATCH, FINAL)
        if batch:
            _ask(app, channel, batch, now)
        _remember(app, channel, look, batch, now)
        asked += len(batch)
        if len(batch) < BATCH:
            break
    return asked


def _look(until: tuple[datetime, int] | None, number: int, now: datetime) -> _Look:
    """From where it stopped; but what is old enough for a later time is left to that one."""
    later = now - POLLS[number + 1] if number + 1 < len(POLLS) else now - FORGOTTEN
    begin, after = until if until is not None and until[0] >= later else (later, 0)
    return _Look(number, (begin, now - POLLS[number]), after)


def _ask(app: App, channel: Channel, batch: Sequence[Sent], now: datetime) -> None:
    adapter: Any = app.adapter(channel)
    handed = [
        Handed(
            key=one.key,
            began_at=one.began_at,
            now=now,
            to=one.address,
            text=one.body,
            provider_id=one.provider_id,
            touch_id=one.touch_id,
        )
        for one in batch
    ]
    try:
        facts = list(adapter.poll(handed))
    except DeliveryError as error:
        if error.kind != "permanent":
            raise
        return  # it will not tell about these, however often it is asked
    except Exception as error:  # other channels are asked, and messages go out
        raise DeliveryError("unknown", "crashed", type(error).__name__) from error
    keep(app, channel.name, facts, now)


def _remember(app: App, channel: Channel, look: _Look, batch: Sequence[Sent], now: datetime) -> None:
    last = look.number + 1 == len(POLLS)
    if last and batch:
        apply_waiting(app, now)  # so that what was heard just now is known

    def once() -> None:
        with app.transaction() as tx:
            if last and batch and not app.capability(channel).staff_confirmed:  # what waits for a colleague is followed until then
                silent = inbox.silent(tx, [one.touch_id for one in batch])
                touches.add_receipts(tx, [(touch, "no_receipt", now) for touch in silent])
            if len(batch) == BATCH:
                inbox.set_polled(tx, channel.name, look.number, batch[-1].began_at, batch[-1].attempt_id)
            else:  # nothing up to this moment is left; a call that is settled only later is asked after at the next time
                inbox.set_polled(tx, channel.name, look.number, look.span[1], inbox.LAST)

    repeated(once)
