"""The link in a message: looking changes nothing, one POST stops it, the page can undo it, and nothing said is lost."""

import asyncio
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import Engine, text

from sop_engine.actions.unsubscribing import Link, Said, address_for, carry_out
from sop_engine.console import unsubscribe_routes
from sop_engine.console.form_body import fields_of
from sop_engine.console.page_words import WORDS, language
from sop_engine.core.consent import Standing
from sop_engine.settings import Settings
from sop_engine.store import consent
from sop_engine.store.engine import open_engine
from sop_engine.store.migrate import upgrade
from sop_engine.store.people import get_id
from tests.shop import Shop

FLOW = "playbook: a\nintent: cultivate\nstart: {event: cart}\ngoal: joins\nagain: always\nsteps:\n"
STEPS = "  x: {after: 1h, send: hello}\n  y: {after: 1h, send: receipt}\n  z: {after: 1h, send: hello_mail}\n"
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture(scope="module")
def made() -> Iterator[Engine]:
    """A database that the tests of this file share; each has a user of its own."""
    engine = open_engine("sqlite://")
    upgrade(engine)
    yield engine
    engine.dispose()


class Client:
    """Asks the pages without a network between, and follows no redirect."""

    def __init__(self, web: FastAPI) -> None:
        self.transport = httpx.ASGITransport(web)

    def request(self, method: str, url: str, **given: Any) -> httpx.Response:
        """One request."""

        async def once() -> httpx.Response:
            async with httpx.AsyncClient(transport=self.transport, base_url="https://go.example.com") as client:
                return await client.request(method, url, **given)

        return asyncio.run(once())

    def get(self, url: str) -> httpx.Response:
        """Look at a page."""
        return self.request("GET", url)

    def post(self, url: str, **given: Any) -> httpx.Response:
        """Send a form."""
        return self.request("POST", url, **given)


class Door:
    """A shop, its web pages, and a user with a link."""

    def __init__(self, engine: Engine, folder: Path, user: str) -> None:
        self.shop, self.user = Shop(engine, FLOW + STEPS, start="2025-03-01 10:00"), user
        waiting = str(folder / "waiting.jsonl")
        key = SecretStr("a key of the tests")
        self.shop.app.settings = Settings.model_construct(public_url="https://go.example.com", signing_key=key, unsubscribe_file=waiting)
        self.shop.user(user, mail=f"{user}@example.com", mail_ok=True)
        self.web = FastAPI()
        unsubscribe_routes.add_to(self.web, self.shop.app, lambda: self.shop.now)
        self.client = Client(self.web)
        self.url = self.link("sms")

    def link(self, channel: str, topic: str = "marketing", user_id: int | None = None) -> str:
        """The path of a link in a message to the user."""
        with self.shop.app.transaction() as tx:
            one = get_id(tx, self.user) if user_id is None else user_id
        return address_for(self.shop.app.settings, Link(one, channel, topic, 7)).removeprefix("https://go.example.com")

    def post(self, url: str = "", **fields: object) -> httpx.Response:
        """A form of the page is sent."""
        return self.client.post(url or self.url, data=fields)

    @property
    def refused(self) -> frozenset[str]:
        """What the user refuses now."""
        with self.shop.app.transaction() as tx:
            one = get_id(tx, self.user)
            return consent.standing_of(tx, [one]).get(one, Standing()).refused

    def lines(self) -> list[tuple[str, str, str, str, str]]:
        """The ledger of the user."""
        with self.shop.app.transaction() as tx:
            return [(n.channel, n.topic, n.state, n.source, n.evidence) for n in consent.ledger_of(tx, get_id(tx, self.user))]


@pytest.fixture
def door(made: Engine, tmp_path: Path, request: pytest.FixtureRequest) -> Door:
    return Door(made, tmp_path, re.sub(r"\W", "_", request.node.name)[:60])


def test_looking_at_the_page_changes_nothing_whoever_looks(door: Door) -> None:
    for method in ("GET", "HEAD"):
        for url in (door.url, f"{door.url}/preferences"):
            answer = door.client.request(method, url)
            assert (answer.status_code, "set-cookie" in answer.headers) == (200, False)
    assert door.lines() == []
    page = door.client.get(door.url).text
    assert (page.count("<form"), page.count("<button"), WORDS["zh"]["stop"] in page, "shop" in page) == (1, 1, True, True)


def test_nothing_on_the_page_comes_from_elsewhere_or_is_remembered(door: Door) -> None:
    answer = door.client.get(f"{door.url}/preferences")
    assert not re.search(r"(src|href)=\"(?!/u/)|url\(|@import|<script", answer.text)
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert (answer.headers["cache-control"], answer.headers["referrer-policy"]) == ("no-store", "no-referrer")


@pytest.mark.parametrize("how", ["urlencoded", "multipart"])
def test_a_mail_program_stops_it_with_one_post_without_cookie_login_or_redirect(how: str, door: Door) -> None:
    if how == "urlencoded":
        answer = door.client.post(door.url, data=ONE_CLICK, headers={"origin": "https://elsewhere.example"})
    else:
        answer = door.client.post(door.url, files={"List-Unsubscribe": (None, "One-Click")})
    assert (answer.status_code, answer.text, answer.headers["content-type"]) == (200, "已退订", "text/plain; charset=utf-8")
    assert "set-cookie" not in answer.headers
    assert door.lines() == [("sms", "marketing", "withdrawn", "one click", "touch 7")]
    assert door.client.post(door.url, data=ONE_CLICK).status_code == 200
    assert len(door.lines()) == 1


def test_the_next_message_of_that_channel_is_not_sent_and_service_and_other_channels_are(door: Door) -> None:
    door.post(**ONE_CLICK)
    door.shop.event(door.user, "cart")
    door.shop.until("2025-03-01 13:00")
    assert sorted(door.shop.states(door.user)) == ["x:skipped:opted_out", "y:sent", "z:sent"]


def test_the_page_stops_it_and_takes_it_back_for_ten_minutes_and_no_longer(door: Door) -> None:
    page = door.post(**{"from": "page"})
    assert (page.status_code, WORDS["zh"]["stopped_title"] in page.text, door.refused) == (200, True, {"sms/marketing"})
    undo = re.search(r'name="undo" value="([^"]+)"', page.text)
    assert undo
    door.shop.now += timedelta(minutes=10, seconds=1)
    late = door.post(undo=undo[1])
    assert (WORDS["zh"]["too_late"] in late.text, door.refused) == (True, {"sms/marketing"})
    door.shop.now -= timedelta(minutes=5)
    assert WORDS["zh"]["undone_title"] in door.post(undo=undo[1]).text
    assert door.refused == frozenset()
    assert [line[2:4] for line in door.lines()] == [("withdrawn", "page"), ("granted", "undo")]


def test_what_undoes_one_link_undoes_no_other(door: Door) -> None:
    undo = re.search(r'name="undo" value="([^"]+)"', door.post(**{"from": "page"}).text)
    assert undo
    other = door.link("mail")
    door.post(other, **{"from": "page"})
    door.post(other, undo=undo[1])
    assert door.refused == {"sms/marketing", "mail/marketing"}


def test_channels_and_topics_are_chosen_and_what_was_not_offered_stays(door: Door) -> None:
    url = f"{door.url}/preferences"
    offered = re.findall(r'name="offered" value="([^"]+)"', door.client.get(url).text)
    assert offered == ["sms", "mail", "push", "*/offer"]
    assert WORDS["zh"]["saved"] in door.post(url, offered=[*offered, "desk", "*/unheard"], want=["mail", "push"]).text
    assert door.refused == {"sms/marketing", "*/offer"}
    assert re.findall(r'value="([^"]+)" checked', door.client.get(url).text) == ["mail", "push"]
    door.post(url, offered=offered, want=offered)
    assert door.refused == frozenset()
    door.post(url, offered=["sms"], want=[])
    assert door.refused == {"sms/marketing"}


def test_who_refused_a_whole_channel_and_ticks_it_gets_it_again(door: Door) -> None:
    with door.shop.app.work(door.shop.now) as work:
        consent.add_opt_out(work.tx, get_id(work.tx, door.user), "sms", door.shop.now, "reply")
    assert WORDS["zh"]["already"] in door.client.get(door.url).text
    door.post(f"{door.url}/preferences", offered=["sms"], want=["sms"])
    assert door.refused == frozenset()


def forged(url: str) -> list[str]:
    """Links that are not ours."""
    kid, payload, signature = url.removeprefix("/u/").split(".")
    other = payload[:-1] + ("A" if payload[-1] != "A" else "B")
    return [
        f"{kid}.{other}.{signature}", f"{kid}.{payload}.{signature[:-2]}AA", f"zz.{payload}.{signature}", f"{kid}.{payload}", "x", "1",
        f"{kid}.{payload}.{signature}=",
    ]  # fmt: skip


def test_a_forged_link_is_404_in_one_shape_and_does_nothing(door: Door) -> None:
    answers = set()
    for token in forged(door.url):
        for answer in (
            door.client.get(f"/u/{token}"), door.post(f"/u/{token}", **ONE_CLICK),
            door.client.get(f"/u/{token}/preferences"), door.post(f"/u/{token}/preferences", offered="sms"),
        ):  # fmt: skip
            answers.add((answer.status_code, answer.text, tuple(sorted(answer.headers.items()))))
    assert [status for status, _, _ in answers] == [404]
    assert door.lines() == []


def test_a_link_of_somebody_who_is_no_user_any_more_answers_as_ever(door: Door) -> None:
    url = door.link("sms", user_id=999_999)
    assert [door.client.get(url).status_code, door.post(url, **ONE_CLICK).status_code, door.post(url, **{"from": "page"}).status_code] == [
        200
    ] * 3
    with door.shop.app.transaction() as tx:
        assert tx.execute(text("SELECT COUNT(*) FROM consents WHERE user_id = 999999")).scalar_one() == 0


def test_a_key_of_before_still_opens_and_one_that_was_thrown_away_does_not(door: Door) -> None:
    old, settings = door.url, door.shop.app.settings
    change = {"signing_key": SecretStr("another"), "old_signing_keys": SecretStr("a key of the tests")}
    door.shop.app.settings = settings.model_copy(update=change)
    assert (door.client.get(old).status_code, door.link("sms") != old) == (200, True)
    door.shop.app.settings = settings.model_copy(update={"signing_key": SecretStr("another")})
    assert door.client.get(old).status_code == 404


def test_while_the_database_takes_nothing_it_is_kept_and_applied_before_the_next_message(door: Door) -> None:
    door.shop.event(door.user, "cart")
    engine, door.shop.app.engine = door.shop.app.engine, open_engine("sqlite:////nowhere/at/all.db")
    try:
        assert door.client.get(door.url).status_code == 200
        asked = door.post(**ONE_CLICK)
        page = door.post(**{"from": "page"})
    finally:
        door.shop.app.engine = engine
    assert (asked.status_code, page.status_code, WORDS["zh"]["later"] in page.text) == (202, 202, True)
    assert door.lines() == []
    waiting = Path(door.shop.app.settings.unsubscribe_file)
    waiting.write_text(waiting.read_text("utf-8") + '{"user": 1, "cut', "utf-8")
    door.shop.until("2025-03-01 13:00")
    assert sorted(door.shop.states(door.user)) == ["x:skipped:opted_out", "y:sent", "z:sent"]
    assert (door.lines(), waiting.read_text("utf-8")) == ([("sms", "marketing", "withdrawn", "one click", "touch 7")], "")


def test_a_message_carries_a_signed_link_of_its_own_reader_channel_and_touch(door: Door) -> None:
    door.shop.event(door.user, "cart")
    door.shop.until("2025-03-01 13:00")
    touch = next(t for t in door.shop.touches(door.user) if t.step == "x")
    with door.shop.app.transaction() as tx:
        link = Link(get_id(tx, door.user), "sms", "marketing", touch.id)
    assert door.client.get(address_for(door.shop.app.settings, link).removeprefix("https://go.example.com")).status_code == 200


def test_who_refuses_everything_leaves_the_flows(door: Door) -> None:
    door.shop.event(door.user, "cart")
    with door.shop.app.transaction() as tx:
        link = Link(get_id(tx, door.user), "*", "marketing", 7)
    carry_out(door.shop.app, Said(link, "withdraw", door.shop.now), door.shop.now)
    assert door.shop.ends(door.user) == ["opted_out"]


@pytest.mark.parametrize(
    ("locale", "accepted", "shown"),
    [
        ("en-GB", "zh-CN", "en"),
        ("", "en-US,en;q=0.9", "en"),
        ("", "fr,zh;q=0.5", "zh"),
        ("fr", "", "zh"),
        ("zh-CN", "en", "zh"),
        ("", "", "zh"),
    ],
)
def test_the_page_speaks_the_language_of_its_reader(locale: str, accepted: str, shown: str) -> None:
    assert language(locale, accepted, "") == shown


def test_both_languages_have_every_word() -> None:
    assert WORDS["zh"].keys() == WORDS["en"].keys()


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--"),
        ("multipart/form-data", b"nothing"),
        ("multipart/form-data; boundary=\r\nEvil: 1", b"--x"),
        ("application/x-www-form-urlencoded", b"\xff\xfe"),
        ("application/x-www-form-urlencoded", b"&".join(b"a=%d" % n for n in range(500))),
        ("", b""),
    ],
)
def test_a_body_nobody_can_read_has_no_fields(content_type: str, body: bytes) -> None:
    assert fields_of(content_type, body) == {}
