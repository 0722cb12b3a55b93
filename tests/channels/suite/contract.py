"""Says what every channel is held to: the behaviours of a provider, what each must come to, and how one cell is checked."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from sop_engine.channels.contract import Channel, Handed, Message, Receipt, call
from sop_engine.core.errors import DeliveryError

NOW = datetime(2025, 1, 2, 3, 30, tzinfo=UTC)
NAME = "张三丰"


class DoesNotApply(Exception):
    """This adapter cannot meet this behaviour; its text says why."""


@dataclass(frozen=True)
class Behaviour:
    """What a provider does with the next call. `kinds`: the outcomes that are right; `taken`: whether it has the message afterwards."""

    name: str
    kinds: frozenset[str]
    taken: bool = False


def _may_be(*kinds: str) -> frozenset[str]:
    return frozenset(kinds)


RECEIPT = "receipt"
BEHAVIOURS: tuple[Behaviour, ...] = (
    Behaviour("ok", _may_be(RECEIPT), taken=True),
    Behaviour("throttle", _may_be("retry_after")),
    Behaviour("refuse_content", _may_be("permanent")),
    Behaviour("refuse_person", _may_be("user_unreachable")),
    Behaviour("refuse_account", _may_be("retry_after:configuration")),
    Behaviour("refuse_template", _may_be("retry_after:template")),
    Behaviour("unlisted_code", _may_be("unknown", "permanent")),
    Behaviour("slow", _may_be("unknown")),
    Behaviour("refuse_connect", _may_be("retry_after:not_accepted")),
    Behaviour("html_200", _may_be("unknown")),
    Behaviour("garbage", _may_be("unknown"), taken=True),
    Behaviour("accept_then_hang", _may_be("unknown"), taken=True),
    Behaviour("accept_then_cut", _may_be("unknown"), taken=True),
    Behaviour("accept_then_500", _may_be("unknown"), taken=True),
    Behaviour("store_fails", _may_be("unknown:crashed")),
)


@dataclass
class Rig:
    """One adapter before its provider. `play` prepares the next call, or raises DoesNotApply; `taken`: the keys in the provider's log;
    `wire`: what came over the wire of each message, as `prepare` gives it; `never`: what no error and no log line may hold.
    """

    channel: Channel
    message: Message
    play: Callable[[str], None]
    taken: Callable[[], Sequence[str]]
    prepare: Callable[[Message], bytes]
    wire: Callable[[], Sequence[bytes]]
    never: tuple[str, ...]
    may_be: Mapping[str, str] = field(default_factory=dict)  # by behaviour, the outcome this protocol gives it instead
    others: Sequence[Mapping[str, str]] = ({"key": "never-used"},)  # what makes another message of one that is asked for


Adapter = Callable[[], AbstractContextManager[Rig]]


def check_cell(adapter: Adapter, behaviour: Behaviour) -> None:
    """One channel meets one behaviour; raises AssertionError where a promise is broken, DoesNotApply where it cannot happen."""
    with adapter() as rig, _log_lines() as lines:
        rig.play(behaviour.name)
        first = rig.prepare(rig.message)
        [outcome] = call(rig.channel, [rig.message])
        _check_outcome(replace(behaviour, kinds=_may_be(rig.may_be.get(behaviour.name, "")) - {""} or behaviour.kinds), outcome)
        assert len(rig.taken()) == int(behaviour.taken), f"{len(rig.taken())} entries in the provider's log"
        _check_asking(rig, behaviour)
        _check_repeat(rig, outcome)
        assert rig.prepare(rig.message) == first, "a repeat has other bytes"
        assert set(rig.wire()) <= {first}, "other bytes went over the wire than were prepared"
        said = [*_said(outcome), *lines]
        assert [word for word in rig.never for text in said if word in text] == [], "an address, a name or a secret was said"


def _check_outcome(behaviour: Behaviour, outcome: Receipt | DeliveryError) -> None:
    if isinstance(outcome, Receipt):
        assert RECEIPT in behaviour.kinds, "a receipt for what nobody took"
        return
    assert {outcome.kind, f"{outcome.kind}:{outcome.reason}"} & behaviour.kinds, f"{outcome.kind}:{outcome.reason} {outcome.detail}"


def _check_asking(rig: Rig, behaviour: Behaviour) -> None:
    """Who can be asked never denies what it took, and never claims what it did not."""
    can = rig.channel.capability
    if can.ask == "none" or behaviour.name in ("refuse_connect", "store_fails"):
        return
    later = NOW + max(can.settles_after, timedelta(minutes=10))
    handed = Handed(key=rig.message.key, began_at=NOW, now=later, to=rig.message.to, text=rig.message.text)
    found = rig.channel.ask(handed)
    if can.ask == "sure":
        assert (found is not None) == behaviour.taken, "the answer to asking is wrong"
    assert found is None or behaviour.taken
    for change in rig.others:
        assert rig.channel.ask(replace(handed, **change)) is None, f"another message was claimed: {change}"


def _check_repeat(rig: Rig, outcome: Receipt | DeliveryError) -> None:
    """Who knows a key again has one message, however often it is handed over; nobody else is handed it again."""
    if rig.channel.capability.idempotent_for is None or not (isinstance(outcome, DeliveryError) and outcome.kind == "unknown"):
        return
    call(rig.channel, [rig.message])
    assert len(set(rig.taken())) <= 1, "the same key made two messages"


def _said(outcome: Receipt | DeliveryError) -> list[str]:
    return [outcome.detail] if isinstance(outcome, Receipt) else [str(outcome), repr(outcome), outcome.detail]


@contextmanager
def _log_lines() -> Iterator[list[str]]:
    """Every line that any library logs meanwhile, at its most talkative."""
    lines: list[str] = []

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    root, keeper = logging.getLogger(), Keeper()
    named = [root, *(logging.getLogger(name) for name in ("httpx", "httpcore"))]
    levels = [one.level for one in named]
    root.addHandler(keeper)
    for one in named:
        one.setLevel(logging.DEBUG)
    try:
        yield lines
    finally:
        root.removeHandler(keeper)
        for one, level in zip(named, levels, strict=True):
            one.setLevel(level)
