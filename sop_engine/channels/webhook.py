"""Speaks to any system: one signed POST by the Standard Webhooks convention."""

import json
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import ClassVar

from sop_engine.channels.calling import Answer, exchange, open_client
from sop_engine.channels.codes import CONTENT, NO_ANSWER, REJECTED, http_meaning
from sop_engine.channels.contract import Capability, Message, Receipt, Reply, Request
from sop_engine.channels.probing import probe_endpoint
from sop_engine.channels.reach import Resolve, checked_url, reachable, resolve
from sop_engine.channels.signature import secret_bytes, signed
from sop_engine.channels.webhook_receipts import read_report
from sop_engine.core.errors import Refused

MOST_SENT = 20 * 1024
LONGEST_WAIT = timedelta(hours=1)
KEPT = timedelta(hours=72)  # how long a receiver must know a key again

_KEY = re.compile(r"[A-Za-z0-9_-]{1,128}")  # a dot would make two readings of what was signed


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the webhooks of one channel go. `secrets`: the current one first, then the one before; `loopback` is for development."""

    url: str = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    loopback: bool = False


class Webhook:
    """The webhook channel. `find` resolves names; `verify` holds the certificates to trust."""

    kind: ClassVar[str] = "webhook"
    capability: ClassVar[Capability] = Capability(idempotent_for=KEPT, receipts="push")

    def __init__(self, endpoint: Endpoint, *, find: Resolve = resolve, verify: ssl.SSLContext | bool = True) -> None:
        self._endpoint = endpoint
        self._url = checked_url(endpoint.url, loopback=endpoint.loopback)
        if not endpoint.secrets:
            raise Refused("a webhook needs a secret to sign with; the receiver tells by it that the message is ours.")
        for secret in endpoint.secrets:
            _check_secret(secret)
        for name, value in endpoint.headers:
            _check_header(name, value)
        self._find = find
        self._verify = verify
        self._client = open_client(verify=verify)

    def send(self, message: Message) -> Receipt:
        """POST one message; raises DeliveryError. A repeat has the same `webhook-id`, by which the receiver knows it again."""
        answer = self.post(message.key, payload(message), message.now)
        return read_answer(answer.status, answer.headers, answer.body, now=message.now)

    def post(self, key: str, body: bytes, now: datetime) -> Answer:
        """POST a body, signed, under a key; raises DeliveryError where no answer came."""
        if not _KEY.fullmatch(key):
            raise CONTENT.error("the key holds a character that cannot stand in webhook-id")
        address = reachable(self._url, self._find, loopback=self._endpoint.loopback)
        headers = {
            **dict(self._endpoint.headers),
            "host": self._url.netloc.decode("ascii"),
            "content-type": "application/json",
            "accept-encoding": "identity",
            "webhook-id": key,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": signed(self._endpoint.secrets, key, now, body),
        }
        # Connect to the address that was checked, but ask for the certificate of the name.
        request = self._client.build_request(
            "POST",
            self._url.copy_with(host=address),
            content=body,
            headers=headers,
            extensions={"sni_hostname": self._url.raw_host.decode("ascii")},
        )
        return exchange(self._client, request)

    def probe(self) -> str:
        """Connect and check the certificate; raises DeliveryError."""
        return probe_endpoint(self._url, find=self._find, loopback=self._endpoint.loopback, verify=self._verify)

    def parse(self, request: Request) -> Reply:
        """What the receiver reports about a message, signed with the same secrets."""
        return read_report(self._endpoint.secrets, request)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def payload(message: Message) -> bytes:
    """The body of one message as compact JSON; raises DeliveryError above 20 KB."""
    benefit = {"code": message.benefit_code, "expires_at": _time(message.benefit_expires_at)} if message.benefit_code else None
    data = {
        "key": message.key,
        "run": message.run,
        "playbook": message.playbook,
        "version": message.version,
        "step": message.step,
        "variant": message.variant,
        "user": {"id": message.user_key},
        "to": message.to,
        "purpose": message.purpose,
        "test": message.test,
        "message": {
            "template": message.template,
            "subject": message.subject,
            "text": message.text,
            "vars": dict(message.vars),
            "attachments": [{kind: address} for kind, address in message.attachments],
        },
        "benefit": benefit,
    }
    whole = {"type": "touch.requested", "timestamp": _time(message.now), "data": data}
    body = json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    if len(body) > MOST_SENT:
        raise CONTENT.error(f"the message is {len(body)} bytes long; a webhook carries at most {MOST_SENT}")
    return body


def read_answer(status: int, headers: Mapping[str, str], body: bytes, *, now: datetime) -> Receipt:
    """The receipt in an answer; raises DeliveryError for every other one. A 2xx with a page instead of JSON proves nothing."""
    if not 200 <= status < 300:
        raise http_meaning(status).error(f"HTTP {status}", wait=_asked(headers.get("retry-after", ""), now))
    if not body.strip():
        return Receipt("", "accepted")
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise NO_ANSWER.error(f"HTTP {status} with something that is not JSON") from error
    word = answer.get("status", "accepted") if isinstance(answer, dict) else ""
    if word == "accepted":
        return Receipt(str(answer.get("id", ""))[:200], "accepted")
    if word != "rejected":
        raise NO_ANSWER.error(f"HTTP {status} with JSON of another form")
    code, wait = str(answer.get("code", "")), _asked(str(answer.get("retry_after", "")), now)
    meaning = REJECTED.get(code, CONTENT)
    raise meaning.error(f"rejected: {code[:40]}", wait=wait if code == "later" else None)


def _asked(text: str, now: datetime) -> timedelta | None:
    """How long the receiver asks us to wait, in seconds or as a date; at most an hour."""
    if text.strip().isdecimal():
        return min(timedelta(seconds=int(text.strip()[:9])), LONGEST_WAIT)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return min(max(at - now, timedelta(0)), LONGEST_WAIT)


def _time(at: datetime | None) -> str | None:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if at else None


def _check_header(name: str, value: str) -> None:
    if not re.fullmatch(r"[a-z0-9-]+", name) or not re.fullmatch(r"[ -~]*", value):
        raise Refused(f"the header '{name}' of a webhook cannot be sent. Write its name in small letters and its value in ASCII.")


def _check_secret(secret: str) -> None:
    try:
        secret_bytes(secret)
    except ValueError as error:
        raise Refused(f"the secret of a webhook {error}. Make one with: openssl rand -base64 32.") from error
