"""Delivers claimed touches: the intent in one transaction, the call to the channel outside of any, the outcome in another."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sop_engine.actions.clocks import hold_by_clock
from sop_engine.actions.end import refresh_close
from sop_engine.actions.ingest import NotRecorded, record_events
from sop_engine.actions.intend import Intent, intend
from sop_engine.actions.outcome import Answer, NotBegun, settle
from sop_engine.actions.pacing import called_account, paced, shares_calls
from sop_engine.actions.providers import Ask, ask_providers
from sop_engine.actions.telling import tell, telling
from sop_engine.actions.unsubscribed_later import apply_kept
from sop_engine.app import App
from sop_engine.channels.contract import Channel as Adapter
from sop_engine.channels.contract import Receipt, call
from sop_engine.core.catalog import Channel
from sop_engine.core.circuit import Circuit, account_of_template, after_calls
from sop_engine.core.errors import DeliveryError, Refused
from sop_engine.core.records import EventRecord
from sop_engine.store import attempts, circuits, queue, touches
from sop_engine.store.crash_points import cp
from sop_engine.store.migrate import refuse_newer
from sop_engine.store.people import lock_users
from sop_engine.store.repeating import is_no_fault_of_the_work, repeated
from sop_engine.store.set_aside import may_be_one_user, said

if TYPE_CHECKING:
    from sqlalchemy import Connection

Hints = Sequence[tuple[int, int]]
MOST_TOGETHER = 20  # calls over the network that share one intent: what a crash among them leaves unknown
FIRST_TOGETHER = 100  # touches whose channels stay on this machine
BATCH = 500
ELSEWHERE = timedelta(seconds=5)  # touches of an account that has its share of the workers already are looked at again after it
QUICK = timedelta(seconds=0.25)  # a round that took less may be followed by a larger one


def deliver(app: App, hints: Hints, now: datetime) -> int:
    """Deliver the touches of these hints that are still queued under that epoch; how many were handed to a channel.

    They go in rounds, small ones where the channel is slow; no round begins once the ladder says it is too late to finish it:
    what is left then is planned again at once. A process whose clock is far from the database's delivers nothing, and one at whose
    account as many others are as may be leaves it to them.
    """
    if hold_by_clock(app, hints, now):
        return 0
    apply_kept(app, now)  # who said "no more" while the database was away is heard before the next intent
    watch = Watch(app, now)
    everything = app.rehearsal is not None or app.lease_clock is None  # nobody waits for a made-up clock
    (account, together), handed = _account(app, hints, now), 0
    everything = everything or together
    rounds = _Rounds(list(hints), everything, app.settings.sending == "live", app.round_sizes.get(account))
    try:
        while batch := rounds.next():
            if watch.spent >= app.ladder.begin:
                _give_back(app, [*batch, *rounds.left])
                break
            if account and app.seats is not None and not app.seats.take(account):
                _give_back(app, [*batch, *rounds.left], later=watch.now + ELSEWHERE)
                break
            begun = watch.spent
            handed += _deliver_round(app, paced(app, batch, watch.now), watch)
            rounds.grow(watch.spent - begun)
    finally:
        app.round_sizes[account] = rounds.size
        if app.seats is not None:
            app.seats.leave()
    return handed


def _account(app: App, hints: Hints, now: datetime) -> tuple[str, bool]:
    """The account a message calls and whether its touches share calls: so of all its touches, for they were claimed so.

    The account is empty where none is kept from others.
    """
    if app.settings.sending != "live":
        return "", False
    with app.work(now) as work:
        queued = queue.queued_for_delivery(work.tx, hints)
        if not queued:
            return "", False
        account = called_account(work, queued[0].flow, queued[0].step) if app.seats is not None else ""
        return account, shares_calls(work, queued[0].flow, queued[0].step)


def _give_back(app: App, hints: Hints, *, later: datetime | None = None) -> None:
    def once() -> None:
        with app.transaction() as tx:
            queue.unqueue(tx, hints, later=later)

    repeated(once)


class Watch:
    """How long a delivery has been going on, and what time it is meanwhile."""

    def __init__(self, app: App, begun_at: datetime) -> None:
        self._app, self.begun_at, self._begun = app, begun_at, app.stopwatch()
        self._moves = app.settings.sending == "live" and app.lease_clock is not None and app.rehearsal is None

    @property
    def spent(self) -> timedelta:
        """Since the beginning."""
        return timedelta(seconds=self._app.stopwatch() - self._begun)

    @property
    def now(self) -> datetime:
        """The moment; a made-up clock stands still, and so does one that waits for no provider."""
        return self.begun_at + self.spent if self._moves else self.begun_at

    @property
    def patience_s(self) -> float:
        """For how many seconds what was begun is still ours: its lease began after the watch did. Nobody waits for a made-up clock."""
        made_up = self._app.lease_clock is None or self._app.rehearsal is not None
        return 0.0 if made_up else max(0.0, (self._app.ladder.lease - self.spent).total_seconds())


@dataclass
class _Rounds:
    """The hints that are left, taken in rounds that grow while they are quick."""

    left: list[tuple[int, int]]
    everything: bool
    calls: bool
    last: int | None  # what the message before of the same account came to
    size: int = field(init=False)

    def __post_init__(self) -> None:
        self.size = len(self.left) if self.everything else self.last or (1 if self.calls else FIRST_TOGETHER)

    def next(self) -> list[tuple[int, int]]:
        batch, self.left = self.left[: self.size], self.left[self.size :]
        return batch

    def grow(self, took: timedelta) -> None:
        most = MOST_TOGETHER if self.calls else BATCH
        self.size = min(self.size * 4, most) if took < QUICK else max(1, self.size // 2)


def _deliver_round(app: App, hints: Hints, watch: Watch) -> int:
    asks: list[Ask] = []
    try:
        intents = _intend(app, hints, watch, asks)
    except Exception as error:
        if not may_be_one_user(error, app.told_to_end) or watch.spent >= app.ladder.begin:
            raise
        return _one_by_one(app, hints, watch, error)
    if intents:
        cp("after_intent_commit")
        answers = call_channels(app, intents, watch)
        conclude(app, answers, watch.now, patience_s=watch.patience_s)
    ask_providers(app, asks, watch.now, lambda: watch.spent < app.ladder.begin)
    return len(intents)


def _intend(app: App, hints: Hints, watch: Watch, asks: list[Ask]) -> list[Intent]:
    """The intents that are stored for these hints; `asks`: the coupons providers must be asked for first."""
    now, made, stale = watch.now, list[Intent](), 0

    def once() -> None:
        nonlocal stale
        made.clear()  # nothing of a try that failed
        asks.clear()
        with app.work(now) as work:
            if app.rehearsal is None:
                refuse_newer(work.tx)
            queued = queue.queued_for_delivery(work.tx, hints)
            stale = len(hints) - len(queued)
            made.extend(intend(work, queued, asks) if queued else [])

    try:
        repeated(once)
    except Exception as error:  # if that was at the COMMIT, the intents may be stored: then they are carried out
        if not made or not is_no_fault_of_the_work(error) or not _is_stored(app, made, now, watch):
            raise
    if stale:  # come twice, too late, or from an old copy of the broker: the row decided
        tell("stale_hint", count=stale)
    return made


def _is_stored(app: App, made: Sequence[Intent], now: datetime, watch: Watch) -> bool:
    """Whether the transaction with these intents was committed; one that is being committed still is waited for at its users."""
    wanted = {i.item.touch.id: (i.item.touch.epoch, i.message.key) for i in made}

    def once() -> bool:
        with app.transaction() as tx:
            lock_users(tx, {i.item.touch.user_id for i in made})
            return attempts.are_begun(tx, wanted, now)

    return repeated(once, patience_s=watch.patience_s)


def _one_by_one(app: App, hints: Hints, watch: Watch, error: Exception) -> int:
    """One touch cannot be decided, for a reason nobody foresaw: the others go on without it, and it fails alone."""
    if len(hints) > 1:
        return sum(_deliver_round(app, [hint], watch) for hint in hints)
    tell("touch_failed", level="error", touch=hints[0][0], error=said(error))

    def once() -> None:
        with app.work(watch.now) as work:
            for touch in queue.hold(work.tx, queue.queued_for_delivery(work.tx, hints), "queued"):
                row = {"touch": touch.id, "state": "failed", "reason": "error", "detail": said(error), "done_at": work.now}
                touches.write(work.tx, "queued", [{**row, "lease_until": None}])
                refresh_close(work, [touch.run_id])

    repeated(once)
    return 0


def call_channels(app: App, intents: Sequence[Intent], watch: Watch) -> list[tuple[Intent, Answer]]:
    """Hand every intent to its channel, outside of any transaction; their answers."""
    channels = {i.channel: i.item.project.channels[i.channel] for i in intents}
    return [pair for channel in channels.values() for pair in _speak(app, channel, intents, watch)]


def conclude(app: App, answers: Sequence[tuple[Intent, Answer]], now: datetime, *, patience_s: float = 0.0) -> None:
    """Write the answers, what they say about the accounts, and the events they are.

    While the database is away, tried again for `patience_s` seconds: an answer that is not stored is an outcome nobody knows.
    """
    cp("before_settle")

    def once() -> bool:
        with app.work(now) as work:
            if settle(work, [(intent.item, answer) for intent, answer in answers]):
                _note_accounts(work.tx, answers, now)
            return "delivered" in work.live.interest.event_kinds

    watched = repeated(once, patience_s=patience_s)
    cp("after_settle_commit")
    if telling():
        for intent, answer in answers:
            _tell(intent, answer)
    if watched:
        try:
            record_events(app, [_delivered(i, now) for i, a in answers if isinstance(a, Receipt) and a.stage == "delivered"], now)
        except NotRecorded as error:  # what was sent is sent, and stored; the others' events are too
            tell("not_recorded", level="error", count=len(error.failed))


def _tell(intent: Intent, answer: Answer) -> None:
    item = intent.item
    outcome = answer.stage if isinstance(answer, Receipt) else answer.kind
    reason = None if isinstance(answer, Receipt) else answer.reason
    tell(
        "touch", run=item.run.id, touch=item.touch.id, version=item.run.version, flow=item.flow.id, step=item.step.name,
        channel=intent.channel, outcome=outcome, reason=reason, epoch=item.touch.epoch,
    )  # fmt: skip


def _speak(app: App, channel: Channel, intents: Sequence[Intent], watch: Watch) -> Iterator[tuple[Intent, Answer]]:
    mine = [i for i in intents if i.channel == channel.name]
    try:
        adapter = app.adapter(channel)
    except Refused as error:  # nothing was handed over: these wait until a person has put it right
        missing = DeliveryError("retry_after", "configuration", str(error))
        return iter([(intent, missing) for intent in mine])
    if not adapter.capability.remote or adapter.capability.batch > 1:
        return iter(list(zip(mine, call(adapter, [i.message for i in mine]), strict=True)))
    return iter([(intent, _call_in_time(app, adapter, intent, watch)) for intent in mine])


def _call_in_time(app: App, adapter: Adapter, intent: Intent, watch: Watch) -> Answer:
    """One call, unless it is too late to wait for its answer: then it was never made."""
    if watch.spent >= app.ladder.begin:
        return NotBegun(watch.now)
    begun = watch.spent
    (answer,) = call(adapter, [intent.message])
    cp("after_call")
    if app.seats is not None:
        app.seats.note(intent.item.project.channels[intent.channel].account, (watch.spent - begun).total_seconds())
    return answer


def _note_accounts(tx: "Connection", answers: Sequence[tuple[Intent, Answer]], now: datetime) -> None:
    """Remember failures of accounts, and successes of those that had failed."""
    known = circuits.read(tx)
    by_account: dict[str, list[DeliveryError | None]] = {}
    for intent, answer in answers:
        if isinstance(answer, NotBegun):
            continue
        error = answer if isinstance(answer, DeliveryError) else None
        account, template = intent.item.project.channels[intent.channel].account, account_of_template(intent.message.template)
        about_template = error is not None and error.reason == "template"
        by_account.setdefault(account, []).append(None if about_template else error)
        if about_template or template in known:
            by_account.setdefault(template, []).append(error)
    after = {a: after_calls(known.get(a, Circuit(a)), listed, now) for a, listed in by_account.items()}
    changed = [c for a, c in after.items() if c != known.get(a, Circuit(a)) and (a in known or "0" in c.results or c.state != "closed")]
    circuits.write(tx, changed)


def _delivered(intent: Intent, now: datetime) -> EventRecord:
    item = intent.item
    fields = {"playbook": item.flow.playbook, "level": item.flow.level or "", "step": item.step.name, "channel": intent.channel}
    return EventRecord(f"delivered:{item.touch.id}", item.person.key, "delivered", now, fields, "system", "sop")
