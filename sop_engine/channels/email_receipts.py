"""Reads what comes back about mails: bounces and complaints as raw mails (RFC 3464, RFC 5965), or as JSON of a relay."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import Message as Mail
from typing import Any

from sop_engine.channels.contract import Fact, Reply, Request
from sop_engine.channels.signature import is_signed
from sop_engine.channels.webhook_receipts import FORGED, UNREADABLE, json_object, time_of
from sop_engine.core.addresses import email_address
from sop_engine.core.verp import touch_of

HARD = re.compile(r"5\.1\.\d+|5\.2\.1|5\.4\.4")
CONTENT = re.compile(r"5\.7\.\d+")
EVENTS = ("bounce", "complaint", "delivered")
_OUR_ID = re.compile(r"<([A-Za-z0-9_-]{1,128})@[^>\s]+>")
_ENVELOPE = ("delivered-to", "x-original-to", "envelope-to", "x-rcpt-to", "to")


@dataclass(frozen=True, slots=True)
class Bounces:
    """Where mails bounce to (`domain`; empty: to their sender), the keys such addresses are signed with, and the secrets of who reports."""

    domain: str = ""
    keys: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class _About:
    """Which mail a report is about: by our own number, by its key, or by the address it went to."""

    touch_id: int = 0
    key: str = ""
    to: str = field(default="", repr=False)

    @property
    def known(self) -> bool:
        return bool(self.touch_id or self.key or self.to)

    def event_key(self, *words: str) -> str:
        """The same for every report of the same about the same mail."""
        subject = str(self.touch_id or self.key or self.to)
        return hashlib.sha256("|".join([subject, *words]).encode("utf-8", "replace")).hexdigest()


def kind_of(action: str, status: str) -> str:
    """Which fact a delivery status is; empty for one that says nothing yet."""
    if action == "delivered":
        return "delivered"
    if action != "failed":
        return ""  # delayed, relayed, expanded: it is on its way
    if HARD.fullmatch(status):
        return "bounced"
    return "refused" if CONTENT.fullmatch(status) else "soft_bounced"


def read_mail_report(bounces: Bounces, request: Request) -> Reply:
    """The facts in a report about mails: a raw mail, or JSON where the content type says so; 401 unless it is signed."""
    if not bounces.secrets or not is_signed(bounces.secrets, request.headers, request.body, request.now):
        return FORGED
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json":
        return _json(bounces, request)
    return Reply(facts=_mail(bounces, request), body=b"{}")


def _json(bounces: Bounces, request: Request) -> Reply:
    told = json_object(request.body)
    event = str(told.get("event")) if told else ""
    about = _named(bounces, told) if told else _About()
    if told is None or event not in EVENTS or not about.known:
        return UNREADABLE
    status = str(told.get("status") or "")
    kind = {"complaint": "complained", "delivered": "delivered"}.get(event) or kind_of("failed", status)
    given = str(told.get("id") or "")
    fact = Fact(
        kind=kind,
        event_key=given or about.event_key(event, status),
        at=time_of(told.get("at"), request.now),
        key=about.key,
        touch_id=about.touch_id,
        to=about.to,
        code=status[:20],
    )
    return Reply(facts=(fact,), body=b"{}")


def _named(bounces: Bounces, told: Mapping[str, Any]) -> _About:
    key, to = told.get("key"), told.get("to")
    if isinstance(key, str) and key:
        return _About(key=key[:200])
    if not isinstance(to, str):
        return _About()
    touch = touch_of(bounces.keys, to)
    return _About(touch_id=touch) if touch else _About(to=email_address(to) or "")


def _mail(bounces: Bounces, request: Request) -> Sequence[Fact]:
    mail = message_from_bytes(request.body, policy=policy.compat32)
    about, facts = _returned(bounces, mail, request.query.get("to", "")), list[Fact]()
    if about.known:
        for action, status in _statuses(mail):
            if kind := kind_of(action, status):
                facts.append(_fact(about, kind, status, request, action, status))
            else:
                return ()
        if _is_complaint(mail):
            facts.append(_fact(about, "complained", "abuse", request, "complaint", "abuse"))
    return facts or (_unparsed(request),)


def _fact(about: _About, kind: str, code: str, request: Request, *words: str) -> Fact:
    return Fact(kind=kind, event_key=about.event_key(*words), at=request.now, key=about.key, touch_id=about.touch_id, code=code)


def _unparsed(request: Request) -> Fact:
    """Nothing is known of it but that it came; whoever looks finds it with the requests that are kept."""
    return Fact(kind="alarm", event_key=hashlib.sha256(request.body).hexdigest(), at=request.now, code="unparsed_bounce")


def _returned(bounces: Bounces, mail: Mail, envelope: str) -> _About:
    """By the address it was returned to, else by what stands in the mail it brings back."""
    told = [envelope, *(str(value) for name in _ENVELOPE for value in mail.get_all(name) or ())]
    for text in told:
        if touch := touch_of(bounces.keys, text):
            return _About(touch_id=touch)
    for head in _originals(mail):
        if touch := touch_of(bounces.keys, str(head.get("return-path", ""))):
            return _About(touch_id=touch)
        given = str(head.get("x-sop-key", "")).strip()
        ours = _OUR_ID.search(str(head.get("message-id", "")))
        if given or ours:
            return _About(key=given[:200] or (ours[1] if ours else ""))
    return _About()


def _originals(mail: Mail) -> Iterable[Mail]:
    """The mails that a report brings back, whole or their heads alone."""
    for part in mail.walk():
        if part is mail:
            continue
        if part.get_content_type() == "message/rfc822":
            inner = part.get_payload()
            yield from (one for one in inner if isinstance(one, Mail)) if isinstance(inner, list) else ()
        elif part.get_content_type() in ("text/rfc822-headers", "message/rfc822-headers"):
            raw = part.get_payload(decode=True)
            yield message_from_bytes(raw if isinstance(raw, bytes) else str(part.get_payload()).encode("utf-8", "replace"))


def _statuses(mail: Mail) -> list[tuple[str, str]]:
    """(action, status) for each recipient of a report about a delivery."""
    found = []
    for part in mail.walk():
        if part.get_content_type() == "message/delivery-status":
            blocks = part.get_payload()
            for block in blocks if isinstance(blocks, list) else ():
                if isinstance(block, Mail) and block.get("action"):
                    status = str(block.get("status", "")).strip().partition(" ")[0]
                    found.append((str(block["action"]).strip().partition(" ")[0].lower(), status))
    return found


def _is_complaint(mail: Mail) -> bool:
    for part in mail.walk():
        if part.get_content_type() == "message/feedback-report":
            inner = part.get_payload()
            text = "\n".join(str(one) for one in inner) if isinstance(inner, list) else str(inner)
            if re.search(r"(?mi)^feedback-type:\s*abuse\s*$", text):
                return True
    return False
