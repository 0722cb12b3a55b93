"""Brings a restored copy in line with what was sent after it was made: nothing that may have been sent is sent again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from sop_engine.actions.composing import key_of
from sop_engine.actions.gather import Item, gather
from sop_engine.actions.outcome import Done, finish
from sop_engine.actions.resolve import accepted
from sop_engine.actions.restored import rename
from sop_engine.app import App, Work
from sop_engine.core.calendar import local_day
from sop_engine.core.errors import Refused
from sop_engine.core.run import Touch
from sop_engine.core.template import Template
from sop_engine.store import attempts, audit, doubts, outbox, queue, touches
from sop_engine.store.attempts import Attempt, Settlement
from sop_engine.store.halts import SAFE_MODE, Halts, read_halts
from sop_engine.store.people import take_turns
from sop_engine.store.versions import forget_mark
from sop_engine.store.waits import spread_paused

PAGE = 200
PROOFS = 5  # so many refusals after the copy was made are looked for
WORD = "reconciled"
NOTHING_LOST = "this database is not in safe mode: there is nothing to reconcile."

Log = Mapping[str, datetime | None]
"""The keys a provider has, with the time it took each message where the log says so."""


@dataclass
class Reconciled:
    """What became of the touches that may have been sent: found sent, given up because nobody knows, to be done as planned.

    `with_benefit`: of those found or given up, how many would have given one; its code is not known here. `unmatched`: keys of the
    log that belong to nothing in this database: messages of runs that are lost.
    """

    sent: int = 0
    given_up: int = 0
    as_planned: int = 0
    with_benefit: int = 0
    unmatched: int = 0
    used: set[str] = field(default_factory=set, repr=False)


def reconcile(app: App, now: datetime, log: Log, *, since: datetime | None = None, by: str = "") -> Reconciled:
    """Settle every touch that was due before safe mode began, then end it. Raises Refused when the database is not in safe mode."""
    with app.work(now) as work:
        halts = read_halts(work.tx)
        if halts.safe_mode is None:
            raise Refused(NOTHING_LOST)
    done, after = Reconciled(), 0
    until = datetime.fromisoformat(str(halts.safe_mode["at"]))
    while True:
        with app.work(now) as work:
            page = doubts.due_before(work.tx, until, since, after, PAGE)
            if not page:
                break
            _settle(work, page, log, done, halts)
        after = page[-1].id
    done.unmatched = _match(app, now, log, done)
    with app.work(now) as work:
        rename(work, halts.name)  # numbers of touches are given anew, and must not meet the keys of lost ones
        forget_mark(work.tx, SAFE_MODE)
        spread_paused(work.tx, now)
        about = {name: getattr(done, name) for name in ("sent", "given_up", "as_planned", "with_benefit", "unmatched")}
        audit.note(work.tx, by, WORD, {**about, "keys": len(log)}, now)
    return done


def _settle(work: Work, page: Sequence[Touch], log: Log, done: Reconciled, halts: Halts) -> None:
    take_turns(work.tx, {t.user_id for t in page})
    listed = [t for state in ("planned", "queued") for t in queue.hold(work.tx, [t for t in page if t.state == state], state)]
    ended: list[Done] = []
    for item in gather(work, listed).items:
        state, template, key = _look_up(work, item, log, halts)
        if state is None or template is None:
            done.as_planned += 1
            continue
        done.used.add(key)
        done.sent += state == "sent"
        done.given_up += state == "failed"
        done.with_benefit += item.step.give is not None
        ended.append(_write(work, item, state, template, (key, log.get(key))))
    finish(work, ended)


def _look_up(work: Work, item: Item, log: Log, halts: Halts) -> tuple[str | None, Template | None, str]:
    """What became of a touch, with its text and key: `sent`, `failed` when nobody knows, or None: it can only be done anew."""
    names = item.step.send.names() if item.step.send else ()
    texts = [item.project.template(name, item.person.locale) for name in names]
    remote: tuple[str | None, Template | None, str] = (None, None, "")
    for text in texts:
        keys = [key_of(halts.instance, item.touch.id, text.channel, item.touch.proof + n) for n in range(PROOFS)]
        found = next((key for key in keys if key in log or outbox.find(work.tx, key)), None)
        if found is not None:
            return "sent", text, found
        if remote[0] is None and work.app.capability(item.project.channels[text.channel]).remote:
            remote = ("failed", text, keys[0])
    return remote


def _write(work: Work, item: Item, state: str, template: Template, known: tuple[str, datetime | None]) -> Done:
    """Store the touch as it was sent, or may have been: it counts in caps, and its attempt stands with the others."""
    touch, (key, said) = item.touch, known
    at = said or (touch.first_due_at if touch.reason == "paused" else touch.due_at)
    reason = "outcome_unknown" if state == "failed" else None
    row: dict[str, object] = {
        "touch": touch.id,
        "state": state,
        "reason": reason,
        "detail": WORD,
        "done_at": at,
        "epoch": touch.epoch + 1,
        "lease_until": None,
        "purpose": template.purpose,
        "channel": template.channel,
        "template": template.name,
        "content_type": template.content_type or None,
        "cost": item.project.channels[template.channel].cost,
        "attempts": touch.attempts + 1,
        "intent_at": at,
        "intent_day": local_day(at, work.zone_of(item.person.timezone)).toordinal(),
    }
    touches.write(work.tx, touch.state, [row])
    # Turn 0: it was before everything that this database knows of the user.
    one = Attempt(touch.id, touch.user_id, touch.epoch + 1, touch.proof, template.channel, key, "", 0, 0, touch.first_due_at, at)
    attempts.begin(work.tx, [one])
    outcome = "accepted" if state == "sent" else "unclear"
    attempts.settle(work.tx, [Settlement(touch.id, touch.epoch + 1, outcome, WORD)], work.now)
    return Done(item, state, reason, at)


def _match(app: App, now: datetime, log: Log, done: Reconciled) -> int:
    """Keys of calls this database knows: what is unknown of them was sent. How many keys belong to nothing here."""
    rest, unmatched = iter([key for key in log if key not in done.used]), 0
    while keys := list(islice(rest, PAGE)):
        with app.work(now) as work:
            known = attempts.touches_by_key(work.tx, keys)
            listed = doubts.unknown_among(work.tx, set(known.values()))
            take_turns(work.tx, {t.user_id for t in listed})
            lost = queue.hold(work.tx, listed, "unknown")
            for touch in lost:
                accepted(work, touch, None)
        done.sent += len(lost)
        unmatched += len(keys) - len(known)
    return unmatched
