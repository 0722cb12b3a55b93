"""Gives benefits inside the transaction of an intent: limits, stacking, budgets and stock counted from rows."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sop_engine.actions.gather import Gathered, Item
from sop_engine.app import Work
from sop_engine.core.benefits import BenefitState, Decline, Give, choose, next_choice, pool_end
from sop_engine.core.calendar import window_start_day
from sop_engine.core.catalog import Benefit
from sop_engine.core.conditions import Value
from sop_engine.core.forms import Limit
from sop_engine.core.guard import Skip
from sop_engine.store import asked_benefits, grants
from sop_engine.store.users import plain_json


@dataclass(frozen=True, slots=True)
class Given:
    """A benefit that will be promised with the message; its code is taken when the text is written."""

    benefit: Benefit
    give: Give
    on: date  # the last local day it is valid

    def values(self, code: str | None) -> Mapping[str, Value | None]:
        """What a text may say about it."""
        one = self.benefit
        return {
            "benefit.name": one.name,
            "benefit.code": code or None,
            "benefit.worth": one.worth or None,
            "benefit.min_spend": one.min_spend,
            "benefit.expires": self.on,
        }


@dataclass(frozen=True, slots=True)
class Awaited:
    """A provider must give this benefit first: it was not asked yet, or has not answered."""

    benefit: Benefit
    give: Give
    tries: int = 0


@dataclass
class Purse:
    """The benefits of one batch: sums are read once per benefit and kept up to date while the batch is worked through."""

    work: Work
    known: Gathered
    wanted: list[tuple[Item, Awaited]] = field(default_factory=list)  # what providers are to be asked for
    _spent: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    _codes: dict[int, str] = field(default_factory=dict)  # by id of the Given
    _left: dict[str, int | None] = field(default_factory=dict)
    _coupons: dict[tuple[int, str], str] = field(default_factory=dict)  # codes of providers, by touch and benefit

    def give(self, item: Item, name: str) -> Given | Awaited | Skip:
        """The benefit of this name, or the one that stands in for it; a Skip with the reason when none can be given."""
        benefit: Benefit | None = item.project.benefits[name]
        skip = Skip("empty")
        while benefit is not None:
            zone = self.work.zone_of(item.person.timezone)
            outcome: Give | Decline | Awaited = choose(benefit, self._state(item, benefit), now=self.work.now, zone=zone)
            if isinstance(outcome, Give) and self._from_provider(benefit):
                outcome = self._provided(item, benefit, outcome)
            if isinstance(outcome, Awaited):
                return outcome
            if isinstance(outcome, Give):
                return Given(benefit, outcome, (outcome.expires_at.astimezone(zone) - timedelta(microseconds=1)).date())
            skip = Skip(outcome.reason, benefit.name)
            benefit = next_choice(benefit, outcome, item.project.benefits)
        return skip

    def _from_provider(self, benefit: Benefit) -> bool:
        """Unless sending is live nobody outside is asked: then a code is made up."""
        app = self.work.app
        return benefit.holds == "external" and app.rehearsal is None and app.settings.sending == "live"

    def _provided(self, item: Item, benefit: Benefit, give: Give) -> Give | Decline | Awaited:
        asked = asked_benefits.get(self.work.tx, item.touch.id, benefit.name)
        if asked is None or asked.state == "unknown":
            return Awaited(benefit, give, asked.tries if asked is not None else 0)
        if asked.state not in ("issued", "kept"):
            return Decline("empty")
        self._coupons[item.touch.id, benefit.name] = asked.code
        return replace(give, expires_at=asked.expires_at) if asked.expires_at is not None else give

    def _state(self, item: Item, benefit: Benefit) -> BenefitState:
        user = item.touch.user_id
        of_user = self.known.given.get(user, {})
        mine = of_user.get(benefit.name, [])
        held = [g for rows in of_user.values() for g in rows if g.state in ("reserved", "issued")]
        held = [g for g in held if (g.run_id, g.benefit) != (item.run.id, item.step.void)]  # what this act makes void is no obstacle
        rehearsal = self.work.app.rehearsal is not None and not self.work.app.rehearsal.draws
        flow_left = None
        if item.flow.budget is not None and not rehearsal:
            flow_left = item.flow.budget.most - self._sum("flow", item.flow.id, item.flow.budget)
        return BenefitState(
            given=sum(1 for g in mine if self._inside(g, benefit.limit)),
            spent=Decimal(0) if rehearsal else self._sum("benefit", benefit.name, benefit.budget),
            pool_left=None if rehearsal or benefit.holds != "code" else self._pool_left(benefit),
            pool_ends_at=pool_end(benefit, self.work.live.zone),
            user_holds_unused=any(g.expires_at is None or g.expires_at > self.work.now for g in held),
            flow_budget_left=flow_left,
            codes=benefit.holds != "entitlement",
        )

    def _inside(self, grant: Any, limit: Limit) -> bool:
        if limit.per.days is not None:
            return bool(grant.given_day > self.work.day - limit.per.days)
        given_at: datetime = grant.given_at
        return given_at > self.work.now - (limit.per.exact or timedelta())

    def _sum(self, what: str, name: str, limit: Limit) -> Decimal:
        if (what, name) not in self._spent:
            since = window_start_day(self.work.now, limit.per, self.work.live.zone).toordinal()
            self._spent[what, name] = grants.spent(self.work.tx, since_day=since, **{what: name})
        return self._spent[what, name]

    def _pool_left(self, benefit: Benefit) -> int | None:
        if benefit.pool not in self._left:
            self._left[benefit.pool] = grants.pool_left(self.work.tx, benefit.pool)
        left = self._left[benefit.pool]
        return 0 if left is None and benefit.kind == "uploaded" else left  # nobody has uploaded any: none is made up

    def code(self, given: Given, item: Item) -> str | None:
        """Take a code of the pool, the same again for a repeated try; None when it is empty after all. An entitlement has none."""
        benefit, touch = given.benefit, item.touch
        if benefit.holds != "code":
            return self._code_of(benefit, item)
        before = grants.code_before(self.work.tx, touch.id, benefit.name) if touch.attempts else None
        code = grants.take_code(self.work.tx, benefit.pool, self.work.app.new_code, before=before)
        if code is not None:
            self._codes[id(given)] = code
        return code

    def _code_of(self, benefit: Benefit, item: Item) -> str:
        if benefit.holds == "external":
            return self._coupons.get((item.touch.id, benefit.name)) or self.work.app.new_code()
        return benefit.code

    def forget(self, given: Given | None) -> None:
        """The text could not be written: give the code back."""
        code = self._codes.pop(id(given), None)
        if given is not None and code is not None:
            grants.give_back(self.work.tx, given.benefit.pool, code)

    def commit(self, given: Given | None, item: Item) -> None:
        """Reserve the benefit for this touch."""
        if given is None:
            return
        code = self._codes.pop(id(given), None) or self.code(given, item) or ""
        benefit, now = given.benefit, self.work.now
        new = grants.NewGrant(
            user_id=item.touch.user_id,
            run_id=item.run.id,
            touch_id=item.touch.id,
            flow=item.flow.id,
            step=item.step.name,
            benefit=benefit.name,
            pool=benefit.pool,
            code=code,
            cost=benefit.cost,
            given_at=now,
            given_day=self.work.day,
            expires_at=given.give.expires_at,
            kind=benefit.holds,
            worth=benefit.worth if isinstance(benefit.worth, Decimal) else None,
            sets=plain_json(dict(benefit.sets)) if benefit.sets else None,
        )
        grants.add_grant(self.work.tx, new)
        for key in (("benefit", benefit.name), ("flow", item.flow.id)):
            if key in self._spent:
                self._spent[key] += benefit.cost
        left = self._left.get(benefit.pool)
        if left is not None:
            self._left[benefit.pool] = left - 1
        row = _Promised(now, self.work.day, "reserved", given.give.expires_at, item.run.id, benefit.name)
        self.known.given.setdefault(item.touch.user_id, {}).setdefault(benefit.name, []).append(row)


@dataclass(frozen=True, slots=True)
class _Promised:
    given_at: datetime
    given_day: int
    state: str
    expires_at: datetime | None
    run_id: int
    benefit: str
