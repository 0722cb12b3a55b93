"""Checks what every SMS needs before it goes, and reads what their providers send back: numbers, times, secrets of addresses."""

import hashlib
import hmac
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from sop_engine.channels.calling import checked_endpoint, open_client
from sop_engine.channels.codes import BAD_ADDRESS, CONTENT, NO_ANSWER, TEMPLATE
from sop_engine.channels.codes_sms import SHANGHAI, reported
from sop_engine.channels.contract import Fact, Message, Reply, Request
from sop_engine.core.addresses import phone_e164
from sop_engine.core.errors import Refused
from sop_engine.core.sms import sign_of, unfit_value, without_sign

MAINLAND = "+86"
NOT_FOUND = Reply(status=404, content_type="text/plain")
UNREADABLE = "unreadable_report"

Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Account:
    """An account for SMS. `receipts_secret`: the last part of the address that takes receipts, empty while none are taken."""

    key_id: str = field(repr=False)
    key_secret: str = field(repr=False)
    sign: str
    endpoint: str
    receipts_secret: str = field(default="", repr=False)
    app_id: str = ""
    region: str = ""
    loopback: bool = False


class Line:
    """The connection to one provider, and how often in a row it said that we are too fast."""

    def __init__(self, account: Account, client: httpx.Client | None) -> None:
        if not account.key_id or not account.key_secret or not account.sign:
            raise Refused("an account for SMS needs its key, the key's secret and a sign.")
        self.url = checked_endpoint(account.endpoint, loopback=account.loopback)
        self.client = client or open_client()
        self.throttled = 0

    @property
    def host(self) -> str:
        """What stands in the header `host`, which is signed."""
        return self.url.netloc.decode("ascii")


def checked(message: Message, sign: str, *, longest: int | None = None) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The number in E.164 and the values in their order; raises DeliveryError for what its provider would refuse, before any call."""
    number = phone_e164(message.to)
    if number is None:
        raise BAD_ADDRESS.error("this is no phone number")
    if not message.provider_template:
        raise TEMPLATE.error(f"template '{message.template}' names no provider_template: the provider has to approve the text first")
    if sign_of(message.text) not in ("", sign):
        raise TEMPLATE.error(f"template '{message.template}' begins with another signature than the account has")
    values = tuple((name, without_sign(value, sign)) for name, value in message.vars)
    for name, value in values:
        if unfit_value(value):
            raise CONTENT.error(f"the value of '{name}' holds an emoji, a control character or an address")
        if longest is not None and len(value) > longest:
            raise CONTENT.error(f"the value of '{name}' has {len(value)} characters, at most {longest} are possible")
    return number, values


def knows(request: Request, secret: str, more: str) -> bool | None:
    """Whether a request came to our own address: False for receipts, True for replies (`more` stands after the secret), else None.

    Both endings are compared in full, so that the time it takes tells nothing about the secret.
    """
    tail = request.tail.strip("/").encode("utf-8", "replace")
    plain = hmac.compare_digest(tail, secret.encode())
    replies = hmac.compare_digest(tail, f"{secret}/{more}".encode())
    if not secret or request.method.upper() != "POST" or not (plain or replies):
        return None
    return replies


def read_items(request: Request, acknowledgement: bytes, read: Callable[[Item, datetime], Sequence[Fact]], provider: str) -> Reply:
    """The facts in a list of reports, and the provider's own acknowledgement; what cannot be read is an alarm, never lost in silence."""
    try:
        told = json.loads(request.body)
    except (ValueError, RecursionError):
        told = None
    items = told if isinstance(told, list) else [told]
    facts: list[Fact] = []
    for item in items:
        try:
            facts += read(item, request.now)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            facts.append(_unreadable(request, provider, item))
    return Reply(facts=tuple(facts), body=acknowledgement)


def _unreadable(request: Request, provider: str, item: object) -> Fact:
    shown = request.body if item is None else json.dumps(item, sort_keys=True).encode()
    key = f"{provider}:unreadable:{hashlib.sha256(shown).hexdigest()}"
    return Fact(kind="alarm", event_key=key, at=request.now, code=UNREADABLE, fields={"about": "account"})


def facts_of_report(provider: str, fact: Fact) -> list[Fact]:
    """A report as what its code means: `fact` has all but the kind. Besides, an alarm where a person has to look."""
    kind, about = reported(provider, fact.code)
    found = [_as(fact, kind, fact.event_key, {})]
    return [*found, _as(fact, "alarm", f"{fact.event_key}:alarm", {"about": about})] if about else found


def _as(fact: Fact, kind: str, event_key: str, fields: dict[str, str]) -> Fact:
    return Fact(
        kind=kind, event_key=event_key, at=fact.at, key=fact.key, provider_id=fact.provider_id, to=fact.to, code=fact.code, fields=fields
    )


def asked_number(text: str) -> str:
    """The number a message went to; raises DeliveryError where it is not known any more."""
    number = phone_e164(text)
    if number is None:
        raise NO_ANSWER.error("the number is not known any more")
    return number


def event_key(provider: str, *parts: str) -> str:
    """What is the same however often something is reported; a number in it cannot be read."""
    return f"{provider}:{hashlib.sha256(chr(31).join(parts).encode()).hexdigest()}"


def number_in(text: object, nation: object = "") -> str:
    """A number as a provider writes it, in E.164; raises ValueError when it is none."""
    digits, prefix = str(text).strip(), str(nation or "").strip().lstrip("+")
    whole = digits if digits.startswith("+") or not prefix else f"+{prefix}{digits}"
    number = phone_e164(whole) or phone_e164(f"+{digits}")
    if number is None:
        raise ValueError("no phone number")
    return number


def shanghai_time(text: object, now: datetime) -> datetime:
    """A time as the providers write it, `2025-01-02 11:30:00` in Shanghai, in UTC; `now` where it cannot be read."""
    try:
        return datetime.strptime(str(text), "%Y-%m-%d %H:%M:%S").replace(tzinfo=SHANGHAI).astimezone(UTC)
    except ValueError:  # a refusal or a reply counts whenever it was
        return now
