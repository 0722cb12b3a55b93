"""A shop, and a provider that reports to it what became of messages."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, select

from sop_engine.actions.hear_back import apply_waiting, keep
from sop_engine.actions.suppressing import keys_of
from sop_engine.channels.contract import Capability, Fact
from sop_engine.core.errors import DeliveryError
from sop_engine.core.suppression import address_hmac
from sop_engine.store import consent, inbox, suppressions, touches
from sop_engine.store.columns import table_of
from sop_engine.store.people import get_id
from sop_engine.store.tables import EventRow
from tests.shop import Shop
from tests.shop_project import CATALOGUE, Scripted

FLOW = """
playbook: p
intent: cultivate
start: {event: cart}
goal: buys
again: always
steps:
  hi: {at: now, send: hello}
  then: {after: 1h, send: again, when: not step.hi.opened}
"""
MAILS = CATALOGUE.replace("mail: {via: outbox, to: mail, needs: mail_ok}", "mail: {via: email, to: mail}\n  news: {via: email, to: mail}")
MAILED = "playbook: p\nintent: cultivate\nstart: {event: cart}\ngoal: buys\nagain: always\nsteps:\n  hi: {at: now, send: hello_mail}\n"
NO_ANSWER = DeliveryError("unknown", "no_answer")


@dataclass
class Askable(Scripted):
    """Could be asked, and says that nothing was taken."""

    capability = Capability(ask="sure")

    def ask(self, _handed: Any) -> None:
        """Nothing is known of it."""


class Told:
    """A shop, and a provider that reports to it."""

    def __init__(self, engine: Engine, *, flow: str = FLOW, catalogue: str = CATALOGUE, channel: str = "sms", **more: Any) -> None:
        self.provider = more.pop("provider", None) or Scripted()
        self.channel = channel
        self.shop = Shop(engine, start="2025-03-01 10:00", channels={channel: self.provider}, **more)
        self.shop.apply(flow, catalogue=catalogue)
        self.number = 0

    def send(self, user: str = "u1", **given: Any) -> str:
        self.shop.event(self.shop.user(user, **given), "cart")
        return self.provider.handed[-1].key

    def hear(self, kind: str, **fact: Any) -> None:
        """A report is stored and applied."""
        self.number += 1
        told = Fact(kind=kind, event_key=fact.pop("event_key", f"e{self.number}"), at=fact.pop("at", self.shop.now), **fact)
        keep(self.shop.app, self.channel, [told], self.shop.now)
        apply_waiting(self.shop.app, self.shop.now)

    def ended(self) -> list[tuple[str, str]]:
        """(state, note) of every report."""
        with self.shop.app.transaction() as tx:
            return [(row.state, row.note) for row in tx.execute(select(inbox.inbox).order_by(inbox.inbox.c.id))]

    def receipts(self) -> list[str]:
        with self.shop.app.transaction() as tx:
            return sorted(row.kind for row in tx.execute(select(touches.receipts)))

    def events(self, user: str = "u1") -> list[tuple[str, dict[str, Any]]]:
        events = table_of(EventRow)
        with self.shop.app.transaction() as tx:
            mine = select(events.c.kind, events.c.fields).where(events.c.user_id == get_id(tx, user), events.c.kind != "cart")
            return [(row.kind, row.fields) for row in tx.execute(mine.order_by(events.c.id))]

    def refused(self, user: str = "u1") -> frozenset[str]:
        with self.shop.app.transaction() as tx:
            one = get_id(tx, user)
            return consent.opt_outs_of(tx, [one]).get(one, frozenset())

    def listed(self, address: str) -> set[str]:
        """The channels over which a mail address is not written to any more."""
        with self.shop.app.work(self.shop.now) as work:
            names = [address_hmac(key, "email", address) for key in keys_of(work)]
            return {one.channel for found in suppressions.of_hashes(work.tx, names, work.now).values() for one in found}
