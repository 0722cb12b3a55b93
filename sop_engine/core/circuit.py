"""Decides whether the account of a channel is called at all: after too many failures nobody calls for a while, then one tries."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sop_engine.core.errors import DeliveryError

REMEMBERED = 10
TOO_MANY = 5  # failures among the last ten calls
PAUSE = timedelta(seconds=60)
REPAIR = timedelta(minutes=5)  # a password or a balance: a person is needed, so it is tried less often


@dataclass(frozen=True, slots=True)
class Circuit:
    """How calls to an account go. `results`: the last ten, 1 answered and 0 not; `until`: when it may be tried again."""

    account: str
    state: str = "closed"  # closed, open or probing
    results: str = ""
    until: datetime | None = None
    reason: str = ""
    detail: str = ""

    def holds(self, now: datetime) -> bool:
        """Whether nobody may call now: it is open, or somebody is trying."""
        return self.state != "closed" and self.until is not None and now < self.until

    def may_try(self, now: datetime) -> bool:
        """Whether the pause is over, so that one call may try."""
        return self.state != "closed" and not self.holds(now)


def account_of_template(name: str) -> str:
    """Under which name calls with one template are kept apart: its provider may refuse it while the account works."""
    return f"template:{name}"


def after_calls(circuit: Circuit, answers: Sequence[DeliveryError | None], now: datetime) -> Circuit:
    """The circuit after these answers, oldest first; None is an answer of any kind that shows the account to work."""
    for answer in answers:
        circuit = _after(circuit, answer, now)
    return circuit


def _after(circuit: Circuit, answer: DeliveryError | None, now: datetime) -> Circuit:
    reason = answer.reason if answer is not None else ""
    if answer is None or reason not in ("not_accepted", "throttled", "configuration", "template", "no_answer", "crashed"):
        results = (circuit.results + "1")[-REMEMBERED:]
        closed = Circuit(circuit.account, results="1")
        return replace(circuit, results=results) if circuit.state == "closed" else closed
    opened = replace(circuit, state="open", results="", reason=reason, detail=answer.detail[:200])
    if reason in ("configuration", "template"):
        return replace(opened, until=now + REPAIR)
    if reason == "throttled":  # it says itself how long all of its messages wait
        return replace(opened, until=now + timedelta(seconds=answer.retry_after_s or PAUSE.total_seconds()))
    results = (circuit.results + "0")[-REMEMBERED:]
    if circuit.state != "closed" or results.count("0") >= TOO_MANY:
        return replace(opened, until=now + PAUSE)
    return replace(circuit, results=results)
