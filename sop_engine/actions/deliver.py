"""Delivers claimed touches: the intent in one transaction, the call to the channel outside of any, the outcome in another."""

from collections.abc import Sequence
from datetime import datetime

from sop_engine.actions.ingest import record_events
from sop_engine.actions.intend import Intent, intend
from sop_engine.actions.outcome import settle
from sop_engine.app import App
from sop_engine.channels.contract import Receipt, call
from sop_engine.core.catalog import Channel
from sop_engine.core.errors import DeliveryError, Refused
from sop_engine.core.records import EventRecord
from sop_engine.store import touches

Answer = Receipt | DeliveryError


def deliver(app: App, hints: Sequence[tuple[int, int]], now: datetime) -> int:
    """Deliver the touches of these hints that are still queued under that epoch; how many were handed to a channel."""
    with app.work(now) as work:
        queued = touches.queued_for_delivery(work.tx, hints)
        intents = intend(work, queued) if queued else []
    if not intents:
        return 0
    channels = {i.channel: i.item.project.channels[i.channel] for i in intents}
    answers = [pair for channel in channels.values() for pair in _speak(app, channel, intents)]
    with app.work(now) as work:
        settle(work, [(intent.item, answer) for intent, answer in answers])
        watched = "delivered" in work.live.interest.event_kinds
    if watched:
        record_events(app, [_delivered(i, now) for i, a in answers if isinstance(a, Receipt) and a.stage == "delivered"], now)
    return len(intents)


def _speak(app: App, channel: Channel, intents: Sequence[Intent]) -> list[tuple[Intent, Answer]]:
    mine = [i for i in intents if i.channel == channel.name]
    try:
        adapter = app.adapter(channel)
    except Refused as error:  # nothing was handed over: these wait until a person has put it right
        missing = DeliveryError("retry_after", "configuration", str(error))
        return [(intent, missing) for intent in mine]
    return list(zip(mine, call(adapter, [i.message for i in mine]), strict=True))


def _delivered(intent: Intent, now: datetime) -> EventRecord:
    item = intent.item
    fields = {"playbook": item.flow.playbook, "level": item.flow.level or "", "step": item.step.name, "channel": intent.channel}
    return EventRecord(f"delivered:{item.touch.id}", item.person.key, "delivered", now, fields, "system", "sop")
