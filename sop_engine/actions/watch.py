"""Watches what is sent, and stops what leaves its bounds before customers call: each finding once a day, with its figures."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from sop_engine.actions.expecting import forecast_of
from sop_engine.actions.halting import ALL
from sop_engine.app import App, Work
from sop_engine.core.anomaly import (
    DRAIN_FROM,
    SURGE_FROM,
    Failures,
    Finding,
    ceiling,
    drain,
    failing,
    over_ceiling,
    over_people,
    playbook_of,
    surge,
)
from sop_engine.core.calendar import DAY, midnight, resolve
from sop_engine.core.guard import A_DAY, LOOK_AGAIN
from sop_engine.store import audit, sends, stops, tallies
from sop_engine.store.versions import get_mark, set_mark

BY = "sop"
COUNTED = "counted_sends"  # the mark of the first five minutes that may still change
MOST_SLOTS = 300  # counted at one look, so that a long pause is made up in pieces
SETTLED = timedelta(minutes=2)  # after its end, five minutes change no more
HOUR, TEN_MINUTES = timedelta(hours=1), timedelta(minutes=10)
DAYS = 14
OUTCOMES = {"unclear": "had an unknown outcome", "refused": "were refused for good"}


def watch(app: App, now: datetime) -> list[Finding]:
    """Count what was sent and stop what has left its bounds; the findings that stopped something. To be called every 30 seconds."""
    with app.work(now) as work:
        _count(work)
        today = midnight(now.astimezone(work.live.zone).date(), work.live.zone)
        known = stops.found_since(work.tx, today)
        by_scope: dict[str, list[Finding]] = {}
        for one in _found(work, today):
            if one.key not in known:
                by_scope.setdefault(one.scope, []).append(one)
    if not by_scope:
        return []
    with app.work(now) as work:
        return [f for scope, mine in by_scope.items() if _stop(work, scope, mine) for f in mine]


def _stop(work: Work, scope: str, found: list[Finding]) -> bool:
    """Stop the scope for all that was found of it, unless it is stopped already."""
    stops.hold_alone(work.tx)
    if stops.stopped(work.tx) & {ALL, scope}:
        return False
    keys, why = [f.key for f in found], "; ".join(f.why for f in found)
    version = stops.add(work.tx, scope, stop=True, at=work.now, by=BY, why=why, finding=stops.FOUND_TOO.join(keys))
    audit.note(work.tx, BY, "stopped", {"scope": scope, "version": version, "found": keys}, work.now)
    return True


def _count(work: Work) -> None:
    """Count the five minutes that are going on and those not yet counted for good."""
    sends.lock(work.tx)
    last = sends.slot_of(work.now)
    mark = get_mark(work.tx, COUNTED)
    slot = max(datetime.fromisoformat(mark), last - DAYS * DAY) if mark else last - DAY
    for _ in range(MOST_SLOTS):
        if slot > last:
            break
        sends.count_slot(work.tx, slot)
        slot += sends.SLOT
    set_mark(work.tx, COUNTED, min(slot, sends.slot_of(work.now - SETTLED)).isoformat())
    sends.forget_before(work.tx, last - sends.KEPT)


def _found(work: Work, today: datetime) -> Iterator[Finding]:
    yield from _volumes(work, today)
    yield from _people(work, today)
    yield from _surges(work)
    yield from _failures(work)
    yield from _drains(work)


def _volumes(work: Work, today: datetime) -> Iterator[Finding]:
    for row in sends.by_step(work.tx, today):
        flow = work.project.flows.get(row.flow)
        if flow is None or row.sends <= ceiling(0):
            continue
        forecast, basis = forecast_of(work, flow, row.step, today)
        found = over_ceiling(row.flow, row.step, row.sends, forecast, basis)
        if found is not None:
            yield found


def _people(work: Work, today: datetime) -> Iterator[Finding]:
    """Playbooks that would have sent somebody more than anybody gets on a day; what was held yesterday says nothing about today."""
    users: dict[str, int] = {}
    for row in sends.held_at_ceiling(work.tx, today + LOOK_AGAIN, work.now + LOOK_AGAIN):
        users[playbook_of(row.flow)] = users.get(playbook_of(row.flow), 0) + row.users
    yield from (over_people(playbook, many, A_DAY) for playbook, many in sorted(users.items()))


def _surges(work: Work) -> Iterator[Finding]:
    local = work.now.astimezone(work.live.zone)
    begins = [resolve(local.date() - n * DAY, local.hour * 60, work.live.zone) for n in range(1, DAYS + 1)]
    this_hour: dict[str, int] = {}
    flows: dict[str, set[str]] = {}
    for row in sends.by_step(work.tx, work.now - timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)):
        this_hour[playbook_of(row.flow)] = this_hour.get(playbook_of(row.flow), 0) + row.sends
        flows.setdefault(playbook_of(row.flow), set()).add(row.flow)
    for playbook, many in this_hour.items():
        if many > SURGE_FROM:
            slots = sends.slots_of(work.tx, sorted(flows[playbook]), begins[-1])
            earlier = [sum(s.sends for s in slots if begin <= s.slot < begin + HOUR) for begin in begins]
            found = surge(playbook, many, earlier)
            if found is not None:
                yield found


def _failures(work: Work) -> Iterator[Finding]:
    since = work.now - HOUR
    sent: dict[tuple[str, str], int] = {}
    for row in sends.by_channel(work.tx, sends.slot_of(since)):
        key = (playbook_of(row.flow), row.channel)
        sent[key] = sent.get(key, 0) + row.sends
    rows = sends.failed_by(work.tx, since)
    for outcome, what in OUTCOMES.items():
        failed: dict[tuple[str, str], int] = {}
        for row in (row for row in rows if row.outcome == outcome):
            key = (playbook_of(row.flow), row.channel)
            failed[key] = failed.get(key, 0) + row.failed
        yield from failing(what, [Failures(*key, sent.get(key, 0), failed.get(key, 0)) for key in sent.keys() | failed.keys()])
    yield from _unwritten(work, since, sent)


def _unwritten(work: Work, since: datetime, sent: dict[tuple[str, str], int]) -> Iterator[Finding]:
    unwritten: dict[str, int] = {}
    for row in sends.unwritten_by(work.tx, since):
        unwritten[playbook_of(row.flow)] = unwritten.get(playbook_of(row.flow), 0) + row.failed
    tried = {p: many + sum(n for (playbook, _), n in sent.items() if playbook == p) for p, many in unwritten.items()}
    yield from failing("could not be written", [Failures(p, "", tried[p], many) for p, many in unwritten.items()])


def _drains(work: Work) -> Iterator[Finding]:
    """Stocks and budgets of which much was given within ten minutes."""
    rows = sends.given_since(work.tx, list(work.project.benefits), work.day, work.now - TEN_MINUTES)
    if sum(row.given for row in rows) <= DRAIN_FROM:
        return
    pools = tallies.pool_counts(work.tx)
    for pool in sorted({row.pool for row in rows}):
        size = pools.get(pool, ("", None, 0))[1]
        if size:
            mine = [(playbook_of(row.flow), row.given) for row in rows if row.pool == pool]
            yield from _drain(f"the stock '{pool}'", size, sum(n for _, n in mine), mine)
    for name in sorted({row.benefit for row in rows}):
        mine = [(playbook_of(row.flow), row.given) for row in rows if row.benefit == name]
        cost = sum(row.cost for row in rows if row.benefit == name)
        if cost:
            yield from _drain(f"the budget of '{name}'", work.project.benefits[name].budget.most, cost, mine)


def _drain(stock: str, size: object, taken: object, given: list[tuple[str, int]]) -> Iterator[Finding]:
    from decimal import Decimal

    by: dict[str, int] = {}
    for playbook, many in given:
        by[playbook] = by.get(playbook, 0) + many
    found = drain(stock, Decimal(str(size)), Decimal(str(taken)), by)
    if found is not None:
        yield found
