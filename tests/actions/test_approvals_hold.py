"""A text its provider has not approved waits, as it does when the provider refuses it, and goes once the project says it is approved."""

import pytest
from sqlalchemy import Engine

from sop_engine.actions.apply import apply
from sop_engine.app import Rehearsal
from tests.shop import Shop
from tests.shop_project import TEXTS

FILE = "templates/approved.yml"
BOOK = """
playbook: greet
intent: serve
start: {event: register}
goal: buys
steps:
  hi: {at: now, late: 2h, send: %s}
"""


def with_id(name: str, provider_template: str) -> str:
    """A text of the shop that its provider has to approve."""
    return TEXTS[name].replace("purpose:", f"provider_template: {provider_template}\npurpose:")


def shop_of(engine: Engine, told: str, send: str = "hello") -> Shop:
    """A shop that greets with texts to be approved; `told` is what is said of them."""
    shop = Shop(engine, texts={"hello": with_id("hello", "T1"), "again": with_id("again", "T2")})
    tell(shop, told, send)
    shop.user("a")
    return shop


def tell(shop: Shop, told: str, send: str = "hello") -> None:
    """The project is applied with this file."""
    files = shop.files(BOOK % send) | ({FILE: told} if told else {})
    apply(shop.app, files, shop.app.load(files), shop.now)


@pytest.mark.parametrize("told", ["", "sms: {T1: {state: approved}}", "sms: {T2: {state: rejected}}", "mail: {T1: {state: rejected}}"])
def test_a_text_that_is_approved_or_of_which_nothing_is_said_goes_at_once(memory: Engine, told: str) -> None:
    shop = shop_of(memory, told)
    shop.event("a", "register", at="2025-03-01 10:00")
    assert shop.sent("a") == ["hi@03-01 10:00"]


@pytest.mark.parametrize("state", ["pending", "rejected", "withdrawn"])
def test_a_text_in_any_other_state_waits_and_goes_once_the_applied_project_says_approved(memory: Engine, state: str) -> None:
    shop = shop_of(memory, f"sms: {{T1: {{state: {state}}}}}")
    shop.event("a", "register", at="2025-03-01 10:00")
    shop.until("2025-03-01 10:45")
    assert shop.states("a") == ["hi:planned:template"]
    tell(shop, "sms: {T1: {state: approved}}")
    shop.until("2025-03-01 11:01")
    assert shop.sent("a") == ["hi@03-01 11:00"]


def test_a_text_that_waits_takes_nothing_from_the_others_of_its_channel(memory: Engine) -> None:
    shop = shop_of(memory, "sms: {T1: {state: pending}}", "{Shanghai: hello, Beijing: again}, by: city")
    shop.user("b", city="Beijing")
    shop.set("a", city="Shanghai")
    for user in ("a", "b"):
        shop.event(user, "register", at="2025-03-01 10:00")
    assert (shop.states("a"), shop.sent("b")) == (["hi:planned:template"], ["hi@03-01 10:00"])


def test_a_text_that_is_never_approved_is_given_up_when_it_is_too_late(memory: Engine) -> None:
    shop = shop_of(memory, "sms: {T1: {state: pending}}")
    shop.event("a", "register", at="2025-03-01 10:00")
    shop.until("2025-03-01 12:01")
    assert shop.skipped("a") == ["hi:late"]


def test_a_story_tells_what_is_meant_whatever_the_provider_says_by_now(memory: Engine) -> None:
    shop = shop_of(memory, "sms: {T1: {state: pending}}")
    shop.app.rehearsal = Rehearsal()
    shop.event("a", "register", at="2025-03-01 10:00")
    assert shop.sent("a") == ["hi@03-01 10:00"]
