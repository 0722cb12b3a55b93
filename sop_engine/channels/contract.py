"""Says what every channel is: one message in, one receipt or one DeliveryError out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar, Literal, Protocol

from sop_engine.core.errors import DeliveryError

REASONS: Mapping[str, Mapping[str, str]] = {
    "permanent": {
        "content": "this text, subject or template is refused, whoever it goes to",
        "recipient": "this person cannot get it now (a full mailbox), although the address is right",
    },
    "retry_after": {
        "not_accepted": "proven not accepted: nobody answered, or the provider said try later",
        "throttled": "the account sends too fast; all its messages wait",
        "recipient_throttled": "this person gets too much; only this message waits",
        "configuration": "password, address, certificate or balance: everything waits until a person has put it right",
        "template": "the provider has not approved this template or signature: what uses it waits until a person has put it right",
    },
    "user_unreachable": {
        "bad_address": "the address does not exist",
        "blocked": "the person has blocked the sender",
        "no_consent": "the receiver knows that the person does not want it",
        "left": "the person no longer follows the account",
        "no_relation": "this colleague and this customer are no longer connected",
        "no_credit": "the person has given no permission that is left for this message",
    },
    "unknown": {
        "no_answer": "handed over, and no answer that could be understood came back",
        "crashed": "the channel failed in a way nobody foresaw",
    },
}
"""Every reason a channel gives, by kind of DeliveryError."""


@dataclass(frozen=True, slots=True)
class Capability:
    """What a channel can do, as data.

    `idempotent_for`: how long the provider knows a key again (None: not at all; `timedelta.max`: for ever). `ask`: none, sure or
    positive_only; `settles_after`: until then "not found" proves nothing. `receipts`: none, push, poll or both. `batch`: messages in
    one call. `links`: personal, static or none. `remote`: whether the message leaves this machine. `needs_template`: whether the
    provider must have approved the text before. `expires`: how long after what caused it a message may still be sent.
    """

    idempotent_for: timedelta | None = None
    ask: str = "none"
    receipts: str = "none"
    batch: int = 1
    links: str = "personal"
    remote: bool = True
    staff_confirmed: bool = False
    needs_template: bool = False
    settles_after: timedelta = timedelta(0)
    expires: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One rendered message to one address. `key` is the same in every repeat; times are aware UTC. Personal parts are not in its repr."""

    key: str
    now: datetime
    purpose: str = "marketing"  # marketing, service or internal
    to: str = field(default="", repr=False)
    sender: str = ""
    subject: str = field(default="", repr=False)
    text: str = field(default="", repr=False)
    html: str = field(default="", repr=False)
    vars: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    provider_template: str = ""
    attachments: tuple[tuple[str, str], ...] = ()
    not_after: datetime | None = None
    due_at: datetime | None = None  # of a task for a colleague: to be done until then
    test: bool = False
    run: str = ""
    playbook: str = ""
    version: str = ""
    step: str = ""
    variant: str = ""
    user_id: int = 0
    touch_id: int = 0
    user_key: str = field(default="", repr=False)  # the customer's own id
    benefit_code: str = field(default="", repr=False)
    benefit_expires_at: datetime | None = None
    template: str = ""
    unsubscribe_url: str = field(default="", repr=False)
    return_path: str = field(default="", repr=False)  # where bounces of this mail go; empty: the sender


@dataclass(frozen=True, slots=True)
class Receipt:
    """The message was taken. `detail` is at most 1 KB and holds no address."""

    provider_id: str
    stage: Literal["accepted", "awaiting_staff", "delivered"]
    detail: str = ""


class Channel(Protocol):
    """One way to reach somebody."""

    kind: ClassVar[str]
    capability: ClassVar[Capability]

    def send(self, message: Message) -> Receipt:
        """Hand over one message; raises DeliveryError and nothing else."""
        ...

    def close(self) -> None:
        """Let go of connections; the next message opens them again."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """A message that was handed over before: what asking and polling know of it. `began_at`: the first call under its key, aware UTC."""

    key: str
    began_at: datetime
    now: datetime
    to: str = field(default="", repr=False)
    text: str = field(default="", repr=False)
    provider_id: str = ""
    touch_id: int = 0


class Askable(Protocol):
    """A channel that can say what became of a key."""

    def ask(self, handed: Handed) -> Receipt | None:
        """The receipt of what was taken under the key; None when nothing was. Raises DeliveryError when it cannot tell."""
        ...


FACTS: Mapping[str, str] = {
    "delivered": "it has reached the person's device, or a colleague has handed it over",
    "opened": "it was opened",
    "clicked": "a link in it was followed",
    "replied": "the person answered; `text` is what they wrote",
    "unsubscribed": "the person wants no more of it",
    "bounced": "the address does not exist",
    "soft_bounced": "it did not arrive this time",
    "complained": "the person called it spam",
    "blocked": "the person has blocked the sender",
    "capped": "the provider let another message of this kind through first",
    "not_friend": "this colleague and this customer are no longer connected",
    "unconfirmed": "no colleague confirmed it in time",
    "accepted": "the provider has taken it, which settles an outcome nobody knew",
    "refused": "the provider threw it away after taking it; `code` says why",
    "task_done": "the colleague has done it",
    "task_failed": "the colleague could not do it; `code`: not_reached or refused",
    "event": "something else a customer did: `name` and `fields` make it an event of the project",
    "connected": "a customer and a colleague are connected now: `to` is the pair",
    "disconnected": "they are not any more",
    "credit": "a permission for one more message of the template `code`; `fields['left']` where the provider says how many",
    "alarm": "a person has to look at the account or the template; `code` says why",
}
"""Every kind of fact that comes back after a message was handed over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Something a provider reports later. It is about one message, found by `key`, else `provider_id` (with `to`), else `touch_id`, else
    about the person whose address `to` is. `event_key` is the same however often it is reported; `at` is aware UTC.
    """

    kind: str
    event_key: str
    at: datetime
    key: str = ""
    provider_id: str = ""
    touch_id: int = 0
    to: str = field(default="", repr=False)
    code: str = ""
    text: str = field(default="", repr=False)
    name: str = ""
    fields: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request of a provider. `headers` have small names; `tail` is what follows the channel's own part of the path."""

    method: str
    now: datetime
    tail: str = ""
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a request said, and the exact answer the provider expects once that is stored."""

    facts: Sequence[Fact] = ()
    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"


class Listening(Protocol):
    """A channel to which its provider reports."""

    def parse(self, request: Request) -> Reply:
        """The facts in a verified request; a bare 401 or 404 as the reply for one that is not the provider's. Raises nothing."""
        ...


class Polled(Protocol):
    """A channel whose reports must be fetched."""

    def poll(self, handed: Sequence[Handed]) -> Sequence[Fact]:
        """What is known about these messages now; the same facts again have the same `event_key`. Raises DeliveryError."""
        ...


class TokenBox(Protocol):
    """Keeps access tokens for all workers: one fetches, the others wait for it."""

    def get(self, name: str, fetch: Callable[[], tuple[str, timedelta]]) -> str:
        """The token kept under a name, fetched (token, how long it is valid) where none is; raises DeliveryError retry_after."""
        ...

    def drop(self, name: str, token: str) -> None:
        """The provider refuses this token: the next `get` fetches another one, unless somebody did already."""
        ...


Find = Callable[[str], str | None]
"""The id of what is stored under a key, or None."""

Sink = Callable[[Message], str]
"""Stores a message under its key and returns its id; a second call with the same key returns the first id."""


def call(channel: Channel, messages: Sequence[Message]) -> list[Receipt | DeliveryError]:
    """The outcome of each message, in order. Uses the channel's `send_many` where it has one; a foreign exception becomes unknown."""
    many = getattr(channel, "send_many", None)
    if many is None or channel.capability.batch <= 1:
        return [_one(channel, message) for message in messages]
    size = channel.capability.batch
    groups = [messages[start : start + size] for start in range(0, len(messages), size)]
    return [outcome for group in groups for outcome in _group(many, group)]


def _one(channel: Channel, message: Message) -> Receipt | DeliveryError:
    try:
        return channel.send(message)
    except DeliveryError as error:
        return error
    except Exception as error:
        return _crashed(error)


def _group(many: Callable[[Sequence[Message]], list[Receipt | DeliveryError]], group: Sequence[Message]) -> list[Receipt | DeliveryError]:
    try:
        outcomes = list(many(group))
    except DeliveryError as error:
        return [error] * len(group)
    except Exception as error:
        return [_crashed(error)] * len(group)
    if len(outcomes) != len(group):  # nobody can say which answer belongs to which message
        return [DeliveryError("unknown", "crashed", f"{len(outcomes)} answers to {len(group)} messages")] * len(group)
    return outcomes


def _crashed(error: Exception) -> DeliveryError:
    crash = DeliveryError("unknown", "crashed", type(error).__name__)  # its text may hold an address
    crash.__cause__ = error
    return crash
