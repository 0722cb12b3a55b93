"""Writes one e-mail as bytes: a skeleton per template version, the personal lines and bodies per message."""

import base64
import re
from dataclasses import dataclass
from email.utils import format_datetime, parseaddr
from functools import lru_cache
from urllib.parse import quote

from sop_engine.channels.codes import CONFIGURATION, CONTENT
from sop_engine.channels.contract import Message

_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_KEY = re.compile(r"[A-Za-z0-9._-]{1,128}")
_UNSUBSCRIBE = re.compile(r"https://[!#-;=?-\[\]-~]{1,400}")  # ASCII without space, quotes and angle brackets
_CHUNK = 42  # bytes of UTF-8 in an encoded word: 56 characters of base64 and 12 of frame stay below 75


@dataclass(frozen=True, slots=True)
class Letterhead:
    """What is the same in every mail of one template version."""

    sender: str
    step: str
    playbook: str
    project: str
    purpose: str


def compose(message: Message, *, sender: str, to: str, project: str = "", unsubscribe: str = "") -> bytes:
    """The whole mail with CRLF line ends, the same bytes for the same message; raises DeliveryError for what cannot be written."""
    if not _KEY.fullmatch(message.key):
        raise CONTENT.error("the key holds a character that cannot stand in Message-ID")
    head = skeleton(Letterhead(sender, message.step, message.playbook, project, message.purpose))
    domain = parseaddr(sender)[1].rpartition("@")[2]
    own = [
        f"To: {to}",
        f"Subject: {encoded(message.subject)}",
        f"Date: {format_datetime(message.now)}",
        f"Message-ID: <{message.key}@{domain}>",
        f"X-SOP-Key: {message.key}",
    ]
    if message.purpose == "marketing":
        own.append(f"List-Unsubscribe: {_unsubscribe(message.unsubscribe_url, unsubscribe)}")
    return head + "\r\n".join(own).encode("ascii") + b"\r\n" + _bodies(message)


@lru_cache(maxsize=512)
def skeleton(head: Letterhead) -> bytes:
    """The header lines that do not change from message to message."""
    name, address = parseaddr(head.sender)
    lines = [
        f"From: {_phrase(name)} <{address}>" if name else f"From: {address}",
        f"Feedback-ID: {quote(head.step)}:{quote(head.playbook)}:{quote(head.project)}:sop",
        "MIME-Version: 1.0",
    ]
    if head.purpose == "marketing":
        lines += ["Precedence: bulk", "List-Unsubscribe-Post: List-Unsubscribe=One-Click"]
    else:
        lines.append("Auto-Submitted: auto-generated")
    return "\r\n".join(lines).encode("ascii") + b"\r\n"


def encoded(text: str) -> str:
    """A header value: as it is where it is short ASCII, else encoded words on folded lines; control characters are refused."""
    if _FORBIDDEN.search(text):
        raise CONTENT.error("a header holds a control character or a line break")
    if text.isascii() and "=?" not in text and len(text) <= 200 and text == text.strip():
        return text
    words = (f"=?utf-8?b?{base64.b64encode(chunk).decode()}?=" for chunk in _chunks(text))
    return "\r\n ".join(words)


def _phrase(name: str) -> str:
    if name.isascii() and not _FORBIDDEN.search(name):
        return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return encoded(name)


def _chunks(text: str) -> list[bytes]:
    """The text in UTF-8, cut between characters."""
    chunks, chunk = [], b""
    for character in text:
        data = character.encode("utf-8", "replace")
        if len(chunk) + len(data) > _CHUNK:
            chunks.append(chunk)
            chunk = b""
        chunk += data
    return [*chunks, chunk]


def _unsubscribe(url: str, mailbox: str) -> str:
    # A mail that nobody can unsubscribe from must not leave; it waits until somebody sets the public address.
    if not _UNSUBSCRIBE.fullmatch(url):
        raise CONFIGURATION.error("marketing mail needs an https address for unsubscribing; set SOP_PUBLIC_URL")
    token = url.rpartition("/")[2]
    return f"<{url}>" + (f", <mailto:{mailbox}?subject={quote(token, safe='')}>" if mailbox else "")


def _bodies(message: Message) -> bytes:
    text = _part("plain", message.text)
    if not message.html:
        return text
    boundary = f"sop-{message.key[:16]}".encode("ascii")
    html = _part("html", message.html)
    head = b'Content-Type: multipart/alternative; boundary="' + boundary + b'"\r\n\r\n'
    return head + b"--" + boundary + b"\r\n" + text + b"--" + boundary + b"\r\n" + html + b"--" + boundary + b"--\r\n"


def _part(kind: str, text: str) -> bytes:
    data = re.sub(r"\r\n|\r|\n", "\r\n", text).encode("utf-8", "replace")
    head = f'Content-Type: text/{kind}; charset="utf-8"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
    return head.encode("ascii") + base64.encodebytes(data).replace(b"\n", b"\r\n")
