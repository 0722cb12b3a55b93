"""Looks at every channel and feed: whether its account is there, how its calls go, what it can do; and, when asked, whether it answers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sop_engine.app import App, Work
from sop_engine.channels.contract import Capability, Channel
from sop_engine.core import catalog
from sop_engine.core.calendar import midnight
from sop_engine.core.circuit import Circuit
from sop_engine.core.errors import DeliveryError, Refused
from sop_engine.store import channel_figures, circuits
from sop_engine.store import feed as feeds

LATELY = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class ChannelState:
    """One channel. `missing`: what its account lacks; `caps`: the most marketing messages a user gets through it."""

    name: str
    via: str
    missing: str
    circuit: str
    sent_today: int
    caps: tuple[str, ...]
    rate: str
    last_error: str
    receipts: Mapping[str, int]
    capability: Capability
    answers: str = ""  # what a probe found


@dataclass(frozen=True, slots=True)
class FeedState:
    """One feed: entries that wait, since when, and what became of those of the last week."""

    name: str
    circuit: str
    waiting: int
    oldest: datetime | None
    done: Mapping[str, int] = field(default_factory=dict)
    last_error: str = ""
    answers: str = ""


def channel_states(work: Work, *, probe: bool = False) -> tuple[list[ChannelState], list[FeedState]]:
    """Every channel of the project and every feed of the accounts. `probe` connects to providers and sends nothing."""
    known = circuits.read(work.tx)
    today = midnight(work.now.astimezone(work.live.zone).date(), work.live.zone)
    sent, came = channel_figures.sent_since(work.tx, today), channel_figures.receipts_since(work.tx, work.now - LATELY)
    found = []
    for channel in work.project.channels.values():
        adapter = _opened(work.app, channel)
        error = channel_figures.last_error(work.tx, channel.name)
        state = ChannelState(
            name=channel.name,
            via=channel.via,
            missing=adapter if isinstance(adapter, str) else "",
            circuit=_circuit(known.get(channel.account)),
            sent_today=sent.get(channel.name, 0),
            caps=tuple(_limit(limit) for limit in (*channel.caps, *work.project.settings.caps)),
            rate=work.app.settings.rate(channel.account),
            last_error=f"{error[1]} {error[0]:%Y-%m-%d %H:%M} UTC" if error else "",
            receipts=came.get(channel.name, {}),
            capability=_capability(channel.via),
        )
        found.append(replace(state, answers=_probed(adapter)) if probe and not isinstance(adapter, str) else state)
    return found, list(_feeds(work, known, probe=probe))


def _feeds(work: Work, known: Mapping[str, Circuit], *, probe: bool) -> Iterator[FeedState]:
    from sop_engine.channels.feed import open_sink

    for one in work.app.settings.feeds:
        waiting, oldest, done, error = feeds.standing(work.tx, one.name)
        state = FeedState(one.name, _circuit(known.get(one.account)), waiting, oldest, done, error)
        if probe:
            try:
                sink: Any = open_sink(one.name, work.app.settings.accounts[one.name], loopback=work.app.settings.webhook_loopback)
            except Refused as refused:
                yield replace(state, answers=str(refused))
                continue
            state = replace(state, answers=_probed(sink))
        yield state


def _opened(app: App, channel: catalog.Channel) -> Channel | str:
    """The adapter as it would be were sending live, or what it lacks."""
    from sop_engine.channels.registry import Sinks, build

    def nowhere(_message: object) -> str:
        raise AssertionError("nothing is sent to look at a channel")

    try:
        return build(channel, app.settings.model_copy(update={"sending": "live"}), Sinks(outbox=nowhere, task=nowhere))
    except Refused as error:
        return str(error)


def _probed(adapter: Any) -> str:
    """What a probe found; an adapter of a kind that cannot be probed says so."""
    try:
        if not hasattr(adapter, "probe"):
            return "cannot be asked without sending" if getattr(adapter, "capability", Capability()).remote else "stays on this machine"
        return str(adapter.probe())
    except DeliveryError as error:
        return f"FAILED: {error.reason} {error.detail}".strip()
    finally:
        adapter.close()


def _capability(via: str) -> Capability:
    from sop_engine.channels.registry import CAPABILITIES

    return CAPABILITIES.get(via, Capability())


def _circuit(circuit: Circuit | None) -> str:
    if circuit is None or circuit.state == "closed":
        return "closed"
    until = f" until {circuit.until:%Y-%m-%d %H:%M:%S} UTC" if circuit.until else ""
    return f"{circuit.state} ({circuit.reason}{': ' + circuit.detail if circuit.detail else ''}){until}"


def _limit(limit: Any) -> str:
    length = limit.per
    span = f"{length.days}d" if length.days is not None else f"{int(length.exact.total_seconds() // 3600)}h"
    return f"{limit.most} per {span}"
