"""Speaks e-mail: one mail through the relay, on a connection that is used again for a minute."""

import smtplib
import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parseaddr
from functools import lru_cache
from typing import ClassVar

from sop_engine.channels.codes import BAD_ADDRESS, CONFIGURATION, CONTENT
from sop_engine.channels.contract import Capability, Message, Receipt, Reply, Request
from sop_engine.channels.email_receipts import Bounces, read_mail_report
from sop_engine.channels.mime import compose
from sop_engine.channels.smtp import Relay, connect, hand_over, leave
from sop_engine.core.addresses import email_address
from sop_engine.core.errors import DeliveryError, Refused
from sop_engine.core.verp import bounce_address

MOST_MAILS = 100
LONGEST = timedelta(seconds=60)
JUST_NOW = timedelta(seconds=2)
FAILURES = 3  # connections refused in a row after which a person has to look


@dataclass
class _Line:
    """One thread's connection."""

    smtp: smtplib.SMTP
    opened_at: datetime
    used_at: datetime
    mails: int = 0

    def fresh(self, now: datetime) -> bool:
        """Whether one more mail may go over it: not too old, not too used, and still answering.

        One that was used just now is not asked: if it is cut meanwhile, that shows before the text, and the mail is sent again.
        """
        if self.mails >= MOST_MAILS or not timedelta(0) <= now - self.opened_at < LONGEST:
            return False
        if timedelta(0) <= now - self.used_at < JUST_NOW:
            return True
        with suppress(OSError, smtplib.SMTPException):
            return self.smtp.rset()[0] == 250
        return False


class Email:
    """The e-mail channel. Every thread has a connection of its own. `sender` is written `名字 <mail@example.com>`."""

    kind: ClassVar[str] = "email"
    capability: ClassVar[Capability] = Capability(receipts="push")

    def __init__(self, relay: Relay, sender: str, *, project: str = "", unsubscribe: str = "", bounces: Bounces | None = None) -> None:
        if not _is_sender(sender):
            raise Refused(f"smtp_from is '{sender}', which is no address. Write it like: 某品牌 <mail@example.com>.")
        self._relay = relay
        self._sender = sender
        self._project = project
        self._unsubscribe = unsubscribe
        self._bounces = bounces or Bounces()
        self._own = threading.local()
        self._lock = threading.Lock()
        self._open: set[smtplib.SMTP] = set()
        self._failures = 0

    def probe(self) -> str:
        """Connect, encrypt and log in; raises DeliveryError."""
        leave(connect(self._relay, hello=parseaddr(self._sender)[1].rpartition("@")[2]))
        return "connected and logged in" if self._relay.user else "connected"

    def send(self, message: Message) -> Receipt:
        """Hand over one mail; the receipt holds the relay's answer, which names the mail in its log. Raises DeliveryError."""
        to = email_address(message.to)
        if to is None:
            raise BAD_ADDRESS.error("this is no e-mail address")
        if message.attachments:
            raise CONTENT.error("e-mail carries no attachments; write a link into the text")
        sender = message.sender or self._sender
        back = message.return_path or self._bounce_to(message) or parseaddr(sender)[1]
        if not _is_sender(sender) or email_address(back) != back:
            raise CONFIGURATION.error("the sender or the address for bounces is no e-mail address")
        mail = compose(message, sender=sender, to=to, project=self._project, unsubscribe=self._unsubscribe)
        return Receipt(self._hand_over(message.now, (back, to), mail), "accepted")

    def _hand_over(self, now: datetime, envelope: tuple[str, str], mail: bytes) -> str:
        line = self._line(now)
        used, line.mails, line.used_at = line.mails > 0, line.mails + 1, now
        try:
            return hand_over(line.smtp, envelope, mail, provider=self._relay.provider)
        except DeliveryError as error:
            if not used or error.kind != "retry_after" or line.smtp.sock is not None:
                raise
        self._drop(line)  # it was cut since the last mail, or before the text of this one: nothing of it was taken
        return self._hand_over(now, envelope, mail)

    def _bounce_to(self, message: Message) -> str:
        """An address of its own for each mail, so that a bounce says by itself whose it is."""
        known = self._bounces.domain and self._bounces.keys and message.touch_id
        return bounce_address(self._bounces.keys, message.touch_id, self._bounces.domain) if known else ""

    def parse(self, request: Request) -> Reply:
        """Bounces and complaints, as raw mails or as JSON."""
        return read_mail_report(self._bounces, request)

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._lock:
            lines, self._open = self._open, set()
        for smtp in lines:
            leave(smtp)

    def _line(self, now: datetime) -> _Line:
        line: _Line | None = getattr(self._own, "line", None)
        if line and line.fresh(now):
            return line
        if line:
            self._drop(line)
        self._own.line = line = _Line(self._connect(), now, now)
        with self._lock:
            self._open.add(line.smtp)
        return line

    def _drop(self, line: _Line) -> None:
        self._own.line = None
        with self._lock:
            self._open.discard(line.smtp)
        leave(line.smtp)

    def _connect(self) -> smtplib.SMTP:
        hello = parseaddr(self._sender)[1].rpartition("@")[2]
        try:
            smtp = connect(self._relay, hello=hello)
        except DeliveryError as error:
            self._failures += 1
            if error.reason == "not_accepted" and self._failures >= FAILURES:
                raise CONFIGURATION.error(f"{self._failures} connections in a row failed; the last: {error.detail}") from error
            raise
        self._failures = 0
        return smtp


@lru_cache(maxsize=64)
def _is_sender(text: str) -> bool:
    address = parseaddr(text)[1]
    return text.isprintable() and email_address(address) == address
