"""A shop with a system beside it that is told of what happens."""

from datetime import timedelta
from typing import Any

from pydantic import SecretStr
from sqlalchemy import Engine

from sop_engine.actions.beat import advance
from sop_engine.settings import Settings
from sop_engine.settings.accounts import FeedAccount
from tests.fakes.feed_receiver import SECRET, FeedReceiver
from tests.shop import Shop

FLOW = """
tier: worth
levels:
  rich: spent >= 100
  poor: spent > 0
---
playbook: thanks
intent: serve
start: {event: order}
goal: wakes
steps:
  say: {at: now, send: receipt}
  call: {at: now, send: hello_mail}
"""


def settings_of(**given: Any) -> Settings:
    """Settings with one feed, `crm`."""
    one = {"url": None, "path": "", "secret": SecretStr(SECRET), **given}
    settings = Settings.model_construct(webhook_loopback=True, sending="live")
    settings._accounts["crm"] = FeedAccount.model_construct(via="feed", old_secret=None, headers={}, **one)
    return settings


class Fed(Shop):
    """A shop with a system beside it that is told."""

    receiver: FeedReceiver

    def told(self, kind: str = "level.moved") -> list[tuple[str, Any, Any]]:
        """(user, from, to) of what the receiver has, each once."""
        return [(t.data["user"]["id"], t.data.get("from"), t.data.get("to")) for t in self.receiver.taken if t.body["type"] == kind]

    def wait(self, minutes: float) -> None:
        """Time passes."""
        self.now = advance(self.app, self.now, self.now + timedelta(minutes=minutes))


def fed(engine: Engine, receiver: FeedReceiver, **given: Any) -> Fed:
    """The shop, told of moves alone unless `tells` says otherwise."""
    shop = Fed(engine, start="2025-03-01 09:00")
    shop.receiver = receiver
    shop.app.settings = settings_of(**{"url": SecretStr(receiver.url), "tells": ("level",), **given})
    shop.apply(FLOW)
    return shop


def order(shop: Shop, user: str, amount: int, local: str) -> None:
    """A user buys, and so moves."""
    shop.event(user, "order", at=local, amount=amount, order_id=f"{user}{local}")
