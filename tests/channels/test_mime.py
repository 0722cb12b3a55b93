"""Holds the bytes of a mail to the standard library's reading of them and to the rules for unsubscribing."""

import email
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import default

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sop_engine.channels.contract import Message
from sop_engine.channels.mime import compose
from sop_engine.core.errors import DeliveryError

NOW = datetime(2025, 3, 1, 2, 0, tzinfo=UTC)
SENDER = "某品牌会员中心 <mail@example.com>"
UNSUBSCRIBE = "https://go.example.com/u/k1.NDIuZW1haWwubWFya2V0aW5nLjEwMDc.3WhgYOAUSxVbcraI206thA" + "x" * 120
MESSAGE = Message(
    key="a1b2c3d4e5f60718aa",
    now=NOW,
    to="user@example.net",
    subject="张三,今天是会员日 🎁 " * 5,
    text="你好\n.一行以点开头\n" + "很长" * 900,
    html="<p>你好</p>\r\n<p>a &amp; b</p>",
    step="通知",
    playbook="会员日",
    unsubscribe_url=UNSUBSCRIBE,
)


def written(message: Message) -> bytes:
    return compose(message, sender=SENDER, to=message.to, project="某品牌私域", unsubscribe="unsubscribe@mail.example.com")


def of_the_library(message: Message) -> EmailMessage:
    """The same mail, built by the standard library."""
    mail = EmailMessage(policy=default.clone(max_line_length=900))
    mail["From"] = SENDER
    mail["To"] = message.to
    mail["Subject"] = message.subject
    mail["Date"] = message.now
    mail["Message-ID"] = f"<{message.key}@example.com>"
    mail["X-SOP-Key"] = message.key
    mail["Precedence"] = "bulk"
    mail.set_content(plain_ends(message.text), cte="base64")
    if message.html:
        mail.add_alternative(plain_ends(message.html), subtype="html", cte="base64")
    return mail


def plain_ends(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def parts(mail: EmailMessage) -> list[tuple[str, str, str]]:
    """Type, character set and text of each part; the library adds a line end that we leave to the text."""
    leaves = [part for part in mail.walk() if not part.is_multipart()]
    return [(p.get_content_type(), str(p.get_content_charset()), plain_ends(p.get_content()).rstrip("\n")) for p in leaves]


def parsed(data: bytes) -> EmailMessage:
    return email.message_from_bytes(data, policy=default)


@pytest.mark.parametrize(
    "change",
    [{}, {"html": ""}, {"subject": "plain"}, {"subject": "=?utf-8?b?trick?="}, {"subject": " 两边有空格 "}, {"text": "a\rb\r\nc\n"}],
)
def test_the_mail_reads_like_the_one_the_library_writes(change: dict[str, str]) -> None:
    message = replace(MESSAGE, **change)
    ours, library = parsed(written(message)), of_the_library(message)
    for header in ("From", "To", "Date", "Message-ID", "X-SOP-Key", "Precedence", "MIME-Version"):
        assert ours[header] == library[header], header
    assert ours["Subject"] == message.subject  # the library would decode what only looks like an encoded word
    assert ours.defects == []
    assert ours.get_content_type() == library.get_content_type()
    assert parts(ours) == parts(library)


def test_a_long_unsubscribe_address_stands_on_one_line_as_it_is() -> None:
    lines = written(MESSAGE).split(b"\r\n")
    token = UNSUBSCRIBE.rpartition("/")[2]
    assert f"List-Unsubscribe: <{UNSUBSCRIBE}>, <mailto:unsubscribe@mail.example.com?subject={token}>".encode() in lines
    assert b"List-Unsubscribe-Post: List-Unsubscribe=One-Click" in lines


def test_every_line_ends_with_crlf_and_is_short_enough() -> None:
    data = written(MESSAGE)
    assert b"\n" not in data.replace(b"\r\n", b"")
    assert b"\r" not in data.replace(b"\r\n", b"")
    assert max(map(len, data.split(b"\r\n"))) <= 998
    words = [line for line in data.split(b"\r\n") if b"=?utf-8" in line]
    assert words and max(map(len, words)) <= 78


def test_the_same_message_is_the_same_bytes() -> None:
    assert written(MESSAGE) == written(replace(MESSAGE))


def test_only_marketing_is_bulk_and_can_be_unsubscribed() -> None:
    service = parsed(written(replace(MESSAGE, purpose="service", unsubscribe_url="")))
    assert service["Auto-Submitted"] == "auto-generated"
    assert service["List-Unsubscribe"] is None and service["Precedence"] is None
    assert parsed(written(MESSAGE))["Auto-Submitted"] is None


@pytest.mark.parametrize("url", ["", "http://go.example.com/u/x", "https://a b", "https://a>b", "https://a\r\nBcc: x@example.com"])
def test_marketing_without_an_https_way_out_waits_for_somebody(url: str) -> None:
    with pytest.raises(DeliveryError) as caught:
        written(replace(MESSAGE, unsubscribe_url=url))
    assert (caught.value.kind, caught.value.reason) == ("retry_after", "configuration")


@pytest.mark.parametrize("key", ["", "a b", "a>", "张", "a\r\nBcc: x@example.com", "x" * 129])
def test_a_key_that_cannot_stand_in_a_header_is_refused(key: str) -> None:
    with pytest.raises(DeliveryError):
        written(replace(MESSAGE, key=key))


@pytest.mark.parametrize("character", ["\r", "\n", "\x00", "\x0b", "\x1f", "\x7f", "\x85", "\u2028", "\u2029"])
def test_a_control_character_in_the_subject_is_refused(character: str) -> None:
    with pytest.raises(DeliveryError) as caught:
        written(replace(MESSAGE, subject=f"你好{character}Bcc: thief@example.com"))
    assert (caught.value.kind, caught.value.reason) == ("permanent", "content")


@given(subject=st.text(max_size=80), text=st.text(max_size=200), name=st.text(max_size=20))
def test_no_text_adds_a_header(subject: str, text: str, name: str) -> None:
    message = replace(MESSAGE, subject=subject, text=text, step=name.encode("utf-8", "ignore").decode())
    try:
        mail = parsed(written(message))
    except DeliveryError:
        return
    assert sorted(mail.keys()) == sorted(parsed(written(MESSAGE)).keys())
    assert [p.get_content_type() for p in mail.walk()] == ["multipart/alternative", "text/plain", "text/html"]


def test_a_lone_surrogate_becomes_a_question_mark() -> None:
    mail = parsed(written(replace(MESSAGE, subject="好\ud83d", text="好\ud83d", html="")))
    assert mail["Subject"] == "好?"
    assert mail.get_content().strip() == "好?"
