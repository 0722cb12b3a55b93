"""Asks coupon systems for what was decided to be given, outside of any transaction, and tells them what nobody will get."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from sop_engine.actions.gather import Item
from sop_engine.actions.giving import Awaited
from sop_engine.actions.telling import tell
from sop_engine.app import App, Work
from sop_engine.channels.benefit_provider import BenefitProvider, Coupon, Wanted
from sop_engine.channels.registry import benefit_provider
from sop_engine.core.errors import DeliveryError, Refused
from sop_engine.store import asked_benefits, queue
from sop_engine.store.repeating import repeated

AGAIN = timedelta(minutes=10)
PAGE = 50


@dataclass(frozen=True, slots=True)
class Ask:
    """One coupon that is to be asked for; that it may have been is stored already."""

    touch_id: int
    provider: str
    wanted: Wanted


def note_asks(work: Work, wanted: Sequence[tuple[Item, Awaited]]) -> list[Ask]:
    """Store, in the transaction of the decision, that these coupons are asked for: each under one key, however often."""
    asks = []
    for item, awaited in wanted:
        benefit, touch = awaited.benefit, item.touch
        key = key_of(work.app.instance(work.tx), touch.id, benefit.name)
        asked_benefits.begin(work.tx, key=key, touch_id=touch.id, benefit=benefit.name, provider=benefit.provider, at=work.now)
        worth = benefit.worth if isinstance(benefit.worth, Decimal) else None
        asks.append(Ask(touch.id, benefit.provider, Wanted(key, benefit.pool, item.person.key, worth, awaited.give.expires_at, work.now)))
    return asks


def key_of(instance: str, touch_id: int, benefit: str) -> str:
    """The key of a grant at its provider."""
    return hashlib.sha256(f"{instance}|{touch_id}|benefit|{benefit}".encode()).hexdigest()[:32]


def ask_providers(app: App, asks: Sequence[Ask], now: datetime, in_time: Callable[[], bool]) -> None:
    """Ask for these coupons, as long as there is time; their touches are looked at again at once where an answer came.

    Where none came the touch waits, and asks again under the same key.
    """
    for ask in asks:
        if not in_time():
            return
        _ask(app, ask, now)


def _ask(app: App, ask: Ask, now: datetime) -> None:
    key, state = ask.wanted.grant, "declined"
    values: dict[str, object]
    try:
        answer = provider_of(app, ask.provider).issue(ask.wanted)
    except (DeliveryError, Refused) as error:
        failed = error if isinstance(error, DeliveryError) else DeliveryError("retry_after", "configuration", str(error))
        tell("benefit_asked", level="warning", provider=ask.provider, outcome=failed.kind, reason=failed.reason)
        if failed.kind != "permanent":
            repeated(lambda: _store_failure(app, key, failed.reason, now))
            return
        values = {"reason": failed.reason}
    else:
        values = {"reason": answer.reason} if not isinstance(answer, Coupon) else {}
        if isinstance(answer, Coupon):
            state, values = "issued", {"code": answer.code, "expires_at": answer.expires_at, "url": answer.url}
    repeated(lambda: _store_answer(app, ask, state, values, now))


def _store_failure(app: App, key: str, reason: str, now: datetime) -> None:
    with app.transaction() as tx:
        asked_benefits.note_failure(tx, key, reason, now)


def _store_answer(app: App, ask: Ask, state: str, values: dict[str, object], now: datetime) -> None:
    with app.transaction() as tx:
        asked_benefits.answer(tx, ask.wanted.grant, state, **values)
        queue.due_now(tx, ask.touch_id, "benefit", now)


def provider_of(app: App, name: str) -> BenefitProvider:
    """The coupon system of this name, opened once; raises Refused when its account is missing."""
    if name not in app.providers:
        app.providers[name] = benefit_provider(name, app.settings)
    found: BenefitProvider = app.providers[name]
    return found


def give_up_coupons(app: App, now: datetime) -> int:
    """Coupons whose message is not sent after all go back to their providers, whether they are known to have been given or not."""
    with app.transaction() as tx:
        if not asked_benefits.any_open(tx):
            return 0
        asked_benefits.settle(tx, now)
        waiting = asked_benefits.voiding(tx, now, PAGE) if app.settings.sending == "live" else []
    return sum(_void(app, row.provider, row.key, now) for row in waiting)


def _void(app: App, provider: str, key: str, now: datetime) -> bool:
    failed: str | None = None
    try:
        provider_of(app, provider).void(key, now)
    except (DeliveryError, Refused) as error:
        failed = error.reason if isinstance(error, DeliveryError) else "configuration"
    with app.transaction() as tx:
        if failed is None:
            asked_benefits.voided(tx, key)
        else:
            asked_benefits.note_failure(tx, key, failed, now + AGAIN)
    return failed is None
