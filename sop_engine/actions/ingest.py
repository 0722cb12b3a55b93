"""Takes in events: stored once, facts recomputed, levels moved, runs started and ended, in the same transaction."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sop_engine.actions.end import end_runs
from sop_engine.actions.goals import Stored, count_goals, event_facts, fits, is_late
from sop_engine.actions.hear import follow_on, hear
from sop_engine.actions.place import Cause, place_users
from sop_engine.actions.receive import receive
from sop_engine.actions.start import Candidate
from sop_engine.actions.tagging import tag_by_words
from sop_engine.actions.unite import unite_identified
from sop_engine.app import App, Work
from sop_engine.core.errors import SopError
from sop_engine.core.interest import user_names
from sop_engine.core.playbook import Flow
from sop_engine.core.records import EventRecord
from sop_engine.core.replies import understood
from sop_engine.store import events as store_events
from sop_engine.store import facts as store_facts
from sop_engine.store import midnight, runs, tags
from sop_engine.store import users as store_users
from sop_engine.store.people import lock_some, lock_users
from sop_engine.store.repeating import repeated
from sop_engine.store.scope import Scope
from sop_engine.store.set_aside import may_be_one_user, said


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a batch: events stored, events that were stored before, users seen for the first time, moves."""

    stored: int = 0
    repeated: int = 0
    new_users: int = 0
    moves: int = 0

    def __add__(self, other: "Recorded") -> "Recorded":
        return Recorded(
            self.stored + other.stored, self.repeated + other.repeated, self.new_users + other.new_users, self.moves + other.moves
        )


class NotRecorded(SopError):
    """Some events of a batch could not be taken in; all others were (`recorded`). `failed`: message ids; `reason`: of the first."""

    def __init__(self, failed: Sequence[str], recorded: Recorded, reason: str) -> None:
        shown = ", ".join(failed[:10]) + (f" and {len(failed) - 10} more" if len(failed) > 10 else "")
        super().__init__(f"{len(failed)} event(s) could not be taken in ({reason}): {shown}. All others of the batch are stored.")
        self.failed = tuple(failed)
        self.recorded = recorded
        self.reason = reason


@dataclass(frozen=True, slots=True)
class How:
    """How events are taken in: `at_event_time`: each at its own time, in replays; `history`: nothing starts and no goal step runs.

    `into` is told the message ids that were stored now, once that is committed.
    """

    at_event_time: bool = False
    history: bool = False
    into: set[str] | None = None


def record_events(
    app: App,
    records: Sequence[EventRecord],
    now: datetime,
    *,
    at_event_time: bool = False,
    history: bool = False,
    into: set[str] | None = None,
) -> Recorded:
    """Take in live events. Each user's events are taken one after the other, different users' together; one transaction a round.

    With `at_event_time` (replays) what happens to a user happens at the time of the event, not at `now`; `history` starts nothing.
    The message ids that were stored now are added to `into`.
    Raises NotRecorded in the end, when it fails with some users and not with others.
    """
    how = How(at_event_time, history, into)
    total, failed = Recorded(), list[tuple[str, Exception]]()
    for batch in rounds(records):
        total += _round(app, batch, now, how, failed)
    if failed:
        raise NotRecorded([key for key, _ in failed], total, said(failed[0][1])) from failed[0][1]
    return total


def _round(app: App, batch: Sequence[EventRecord], now: datetime, how: How, failed: list[tuple[str, Exception]]) -> Recorded:
    """One transaction; if that fails, the halves of it, until those with whom it fails are alone."""

    def once() -> tuple[Recorded, list[str]]:
        with app.work(now) as work:
            if how.at_event_time:
                work = Work(app, work.tx, work.live, max(r.at for r in batch))
            return _take(work, batch, how)

    try:
        done, stored = repeated(once)
        if how.into is not None:
            how.into.update(stored)
        return done
    except Exception as error:
        if app.rehearsal is not None or not may_be_one_user(error, app.told_to_end):
            raise
        if len(batch) == 1:
            failed.append((batch[0].message_id, error))
            return Recorded()
    half = len(batch) // 2
    return _round(app, batch[:half], now, how, failed) + _round(app, batch[half:], now, how, failed)


def rounds(records: Iterable[EventRecord]) -> list[list[EventRecord]]:
    """The events in order, cut so that no user is in a round twice."""
    listed: list[list[EventRecord]] = []
    seen: dict[str, int] = {}
    for record in records:
        index = seen.get(record.user_key, 0)
        seen[record.user_key] = index + 1
        if index == len(listed):
            listed.append([])
        listed[index].append(record)
    return listed


def take_within(work: Work, records: Sequence[EventRecord]) -> Recorded:
    """Take in live events in a transaction of the caller's, who goes on only if all of them could be."""
    return sum((_take(work, batch, How())[0] for batch in rounds(records)), Recorded())


def _take(work: Work, batch: Sequence[EventRecord], how: How) -> tuple[Recorded, list[str]]:
    """What became of the batch, and the message ids that were stored now."""
    lock_some(work.tx)
    batch = [understood(record) for record in batch]
    known = store_events.known_messages(work.tx, [r.message_id for r in batch])
    fresh = list({r.message_id: r for r in reversed(batch) if r.message_id not in known}.values())[::-1]  # of two alike the first
    if not fresh:
        return Recorded(repeated=len(batch)), []
    ids, new_users = store_users.ensure_users(work.tx, work.project, [(r.user_key, r.at) for r in fresh])
    if moved := lock_users(work.tx, ids.values()):  # somebody became part of another user just now
        ids = {key: moved.get(user, user) for key, user in ids.items()}
    if how.at_event_time:
        work.moments = {ids[r.user_key]: r.at for r in fresh}
    before = {} if how.history else _start_candidates(work, fresh, ids)
    event_ids = store_events.add_events(work.tx, work.project, fresh, ids, work.now)
    fresh = [r for r in fresh if r.message_id in event_ids]  # another worker may have stored one meanwhile
    counted = store_events.counted_of(work.tx, event_ids.values())
    stored = [
        Stored(event_ids[r.message_id], ids[r.user_key], r, event_facts(r, work.project), event_ids[r.message_id] in counted) for r in fresh
    ]
    moves = _consequences(work, stored, before, appeared=bool(new_users), history=how.history) if stored else 0
    return Recorded(len(fresh), len(batch) - len(fresh), len(new_users), moves), [r.message_id for r in fresh]


def _consequences(
    work: Work, stored: Sequence[Stored], before: Mapping[str, list[Candidate]], *, appeared: bool, history: bool = False
) -> int:
    """Everything an event leads to, in the order of the language."""
    users = [s.user_id for s in stored]
    if {s.record.event for s in stored} & work.live.interest.undoing:
        end_runs(work, runs.runs_undone(work.tx, users), "undone")
    for one in stored:
        if not (history and one.record.event == "replied"):  # an old reply makes no task
            receive(work, one.id, one.user_id, one.record)
    count_goals(work, [s for s in stored if s.counted], history=history)
    kinds = frozenset(s.record.event for s in stored)
    tagged = tag_by_words(work, [(s.id, s.user_id, s.record) for s in stored])
    heard, gone = hear(work, stored, may_start=not history)
    if gone := follow_on(
        gone, unite_identified(work, may_start=not history)
    ):  # before anybody is placed: a flow must not begin for who is no new user
        stored = [replace(s, user_id=gone.get(s.user_id, s.user_id)) for s in stored]
        users = sorted({s.user_id for s in stored})
    midnight.recompute_after(work.tx, work.project, Scope.of(users), work.now, kinds)
    tags.refresh_rule_tags(work.tx, work.project, Scope.of(users), work.now)
    by_message = {s.record.message_id: s for s in stored}
    candidates = [
        Candidate(by_message[key].user_id, c.flow, c.cause, c.start_key, by_message[key].id, c.event, c.before)
        for key, listed in before.items()
        for c in listed
        if key in by_message and by_message[key].counted
    ]
    models = None if appeared or tagged or heard else work.live.interest.models_after(kinds)
    cause = Cause("event", {s.user_id: s.id for s in stored if s.counted}, may_start=not history, models=models)
    return len(place_users(work, users, cause, candidates=candidates))


def _start_candidates(work: Work, fresh: Sequence[EventRecord], ids: Mapping[str, int]) -> dict[str, list[Candidate]]:
    """By message id: flows this event would start, with the facts as they are just before it."""
    pairs: list[tuple[EventRecord, Flow]] = []
    for record in fresh:
        flows = work.live.interest.by_event.get(record.event, ())
        if flows and not is_late(record, work.now):
            facts = event_facts(record, work.project)
            pairs += [(record, f) for f in flows if fits(record, f.start.events, f.start.where, facts, work.project)]
    if not pairs:
        return {}
    names = user_names(flow.only for _, flow in pairs)
    before = store_facts.read_facts(work.tx, work.project, names, Scope.of({ids[r.user_key] for r, _ in pairs}), work.now)
    found: dict[str, list[Candidate]] = {}
    for record, flow in pairs:
        user = ids[record.user_key]
        one = Candidate(user, flow, f"event {record.event}", record.message_id, None, record.fields, before.get(user, {}))
        found.setdefault(record.message_id, []).append(one)
    return found
