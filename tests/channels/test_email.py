"""Holds e-mail against real servers on the loopback address: one envelope, shared connections, encryption, safe settings."""

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from aiosmtpd.controller import Controller

from sop_engine.channels.email import Email
from sop_engine.channels.smtp import Relay
from sop_engine.core.errors import Refused
from tests.channels.mailing import MESSAGE, NOW, SENDER, refusal, sending
from tests.channels.smtp_server import CERTIFICATE, CUT, SmtpServer


class Kept:
    """An aiosmtpd handler that keeps what it gets."""

    def __init__(self) -> None:
        self.mails: list[tuple[str, list[str], bytes]] = []

    async def handle_DATA(self, server: object, session: object, envelope: object) -> str:
        self.mails.append((envelope.mail_from, envelope.rcpt_tos, envelope.content))
        return "250 queued as 7"


class Listening(Controller):
    """An aiosmtpd server on a port that the system chose."""

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


def test_a_real_server_gets_one_mail_with_its_envelope() -> None:
    handler = Kept()
    controller = Listening(handler, hostname="127.0.0.1", port=0)
    controller.start()
    try:
        channel = Email(Relay("127.0.0.1", controller.port, "none"), SENDER)
        receipt = channel.send(replace(MESSAGE, return_path="bounce+7@example.com"))
        channel.close()
    finally:
        controller.stop()
    assert (receipt.stage, receipt.provider_id) == ("accepted", "queued as 7")
    [(sender, to, content)] = handler.mails
    assert (sender, to) == ("bounce+7@example.com", ["user@example.net"])
    assert b"Message-ID: <key-1@example.com>" in content


def test_a_line_that_begins_with_a_dot_arrives_as_it_was() -> None:
    with SmtpServer() as server, sending(server) as channel:
        channel.send(MESSAGE)
        channel.send(replace(MESSAGE, key="key-2"))
    first, second = server.mails
    assert first.replace(b"key-1", b"key-2") == second
    assert server.envelopes == [("mail@example.com", "user@example.net")] * 2
    assert not [line for line in first.split(b"\r\n") if line.startswith(b".")]


def test_mails_share_a_connection_for_a_minute() -> None:
    with SmtpServer() as server, sending(server) as channel:
        for seconds in (0, 30, 59):
            channel.send(replace(MESSAGE, now=NOW + timedelta(seconds=seconds)))
        assert server.connections == 1
        assert server.words.count("RSET") == 2
        channel.send(replace(MESSAGE, now=NOW + timedelta(seconds=60)))
        assert server.connections == 2


def test_a_connection_carries_at_most_a_hundred_mails() -> None:
    with SmtpServer() as server, sending(server) as channel:
        for _ in range(101):
            channel.send(MESSAGE)
        assert server.connections == 2
    assert len(server.mails) == 101


def test_a_connection_that_died_meanwhile_is_opened_again() -> None:
    with SmtpServer({"RSET": CUT}) as server, sending(server) as channel:
        channel.send(MESSAGE)
        channel.send(replace(MESSAGE, now=NOW + timedelta(seconds=5)))
    assert (server.connections, len(server.mails)) == (2, 2)


def test_a_relay_that_hangs_up_after_every_mail_gets_each_mail_once_on_a_connection_of_its_own() -> None:
    with SmtpServer(each=1) as server, sending(server) as channel:
        for _ in range(3):
            channel.send(MESSAGE)
    assert (server.connections, len(server.mails)) == (3, 3)


def test_each_thread_has_its_own_connection_and_close_ends_them_all() -> None:
    handler = Kept()
    controller = Listening(handler, hostname="127.0.0.1", port=0)
    controller.start()
    try:
        channel = Email(Relay("127.0.0.1", controller.port, "none"), SENDER)
        threads = [threading.Thread(target=channel.send, args=(replace(MESSAGE, key=f"k{n}"),)) for n in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(channel._open) == 3
        channel.close()
    finally:
        controller.stop()
    assert len(handler.mails) == 3


def test_a_quit_that_fails_changes_nothing() -> None:
    with SmtpServer({"QUIT": CUT}) as server, sending(server) as channel:
        assert channel.send(MESSAGE).provider_id == "taken as 42"


@pytest.mark.parametrize("to", ["", "nobody", "a@b", "a@example.com,b@example.com", "a@example.com\r\nRCPT TO:<b@example.com>", "张@例子"])
def test_what_is_no_address_never_reaches_the_server(to: str) -> None:
    with SmtpServer() as server, sending(server) as channel:
        error = refusal(channel, replace(MESSAGE, to=to))
        assert (error.kind, error.reason) == ("user_unreachable", "bad_address")
        assert server.connections == 0


@pytest.mark.parametrize("change", [{"sender": "x"}, {"return_path": "a@example.com> b"}, {"attachments": (("file", "https://x"),)}])
def test_what_cannot_be_sent_never_reaches_the_server(change: dict[str, object]) -> None:
    with SmtpServer() as server, sending(server) as channel:
        refusal(channel, replace(MESSAGE, **change))
        assert server.connections == 0


def test_starttls_encrypts_before_the_login() -> None:
    script = {"EHLO": "250-hello\r\n250-STARTTLS\r\n250 AUTH PLAIN", "STARTTLS": "220 go", "AUTH": "235 welcome"}
    with SmtpServer(script) as server, sending(server, tls="starttls", user="u", password="p", ca_file=str(CERTIFICATE)) as channel:
        assert channel.send(MESSAGE).stage == "accepted"
    assert server.words[:4] == ["EHLO", "STARTTLS", "EHLO", "AUTH"]


def test_implicit_tls_encrypts_from_the_first_byte() -> None:
    with SmtpServer(tls=True) as server, sending(server, tls="implicit", ca_file=str(CERTIFICATE)) as channel:
        assert channel.send(MESSAGE).stage == "accepted"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ({}, "configuration"),  # offers no STARTTLS
        ({"EHLO": "250-hello\r\n250 STARTTLS", "STARTTLS": "454 not now"}, "configuration"),
        ({"EHLO": "250-hello\r\n250-STARTTLS\r\n250 AUTH PLAIN", "STARTTLS": "220 go", "AUTH": "535 5.7.8 no"}, "configuration"),
        ({"EHLO": "250-hello\r\n250-STARTTLS\r\n250 AUTH PLAIN", "STARTTLS": "220 go", "AUTH": "421 busy"}, "not_accepted"),
        ({"EHLO": "250-hello\r\n250-STARTTLS\r\n250 AUTH PLAIN", "STARTTLS": "220 go", "AUTH": CUT}, "not_accepted"),
        ({"EHLO": "250-hello\r\n250 STARTTLS", "STARTTLS": CUT}, "not_accepted"),
    ],
)
def test_what_a_server_refuses_before_the_first_mail_is_for_a_person_and_a_cut_is_not(script: dict[str, str], reason: str) -> None:
    with SmtpServer(script) as server, sending(server, tls="starttls", user="u", password="p", ca_file=str(CERTIFICATE)) as channel:
        error = refusal(channel)
    assert (error.kind, error.reason) == ("retry_after", reason)
    assert server.mails == []


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_certificate_that_nobody_vouches_for_ends_it_before_the_password(tls: str) -> None:
    script = {"EHLO": "250-hello\r\n250-STARTTLS\r\n250 AUTH PLAIN", "STARTTLS": "220 go"}
    with SmtpServer(script, tls=tls == "implicit") as server, sending(server, tls=tls, user="u", password="p") as channel:
        assert refusal(channel).reason == "configuration"
    assert "AUTH" not in server.words


@pytest.mark.parametrize(
    "make",
    [
        lambda: Relay("mail.example.com", 25, "none"),
        lambda: Relay("127.0.0.1", 25, "none", user="u", password="p"),
        lambda: Relay("127.0.0.1", 25, "ssl"),
        lambda: Email(Relay("mail.example.com"), "nobody"),
        lambda: Email(Relay("mail.example.com"), "a@example.com\r\nBcc: b@example.com"),
    ],
)
def test_settings_that_would_be_unsafe_are_refused_at_once(make: object) -> None:
    with pytest.raises(Refused):
        make()


def test_a_relay_never_shows_its_password() -> None:
    assert "geheim" not in repr(Relay("mail.example.com", user="u", password="geheim"))
