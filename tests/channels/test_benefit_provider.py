"""Coupons asked of a coupon system over HTTP: what each answer means, and that one grant is one coupon."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from sop_engine.channels.benefit_provider import DECLINES, BenefitProvider, Coupon, Declined, Wanted
from sop_engine.channels.webhook import Endpoint
from sop_engine.core.errors import DeliveryError
from tests.fakes.benefits import SECRET, BenefitSystem

NOW = datetime(2025, 3, 1, 2, 0, tzinfo=UTC)
WANTED = Wanted("g1", "DY50", "老陈", Decimal("50.5"), NOW + timedelta(days=7), NOW)


@contextmanager
def asking(system: BenefitSystem, secret: str = SECRET) -> Iterator[BenefitProvider]:
    provider = BenefitProvider(Endpoint(system.url, (secret,), loopback=True))
    try:
        yield provider
    finally:
        provider.close()


@pytest.fixture(scope="module")
def server() -> Iterator[BenefitSystem]:
    with BenefitSystem() as system:
        yield system


@pytest.fixture
def system(server: BenefitSystem) -> BenefitSystem:
    server.book = type(server.book)()
    return server


def test_a_coupon_is_asked_for_as_the_contract_says(system: BenefitSystem) -> None:
    system.book.expires_at = "2025-03-31T16:00:00Z"
    with asking(system) as provider:
        assert provider.issue(WANTED) == Coupon("EXT-0001", datetime(2025, 3, 31, 16, tzinfo=UTC), "https://c.example/g1")
    (call,) = system.book.calls
    assert (call["type"], call["id"]) == ("benefit.issue", "g1")
    assert call["data"] == {"grant": "g1", "benefit": "DY50", "user": {"id": "老陈"}, "value": 50.5, "valid_until": "2025-03-08T02:00:00Z"}


@pytest.mark.parametrize("lost", ["accept_then_cut", "accept_then_500"])
def test_an_answer_that_is_lost_is_unknown_and_the_same_grant_gets_the_same_coupon(system: BenefitSystem, lost: str) -> None:
    system.book.script = [lost]
    with asking(system) as provider:
        with pytest.raises(DeliveryError) as caught:
            provider.issue(WANTED)
        assert caught.value.kind == "unknown"
        assert provider.get("g1", NOW) == Coupon("EXT-0001")
        assert provider.issue(WANTED) == Coupon("EXT-0001", None, "https://c.example/g1")
    assert [what for what, _, _ in system.book.log] == ["issued"]


@pytest.mark.parametrize(
    ("word", "kind"),
    [("garbage", "unknown"), ("html_200", "unknown"), ("cut", "unknown"), ("throttle", "retry_after"), ("refuse", "permanent")],
)
def test_every_other_answer_proves_only_what_it_proves(system: BenefitSystem, word: str, kind: str) -> None:
    system.book.script = [word]
    with asking(system) as provider, pytest.raises(DeliveryError) as caught:
        provider.issue(WANTED)
    assert (caught.value.kind, "老陈" in str(caught.value)) == (kind, False)


def test_a_call_signed_with_another_secret_waits_for_an_operator(system: BenefitSystem) -> None:
    with asking(system, "B" * 44) as provider, pytest.raises(DeliveryError) as caught:
        provider.issue(WANTED)
    assert (caught.value.kind, caught.value.reason) == ("retry_after", "configuration")
    assert system.book.calls == []


@pytest.mark.parametrize(("said", "reason"), [*((word, word) for word in DECLINES), ("<script>", "declined")])
def test_a_provider_that_gives_nothing_says_why(system: BenefitSystem, said: str, reason: str) -> None:
    system.book.script, system.book.decline = ["decline"], said
    with asking(system) as provider:
        assert provider.issue(WANTED) == Declined(reason)


def test_what_was_taken_back_cannot_be_had_any_more_whether_it_was_given_or_not(system: BenefitSystem) -> None:
    with asking(system) as provider:
        provider.void("g1", NOW)
        provider.void("g1", NOW)
        assert provider.get("g1", NOW) is None
        assert provider.issue(WANTED) == Declined("ended")
    assert system.book.log == [("voided", "g1", "")]
