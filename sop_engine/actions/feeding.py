"""Tells other systems what happened: written with what it tells, handed over later, in order for each user, at least once."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sop_engine.actions.halting import refusal
from sop_engine.actions.telling import tell
from sop_engine.app import App, Work
from sop_engine.channels.feed import Sink, open_sink, payload
from sop_engine.core.circuit import Circuit, after_calls
from sop_engine.core.errors import DeliveryError, Refused
from sop_engine.core.feeds import Entry, Fate, Feed, fate_of, key_of
from sop_engine.core.run import Run
from sop_engine.store import circuits
from sop_engine.store import feed as store
from sop_engine.store.crash_points import cp
from sop_engine.store.halts import read_halts
from sop_engine.store.levels import Moved

BATCH = 20  # entries taken in one go: what a crash among them tells twice
MOST = 2000  # entries of one feed in one round of the job
IN_A_ROW = 3  # failures after which a round ends
LEASE = timedelta(minutes=5)
PATIENCE_S = 20.0  # a round that took so long leaves the rest to the next
KEPT, KEPT_WAITING = timedelta(days=7), timedelta(days=30)


def feeds_of(work: Work, subject: str, model: str = "") -> list[str]:
    """The feeds that are told of a subject; none in a rehearsal."""
    return [] if work.app.rehearsal is not None else [f.name for f in work.app.settings.feeds if f.wants(subject, model)]


def tell_moves(work: Work, moved: Iterable[Moved], cause: str) -> None:
    """Write moves of users between levels, to be told."""
    if not feeds_of(work, "level"):
        return
    for move in moved:
        said = {"model": move.model, "from": move.old, "to": move.new, "cause": cause}
        store.add(work.tx, feeds_of(work, "level", move.model), [(move.user_id, "level.moved", move.at, said)])


def tell_movers(work: Work, model: str, cause: str) -> None:
    """Write the moves that were just made inside the database, to be told."""
    if names := feeds_of(work, "level", model):
        store.add_movers(work.tx, names, model, cause, work.now)


def tell_touches(work: Work, touch_ids: Sequence[int], state: str = "") -> None:
    """Write what became of touches: their state, or `state`."""
    names = feeds_of(work, "touch") if touch_ids else []
    if names:
        told = store.outcomes_of(work.tx, touch_ids)
        store.add(work.tx, names, [(user, f"touch.{state or its}", work.now, said) for user, its, said in told])


def tell_started(work: Work, started: Sequence[tuple[int, int, str, int, str | None]]) -> None:
    """Write runs that began: (run, user, flow, version, variant)."""
    if names := feeds_of(work, "run"):
        told = [(user, {"flow": flow, "run": run, "version": version, "variant": variant}) for run, user, flow, version, variant in started]
        store.add(work.tx, names, [(user, "run.started", work.now, said) for user, said in told])


def tell_ended(work: Work, ended: Sequence[Run], reason: str) -> None:
    """Write runs that ended."""
    if names := feeds_of(work, "run"):
        store.add(work.tx, names, [(r.user_id, "run.ended", work.now, {"flow": r.flow, "run": r.id, "reason": reason}) for r in ended])


def tell_goals(work: Work, reached: Sequence[tuple[Run, str, datetime]]) -> None:
    """Write goals that were reached: (run, goal, when)."""
    if names := feeds_of(work, "goal"):
        store.add(work.tx, names, [(r.user_id, "goal.reached", at, {"flow": r.flow, "run": r.id, "goal": goal}) for r, goal, at in reached])


def feed(app: App, now: datetime) -> int:
    """Hand over what waits; how many entries were taken. A receiver that is away is left alone for longer and longer."""
    if app.rehearsal is not None:
        return 0
    return sum(_feed_one(app, one, now) for one in app.settings.feeds)


def next_feeding(work: Work) -> datetime | None:
    """When the next entry is tried."""
    feeds = [] if work.app.rehearsal is not None else work.app.settings.feeds
    if not feeds or refusal(read_halts(work.tx), work.app.settings):
        return None
    known = circuits.read(work.tx)
    due = {f.account: store.next_due(work.tx, f.name) for f in feeds}
    held = {a: known[a].until for a in due if a in known and known[a].state != "closed"}
    times = [max(at, held.get(a) or at) for a, at in due.items() if at is not None]
    return min(times, default=None)


def forget_told(app: App, now: datetime) -> None:
    """Let go of what was told a week ago, and of what nobody has taken for a month."""
    with app.transaction() as tx:
        lost = store.drop(tx, now - KEPT_WAITING, now - KEPT)
    if lost:
        tell("feed_dropped", level="error", count=lost)


def _feed_one(app: App, one: Feed, now: datetime) -> int:
    begun, taken, tried = app.stopwatch(), 0, 0
    sink: Sink | None = None
    try:
        while tried < MOST and app.stopwatch() - begun < PATIENCE_S:
            entries = _claim(app, one, now)
            if not entries:
                break
            sink = sink or _open(app, one)
            fates, errors = _hand_over(app, one, sink, entries, now)
            cp("after_feeding")
            _settle(app, one, entries, fates, errors, now)
            taken, tried = taken + sum(f.state == "taken" for f in fates.values()), tried + len(entries)
            if errors and errors[-1] is not None:
                break
    finally:
        if sink is not None:
            sink.close()
    return taken


def _claim(app: App, one: Feed, now: datetime) -> list[Entry]:
    with app.work(now) as work:
        if refusal(read_halts(work.tx), app.settings):
            return []
        circuit = circuits.read(work.tx).get(one.account, Circuit(one.account))
        if circuit.holds(now):
            return []
        probing = circuit.may_try(now)
        entries = store.claim(work.tx, one.name, now, now + LEASE, 1 if probing else BATCH)
        if probing and entries and not circuits.begin_trying(work.tx, circuit, now + LEASE):
            store.give_back(work.tx, [e.id for e in entries], now)
            return []
        return entries


class _Away:
    """A feed that cannot be opened: nothing is handed over until a person has put it right."""

    def __init__(self, why: str) -> None:
        self._why = why

    def tell(self, _key: str, _now: datetime, _body: bytes) -> None:
        raise DeliveryError("retry_after", "configuration", self._why)

    def close(self) -> None:
        """Nothing is open."""


def _open(app: App, one: Feed) -> Sink:
    try:
        return open_sink(one.name, app.settings.accounts[one.name], loopback=app.settings.webhook_loopback)
    except Refused as error:
        return _Away(str(error))


def _hand_over(
    app: App, one: Feed, sink: Sink, entries: Sequence[Entry], now: datetime
) -> tuple[dict[int, Fate], list[DeliveryError | None]]:
    """What became of the entries that were tried; after a few failures in a row the others are left alone."""
    with app.transaction() as tx:
        instance = app.instance(tx)
    fates: dict[int, Fate] = {}
    errors: list[DeliveryError | None] = []
    for entry in entries:
        body = payload(entry.kind, entry.at, entry.data, entry.user_key)
        error: DeliveryError | None = None
        try:
            sink.tell(key_of(instance, one.name, entry.id, body.decode()), now, body)
        except DeliveryError as failed:
            error = failed
        fates[entry.id] = fate_of(entry, error, now)
        errors.append(error if error is not None and fates[entry.id].state == "waiting" else None)
        stops = error is not None and error.reason in ("configuration", "throttled")
        if stops or (len(errors) >= IN_A_ROW and all(errors[-IN_A_ROW:])):
            break
    return fates, errors


def _settle(
    app: App, one: Feed, entries: Sequence[Entry], fates: Mapping[int, Fate], errors: Sequence[DeliveryError | None], now: datetime
) -> None:
    with app.transaction() as tx:
        store.settle(tx, fates, now)
        left = [e.id for e in entries if e.id not in fates]
        if left:
            store.give_back(tx, left, now)
        known: Any = circuits.read(tx).get(one.account)
        if known is not None or any(errors):
            circuits.write(tx, [after_calls(known or Circuit(one.account), errors, now)])
    for state in ("refused", "given_up"):
        if count := sum(f.state == state for f in fates.values()):
            tell("feed_refused", level="warning", count=count, outcome=state)
