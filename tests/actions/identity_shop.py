"""A shop that declares identities, for the tests of users who become one."""

from typing import Any

from sqlalchemy import Engine

from sop_engine.actions.invariants import ask_invariants
from sop_engine.actions.part import Decided, Merges, list_merges, merge_by_hand, undo
from tests.shop import Shop
from tests.shop_project import CATALOGUE

WHO = (
    CATALOGUE.replace("  birthday: date", "  birthday: date\n  unionid: text\n  device: text\n  sms_ok: flag").replace(
        "say.text}", "say.text}\n  gave_phone: {words: ['/(?P<phone>139[0-9]{8})/'], in: say.text}"
    )
    + """---
identities: {unionid: private, phone: private, device: public}
---
benefits:
  gift: {pool: G, worth: 20, valid: 7d, limit: 9 per 1d, budget: 1000 per 30d}
"""
)
VALUE = "tier: value\nlevels:\n  big: spent >= 100\n  small: spent > 0\n  no_order: otherwise\nladder: [big, small, no_order]\n"
FLOW = """
playbook: care
intent: cultivate
start: {event: visit}
goal: buys
again: after 90d
steps:
  first: {at: now, send: hello}
  day3: {at: day 3 10:00, send: again}
"""


def open_shop(engine: Engine, *documents: str, catalogue: str = WHO, **given: Any) -> Shop:
    """At noon of 1 March, with these documents (a flow of two messages)."""
    shop = Shop(engine, start="2025-03-01 12:00", **given)
    shop.apply(*(documents or (FLOW,)), catalogue=catalogue)
    return shop


def two(shop: Shop, **of_b: Any) -> None:
    """`a` since 1 March and `b` since the 2nd, not known to be one yet."""
    shop.user("a", phone="13912345671")
    shop.until("2025-03-02 12:00")
    shop.user("b", **{"phone": "13912345672", **of_b})


def become_one(shop: Shop) -> None:
    """A colleague notes that `b` has the phone of `a`."""
    shop.set("b", phone="13912345671")


def merges(shop: Shop) -> Merges:
    """Waiting pairs and merges."""
    with shop.app.work(shop.now) as work:
        return list_merges(work, 50)


def take_back(shop: Shop, number: int = 1) -> Decided:
    """Undo a merge."""
    with shop.app.work(shop.now) as work:
        return undo(work, number, by="tester")


def by_hand(shop: Shop, one: str, other: str) -> Decided:
    """A person says that two are one."""
    with shop.app.work(shop.now) as work:
        return merge_by_hand(work, one, other, by="tester")


def broken(shop: Shop) -> list[str]:
    """Invariants that do not hold."""
    with shop.app.work(shop.now) as work:
        return [f"{b.invariant.id} {b.invariant.says}: {b.subjects}" for b in ask_invariants(work).broken]
