"""Tracked links from the text to the event: where they lead, what a machine's visit is worth, and what nobody can make them do (F68)."""

from collections.abc import Callable
from datetime import timedelta

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import Engine
from sqlalchemy import text as sql

from sop_engine.actions import clicking
from sop_engine.actions.clicking import forget_links, settle_clicks
from sop_engine.console import pages
from sop_engine.core.tokens import sign
from sop_engine.settings import Settings
from sop_engine.store import links
from tests.asking import ask
from tests.shop import Shop
from tests.shop_project import CATALOGUE, text

pytestmark = pytest.mark.slow

KEY = "k" * 32
SETTINGS = Settings.model_construct(public_url="https://go.example.com", signing_key=SecretStr(KEY))
PERSON = {"user-agent": "Mozilla/5.0 (iPhone) MicroMessenger/8.0"}
LINKS = "{hosts: [shop.example.com], utm_hosts: [shop.example.com], fallback: 'https://shop.example.com/'}"
TWO = "\nlinks: {券: 'https://shop.example.com/券?a=1#top', 店: https://shop.example.com/b}\n---\n{{ link.券 }} {{ link.店 }}\n"
FLOW = """
playbook: back
intent: serve
goal: buys
start: {event: visit}
exit: {opened: step.offer.clicked}
steps:
  offer: {at: now, send: two_links}
  late: {at: day 3 10:00, send: again}
---
playbook: thanks
intent: serve
goal: buys
start: {event: clicked}
steps: {say: {at: now, send: receipt}}
"""


HOOK = """
benefits:
  hook: {pool: H, worth: 5, valid: 7d, limit: 9 per 1d, budget: 1000 per 30d}
---
playbook: hooked
intent: serve
goal: buys
start: {event: clicked}
steps: {give: {at: now, give: hook, send: coupon}}
"""


def template(name: str, channel: str = "push", *, purpose: str = "marketing", after: str = TWO) -> str:
    """A template with two links."""
    return text(name, channel, purpose=purpose).replace(f"\n---\n{name}\n", after)


def shop_of(
    engine: Engine, *, rules: str = LINKS, channel: str = "push", purpose: str = "marketing", settings: Settings = SETTINGS
) -> Shop:
    """A user `u` who was sent two links at 12:00."""
    texts = {"two_links": template("two_links", channel, purpose=purpose)}
    shop = Shop(engine, project={"links": rules} if rules else {}, texts=texts, start="2025-03-01 09:00")
    shop.app.settings = settings
    shop.apply(FLOW, catalogue=CATALOGUE.replace("sms: {via: outbox", "sms: {via: aliyun_sms"))
    shop.user("u", adviser="a")
    shop.event("u", "visit", at="2025-03-01 12:00")
    return shop


@pytest.fixture
def shop(memory: Engine) -> Shop:
    return shop_of(memory)


def written(shop: Shop) -> list[str]:
    """The links in the text that was sent."""
    return shop.texts_sent("u")[0].split()


def visit(shop: Shop, link: str, local: str, *, method: str = "GET", headers: dict[str, str] | None = None) -> httpx.Response:
    """Somebody follows a link at a local time."""
    shop.now = shop.at(local)
    path = link.removeprefix("https://go.example.com")
    return ask(pages.build(shop.app, lambda: shop.now), path, method=method, headers=PERSON if headers is None else headers)


def clicks(shop: Shop) -> list[tuple[int, str, str]]:
    """(number, state, why) of what was followed."""
    touches = [t.id for t in shop.touches("u")]
    with shop.app.transaction() as tx:
        return [(n, state, why) for _, n, state, why, _ in links.list_clicks(tx, touches)]


def test_a_link_in_the_outbox_works_and_leads_to_the_marked_address_that_was_stored(shop: Shop) -> None:
    first, second = written(shop)
    assert first.startswith("https://go.example.com/c/")
    answer = visit(shop, first, "2025-03-01 12:01")
    assert answer.status_code == 302
    marks = "utm_source=outbox&utm_medium=crm&utm_campaign=back&utm_content=offer"
    assert answer.headers["location"] == f"https://shop.example.com/%E5%88%B8?a=1&{marks}#top"
    assert answer.headers["cache-control"] == "no-store"
    assert visit(shop, second, "2025-03-01 12:02").headers["location"] == f"https://shop.example.com/b?{marks}"


def test_a_click_becomes_the_event_and_the_receipt_once_and_ends_and_starts_what_waits_for_it(shop: Shop) -> None:
    first, _ = written(shop)
    visit(shop, first, "2025-03-01 12:01")
    visit(shop, first, "2025-03-01 12:02")
    assert clicks(shop) == [(0, "pending", "")]
    shop.until("2025-03-01 12:03")
    visit(shop, first, "2025-03-01 12:04")
    shop.until("2025-03-01 12:05")
    assert clicks(shop) == [(0, "genuine", "")]
    touch = shop.touches("u")[0].id
    with shop.app.transaction() as tx:
        [event] = tx.execute(sql("SELECT * FROM events WHERE kind = 'clicked'")).mappings().all()
    assert (event["actor"], event["source"], event["message_id"]) == ("user", "sop", f"click:{touch}.0")
    assert '"link"' in event["fields"] and '"back"' in event["fields"] and '"offer"' in event["fields"]
    assert shop.ends("u")[0] == "opened"
    assert [s.partition("@")[0] for s in shop.sent("u")] == ["offer", "say"]


def test_s1_52_a_click_brings_a_coupon_and_a_second_click_the_same_one(memory: Engine) -> None:
    shop = shop_of(memory)
    shop.apply(f"{HOOK}---{FLOW.replace('thanks', 'other')}", catalogue=CATALOGUE)
    shop.user("v")
    shop.event("v", "visit", at="2025-03-01 12:00")
    for local in ("12:01", "12:30", "15:00"):
        visit(shop, shop.texts_sent("v")[0].split()[0], f"2025-03-01 {local}")
        shop.until(f"2025-03-01 {local[:-1]}9")
    [coupon] = shop.grants("v")
    assert (coupon.benefit, coupon.state) == ("hook", "issued")
    assert [text for text in shop.texts_sent("v") if coupon.code in text] == [shop.texts_sent("v")[-1]]


@pytest.mark.parametrize(
    ("method", "headers", "local", "why"),
    [
        ("HEAD", PERSON, "2025-03-01 12:05", "head"),
        ("GET", {**PERSON, "Sec-Purpose": "prefetch"}, "2025-03-01 12:05", "prefetch"),
        ("GET", {"user-agent": "Mimecast URL protect"}, "2025-03-01 12:05", "scanner"),
        ("GET", PERSON, "2025-03-01 12:00:09", "too_soon"),
    ],
)
def test_f68_a_visit_of_a_machine_is_kept_with_its_reason_and_counts_nowhere(
    shop: Shop, method: str, headers: dict[str, str], local: str, why: str
) -> None:
    first, _ = written(shop)
    assert visit(shop, first, local, method=method, headers=headers).status_code == 302
    shop.until("2025-03-01 13:00")
    assert clicks(shop) == [(0, "suspect", why)]
    assert shop.ends("u") == [None]
    visit(shop, first, "2025-03-01 13:30")
    shop.until("2025-03-01 14:00")
    assert clicks(shop) == [(0, "genuine", "")]  # the person comes later


def test_f68_a_scanner_that_opens_every_link_of_a_mail_is_no_click_of_anybody(shop: Shop) -> None:
    for link, local in zip(written(shop), ("2025-03-01 12:05:00", "2025-03-01 12:05:04"), strict=True):
        visit(shop, link, local)
    shop.until("2025-03-01 13:00")
    assert clicks(shop) == [(0, "suspect", "all_at_once"), (1, "suspect", "all_at_once")]
    assert shop.ends("u") == [None]


def test_a_person_who_opens_both_links_one_after_the_other_is_believed(shop: Shop) -> None:
    for link, local in zip(written(shop), ("2025-03-01 12:05:00", "2025-03-01 12:05:06"), strict=True):
        visit(shop, link, local)
    shop.until("2025-03-01 13:00")
    assert clicks(shop) == [(0, "genuine", ""), (1, "genuine", "")]


def forged(shop: Shop) -> list[str]:
    """Tokens that nobody of us signed for this."""
    touch = shop.touches("u")[0].id
    keys = SETTINGS.signing_keys
    kid = next(iter(keys))
    good = sign(keys, kid, "click", f"{touch}.0", 12)
    return [
        good[:-1] + ("A" if good[-1] != "A" else "B"),
        sign({kid: b"other"}, kid, "click", f"{touch}.0", 12),
        sign(keys, kid, "unsub", f"{touch}.0", 12),
        good.replace(kid, "k9", 1),
        "evil.example",
        "x" * 5000,
    ]


def test_a_forged_token_is_404_and_leads_nowhere(shop: Shop) -> None:
    answers = [visit(shop, f"/c/{token}?url=https://evil.example", "2025-03-01 12:05") for token in forged(shop)]
    assert [(a.status_code, a.headers.get("location"), a.content) for a in answers] == [(404, None, b"")] * 6
    assert clicks(shop) == []


@pytest.mark.parametrize("more", ["?url=https://evil.example", "?next=//evil.example", "#@evil.example"])
def test_whatever_is_added_to_a_link_the_target_is_the_stored_one(shop: Shop, more: str) -> None:
    _, second = written(shop)
    assert visit(shop, second + more, "2025-03-01 12:05").headers["location"].startswith("https://shop.example.com/b?utm_")


@pytest.mark.parametrize(("rules", "answer"), [(LINKS, (302, "https://shop.example.com/")), ("{tracked: true}", (410, None))])
def test_a_signed_link_of_a_message_nobody_knows_leads_to_the_fallback_or_is_gone(
    memory: Engine, rules: str, answer: tuple[int, str | None]
) -> None:
    shop = shop_of(memory, rules=rules)
    keys = SETTINGS.signing_keys
    got = visit(shop, f"/c/{sign(keys, next(iter(keys)), 'click', '999999.0', 12)}", "2025-03-01 12:05")
    assert (got.status_code, got.headers.get("location")) == answer


def test_links_work_for_as_long_as_the_project_says_and_are_forgotten_then(memory: Engine) -> None:
    shop = shop_of(memory, rules="{keep: 60d}")
    first, _ = written(shop)
    assert visit(shop, first, "2025-04-30 12:00").status_code == 302
    assert visit(shop, first, "2025-04-30 12:01").status_code == 410
    settle_clicks(shop.app, shop.now)
    forget_links(shop.app, shop.now)
    assert clicks(shop) == []
    assert visit(shop, first, "2025-04-30 12:02").status_code == 410


def test_who_follows_a_link_gets_there_although_nothing_can_be_written(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> None:
        raise RuntimeError("read-only")

    monkeypatch.setattr(clicking.links, "note_visit", failing)
    assert visit(shop, written(shop)[0], "2025-03-01 12:05").status_code == 302
    assert clicks(shop) == []


def test_a_crash_between_the_event_and_the_judgement_counts_the_click_once(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    visit(shop, written(shop)[0], "2025-03-01 12:05")
    with monkeypatch.context() as patched:
        patched.setattr(clicking.links, "judge", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            settle_clicks(shop.app, shop.now + timedelta(seconds=6))
    assert settle_clicks(shop.app, shop.now + timedelta(seconds=7)) == 1
    with shop.app.transaction() as tx:
        assert tx.execute(sql("SELECT count(*) FROM events WHERE kind = 'clicked'")).scalar() == 1


def plain(memory: Engine, change: Callable[[Engine], Shop]) -> str:
    return change(memory).texts_sent("u")[0].strip()


MARKED = "https://shop.example.com/券?a=1&utm_source={0}&utm_medium=crm&utm_campaign=back&utm_content=offer#top"


@pytest.mark.parametrize(
    ("change", "first"),
    [
        (lambda e: shop_of(e, settings=Settings.model_construct(public_url="https://go.example.com")), MARKED.format("outbox")),
        (lambda e: shop_of(e, settings=Settings.model_construct(signing_key=SecretStr(KEY))), MARKED.format("outbox")),
        (lambda e: shop_of(e, rules=LINKS.replace("{", "{tracked: false, ", 1)), MARKED.format("outbox")),
        (lambda e: shop_of(e, channel="sms"), MARKED.format("sms")),
        (lambda e: shop_of(e, rules=""), "https://shop.example.com/券?a=1#top"),
        (lambda e: shop_of(e, channel="desk", purpose="internal"), "https://shop.example.com/券?a=1#top"),
    ],
    ids=["no key", "no public address", "switched off", "a channel without personal links", "nothing said", "to a colleague"],
)
def test_links_are_followed_through_us_only_where_everything_needed_is_there(
    memory: Engine, change: Callable[[Engine], Shop], first: str
) -> None:
    assert plain(memory, change).split()[0] == first
