"""Speaks to a colleague: the message becomes a task that a person ticks off, by the link in it or elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import ClassVar
from urllib.parse import parse_qs

from sop_engine.channels.contract import Capability, Fact, Find, Handed, Message, Receipt, Reply, Request, Sink
from sop_engine.core import tokens

PURPOSE, SIZE = "task", 16  # of the signature

ANSWERS: Mapping[str, tuple[str, str]] = {
    "done": ("task_done", ""),
    "not_reached": ("task_failed", "not_reached"),
    "refused": ("task_failed", "refused"),
    "stop_channel": ("unsubscribed", ""),
    "stop_all": ("unsubscribed", "*"),
}
"""What a colleague can answer, and which fact with which code that is."""


@dataclass(frozen=True, slots=True)
class TaskLinks:
    """What links to tasks are made of: where users reach this installation, and the keys that sign, the current one first."""

    public_url: str = ""
    keys: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    def link(self, key: str) -> str:
        """The page on which the task with this key is answered; empty while there is no address or no key."""
        if not self.public_url or not self.keys:
            return ""
        return f"{self.public_url.rstrip('/')}/t/{tokens.sign(self.keys, next(iter(self.keys)), PURPOSE, key, SIZE)}"

    def told(self, text: str, key: str) -> str:
        """The text of a task with its link after it."""
        link = self.link(key)
        return f"{text.rstrip()}\n做完后在此回报 / report here: {link}" if link else text

    def key_of(self, token: str) -> str | None:
        """The key of the task a token stands for; None for every text that we have not signed."""
        return tokens.read(self.keys, token, PURPOSE, SIZE)


def answer_of(key: str, answer: str, now: datetime) -> Fact | None:
    """The fact an answer to a task is; None for a word that is no answer."""
    if answer not in ANSWERS:
        return None
    kind, code = ANSWERS[answer]
    return Fact(kind=kind, event_key=f"{key}:{answer}", at=now, key=key, code=code)


def answered(body: bytes) -> str:
    """The answer in a form that was sent; empty where there is none."""
    return (parse_qs(body[:4096].decode("utf-8", "replace")).get("answer") or [""])[0]


class StaffTask:
    """A task for a colleague. It counts as delivered when it is marked done, not when it is made."""

    kind: ClassVar[str] = "staff_task"
    capability: ClassVar[Capability] = Capability(idempotent_for=timedelta.max, ask="sure", receipts="push", remote=False)

    def __init__(self, sink: Sink, find: Find | None = None, links: TaskLinks | None = None) -> None:
        self._sink = sink
        self._find = find or (lambda _key: None)
        self._links = links or TaskLinks()

    def send(self, message: Message) -> Receipt:
        """Store the task; a second time under the same key gives the first one."""
        return Receipt(self._sink(replace(message, text=self._links.told(message.text, message.key))), "awaiting_staff")

    def ask(self, handed: Handed) -> Receipt | None:
        """Whether the task was made."""
        return Receipt(handed.key, "awaiting_staff") if self._find(handed.key) else None

    def parse(self, request: Request) -> Reply:
        """The answer to the task whose token is the rest of the address: a form with `answer`."""
        key = self._links.key_of(request.tail) if request.method == "POST" else None
        if key is None:
            return Reply(status=404, content_type="text/plain")
        fact = answer_of(key, answered(request.body), request.now)
        return Reply(facts=(fact,), body=b"{}") if fact else Reply(status=400, content_type="text/plain")

    def close(self) -> None:
        """Nothing is open."""
