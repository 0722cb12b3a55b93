"""Issues what was promised once its message is accepted, and ends what stands and falls with a benefit."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sop_engine.actions.gather import Item
from sop_engine.actions.place import Cause, place_users
from sop_engine.actions.tagging import set_values
from sop_engine.actions.unite import unite_identified
from sop_engine.app import App, Work
from sop_engine.core.benefits import accepted_until, pool_end
from sop_engine.store import asked_benefits, facts, grants
from sop_engine.store.people import lock_users
from sop_engine.store.scope import Scope
from sop_engine.store.users import plain_json


def issue(work: Work, touch_ids: Sequence[int], items: Iterable[Item]) -> set[int]:
    """The reserved benefits of these touches are issued; the users who are entitled to something now.

    Validity is counted from the acceptance, and never ends before the day the text has named.
    """
    of_touch = {item.touch.id: item for item in items}
    until, entitled = {}, set[int]()
    for row in grants.issue(work.tx, touch_ids, work.now):
        item = of_touch.get(row.touch_id)
        benefit = item.project.benefits.get(row.benefit) if item is not None else None
        if item is not None and benefit is not None and row.kind != "external":  # a provider's coupon ends when the provider says
            zone = work.zone_of(item.person.timezone)
            ends = accepted_until(benefit, row.expires_at, work.now, zone, pool_end(benefit, work.live.zone))
            if ends is not None and ends != row.expires_at:
                until[row.id] = ends
            if row.kind == "entitlement":
                set_values(work, row.user_id, dict(benefit.sets))
                entitled.add(row.user_id)
    grants.prolong(work.tx, until)
    return entitled


def end_tied(app: App, now: datetime) -> int:
    """Benefits that ran out or were taken back: entitlements end, and providers are told to take back their coupons; how many.

    An attribute is forgotten unless it was given another value meanwhile, or another entitlement still gives it.
    """
    with app.work(now) as work:
        over = grants.tied_ended(work.tx)
        if not over:
            return 0
        lock_users(work.tx, {row.user_id for row in over})
        asked_benefits.take_back(
            work.tx, [(row.touch_id, row.benefit) for row in over if row.kind == "external" and row.state == "voided"], now
        )
        changed = _forget(work, [row for row in over if row.kind == "entitlement"])
        grants.untie(work.tx, [row.id for row in over])
        if changed:
            gone = unite_identified(work)
            place_users(work, sorted({gone.get(user, user) for user in changed}), Cause("step"))
        return len(over)


def _forget(work: Work, over: Sequence[Any]) -> set[int]:
    if not over:
        return set()
    users = sorted({row.user_id for row in over})
    kept: dict[int, set[str]] = {}
    for row in grants.holding(work.tx, users):
        kept.setdefault(row.user_id, set()).update(row.sets or {})
    names = sorted({name for row in over for name in row.sets or {} if name in work.project.attributes})
    known = facts.read_facts(work.tx, work.project, names, Scope.of(users), work.now) if names else {}
    changed = set[int]()
    for row in over:
        have = plain_json(known.get(row.user_id, {}))
        mine = {name for name, value in (row.sets or {}).items() if have.get(name) == value}
        lost = mine - kept.get(row.user_id, set())
        if lost:
            set_values(work, row.user_id, dict.fromkeys(sorted(lost)))
            changed.add(row.user_id)
    return changed
