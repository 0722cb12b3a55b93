"""A mail, a channel to a made-up server, and what came of sending over it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from sop_engine.channels.contract import Message
from sop_engine.channels.email import Email
from sop_engine.channels.smtp import Relay
from sop_engine.core.errors import DeliveryError
from tests.channels.smtp_server import SmtpServer

NOW = datetime(2025, 3, 1, 2, 0, tzinfo=UTC)
MESSAGE = Message(
    key="key-1", now=NOW, purpose="service", to="user@Example.NET", subject="你好", text=".点\n..两点\n", step="通知", playbook="会员日"
)
SENDER = "某品牌 <mail@example.com>"


@contextmanager
def sending(server: SmtpServer, **change: object) -> Iterator[Email]:
    relay = Relay("127.0.0.1", server.port, **{"tls": "none", **change})
    channel = Email(relay, SENDER)
    try:
        yield channel
    finally:
        channel.close()


def refusal(channel: Email, message: Message = MESSAGE) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        channel.send(message)
    return caught.value


def outcome(script: dict[str, str], message: Message = MESSAGE) -> tuple[str, str]:
    with SmtpServer(script) as server, sending(server) as channel:
        error = refusal(channel, message)
    return error.kind, error.reason
