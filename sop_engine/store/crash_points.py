"""Names the places at which a process may die, for tests that let it: anywhere else `cp` does nothing.

Every name stands in POINTS, with what has just happened there; the order is that of a touch's life.
"""

from collections.abc import Callable, Mapping

POINTS: Mapping[str, str] = {
    "release_before_commit": "touches are claimed, the transaction is still open",
    "release_after_commit": "touches are queued, nobody has been told",
    "release_after_enqueue": "hints are handed over",
    "intend_before_commit": "intents are written, the transaction is still open",
    "intend_after_commit": "intents are stored, no provider was called",
    "call_before": "the next call to a provider is about to be made",
    "call_after": "a provider has answered, nothing is settled",
    "settle_before_commit": "outcomes are written, the transaction is still open",
    "settle_after_commit": "outcomes are stored",
    "rescue_before_commit": "expired leases are taken back, the transaction is still open",
    "rescue_after_commit": "expired leases are taken back",
    "resolve_before_commit": "an unknown outcome is decided or a repeat is intended, the transaction is still open",
    "resolve_after_commit": "an unknown outcome is decided or a repeat is intended",
    "sweep_before_commit": "a slice of users is placed for a midnight, the transaction is still open",
    "sweep_after_commit": "a slice of users is placed for a midnight",
    "start_before_commit": "runs are started, the transaction is still open",
    "lead_after_taken": "leadership is taken, nothing has been done with it",
}

_hook: Callable[[str], None] | None = None


def cp(name: str) -> None:
    """Pass the place of this name; a test may end the process here."""
    if _hook is not None:
        _hook(name)


def on_pass(hook: Callable[[str], None] | None) -> None:
    """From now on call this with the name of every place passed; None: do nothing again."""
    global _hook
    _hook = hook
