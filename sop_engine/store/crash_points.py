"""Names the instants at which the fault tests end a process. Elsewhere a point does nothing."""

from collections.abc import Callable, Mapping

POINTS: Mapping[str, str] = {
    "before_release_commit": "touches are claimed, and the transaction is open",
    "after_release_commit": "touches are queued, and nobody has been told",
    "before_intent_commit": "intents are written, and the transaction is open",
    "after_intent_commit": "intents are stored, and no provider was called",
    "after_call": "a provider has answered, and nothing is settled",
    "before_settle": "all providers of the round have answered, and nothing is settled",
    "before_settle_commit": "outcomes are written, and the transaction is open",
    "after_settle_commit": "outcomes are stored, and what they are as events is not",
    "after_feeding": "other systems have answered, and nothing is stored",
    "before_rescue_commit": "expired leases are taken back, and the transaction is open",
    "after_asking": "a provider has said what became of a key, and nothing is stored",
    "before_resolve_commit": "unknown outcomes are decided, and the transaction is open",
    "before_repeat_commit": "repeats are intended, and the transaction is open",
    "after_repeat_commit": "repeats are stored, and no provider was called",
}
"""Every point, with what has just happened there."""

hook: Callable[[str], object] | None = None  # set by tests


def cp(name: str) -> None:
    """A process may end here; what is stored then must be enough to go on."""
    if hook is not None:
        hook(name)
