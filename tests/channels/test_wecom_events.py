"""What WeCom pushes becomes facts once it is proven to be WeCom's; and new customers are greeted once, in time."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sop_engine.channels._wxcrypt import Cipher
from sop_engine.channels.contract import Message, Receipt, Reply, Request, call
from sop_engine.channels.wecom_customer import Corp, WecomCustomer
from sop_engine.channels.wecom_events import read_wecom
from sop_engine.channels.wecom_welcome import WecomWelcome
from sop_engine.core.errors import DeliveryError
from tests.fakes.wechat_server import Box
from tests.fakes.wecom import AES_KEY, TOKEN, FakeWecom, change, pushed

NOW = datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)
CIPHER = Cipher(TOKEN, AES_KEY, FakeWecom.id)


def read(text: str) -> Reply:
    return read_wecom(CIPHER, pushed(CIPHER, NOW, text))


def facts(text: str) -> list[tuple[str, ...]]:
    return [(f.kind, f.name, f.to, f.code, *(f"{k}={v}" for k, v in f.fields.items())) for f in read(text).facts]


def test_the_address_is_checked_with_exactly_the_decrypted_text() -> None:
    echo = CIPHER.encrypt(b"94966531020182955848408", b"0123456789abcdef")
    query = {"msg_signature": CIPHER.signature("1", "n", echo), "timestamp": "1", "nonce": "n", "echostr": echo}
    reply = read_wecom(CIPHER, Request(method="GET", now=NOW, query=query))
    assert (reply.status, reply.body) == (200, b"94966531020182955848408")
    assert read_wecom(CIPHER, Request(method="GET", now=NOW, query={**query, "nonce": "other"})).status == 401


def test_an_event_is_answered_with_nothing() -> None:
    reply = read(change("add_external_contact", "wm1", "zhangsan", NOW))
    assert (reply.status, reply.body) == (200, b"")


def test_a_new_customer_is_connected_and_an_event_with_the_welcome_code() -> None:
    for kind in ("add_external_contact", "add_half_external_contact"):
        assert facts(change(kind, "wm1", "zhangsan", NOW, State="s1", WelcomeCode="WC1")) == [
            ("connected", "", "wm1@zhangsan", ""),
            ("event", "wecom_added", "wm1", "", "staff=zhangsan", "state=s1", "welcome_code=WC1"),
        ]
    assert [f.at for f in read(change("add_external_contact", "wm1", "zhangsan", NOW - timedelta(seconds=9))).facts] == [
        NOW - timedelta(seconds=9)
    ] * 2


@pytest.mark.parametrize(
    ("kind", "more", "expected"),
    [
        ("del_follow_user", {}, ("disconnected", "", "wm1@zhangsan", "left")),
        ("del_external_contact", {}, ("disconnected", "", "wm1@zhangsan", "removed")),
        (
            "del_external_contact",
            {"Source": "DELETE_BY_TRANSFER"},
            ("disconnected", "", "wm1@zhangsan", "removed", "source=DELETE_BY_TRANSFER"),
        ),
        (
            "transfer_fail",
            {"FailReason": "customer_refused"},
            ("disconnected", "", "wm1@zhangsan", "transfer_fail", "reason=customer_refused"),
        ),
        (
            "edit_external_contact",
            {},
            ("event", "wecom_change_external_contact", "wm1", "", "change=edit_external_contact", "staff=zhangsan"),
        ),
    ],
)
def test_every_change_becomes_what_it_means(kind: str, more: dict[str, str], expected: tuple[str, ...]) -> None:
    assert facts(change(kind, "wm1", "zhangsan", NOW, **more)) == [expected]


def test_defect_20_two_customers_in_one_second_are_two_and_a_repeat_is_one() -> None:
    one = read(change("add_external_contact", "wm1", "zhangsan", NOW)).facts
    other = read(change("add_external_contact", "wm2", "zhangsan", NOW)).facts
    again = read_wecom(CIPHER, pushed(CIPHER, NOW, change("add_external_contact", "wm1", "zhangsan", NOW), times=("99", "another")))
    assert len({f.event_key for f in (*one, *other)}) == 4
    assert [f.event_key for f in again.facts] == [f.event_key for f in one]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda r: replace(r, query={**r.query, "msg_signature": "0" * 40}),
        lambda r: replace(r, query={}),
        lambda r: replace(r, body=b"<xml></xml>"),
        lambda r: replace(r, body=r.body.replace(b"<Encrypt>", b"<!DOCTYPE x><Encrypt>")),
        lambda r: replace(r, body=b""),
    ],
)
def test_what_is_not_wecoms_is_refused_bare(spoil: object) -> None:
    assert callable(spoil)
    reply = read_wecom(CIPHER, spoil(pushed(CIPHER, NOW, change("add_external_contact", "wm1", "zhangsan", NOW))))
    assert (reply.status, reply.body, list(reply.facts)) == (401, b"", [])


def test_an_event_of_another_corporation_is_refused() -> None:
    other = Cipher(TOKEN, AES_KEY, "ww-other")
    assert read_wecom(CIPHER, pushed(other, NOW, change("add_external_contact", "wm1", "zhangsan", NOW))).status == 401


def test_an_account_without_keys_takes_no_events() -> None:
    assert read_wecom(None, pushed(CIPHER, NOW, change("add_external_contact", "wm1", "zhangsan", NOW))).status == 404


@pytest.fixture(scope="module")
def greeting() -> Iterator[tuple[FakeWecom, WecomWelcome]]:
    with FakeWecom(NOW) as fake:
        channel = WecomWelcome(Corp(fake.id, fake.secret, fake.url, callback=CIPHER, loopback=True), Box())
        yield fake, channel
        channel.close()


def test_a_new_customer_is_greeted_once_with_the_code_of_the_event(greeting: tuple[FakeWecom, WecomWelcome]) -> None:
    fake, channel = greeting
    fake.codes["WC1"] = NOW
    message = Message(key="k1", now=NOW, to="WC1", text="欢迎")
    assert channel.send(message) == Receipt("", "accepted")
    assert channel.send(message) == Receipt("", "accepted")  # greeted already: that is what was wanted
    assert fake.greeted == ["WC1"]
    assert fake.bodies("send_welcome_msg")[0] == {"welcome_code": "WC1", "text": {"content": "欢迎"}}


@pytest.mark.parametrize(
    ("entry", "age", "expected"),
    [
        ("ok", 21, ("permanent", "content", None)),
        (41096, 0, ("retry_after", "not_accepted", 2)),
        ("accept_then_cut", 0, ("unknown", "no_answer", None)),
        (60020, 0, ("retry_after", "configuration", None)),
    ],
)
def test_a_greeting_that_fails_has_its_class(
    greeting: tuple[FakeWecom, WecomWelcome], entry: str | int, age: int, expected: tuple[str, str, int | None]
) -> None:
    fake, channel = greeting
    fake.codes[f"WC-{entry}"] = NOW - timedelta(seconds=age)
    fake.script = [entry]
    [error] = call(channel, [Message(key="k", now=NOW, to=f"WC-{entry}", text="欢迎")])
    assert isinstance(error, DeliveryError)
    assert (error.kind, error.reason, error.retry_after_s) == expected


def test_both_channels_of_a_corporation_take_its_events(greeting: tuple[FakeWecom, WecomWelcome]) -> None:
    fake, welcome = greeting
    request = pushed(CIPHER, NOW, change("del_follow_user", "wm1", "zhangsan", NOW))
    customer = WecomCustomer(Corp(fake.id, fake.secret, fake.url, callback=CIPHER, loopback=True), Box())
    assert customer.parse(request) == welcome.parse(request)
    customer.close()
