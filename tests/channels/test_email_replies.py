"""What a mail server's answers mean: every reply, every cut, and what is told of a refusal."""

import pytest

from sop_engine.channels.codes import smtp_meaning
from sop_engine.channels.email import Email
from sop_engine.channels.smtp import Relay
from tests.channels.mailing import MESSAGE, SENDER, outcome, refusal, sending
from tests.channels.smtp_server import CUT, SmtpServer


@pytest.mark.parametrize("verb", ["banner", "EHLO", "MAIL", "RCPT", "DATA"])
def test_a_cut_before_the_text_proves_that_nothing_was_accepted(verb: str) -> None:
    assert outcome({verb: CUT}) == ("retry_after", "not_accepted")


def test_a_cut_after_the_text_leaves_it_unknown() -> None:
    assert outcome({".": CUT}) == ("unknown", "no_answer")


@pytest.mark.parametrize("reply", ["nonsense", "199 what", "354 more"])
def test_a_reply_of_no_known_form_is_unclear_only_after_the_text(reply: str) -> None:
    assert outcome({".": reply}) == ("unknown", "no_answer")
    assert outcome({"RCPT": reply}) == ("retry_after", "not_accepted")


def test_no_server_is_a_repeat_and_at_the_third_time_a_matter_for_a_person() -> None:
    with SmtpServer() as server:
        port = server.port
    channel = Email(Relay("127.0.0.1", port, "none"), SENDER)
    reasons = []
    for _ in range(4):
        reasons.append(refusal(channel).reason)
    assert reasons == ["not_accepted", "not_accepted", "configuration", "configuration"]


@pytest.mark.parametrize("banner", ["421 busy", "554 go away"])
def test_a_banner_that_refuses_is_a_repeat(banner: str) -> None:
    assert outcome({"banner": banner}) == ("retry_after", "not_accepted")


TABLE = [
    ("", "421 closing", "retry_after", "not_accepted"),
    ("", "450 4.2.1 busy", "retry_after", "not_accepted"),
    ("", "451 greylisted", "retry_after", "not_accepted"),
    ("", "452 4.3.1 no space", "retry_after", "not_accepted"),
    ("", "452 4.2.2 over quota", "permanent", "recipient"),
    ("aliyun", "423 later", "retry_after", "not_accepted"),
    ("aliyun", "427 later", "retry_after", "not_accepted"),
    ("", "530 5.7.0 must issue STARTTLS", "retry_after", "configuration"),
    ("", "534 5.7.9 x", "retry_after", "configuration"),
    ("", "535 5.7.8 bad credentials", "retry_after", "configuration"),
    ("", "538 5.7.11 x", "retry_after", "configuration"),
    ("", "454 4.7.0 later", "retry_after", "configuration"),
    ("aliyun", "436 not the login", "retry_after", "configuration"),
    ("", "550 Connection frequency limited", "retry_after", "recipient_throttled"),
    ("", "550 Mailbox unavailable or access denied", "retry_after", "recipient_throttled"),
    ("", "552 daily quota exceeded", "retry_after", "throttled"),
    ("", "550 5.1.1 no such user", "user_unreachable", "bad_address"),
    ("", "551 5.1.6 moved", "user_unreachable", "bad_address"),
    ("", "553 5.1.2 no such host", "user_unreachable", "bad_address"),
    ("", "521 no mail here", "user_unreachable", "bad_address"),
    ("", "556 5.1.10 null mx", "user_unreachable", "bad_address"),
    ("aliyun", "559 invalid", "user_unreachable", "bad_address"),
    ("aliyun", "563 invalid", "user_unreachable", "bad_address"),
    ("", "559 invalid", "permanent", "content"),
    ("", "552 5.2.2 full", "permanent", "recipient"),
    ("", "550 5.7.1 blocked", "permanent", "content"),
    ("", "554 looks like SPAM", "permanent", "content"),
    ("", "554 against our policy", "permanent", "content"),
    ("aliyun", "561 honeypot", "permanent", "content"),
    ("", "552 5.3.4 too large", "permanent", "content"),
    ("", "554 5.3.4 too large", "permanent", "content"),
    ("aliyun", "556 too many", "permanent", "content"),
    ("aliyun", "557 too large", "permanent", "content"),
    ("", "500 what", "permanent", "content"),
    ("", "550 something else", "permanent", "content"),
]


@pytest.mark.parametrize(("provider", "reply", "kind", "reason"), TABLE)
def test_every_reply_has_its_class(provider: str, reply: str, kind: str, reason: str) -> None:
    code, _, text = reply.partition(" ")
    for handed_over in (False, True):
        meaning = smtp_meaning(provider, int(code), text, handed_over=handed_over)
        assert (meaning.kind, meaning.reason) == (kind, reason)


@pytest.mark.parametrize(
    ("verb", "reply", "expected"),
    [
        ("RCPT", "550 5.1.1 no such user", ("user_unreachable", "bad_address")),
        ("MAIL", "450 later", ("retry_after", "not_accepted")),
        ("DATA", "451 later", ("retry_after", "not_accepted")),
        (".", "554 5.7.1 spam", ("permanent", "content")),
        (".", "452 later", ("retry_after", "not_accepted")),
    ],
)
def test_a_reply_counts_at_whatever_word_it_comes(verb: str, reply: str, expected: tuple[str, str]) -> None:
    assert outcome({verb: reply}) == expected


def test_after_a_refusal_the_next_mail_goes_over_the_same_connection() -> None:
    with SmtpServer({"RCPT": "550 5.1.1 no"}) as server, sending(server) as channel:
        refusal(channel)
        server.script["RCPT"] = "251 forwarded"
        assert channel.send(MESSAGE).stage == "accepted"
        assert server.connections == 1


def test_a_refusal_tells_how_long_to_wait_and_no_address() -> None:
    with SmtpServer({"RCPT": "550 user@example.net frequency limited"}) as server, sending(server) as channel:
        error = refusal(channel)
    assert error.retry_after_s == 3600
    assert "user@example" not in str(error)
    assert "550" in error.detail
