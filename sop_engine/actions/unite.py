"""Makes one user of two who share an identity: in mid-flight, in one transaction, nothing sent twice and no refusal lost."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sop_engine.actions.end import end_refused, end_runs, flow_of
from sop_engine.actions.together import live_on
from sop_engine.app import Work
from sop_engine.core.errors import BadInput
from sop_engine.core.identity import MOST_USERS, Known, Shared, Wait, candidates, older_first
from sop_engine.core.run import Run
from sop_engine.core.schedule import Wanted
from sop_engine.core.uniting import RunsPlan, coupons_to_void, refusals_of, runs_plan
from sop_engine.store import audit, consent, identities, merge_facts, merge_rows, merges, runs, touches, versions
from sop_engine.store.levels import current_levels
from sop_engine.store.merges import Cause
from sop_engine.store.people import lock_users, take_turns

DECLARED = "identities"  # the mark of the identities that are noted


def unite_identified(work: Work, *, may_start: bool = True) -> dict[int, int]:
    """Look at the users whose identities were set in this transaction; by users who are none any more: who they are now.

    Pairs of whom nobody can say whether they are one wait for a person. Without identities in the project, and in rehearsals, nobody
    is anybody else.
    """
    changed, work.identified = work.identified, set()
    order = [name for name, _ in work.project.identities]
    if not changed or not order or work.app.rehearsal is not None:
        return {}
    identities.note_identities(work.tx, order, changed)
    return unite_all(work, identities.who_share(work.tx, changed), may_start=may_start)


def note_identities_anew(work: Work) -> None:
    """A project may declare other identities than the one before: then everybody's are noted, and whoever shares one is united."""
    order = [name for name, _ in work.project.identities]
    told = ",".join(order)
    if work.app.rehearsal is None and told != (versions.get_mark(work.tx, DECLARED) or ""):
        versions.set_mark(work.tx, DECLARED, told)
        identities.note_everybody(work.tx, order)
        unite_all(work, identities.everybody_who_shares(work.tx), may_start=False)


def unite_all(work: Work, user_ids: Iterable[int], *, may_start: bool = True) -> dict[int, int]:
    """Unite each of these users with whoever shares an identity; by users who are none any more: who they are now."""
    gone: dict[int, int] = {}
    for user in user_ids:
        here = gone.get(user, user)
        while (made := _step(work, here, may_start)) is not None:
            here, other = made
            gone = {old: here if now == other else now for old, now in gone.items()} | {other: here}
    return gone


def _step(work: Work, user: int, may_start: bool) -> tuple[int, int] | None:
    """Unite the user with one other: who stays and who is gone; None when nobody is left. Pairs that wait are stored."""
    others = identities.sharing(work.tx, user)
    if not others:
        return None
    if lock_users(work.tx, {user, *others}):  # somebody was united meanwhile, by another worker: look again
        return _step(work, identities.who_now(work.tx, [user]).get(user, user), may_start)
    order = [name for name, _ in work.project.identities]
    known = identities.identities_of(work.tx, {user, *others})
    members = identities.members_of(work.tx, known)
    two = {o for o in others if merges.were_parted(work.tx, members[user], members[o])}
    one, waits = candidates(order, user, {u: values for u, values in known.items() if u not in two})
    people = merges.known_users(work.tx, known)
    crowd = sum(1 + merges.united_by(work.tx, members[u], next(iter(one.values())).shared) for u in (user, *one)) if one else 0
    if crowd > MOST_USERS:
        waits |= {o: Wait(m.shared, f"more than {MOST_USERS} users have this {m.shared.attribute}") for o, m in one.items()}
    elif one:
        other = min(one, key=lambda o: (people[o].joined_at, people[o].key))
        shared = one[other].shared
        return unite(work, people[user], people[other], Cause(shared, f"the same {shared.attribute}", work.now), may_start=may_start)
    _wait(work, people, user, waits)
    return None


def _wait(work: Work, people: dict[int, Known], user: int, waits: dict[int, Wait]) -> None:
    """Pairs that wait; of many with one identity, only the oldest of them, or a till would make millions."""
    first: dict[tuple[Shared, str], int] = {}
    for other, wait in sorted(waits.items(), key=lambda w: (people[w[0]].joined_at, people[w[0]].key)):
        few = wait.differs and len(waits) <= MOST_USERS
        if few or first.setdefault((wait.shared, wait.why), other) == other:
            older, younger = older_first(people[user], people[other])
            merges.wait_for_person(work.tx, older, younger, Cause(wait.shared, wait.why, work.now))


@dataclass(frozen=True, slots=True)
class United:
    """A merge that is being made: its id, and who stays and who is none any more."""

    id: int
    older: int
    younger: int


def unite(work: Work, one: Known, other: Known, cause: Cause, *, may_start: bool = True) -> tuple[int, int]:
    """Make one user of two, whatever they share: the one who was there first stays. Returns (who stays, who is none any more).

    What is being sent keeps its outcome. Raises BadInput for a user with itself.
    """
    if one.id == other.id:
        raise BadInput(f"'{one.key}' and '{other.key}' are one user already.")
    older, younger = older_first(one, other)
    turn = max(take_turns(work.tx, [older.id, younger.id]).values()) + 1
    made = United(merges.add_merge(work.tx, older, younger, "done", cause), older.id, younger.id)
    before = {"older": merge_facts.snapshot(work.tx, older.id), "younger": merge_facts.snapshot(work.tx, younger.id)}
    said = consent.standing_of(work.tx, [older.id, younger.id])
    members = sorted(identities.members_of(work.tx, [younger.id])[younger.id] - {younger.id})
    levels = current_levels(work.tx, [younger.id]).get(younger.id, {})
    merge_rows.unqueue(work.tx, [older.id, younger.id])
    _runs(work, made)
    _coupons(work, made)
    merge_rows.move_rows(work.tx, made.id, younger.id, older.id)
    merge_rows.forget_values(work.tx, younger.id)
    refusals = refusals_of(channel.needs for channel in work.project.channels.values())
    given = merge_facts.unite_facts(work.tx, before["older"], before["younger"], refusals, turn)
    merges.forget_waiting(work.tx, older.id)
    merges.forget_waiting(work.tx, younger.id)
    merges.remember_before(work.tx, made.id, {**before, "given": given, "members": members})
    both = said.get(older.id, consent.NOTHING), said.get(younger.id, consent.NOTHING)
    consent.unite_ledgers(work.tx, older.id, both, work.now)
    end_refused(work, older.id)
    live_on(work, older.id, levels, may_start=may_start)
    audit.note(work.tx, cause.by or "sop", "united two users", {"merge": made.id, "older": older.id, "younger": younger.id}, work.now)
    return older.id, younger.id


def _runs(work: Work, made: United) -> None:
    """One run of each flow and one of each message: the older user's stay, the other's end `merged`."""
    mine, theirs = (runs.list_runs(work.tx, user) for user in (made.older, made.younger))
    listed = touches.touches_of_runs(work.tx, [run.id for run in (*mine, *theirs) if run.open])
    arms = runs.arms_of_users(work.tx, [made.older, made.younger])
    taken = {e for e, user in arms if user == made.older}
    other = {e for e in taken if (e, made.younger) in arms and arms[e, made.younger] != arms[e, made.older]}
    experiment = {run.id: flow.experiment_name for run in theirs if (flow := flow_of(work, run)) is not None}
    other_arm = frozenset(r.flow for r in theirs if experiment.get(r.id) in other)
    plan = runs_plan(mine, theirs, listed, other_arm, lambda run, step: _chained(work, run, step))
    _carry_out(work, made, plan, [t.id for run in plan.end for t in listed.get(run.id, ()) if t.state in ("planned", "queued")])
    merge_rows.note(work.tx, made.id, merge_rows.REPEATS, [r.id for r in theirs if experiment.get(r.id) in taken])


def _carry_out(work: Work, made: United, plan: RunsPlan, waiting: Sequence[int]) -> None:
    end_runs(work, plan.end, "merged")
    dropped = {t.id: work.now for t in plan.drop}
    touches.cancel_touches(work.tx, dropped, "merged")
    merge_rows.note(work.tx, made.id, merge_rows.ENDED, [run.id for run in plan.end])
    merge_rows.note(work.tx, made.id, merge_rows.CANCELLED, [*waiting, *dropped])
    rows = []
    for run, touch in plan.adopt:
        flow = flow_of(work, run)
        if flow is not None:
            wanted = Wanted(touch.step, touch.occurrence, touch.due_at, touch.late_at)
            rows.append(touches.touch_row(work.project, run.id, run.user_id, flow, wanted))
    touches.add_touches(work.tx, rows)
    before = {run.id for run, _ in plan.adopt}
    steps = {(run.id, touch.step) for run, touch in plan.adopt}
    added = [t.id for listed in touches.touches_of_runs(work.tx, before).values() for t in listed if (t.run_id, t.step) in steps]
    merge_rows.note(work.tx, made.id, merge_rows.ADOPTED, added)


def _chained(work: Work, run: Run, step: str) -> bool:
    """Whether a step of the flow of this run waits for another step."""
    flow = flow_of(work, run)
    found = flow.step(step) if flow is not None else None
    return found is not None and found.source is not None


def _coupons(work: Work, made: United) -> None:
    """One coupon instead of two."""
    held = merge_rows.unused_coupons(work.tx, [made.older, made.younger], work.now)
    void = coupons_to_void(made.older, held)
    merge_rows.set_grants(work.tx, void, "issued", "voided")
    merge_rows.note(work.tx, made.id, merge_rows.VOIDED, void)
