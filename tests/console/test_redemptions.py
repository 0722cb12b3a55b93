"""Uses of codes as tills and providers report them: every answer, every order they may come in, signed or not at all."""

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, text

from sop_engine.actions.invariants import ask_invariants
from sop_engine.actions.resolve import decide
from sop_engine.actions.tending import tend_benefits
from sop_engine.channels.signature import signed
from sop_engine.console.benefit_routes import CHECKS, Sparing
from sop_engine.console.pages import build
from sop_engine.core.benefits import shown
from sop_engine.core.errors import DeliveryError
from sop_engine.settings import Settings
from sop_engine.store import grants
from tests.conftest import sqlite_copy
from tests.shop import Shop
from tests.shop_project import BENEFIT, Scripted

pytestmark = pytest.mark.slow
SECRET, OLD = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
BOOKS = (
    f"benefits:\n  gift: {{pool: G, {BENEFIT.replace('1 per', '9 per')}}}\n---\n"
    "playbook: g\nintent: serve\nstart: {event: cart}\ngoal: joins\nagain: always\nsteps:\n"
    "  gift: {at: now, give: gift, send: coupon}\n  thanks: {at: day 1 10:00, when: step.gift.used, send: receipt}\n"
)


class Till:
    """A shop behind the web application, and a till that reports to it."""

    def __init__(self, engine: Engine, *answers: Any) -> None:
        self.shop = Shop(engine, BOOKS, start="2025-03-01 12:00", channels={"sms": Scripted(list(answers))})
        self.shop.app.settings = Settings.model_construct(redemption_secrets=SecretStr(f"{SECRET}, {OLD}"), check_key=SecretStr("k" * 32))
        self.web = build(self.shop.app, lambda: self.shop.now)
        self.numbers = iter(range(1, 1000))
        for user in ("u1", "u2"):
            self.shop.user(user)
            self.shop.event(user, "cart")

    def post(self, path: str, body: bytes, headers: dict[str, str]) -> httpx.Response:
        """One request."""

        async def asked() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app=self.web), base_url="http://shop") as client:
                return await client.post(path, content=body, headers=headers)

        return asyncio.run(asked())

    def code(self, user: str = "u1") -> str:
        return str(self.shop.grants(user)[0].code)

    def report(self, event: str = "", kind: str = "benefit.redeemed", *, secret: str = SECRET, **data: Any) -> tuple[int, Any]:
        """(status, JSON) of one report; the code is u1's unless said otherwise."""
        event = event or f"e{next(self.numbers)}"
        at = data.pop("at", self.shop.now)
        told = {"code": self.code(), "order_id": "o1", "user_id": "u1", "amount": 20, "currency": "CNY", "redeemed_at": at.isoformat()}
        body = json.dumps({"type": kind, "timestamp": at.isoformat(), "data": {**told, **data}}).encode()
        headers = {
            "webhook-id": event,
            "webhook-timestamp": str(int(self.shop.now.timestamp())),
            "webhook-signature": signed([secret], event, self.shop.now, body),
        }
        answer = self.post("/v1/benefits/redemptions", body, headers)
        return answer.status_code, answer.json() if answer.content else None

    def states(self) -> list[str]:
        return [g.state for g in self.shop.grants()]

    def used(self) -> int:
        """How many uses stand in the timelines."""
        with self.shop.app.transaction() as tx:
            return int(tx.execute(text("SELECT COUNT(*) FROM events WHERE kind = 'benefit_used'")).scalar_one())

    def holds(self) -> bool:
        with self.shop.app.work(self.shop.now) as work:
            return [f"{b.invariant.id}: {b.subjects}" for b in ask_invariants(work).broken] == []


ACCEPTED, DUPLICATE = (200, {"status": "accepted", "flags": []}), (200, {"status": "duplicate", "flags": []})


@pytest.fixture
def till(migrated_sqlite: sqlite3.Connection) -> Iterator[Till]:
    with sqlite_copy(migrated_sqlite) as engine:
        yield Till(engine)


def test_a_use_is_taken_once_however_often_it_is_reported_and_stands_in_the_timeline(engine: Engine) -> None:
    till = Till(engine)
    assert till.report("e1") == ACCEPTED
    assert till.report("e1") == DUPLICATE
    assert till.report("e2") == DUPLICATE  # the same order
    assert till.report("e3", order_id="o2") == (409, {"status": "already_redeemed", "flags": []})
    assert till.states() == ["redeemed", "issued"]
    assert till.used() == 1
    till.shop.until("2025-03-02 12:00")
    assert till.shop.sent("u1")[1:] == ["thanks@03-02 10:00"]  # the flow has seen it
    assert till.holds()


def test_a_code_is_found_however_it_is_written(till: Till) -> None:
    assert till.report(code=f" {shown(till.code()).lower()} ")[0] == 200


def test_an_unknown_code_is_404_and_one_that_was_given_back_too(migrated_sqlite: sqlite3.Connection) -> None:
    with sqlite_copy(migrated_sqlite) as engine:
        till = Till(engine, DeliveryError("permanent", "recipient"))
        assert till.report(code="NOTHING")[1]["status"] == "unknown_code"
        assert till.states()[0] == "released"
        assert till.report(code=till.code())[0] == 404


def test_a_voided_code_is_refused_and_one_that_is_over_is_expired_unless_used_in_time(till: Till) -> None:
    mine = till.shop.grants("u1")[0].id
    with till.shop.app.transaction() as tx:
        assert grants.void(tx, mine)
    assert till.report() == (409, {"status": "voided", "flags": []})
    till.shop.until("2025-03-09 00:00")
    theirs = till.code("u2")
    assert till.report(code=theirs, user_id="u2") == (409, {"status": "expired", "flags": []})
    assert till.report(code=theirs, user_id="u2", at=till.shop.at("2025-03-08 23:59")) == ACCEPTED


def test_while_it_is_unknown_whether_the_message_arrived_a_use_waits_and_then_counts(migrated_sqlite: sqlite3.Connection) -> None:
    with sqlite_copy(migrated_sqlite) as engine:
        till = Till(engine, DeliveryError("unknown", "no_answer"))
        assert till.report("e1") == (202, {"status": "parked", "flags": []})
        assert till.report("e1")[0] == 202
        decide(till.shop.app, till.shop.touches("u1")[0].id, till.shop.now, sent=True, by="operator")
        till.shop.beat()
        assert (till.states()[0], till.used()) == ("redeemed", 1)
        assert till.report("e1") == DUPLICATE
        assert till.holds()


def test_a_use_that_waits_for_seven_days_waits_no_longer(migrated_sqlite: sqlite3.Connection) -> None:
    with sqlite_copy(migrated_sqlite) as engine:
        till = Till(engine, DeliveryError("unknown", "no_answer"))
        till.report("e1")
        assert tend_benefits(till.shop.app, till.shop.now + timedelta(days=7)) == 0
        assert tend_benefits(till.shop.app, till.shop.now + timedelta(days=7, seconds=1)) == 1
        decide(till.shop.app, till.shop.touches("u1")[0].id, till.shop.now, sent=True, by="operator")
        assert (tend_benefits(till.shop.app, till.shop.now), till.states()[0]) == (0, "issued")


def test_a_use_that_is_taken_back_may_be_made_again_and_is_forgotten_by_the_flow(till: Till) -> None:
    assert till.report("e1") == ACCEPTED
    assert till.report("e2", "benefit.reversed") == ACCEPTED
    assert till.report("e3", "benefit.reversed") == DUPLICATE
    assert till.states()[0] == "issued"
    till.shop.until("2025-03-02 11:00")
    assert till.shop.sent("u1")[1:] == []
    assert till.report("e4", order_id="o2") == ACCEPTED
    assert till.holds()


def test_another_order_takes_nothing_back(till: Till) -> None:
    till.report("e1")
    assert till.report("e2", "benefit.reversed", order_id="o9")[1]["status"] == "already_redeemed"
    assert till.states()[0] == "redeemed"


def test_what_is_taken_back_before_it_is_known_waits_for_the_use(till: Till) -> None:
    assert till.report("e2", "benefit.reversed") == (202, {"status": "parked", "flags": []})
    assert till.report("e1") == ACCEPTED
    assert till.states()[0] == "issued"
    assert till.report("e2", "benefit.reversed") == DUPLICATE
    assert till.holds()


def test_an_odd_use_is_taken_and_flagged(till: Till) -> None:
    assert till.report(amount=20.01, user_id="u2", at=till.shop.at("2025-02-28 12:00")) == (
        200,
        {"status": "accepted", "flags": ["amount", "other_user", "early"]},
    )
    assert till.holds()


@pytest.mark.parametrize("broken", ["secret", "late", "unsigned", "changed"])
def test_what_is_not_signed_by_us_now_is_401_and_changes_nothing(till: Till, broken: str) -> None:
    if broken == "secret":
        assert till.report(secret="B" * 44)[0] == 401
    elif broken == "late":
        then, till.shop.now = till.shop.now, till.shop.now - timedelta(minutes=6)
        body, headers = b"{}", {"webhook-id": "e", "webhook-timestamp": str(int(till.shop.now.timestamp()))}
        headers["webhook-signature"] = signed([SECRET], "e", till.shop.now, body)
        till.shop.now = then
        assert till.post("/v1/benefits/redemptions", body, headers).status_code == 401
    else:
        headers = {"webhook-id": "e", "webhook-timestamp": str(int(till.shop.now.timestamp()))}
        if broken == "changed":
            headers["webhook-signature"] = signed([SECRET], "e", till.shop.now, b"{}")
        assert till.post("/v1/benefits/redemptions", b"{ }", headers).status_code == 401
    assert till.states() == ["issued", "issued"]


def test_the_secret_of_before_still_counts(till: Till) -> None:
    assert till.report(secret=OLD) == ACCEPTED


@pytest.mark.parametrize("wrong", [{"amount": "x"}, {"amount": -1}, {"code": None}, {"code": ["a"]}, {"order_id": {}}])
def test_a_body_that_cannot_be_read_is_400_and_says_why(till: Till, wrong: dict[str, Any]) -> None:
    status, said = till.report(**wrong)
    assert (status, bool(said["error"])) == (400, True)


def asked(till: Till, code: str, key: str = "k" * 32) -> tuple[int, Any]:
    answer = till.post("/v1/benefits/check", json.dumps({"code": code}).encode(), {"authorization": f"Bearer {key}"})
    return answer.status_code, answer.json() if answer.content else None


def test_a_check_says_valid_until_when_and_nothing_more_of_any_other_code(till: Till) -> None:
    assert asked(till, till.code()) == (200, {"valid": True, "until": "2025-03-08T16:00:00Z"})
    till.report()
    for code in (till.code(), "NOTHING", "", "x" * 500):
        assert asked(till, code) == (200, {"valid": False, "until": None})
    assert asked(till, till.code(), key="wrong") == (401, None)


def test_codes_cannot_be_guessed_quickly(till: Till) -> None:
    assert [asked(till, "X")[0] for _ in range(CHECKS + 1)] == [200] * CHECKS + [429]


def test_each_address_may_ask_again_after_a_minute() -> None:
    clock = iter([0.0] * CHECKS + [59.9, 60.0, 60.0])
    sparing = Sparing(lambda: next(clock))
    assert [sparing.may("a") for _ in range(CHECKS + 2)] == [True] * CHECKS + [False, True]
    assert sparing.may("b")


def test_the_event_of_a_use_is_recorded_though_the_process_died_after_applying_it(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    from sop_engine.actions import redeeming

    with monkeypatch.context() as patched:
        patched.setattr(redeeming, "tell_uses", lambda _app, _now: 0)
        assert till.report("e1") == ACCEPTED
    assert (till.states()[0], till.used()) == ("redeemed", 0)
    till.shop.beat()
    assert till.used() == 1
    assert datetime.fromisoformat("2025-03-01T04:00:00+00:00") == till.shop.grants("u1")[0].used_at
