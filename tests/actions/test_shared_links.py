"""Links that are passed on: when somebody else opens a user's link both get what was promised, and nobody does for an own one."""

from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine

from sop_engine.actions.sharing import settle_shares
from sop_engine.console import pages
from sop_engine.core.tokens import sign
from sop_engine.settings import Settings
from tests.asking import ask
from tests.shop import Shop
from tests.shop_project import BENEFIT, text

SETTINGS = Settings.model_construct(public_url="https://go.example.com", signing_key=SecretStr("k" * 32))
TEXTS = {
    "invite": text("invite", "push").replace("\n---\ninvite", "\nlinks: {拼单: 'https://shop.example.com/group#a'}\n---\n{{ link.拼单 }}"),
    "packet": text("packet", "push", variables="benefit.code: required", body="{{ benefit.code }}"),
}
BOOKS = f"""
playbook: together
intent: serve
start: {{event: visit}}
goal: buys
no_benefit: it comes when the link is opened
steps:
  invite: {{at: now, send: invite}}
---
playbook: packets
intent: serve
start: {{event: link_shared, where: playbook = "together"}}
goal: buys
again: always
steps:
  give: {{at: now, send: packet, give: packet}}
---
benefits:
  packet: {{{BENEFIT.replace("1 per 365d", "9 per 365d")}, pool: packets}}
"""


@pytest.fixture
def shop(memory: Engine) -> Shop:
    """User `a` was sent an invitation at 12:00."""
    shop = Shop(memory, texts=TEXTS, project={"links": "{share_as: sop_link}"})
    shop.app.settings = SETTINGS
    shop.apply(BOOKS)
    for user in ("a", "b", "c"):
        shop.user(user)
    shop.event("a", "visit", at="2025-03-01 12:00")
    return shop


def token(shop: Shop) -> str:
    """What the page that is opened gets."""
    link = shop.texts_sent("a")[0].strip()
    answer = ask(pages.build(shop.app, lambda: shop.now), link.removeprefix("https://go.example.com"))
    target = urlsplit(answer.headers["location"])
    assert (target.path, target.fragment) == ("/group", "a")
    return parse_qs(target.query)["sop_link"][0]


def packets(shop: Shop) -> dict[str, int]:
    """How many each user has."""
    return {user: len(shop.grants(user)) for user in ("a", "b", "c")}


def test_s2_48_opened_by_another_both_get_a_red_packet_each_and_again_nothing_more(shop: Shop) -> None:
    code = token(shop)
    shop.event("b", "link_opened", at="2025-03-01 12:05", code=code)
    shop.event("b", "link_opened", at="2025-03-01 12:06", code=code)
    shop.until("2025-03-01 13:00")
    assert packets(shop) == {"a": 1, "b": 1, "c": 0}
    shop.event("c", "link_opened", at="2025-03-01 13:05", code=code)
    assert packets(shop) == {"a": 2, "b": 1, "c": 1}


def test_s2_48_opened_by_oneself_nobody_gets_anything(shop: Shop) -> None:
    shop.event("a", "link_opened", at="2025-03-01 12:05", code=token(shop))
    shop.until("2025-03-01 13:00")
    assert packets(shop) == {"a": 0, "b": 0, "c": 0}
    assert settle_shares(shop.app, shop.now) == 0


@pytest.mark.parametrize("forged", ["", "x", "k1.MTAwNy4w.b8D70AlU3S7sUlR0"])
def test_a_token_nobody_signed_brings_nothing(shop: Shop, forged: str) -> None:
    shop.event("b", "link_opened", at="2025-03-01 12:05", code=forged)
    keys = SETTINGS.signing_keys
    shop.event("b", "link_opened", code=sign(keys, next(iter(keys)), "unsub", "1.0", 12))
    shop.until("2025-03-01 13:00")
    assert packets(shop) == {"a": 0, "b": 0, "c": 0}
