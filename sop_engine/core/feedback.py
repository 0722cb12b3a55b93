"""Decides what a report about a message means: which receipt it is, which event, and whether it comes after a stronger one."""

from collections.abc import Iterable, Mapping
from datetime import timedelta

RANKS: Mapping[str, int] = {
    "accepted": 0,
    "awaiting_staff": 1,
    "soft_bounced": 2,
    "refused": 2,
    "capped": 2,
    "unconfirmed": 2,
    "no_receipt": 2,
    "delivered": 3,
    "bounced": 4,
    "blocked": 4,
    "complained": 4,
    "not_friend": 4,
}
"""How far a message has come: a lower report after a higher one is history and nothing else."""

EVENTS: Mapping[str, str] = {
    "delivered": "delivered",
    "opened": "opened",
    "clicked": "clicked",
    "replied": "replied",
    "unsubscribed": "unsubscribed",
    "blocked": "blocked",
    "complained": "blocked",
    "task_done": "task_done",
    "task_failed": "task_failed",
}
"""Which built-in event of the user a report is; whoever calls it spam has blocked the sender, and `result` says so."""

REFUSALS: Mapping[str, str] = {
    "bounced": "bounced",
    "complained": "complained",
    "blocked": "blocked",
}
"""After which report nothing more is sent to the address, and why."""

PROOF = frozenset({*RANKS, *EVENTS}) - {"no_receipt"}
"""What comes back about a message only if its provider took it: it settles an outcome nobody knew."""

RECEIPTS: Mapping[str, tuple[str, ...]] = {kind: (kind,) for kind in (*RANKS, "opened", "clicked", "replied")} | {
    "task_done": ("done", "delivered"),
}
"""What is noted beside the message; a task is delivered when it is done."""

PROVEN = frozenset({"accepted", "used", *(noted for kind in PROOF for noted in RECEIPTS.get(kind, ()))})
"""The same as it is noted beside a message."""

OF_A_MESSAGE = frozenset({*RANKS, "opened", "clicked", "task_done", "task_failed"}) - {"bounced", "blocked", "complained", "not_friend"}
"""Reports that say nothing without their message; the others are about a person too."""

FINAL = frozenset({"delivered", "bounced", "blocked", "complained", "not_friend", "refused", "soft_bounced", "capped", "unconfirmed"})
"""After these nobody is asked what became of a message."""

SOFT_BOUNCES = 5
SOFT_WITHIN = timedelta(days=30)
"""So many mails to an address that did not arrive within so long, and it is taken for dead."""

PARKED = tuple(timedelta(minutes=m) for m in (1, 5, 15, 60, 360, 1440))
"""How long after it came a report about an unknown message is looked at again; after the last it is dropped."""

POLLS = PARKED
"""How long after a message was handed over its provider is asked what became of it."""


def is_history(kind: str, known: Iterable[str]) -> bool:
    """Whether a report changes nothing any more: something stronger, or the same, is known."""
    rank = RANKS.get(kind)
    return rank is not None and any(RANKS.get(other, -1) >= rank for other in known)


def next_look(received_for: timedelta) -> timedelta | None:
    """How long after it came a parked report is looked at again, that having been for so long; None: no more."""
    return next((wait for wait in PARKED if wait > received_for), None)
