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
    },
    "user_unreachable": {
        "bad_address": "the address does not exist",
        "blocked": "the person has blocked the sender",
        "no_consent": "the receiver knows that the person does not want it",
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
    provider must have approved the text before.
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


class Askable(Protocol):
    """A channel that can say what became of a key."""

    def ask(self, key: str) -> Receipt | None:
        """The receipt of what was taken under this key; None when nothing was. Raises DeliveryError when it cannot tell."""
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
