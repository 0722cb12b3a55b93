"""Kinds of benefits: codes that were uploaded and no others, one public code, an attribute for a time; and how long each is valid."""

import sqlite3
from collections.abc import Iterator
from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import Engine

from sop_engine.actions.invariants import ask_invariants
from sop_engine.actions.measure_asked import Asked, Given
from sop_engine.actions.redeeming import Taken, redeem
from sop_engine.actions.resolve import decide
from sop_engine.actions.watched import figure_of
from sop_engine.core.catalog import Alert
from sop_engine.core.errors import DeliveryError
from sop_engine.core.project import Project
from sop_engine.core.version import canonical, fingerprint
from sop_engine.store.redemptions import Report
from tests.actions.identity_shop import FLOW, WHO, become_one, open_shop, two
from tests.conftest import sqlite_copy
from tests.shop import Shop
from tests.shop_project import Scripted, text

pytestmark = pytest.mark.slow
LIMITS = "limit: 9 per 1d, budget: 1000 per 30d"
BOOK = """
benefits:
  gift: {BENEFIT}
---
attributes:
  rank: text
---
playbook: gifts
intent: serve
start: {event: cart}
goal: joins
again: always
steps:
STEPS
"""


@pytest.fixture
def sqlite(migrated_sqlite: sqlite3.Connection) -> Iterator[Engine]:
    """SQLite alone, for what is the same on every database."""
    with sqlite_copy(migrated_sqlite) as engine:
        yield engine


def book(benefit: str, steps: str = "  give: {at: now, give: gift, send: coupon}") -> str:
    """A flow that gives one benefit for every cart."""
    return BOOK.replace("BENEFIT", f"{benefit}, {LIMITS}").replace("STEPS", steps)


def shop_with(engine: Engine, benefit: str, **more: object) -> Shop:
    shop = Shop(engine, book(benefit, **{k: str(v) for k, v in more.items()}), start="2025-03-01 12:00", texts={
        "risen": text("risen", "sms", purpose="service", variables="benefit.name: required", body="{{ benefit.name }}")})  # fmt: skip
    shop.user("u1")
    return shop


def holds(shop: Shop) -> bool:
    with shop.app.work(shop.now) as work:
        return [f"{b.invariant.id}: {b.subjects}" for b in ask_invariants(work).broken] == []


def test_a_stock_that_must_be_uploaded_makes_up_no_code_while_none_was(sqlite: Engine) -> None:
    shop = shop_with(sqlite, "kind: uploaded, pool: U, worth: 20, valid: 7d")
    shop.event("u1", "cart")
    assert shop.skipped() == ["give:empty"]
    shop.codes("U", "A")
    shop.event("u1", "cart")
    assert [g.code for g in shop.grants()] == ["A"]


def test_a_shared_code_is_the_same_for_everybody_and_nobodys_own_use_is_marked(engine: Engine) -> None:
    shop = shop_with(engine, "kind: shared, code: HELLO10, worth: 10, valid: 7d")
    shop.user("u2")
    for user in ("u1", "u2"):
        shop.event(user, "cart")
    shop.event("u1", "benefit_used", code="HELLO10")
    assert shop.texts_sent() == ["10 HELLO10", "10 HELLO10"]
    assert [(g.kind, g.state, g.code) for g in shop.grants()] == [("shared", "issued", "HELLO10")] * 2
    assert holds(shop)


def test_an_entitlement_sets_its_attribute_at_acceptance_and_takes_it_back_at_the_end(engine: Engine) -> None:
    steps = "  give: {at: now, give: gift, send: risen}"
    shop = shop_with(engine, "kind: entitlement, set: {rank: gold}, valid: 7d", steps=steps)
    assert shop.facts("u1", "rank") == [None]
    shop.event("u1", "cart")
    assert (shop.facts("u1", "rank"), shop.texts_sent()) == (["gold"], ["gift"])
    shop.until("2025-03-08 23:59")
    assert shop.facts("u1", "rank") == ["gold"]
    shop.until("2025-03-09 00:01")
    assert (shop.facts("u1", "rank"), [g.state for g in shop.grants()]) == ([None], ["expired"])
    assert holds(shop)


def test_an_entitlement_whose_message_failed_is_not_given(sqlite: Engine) -> None:
    sms = Scripted([DeliveryError("permanent", "recipient")])
    shop = Shop(
        sqlite, book("kind: entitlement, set: {rank: gold}, valid: 7d"), start="2025-03-01 12:00", channels={"sms": sms},
        texts={"coupon": text("coupon", "sms", purpose="service")},
    )  # fmt: skip
    shop.user("u1")
    shop.event("u1", "cart")
    assert ([g.state for g in shop.grants()], shop.facts("u1", "rank")) == (["released"], [None])


@pytest.mark.parametrize(("change", "left"), [({"rank": "black"}, "black"), ({}, "gold")])
def test_an_entitlement_that_ends_leaves_what_something_else_has_set_meanwhile(sqlite: Engine, change: dict[str, str], left: str) -> None:
    shop = shop_with(sqlite, "kind: entitlement, set: {rank: gold}, valid: 7d", steps="  give: {at: now, give: gift, send: risen}")
    shop.event("u1", "cart")
    if change:
        shop.set("u1", **change)
    else:
        shop.event("u1", "cart", at="2025-03-05 12:00")  # a second one, which lasts longer
    shop.until("2025-03-09 00:01")
    assert shop.facts("u1", "rank") == [left]


def test_validity_is_counted_from_the_acceptance_and_never_less_than_what_the_text_has_said(sqlite: Engine) -> None:
    sms = Scripted([DeliveryError("unknown", "no_answer")])
    shop = Shop(sqlite, book("pool: G, worth: 20, valid: 7d"), start="2025-03-01 12:00", channels={"sms": sms})
    shop.user("u1")
    shop.event("u1", "cart")
    said = shop.grants()[0].expires_at
    shop.until("2025-03-03 12:00")
    decide(shop.app, shop.touches()[0].id, shop.now, sent=True, by="operator")
    (grant,) = shop.grants()
    assert (said, grant.state, grant.expires_at) == (shop.at("2025-03-09 00:00"), "issued", shop.at("2025-03-11 00:00"))


def test_nothing_is_valid_longer_than_its_stock(sqlite: Engine) -> None:
    shop = shop_with(sqlite, "pool: G, worth: 20, valid: 7d, ends: 2025-03-03")
    shop.event("u1", "cart")
    assert shop.grants()[0].expires_at == shop.at("2025-03-04 00:00")
    shop.event("u1", "cart", at="2025-03-04 12:00")
    assert shop.skipped() == ["give:empty"]


def test_a_use_in_time_that_is_told_after_the_end_counts(engine: Engine) -> None:
    shop = shop_with(engine, "pool: G, worth: 20, valid: 7d")
    for _ in range(2):
        shop.event("u1", "cart")
    in_time, late = shop.grants()
    shop.until("2025-03-09 08:00")
    shop.event("u1", "benefit_used", at="2025-03-08 23:50", code=in_time.code)
    shop.event("u1", "benefit_used", at="2025-03-09 00:00", code=late.code)
    assert [g.state for g in shop.grants()] == ["redeemed", "expired"]
    assert shop.grants()[0].used_at == datetime.fromisoformat("2025-03-08T15:50:00+00:00")
    assert holds(shop)


def test_a_project_that_uses_none_of_the_new_keys_keeps_the_fingerprints_of_its_flows(sqlite: Engine) -> None:
    shop = shop_with(sqlite, "pool: G, worth: 20, valid: 7d")
    plain, limited = (_project(shop, more) for more in ("", ", ends: 2025-03-03"))
    (flow,) = plain.flows.values()
    assert fingerprint(flow, plain) != fingerprint(flow, limited)
    told = repr(canonical(plain.benefits["gift"]))
    assert [name for name in ("'code'", "'sets'", "'provider'", "'ends'") if name in told] == []


def _project(shop: Shop, more: str) -> Project:
    return shop.app.load(shop.files(book("pool: G, worth: 20, valid: 7d" + more)))


def test_users_who_become_one_have_one_entitlement_and_keep_it_until_the_later_end(sqlite: Engine) -> None:
    catalogue = WHO.replace("pool: G, worth: 20, valid: 7d", "kind: entitlement, set: {name: gold}, valid: 7d")
    shop = open_shop(sqlite, FLOW.replace("send: hello", "give: gift, send: hello"), catalogue=catalogue)
    two(shop)
    shop.event("b", "visit")
    shop.event("a", "visit", at="2025-03-04 12:00")
    become_one(shop)
    assert sorted(g.state for g in shop.grants("a")) == ["issued", "voided"]
    shop.until("2025-03-10 12:00")  # the first would have ended on the 9th
    assert shop.facts("a", "name") == ["gold"]
    shop.until("2025-03-12 00:01")
    assert shop.facts("a", "name") == [None]
    assert holds(shop)


def test_a_use_reported_under_the_id_of_a_user_who_became_another_is_the_owners_own(sqlite: Engine) -> None:
    shop = open_shop(sqlite, FLOW.replace("send: hello", "give: gift, send: coupon"))
    two(shop)
    shop.event("b", "visit")
    code = shop.grants("b")[0].code
    become_one(shop)
    report = Report("e1", "redeemed", code, "o1", "b", None, "", shop.now)
    assert redeem(shop.app, report, shop.now) == Taken("accepted")
    assert [(g.state, g.used_order) for g in shop.grants("a")] == [("redeemed", "o1")]
    assert holds(shop)


def test_an_alert_sees_which_share_of_a_stock_is_left(sqlite: Engine) -> None:
    shop = shop_with(sqlite, "pool: G, worth: 20, valid: 7d")
    shop.codes("G", *"ABCDEFGHIJ")
    for _ in range(5):
        shop.event("u1", "cart")
    today, alert = date(2025, 3, 1), Alert("low", "stock_left", "rang", of="gift")
    with shop.app.work(shop.now) as work:
        figures = [figure_of(Asked(work, day, day, day.toordinal(), Given()), alert) for day in (today - timedelta(days=1), today)]
    assert [(f.value, f.counted) for f in figures] == [(1.0, 10), (0.5, 5)]
