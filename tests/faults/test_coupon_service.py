"""F52: a coupon service that gives and does not answer, answers late, or gives nothing: one code for each grant, and none is lost."""

import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine

from sop_engine.actions.ingest import record_events
from sop_engine.actions.invariants import ask_invariants
from sop_engine.actions.redeeming import redeem
from sop_engine.channels.benefit_provider import BenefitProvider
from sop_engine.channels.webhook import Endpoint
from sop_engine.core.errors import DeliveryError
from sop_engine.settings import Settings
from sop_engine.store import asked_benefits, grants
from sop_engine.store.redemptions import Report
from tests.conftest import sqlite_copy
from tests.fakes.benefits import SECRET, BenefitSystem
from tests.shop import Shop, keys
from tests.shop_project import BENEFIT, Scripted

pytestmark = pytest.mark.slow
OPEN: list[BenefitProvider] = []
BOOKS = (
    f"benefits:\n  gift: {{kind: external, provider: coupons, pool: DY, {BENEFIT.replace('1 per', '9 per')}MORE}}\n"
    f"  other: {{pool: O, {BENEFIT.replace('20', '5', 1)}}}\n---\n"
    "playbook: g\nintent: serve\nstart: {event: cart}\ngoal: joins\nagain: always\nexit: {bought: orders > 0}\nHEAD\nsteps:\n"
    "  gift: {at: now, give: gift, send: coupon}\n"
)


@pytest.fixture(scope="module")
def server() -> Iterator[BenefitSystem]:
    with BenefitSystem() as system:
        yield system


@pytest.fixture
def sqlite(migrated_sqlite: sqlite3.Connection) -> Iterator[Engine]:
    with sqlite_copy(migrated_sqlite) as engine:
        yield engine


@pytest.fixture(autouse=True)
def opened() -> Iterator[None]:
    """Closes the connections a test has opened."""
    yield
    while OPEN:
        OPEN.pop().close()


def shop_at(engine: Engine, server: BenefitSystem, *script: str, more: str = "", head: str = "", answers: Any = (), **known: Any) -> Shop:
    """A shop whose coupons this system gives; nothing else leaves the machine."""
    server.book = type(server.book)(script=list(script), **known)
    books = BOOKS.replace("MORE", more).replace("HEAD\n", head and head + "\n")
    shop = Shop(engine, books, start="2025-03-01 12:00", channels={"sms": Scripted(list(answers))})
    shop.app.settings = Settings.model_construct(sending="live")
    OPEN.append(BenefitProvider(Endpoint(server.url, (SECRET,), loopback=True)))
    shop.app.providers["coupons"] = OPEN[-1]
    shop.user("u1")
    return shop


def handed(shop: Shop) -> list[str]:
    """The codes that were sent."""
    with shop.app.transaction() as tx:
        sms: Any = shop.app.adapter(shop.app.live(tx).project.channels["sms"])
    return [message.benefit_code for message in sms.handed]


def asked(shop: Shop) -> dict[str, int]:
    with shop.app.transaction() as tx:
        return {state: many for (_, state), many in asked_benefits.counts(tx).items()}


def holds(shop: Shop) -> bool:
    with shop.app.work(shop.now) as work:
        return [f"{b.invariant.id}: {b.subjects}" for b in ask_invariants(work).broken] == []


def test_a_coupon_is_asked_for_before_the_message_and_stands_in_it(engine: Engine, server: BenefitSystem) -> None:
    shop = shop_at(engine, server, expires_at="2025-03-20T16:00:00Z")
    shop.event("u1", "cart")
    assert handed(shop) == ["EXT-0001"]
    (grant,) = shop.grants()
    assert (grant.kind, grant.state, grant.code, grant.expires_at) == ("external", "issued", "EXT-0001", shop.at("2025-03-21 00:00"))
    shop.beat()
    assert asked(shop) == {"kept": 1}
    assert server.book.calls[0]["data"]["user"] == {"id": "u1"}
    assert holds(shop)


@pytest.mark.parametrize("lost", ["accept_then_cut", "accept_then_500"])
def test_f52_an_answer_lost_after_issuing_is_asked_for_again_and_is_one_code(sqlite: Engine, server: BenefitSystem, lost: str) -> None:
    shop = shop_at(sqlite, server, lost, lost)
    shop.event("u1", "cart")
    assert (handed(shop), shop.states(), asked(shop)) == ([], ["gift:planned:benefit"], {"unknown": 1})
    shop.until("2025-03-01 12:10")
    assert (handed(shop), shop.states()) == (["EXT-0001"], ["gift:sent"])
    assert [what for what, _, _ in server.book.log] == ["issued"]
    assert len({call["id"] for call in server.book.calls}) == 1
    assert len(server.book.calls) == 3
    assert holds(shop)


def test_f52_a_coupon_whose_message_is_never_sent_is_found_and_taken_back(sqlite: Engine, server: BenefitSystem) -> None:
    shop = shop_at(sqlite, server, "accept_then_cut")
    shop.event("u1", "cart")
    shop.event("u1", "order", order_id="o", amount=9)  # the run ends before the answer is known
    assert shop.states() == ["gift:cancelled:ended"]
    assert [what for what, _, _ in server.book.log] == ["issued", "voided"]
    assert (asked(shop), shop.grants(), handed(shop)) == ({"voided": 1}, [], [])
    assert holds(shop)


def test_what_cannot_be_taken_back_now_is_tried_again(sqlite: Engine, server: BenefitSystem) -> None:
    shop = shop_at(sqlite, server, "accept_then_cut", "cut")
    shop.event("u1", "cart")
    shop.event("u1", "order", order_id="o", amount=9)
    assert asked(shop) == {"voiding": 1}
    shop.jump("2025-03-01 12:10")
    shop.beat()
    assert (asked(shop), server.book.log[-1][0]) == ({"voided": 1}, "voided")


@pytest.mark.parametrize(("more", "sent"), [("", []), (", if_empty: other", ["other"])])
def test_when_the_provider_gives_none_something_else_stands_in_or_nothing_is_sent(
    sqlite: Engine, server: BenefitSystem, more: str, sent: list[str]
) -> None:
    shop = shop_at(sqlite, server, more=more, stock=0)
    shop.event("u1", "cart")
    assert [t.benefit for t in shop.touches() if t.state == "sent"] == sent
    assert asked(shop) == {"declined": 1}
    assert shop.skipped() == ([] if sent else ["gift:empty"])
    assert holds(shop)


def test_nobody_in_the_hold_out_is_given_a_coupon(sqlite: Engine, server: BenefitSystem) -> None:
    shop = shop_at(sqlite, server, head="holdout: 100%")
    shop.event("u1", "cart")
    assert (shop.skipped(), server.book.calls) == (["gift:holdout"], [])


def test_while_nothing_is_sent_for_real_no_coupon_is_asked_for(sqlite: Engine, server: BenefitSystem) -> None:
    shop = shop_at(sqlite, server)
    shop.app.settings = Settings.model_construct()
    shop.event("u1", "cart")
    assert (server.book.calls, len(handed(shop)), asked(shop)) == ([], 1, {})


def test_a_message_proven_not_sent_is_tried_again_with_the_same_coupon(sqlite: Engine, server: BenefitSystem) -> None:
    shop = shop_at(sqlite, server, answers=[DeliveryError("retry_after", "not_accepted")])
    shop.event("u1", "cart")
    shop.until("2025-03-01 12:10")
    assert handed(shop) == ["EXT-0001", "EXT-0001"]
    assert [what for what, _, _ in server.book.log] == ["issued"]


def test_a_coupon_that_is_made_void_here_is_taken_back_there(sqlite: Engine, server: BenefitSystem) -> None:
    shop = shop_at(sqlite, server)
    shop.event("u1", "cart")
    mine = shop.grants()[0].id
    with shop.app.transaction() as tx:
        assert grants.void(tx, mine)
    shop.beat()
    assert [what for what, _, _ in server.book.log] == ["issued", "voided"]
    assert holds(shop)


def test_a_use_is_reported_by_the_key_of_the_grant(sqlite: Engine, server: BenefitSystem) -> None:
    shop = shop_at(sqlite, server)
    shop.event("u1", "cart")
    key = server.book.calls[0]["id"]
    report = Report("e1", "redeemed", "", "o1", "u1", None, "CNY", shop.now)
    assert redeem(shop.app, report, shop.now, grant=key).word == "accepted"
    assert redeem(shop.app, Report("e2", "redeemed", "", "o2", "u1", None, "", shop.now), shop.now, grant="nobody's").word == "unknown_code"
    assert shop.grants()[0].state == "redeemed"


def test_a_stock_that_ends_in_the_middle_serves_exactly_as_many_as_it_has(sqlite: Engine, server: BenefitSystem) -> None:
    shop = shop_at(sqlite, server, stock=3)
    for key in keys(5):
        shop.user(key)
    record_events(shop.app, [shop.record(key, "cart", shop.local(), {}) for key in keys(5)], shop.now)
    shop.beat()
    assert (sorted(handed(shop)), len(shop.skipped())) == (["EXT-0001", "EXT-0002", "EXT-0003"], 2)


def test_a_provider_without_an_account_is_said_and_the_touch_waits(sqlite: Engine, server: BenefitSystem) -> None:
    shop = shop_at(sqlite, server)
    del shop.app.providers["coupons"]
    shop.event("u1", "cart")
    assert shop.states() == ["gift:planned:benefit"]
    assert server.book.calls == []
