"""Takes in what tills and providers report: a code was used, or that was taken back. Each report once, whatever order they come in."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sop_engine.actions.ingest import NotRecorded, record_events
from sop_engine.actions.receive import REDEMPTION
from sop_engine.actions.telling import tell
from sop_engine.app import App, Work
from sop_engine.core.benefits import read_code
from sop_engine.core.conditions import Value
from sop_engine.core.records import EventRecord
from sop_engine.store import asked_benefits, grants, redemptions, touches
from sop_engine.store.people import people
from sop_engine.store.redemptions import Report
from sop_engine.store.users import ids_by_key

PARKED_FOR = timedelta(days=7)
STATUS = {
    "accepted": 200, "duplicate": 200, "parked": 202, "unknown_code": 404, "already_redeemed": 409, "voided": 409, "expired": 409,
}  # fmt: skip
"""What a report is answered with: the word, and the HTTP status it stands for."""


@dataclass(frozen=True, slots=True)
class Taken:
    """The answer to one report. `flags`: what a person should look at, though it was accepted: amount, other_user, early."""

    word: str
    flags: tuple[str, ...] = ()


def redeem(app: App, report: Report, now: datetime, *, grant: str = "") -> Taken:
    """Apply one report, by its code or by the key under which the coupon was asked for, and record the event it is."""
    with app.work(now) as work:
        if grant and not report.code:
            asked = asked_benefits.by_key(work.tx, grant)
            report = replace(report, code=asked.code if asked is not None else "")
        taken = _take(work, report)
    if taken.word == "accepted":
        tell_uses(app, now)
    return taken


def apply_parked(app: App, now: datetime) -> int:
    """Look again at reports that came before what they speak of; how many waited no longer."""
    with app.transaction() as tx:
        waiting = redemptions.in_state(tx, "parked")
    done = 0
    for row in waiting:
        report = Report(**{f: getattr(row, f) for f in Report.__dataclass_fields__})
        with app.work(now) as work:
            if now - row.received_at > PARKED_FOR:
                done += redemptions.set_state(work.tx, row.event, "parked", "lapsed")
            else:
                done += _take(work, report, again=True).word != "parked"
    return done + tell_uses(app, now)


def _take(work: Work, report: Report, *, again: bool = False) -> Taken:
    known = redemptions.get(work.tx, report.event)
    if known is not None and known.state in ("taken", "accepted"):
        return Taken("duplicate", _flags(known.flags))
    if known is not None and known.state == "refused":
        return Taken(known.flags)  # the same report, the same answer
    if known is not None and known.state == "parked" and not again:
        return Taken("parked")
    code = next((b.code for b in work.project.benefits.values() if b.kind == "shared" and b.code == report.code), None)
    if code is not None:
        redemptions.put(work.tx, report, "taken", work.now)
        return Taken("accepted")
    found = grants.of_code(work.tx, [report.code, read_code(report.code) or ""])
    if not found:
        word = "unknown_code"
    elif report.kind == "reversed":
        word = _reverse(work, report, found[0])
    else:
        return _use(work, replace(report, code=found[0].code), found[0], again)
    return _answer(work, report, word, again)


def _use(work: Work, report: Report, grant: Any, again: bool) -> Taken:
    if grant.state == "redeemed" and report.order_id and grant.used_order == report.order_id:
        return _answer(work, report, "duplicate", again)
    at = min(report.at, work.now)
    event = f"redeem:{report.event}"
    used = grants.use(work.tx, grant.id, at, event=event, order=report.order_id, arrived=True)
    if used is None:
        twin = redemptions.get(work.tx, report.event)
        if twin is not None and twin.state in ("taken", "accepted"):
            return Taken("duplicate", _flags(twin.flags))  # the same report, at the same moment
        fresh = grants.get_grant(work.tx, grant.id)
        return _answer(work, report, _why_not(report, fresh), again)
    flags = _what_is_odd(work, report, used)
    redemptions.put(work.tx, report, "taken", work.now, grant_id=grant.id, flags=",".join(flags))
    for row in redemptions.parked_reversals(work.tx, grant.code, report.order_id):
        if _reverse(work, Report(**{f: getattr(row, f) for f in Report.__dataclass_fields__}), used) == "accepted":
            break
    return Taken("accepted", flags)


def _why_not(report: Report, grant: Any) -> str:
    """Why a use does not count; whoever was first has the benefit."""
    if grant is None or grant.state == "released":
        return "unknown_code"
    if grant.state == "redeemed":
        return "duplicate" if report.order_id and grant.used_order == report.order_id else "already_redeemed"
    return {"reserved": "parked", "voided": "voided"}.get(grant.state, "expired")


def _reverse(work: Work, report: Report, grant: Any) -> str:
    back = grants.reverse(work.tx, grant.id, report.order_id) if report.order_id else None
    if back is not None:
        touches.forget_receipt(work.tx, back.touch_id, "used")
        redemptions.put(work.tx, replace(report, code=grant.code), "accepted", work.now, grant_id=grant.id)
        return "accepted"
    if redemptions.is_order_of(work.tx, grant.id, report.order_id, "reversed"):
        return "duplicate"
    return {"redeemed": "already_redeemed", "voided": "voided"}.get(grant.state, "parked")


def _answer(work: Work, report: Report, word: str, again: bool) -> Taken:
    """Keep what waits, and what is refused, so that the same report gets the same answer; of an unknown code more may be known later."""
    if word == "parked":
        redemptions.put(work.tx, report, "parked", work.now)
    elif STATUS[word] == 409 or (again and word != "accepted"):
        redemptions.put(work.tx, report, "refused", work.now, flags=word)
    if word not in ("accepted", "duplicate"):
        tell("redemption", outcome=word)
    return Taken(word)


def _what_is_odd(work: Work, report: Report, grant: Any) -> tuple[str, ...]:
    owner = ids_by_key(work.tx, [report.user_key]).get(report.user_key) if report.user_key else grant.user_id
    odd = {
        "amount": report.amount is not None and grant.worth is not None and report.amount > grant.worth,
        "other_user": owner != grant.user_id,
        "early": report.at < grant.given_at,
    }
    return tuple(name for name, holds in odd.items() if holds)


def _flags(text: str) -> tuple[str, ...]:
    return tuple(text.split(",")) if text else ()


def tell_uses(app: App, now: datetime) -> int:
    """Record the event of every use that was applied and is not in the timeline yet: a crash between the two loses none; how many."""
    with app.transaction() as tx:
        waiting = redemptions.in_state(tx, "taken")
        if not waiting:
            return 0
        owners = {row.id: _owner(tx, row) for row in waiting}
    told = [record for row in waiting if (record := _event(row, owners[row.id])) is not None]
    failed: Sequence[str] = ()
    try:
        record_events(app, told, now)
    except NotRecorded as error:  # looked at again with the next report
        failed = error.failed
    done = [row for row in waiting if f"redeem:{row.event}" not in failed]
    with app.transaction() as tx:
        return sum(redemptions.set_state(tx, row.event, "taken", "accepted") for row in done)


def _owner(tx: Any, row: Any) -> tuple[str, Any]:
    """(the user's own id, the grant): of a public code whoever is said to have used it, if anybody."""
    grant = grants.get_grant(tx, row.grant_id) if row.grant_id is not None else None
    if grant is not None:
        return people(tx, [grant.user_id])[grant.user_id].key, grant
    return (row.user_key if row.user_key and ids_by_key(tx, [row.user_key]) else ""), None


def _event(row: Any, owner: tuple[str, Any]) -> EventRecord | None:
    key, grant = owner
    if not key:
        return None
    fields: dict[str, Value] = {"code": row.code}
    if grant is not None:
        playbook, _, level = grant.flow.partition("/")
        fields |= {"playbook": playbook, "level": level, "step": grant.step, "benefit": grant.benefit}
    if row.flags:
        fields["result"] = row.flags
    return EventRecord(f"redeem:{row.event}", key, "benefit_used", row.at, fields, "user", REDEMPTION)


@dataclass(frozen=True, slots=True)
class Looked:
    """What a check page shows of a code: whether it can be used now, and until when."""

    valid: bool
    until: datetime | None


def look_up(app: App, code: str, now: datetime) -> Looked:
    """Whether a code can be used now. One that was never given, one that was used and one that is over look alike."""
    with app.work(now) as work:
        found = grants.of_code(work.tx, [code, read_code(code) or ""])
        shared = any(b.kind == "shared" and b.code == code and (b.ends is None or b.ends.toordinal() >= work.day)
                     for b in work.project.benefits.values())  # fmt: skip
    usable = [g for g in found if g.state in ("issued", "reserved") and (g.expires_at is None or g.expires_at > now)]
    return Looked(shared or bool(usable), usable[0].expires_at if usable else None)
