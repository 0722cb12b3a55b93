"""Greetings in time, permissions that are counted, and relations that follow what is pushed: through the engine."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine

from sop_engine.actions.ingest import record_events
from sop_engine.actions.wechat_facts import apply_wechat
from sop_engine.channels.contract import Fact
from sop_engine.core.wecom import CAP_RULES, Relation, WecomPair, cap_window, choose_staff
from sop_engine.settings import Settings
from sop_engine.settings.accounts import WechatAccount
from sop_engine.store import permissions, relations
from tests.actions.wecom_shop import PLAIN, wecom_shop
from tests.fakes.oa import FakeOa
from tests.shop import Shop
from tests.shop_project import CATALOGUE, TEXTS, text

GREET = "playbook: hello\nintent: serve\nstart: {event: wecom_added}\ngoal: buys\nsteps:\n  hi: {at: now, send: greeting}\n"
NEWS = """
playbook: news
intent: serve
start: {event: visit}
goal: buys
again: always
steps:
  one: {after: 1h, send: [news, hello_mail]}
"""
WECHAT = CATALOGUE.replace("  desk:", "  mini: {via: mp_subscribe, to: openid}\n  desk:")
WECHAT = WECHAT.replace("  name: text\n", "  name: text\n  openid: text\n")
BODY = "provider_template: TPL1\nprovider_vars: {thing1: name}\nvariables"
MESSAGES = {
    **TEXTS,
    "news": text("news", "mini", purpose="service", variables="name: friend", body="{{ name }}").replace("variables", BODY, 1),
    "hello_mail": text("hello_mail", "mail", purpose="service"),
}


def test_a_new_customer_is_greeted_in_the_same_beat_with_the_code_of_the_event(memory: Engine) -> None:
    with wecom_shop(memory, GREET) as shop:
        shop.user("u1")
        shop.fake.codes["WC1"] = shop.now
        shop.event("u1", "wecom_added", staff="zhangsan", state="s", welcome_code="WC1")
        assert (shop.fake.greeted, shop.states("u1")) == (["WC1"], ["hi:sent"])


@pytest.mark.parametrize(("code", "late", "state"), [("WC1", 21, "hi:skipped:expired"), ("", 0, "hi:skipped:no_channel")])
def test_a_greeting_that_comes_too_late_or_has_no_code_is_not_tried(memory: Engine, code: str, late: int, state: str) -> None:
    with wecom_shop(memory, GREET) as shop:
        shop.user("u1")
        fields = {"staff": "zhangsan", "state": "s", "welcome_code": code}
        record_events(shop.app, [shop.record("u1", "wecom_added", shop.local(), fields)], shop.now)
        shop.now += timedelta(seconds=late)
        shop.beat()
        assert (shop.fake.greeted, shop.states("u1")) == ([], [state])


@contextmanager
def oa_shop(engine: Engine) -> Iterator[tuple[Shop, FakeOa]]:
    """A shop with a mini-program whose messages have to be permitted."""
    shop = Shop(engine, start="2025-03-01 10:00", texts=MESSAGES)
    with FakeOa(shop.now) as fake:
        shop.app.settings = Settings.model_construct(sending="live", webhook_loopback=True)
        told = {"via": "mp_subscribe", "appid": fake.id, "secret": SecretStr(fake.secret), "endpoint": fake.url}
        shop.app.settings._accounts["mini"] = WechatAccount.model_validate(told)
        shop.apply(NEWS, catalogue=WECHAT)
        try:
            yield shop, fake
        finally:
            shop.app.close()


def permit(shop: Shop, openid: str, event_key: str, **fields: str) -> None:
    with shop.app.work(shop.now) as work:
        assert apply_wechat(work, "mini", Fact(kind="credit", event_key=event_key, at=shop.now, to=openid, code="TPL1", fields=fields))


def left(shop: Shop, fake: FakeOa) -> int:
    with shop.app.transaction() as tx:
        return permissions.left(tx, fake.id, "o1", "TPL1")


def test_a_permission_is_used_up_by_one_message_and_then_the_next_channel_is_tried(memory: Engine) -> None:
    with oa_shop(memory) as (shop, fake):
        shop.user("u1", openid="o1", name="Ann", mail="a@example.com", mail_ok=True)
        permit(shop, "o1", "e1")
        fake.permitted["o1", "TPL1"] = 1
        shop.event("u1", "visit")
        shop.until("2025-03-01 11:00")
        assert [n["data"] for n in fake.notices] == [{"thing1": {"value": "Ann"}}]
        assert (left(shop, fake), shop.outbox("u1")) == (0, [])
        shop.event("u1", "visit")
        shop.until("2025-03-01 12:30")
        assert [m.channel for m in shop.outbox("u1")] == ["mail"]
        assert len(fake.bodies("subscribe/send")) == 1  # the second one was never tried


def test_a_permission_the_provider_does_not_know_is_forgotten_and_the_channel_is_not_refused_for_ever(memory: Engine) -> None:
    with oa_shop(memory) as (shop, fake):
        shop.user("u1", openid="o1", name="Ann", mail="a@example.com", mail_ok=True)
        permit(shop, "o1", "e1")
        permit(shop, "o1", "e2")
        shop.event("u1", "visit")
        shop.until("2025-03-01 11:01")
        assert (left(shop, fake), [m.channel for m in shop.outbox("u1")]) == (0, ["mail"])
        permit(shop, "o1", "e3")
        fake.permitted["o1", "TPL1"] = 1
        shop.event("u1", "visit")
        shop.until("2025-03-01 12:30")
        assert len(fake.notices) == 1


def test_a_refusal_in_the_dialogue_leaves_no_permission(memory: Engine) -> None:
    with oa_shop(memory) as (shop, fake):
        permit(shop, "o1", "e1")
        permit(shop, "o1", "e2")
        assert left(shop, fake) == 2
        permit(shop, "o1", "e3", left="0")
        assert left(shop, fake) == 0


def test_a_value_too_long_for_its_field_gives_way_to_the_next_template(memory: Engine) -> None:
    with oa_shop(memory) as (shop, fake):
        shop.user("u1", openid="o1", name="N" * 21, mail="a@example.com", mail_ok=True)
        permit(shop, "o1", "e1")
        shop.event("u1", "visit")
        shop.until("2025-03-01 11:00")
        assert (fake.bodies("subscribe/send"), [m.channel for m in shop.outbox("u1")]) == ([], ["mail"])


def test_a_text_beyond_what_wecom_takes_gives_way_to_the_next_template(memory: Engine) -> None:
    with wecom_shop(memory, PLAIN.replace("mass_wecom", "personal")) as shop:
        shop.add("u1", "zhangsan", mail="u1@example.com", name="字" * 1334)
        shop.event("u1", "visit")
        shop.until("2025-03-01 11:00")
        assert (shop.fake.tasks, [m.channel for m in shop.outbox("u1")]) == ({}, ["mail"])


def test_the_newest_word_about_a_pair_counts_in_whatever_order_it_comes(engine: Engine) -> None:
    shop, pair = Shop(engine), WecomPair("wm1", "zhangsan")
    later = shop.now + timedelta(minutes=1)
    with shop.app.transaction() as tx:
        relations.end(tx, "ww", pair, "left", later)
        relations.connect(tx, "ww", pair, shop.now)  # reported late
        assert relations.of_customer(tx, "ww", "wm1") == []
        relations.connect(tx, "ww", pair, later + timedelta(minutes=1))
        assert [r.staff for r in relations.of_customer(tx, "ww", "wm1")] == ["zhangsan"]
        relations.end(tx, "ww", pair, "left", later)
        assert [r.staff for r in relations.of_customer(tx, "ww", "wm1")] == ["zhangsan"]
        assert relations.of_customer(tx, "another", "wm1") == []


def test_the_account_says_which_of_several_colleagues_speaks() -> None:
    day = datetime(2025, 1, 1, tzinfo=UTC)
    three = [Relation("b", day), Relation("a", day - timedelta(days=1), owner=True), Relation("c", day - timedelta(days=2))]
    assert [choose_staff(three, policy) for policy in ("owner", "last_added", "first_added")] == ["a", "b", "c"]
    assert choose_staff([Relation("b", day), Relation("c", day - timedelta(days=2))], "owner") == "c"
    assert choose_staff([], "owner") is None


def test_a_cap_has_the_window_the_administrator_has_set() -> None:
    assert cap_window(CAP_RULES["month_days"], date(2024, 2, 10)) == (date(2024, 2, 1), date(2024, 3, 1), 29)
    assert cap_window(CAP_RULES["week_7"], date(2025, 3, 5)) == (date(2025, 3, 3), date(2025, 3, 10), 7)
    assert cap_window(CAP_RULES["day_1"], date(2025, 3, 5)) == (date(2025, 3, 5), date(2025, 3, 6), 1)
