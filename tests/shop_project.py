"""The small shop of the tests as text: settings, catalogue and message templates; and a channel that answers what a test says."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from sop_engine.channels.contract import Capability, Message, Receipt
from sop_engine.core.errors import DeliveryError

PROJECT = {
    "project": "shop",
    "timezone": "Asia/Shanghai",
    "purchase": "order.amount",
    "activity": "active",
    "content_types": "[offer]",
}

CATALOGUE = """
channels:
  sms: {via: outbox, to: phone}
  mail: {via: outbox, to: mail, needs: mail_ok}
  push: {via: outbox, to: id}
  desk: {via: outbox, to: adviser}
---
attributes:
  name: text
  city: [Shanghai, Beijing, Paris]
  phone: phone
  mail: email
  mail_ok: flag
  adviser: text
  staff: flag
  birthday: date
---
events:
  register: {}
  visit: {page: text}
  cart: {item: text}
  say: {text: text}
  refund: {order_id: text, amount: number}
  order: {order_id: text, amount: number, where: amount > 0.01, undone_by: refund.order_id}
  active: [visit, order]
---
metrics:
  orders: {count: order}
  spent: {sum: order.amount}
  visits7: {count: visit, within: 7d}
  last_active: {last: active}
  last_order: {last: order}
  quiet: {days_since: [active, joined]}
---
tags:
  vip: {}
  angry: {for: 30d}
  wants_discount: {words: [discount], except: [no discount], in: say.text}
---
goals:
  buys: {event: order, within: 14d}
  wakes: {event: active, within: 7d}
  joins: {event: register, within: 10m}
"""


def text(name: str, channel: str, *, purpose: str = "marketing", variables: str = "", body: str = "") -> str:
    """A template file. `variables` in the short form of YAML."""
    kind = "\ncontent_type: offer" if purpose == "marketing" else ""
    listed = f"\nvariables: {{{variables}}}" if variables else ""
    return f"---\ntemplate: {name}\nchannel: {channel}\npurpose: {purpose}{kind}{listed}\n---\n{body or name}\n"


TEXTS = {
    "hello": text("hello", "sms"),
    "hello_mail": text("hello_mail", "mail"),
    "hello_push": text("hello_push", "push"),
    "again": text("again", "sms"),
    "third": text("third", "sms"),
    "coupon": text(
        "coupon", "sms", variables="benefit.code: required, benefit.worth: required", body="{{ benefit.worth }} {{ benefit.code }}"
    ),
    "receipt": text("receipt", "sms", purpose="service"),
    "task": text("task", "desk", purpose="internal"),
}

BENEFIT = "worth: 20, valid: 7d, limit: 1 per 365d, budget: 100000 per 30d"


@dataclass
class Scripted:
    """A channel that answers what a test says, in order, then takes everything; it remembers what it was handed."""

    answers: list[Receipt | DeliveryError | Exception] = field(default_factory=list)
    before: Callable[[Message], object] | None = None  # happens while the provider is being called
    handed: list[Message] = field(default_factory=list)
    kind: ClassVar[str] = "scripted"
    capability: ClassVar[Capability] = Capability()

    def send(self, message: Message) -> Receipt:
        """The next answer."""
        self.handed.append(message)
        if self.before is not None:
            self.before(message)
        answer = self.answers.pop(0) if self.answers else Receipt(message.key, "accepted")
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        """Nothing is open."""
