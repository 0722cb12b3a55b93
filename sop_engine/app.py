"""Wires the rooms together, once: database, live project, channels, and what differs between a rehearsal and the real thing."""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol
from zoneinfo import ZoneInfo

from sop_engine.core.benefits import RANDOM_BYTES, code_from_bytes
from sop_engine.core.errors import NotFound
from sop_engine.core.interest import Interest, interest_of, with_quiet_days
from sop_engine.core.ladder import LEASE_S, Ladder, ladder_of
from sop_engine.core.playbook import Flow
from sop_engine.core.project import Project
from sop_engine.core.ramp import Ramp
from sop_engine.settings import Settings
from sop_engine.store import outbox, tokens, versions
from sop_engine.store.clock import LeaseClock, database_time
from sop_engine.store.engine import open_engine, transaction
from sop_engine.store.halts import INSTANCE as INSTANCE

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from sop_engine.channels.contract import Capability, Message
    from sop_engine.channels.contract import Channel as Adapter
    from sop_engine.core.catalog import Channel

RELEASE = "release"  # the mark that names the live release


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What a story or a backtest does differently: nobody is contacted, nothing is drawn, nothing runs out."""

    variant: str | None = None  # for every user; holdout holds everybody out
    draws: bool = False  # True: hold-outs, variants and rollouts are drawn as live
    spread: bool = False  # spans begin at once


@dataclass
class Live:
    """One release: its project with what concerns whom, and the versions of its flows."""

    release: str
    project: Project
    numbers: Mapping[str, int] = field(default_factory=dict)  # flow -> version
    opening: Mapping[str, list[Ramp]] = field(default_factory=dict)  # flow -> versions that opened slowly, or still do

    @cached_property
    def interest(self) -> Interest:
        """What concerns whom."""
        return interest_of(self.project)

    @property
    def zone(self) -> ZoneInfo:
        """The zone of days."""
        return self.project.zone


class Pace(Protocol):
    """How fast the account of a channel may be called, over all workers."""

    def take(self, tx: "Connection", account: str, wanted: int) -> tuple[int, timedelta]:
        """How many of `wanted` calls may be made now, and how long the next one has to wait."""


class Seats(Protocol):
    """Keeps a slow account from having every worker to itself."""

    def take(self, account: str) -> bool:
        """Whether this process may call the account now; asked again before every round."""

    def note(self, account: str, seconds: float) -> None:
        """A call to the account took so long."""

    def leave(self) -> None:
        """This process is done with its message."""


@dataclass
class App:
    """Everything an action needs. `load` turns the text of a release into a project."""

    engine: "Engine"
    settings: Settings
    load: Callable[[Mapping[str, str]], Project]
    adapters: Callable[["App", "Channel"], "Adapter"]
    rehearsal: Rehearsal | None = None
    new_code: Callable[[], str] = lambda: code_from_bytes(secrets.token_bytes(RANDOM_BYTES))
    no_refresh_before: datetime | None = None  # nothing is due before: saves a look at every beat
    lease_clock: LeaseClock | None = database_time  # leases are counted in it; None: in the engine's own time (made-up clocks)
    host_clock: Callable[[], datetime] | None = None  # compared with the database's before anything is sent; None: it is not
    stopwatch: Callable[[], float] = time.monotonic  # how long something takes, in seconds
    fence: Callable[["Connection"], None] | None = None  # begins every transaction of a leader: raises Refused when it leads no more
    pace: "Pace | None" = None  # how fast accounts may be called; None: as the database's own buckets say
    seats: "Seats | None" = None  # which accounts this process may call; None: all of them, for no others share the work
    told_to_end: tuple[type[Exception], ...] = ()  # errors by which this process is told that its time is over: no user's fault
    round_sizes: dict[str, int] = field(default_factory=dict)  # by account: how many calls went well together, last
    providers: dict[str, Any] = field(default_factory=dict)  # by name: coupon systems that are open
    _projects: dict[str, Project] = field(default_factory=dict)
    _live: Live | None = None
    _instance: str = ""
    _opened: dict[str, "Adapter"] = field(default_factory=dict)
    _pinned: dict[tuple[str, int, str], tuple[Flow, Project]] = field(default_factory=dict)

    @contextmanager
    def transaction(self) -> Iterator["Connection"]:
        """One transaction on the database."""
        with transaction(self.engine) as tx:
            if self.fence is not None:
                self.fence(tx)
            yield tx

    @contextmanager
    def work(self, now: datetime) -> Iterator["Work"]:
        """One transaction with the live project, at one moment."""
        with self.transaction() as tx:
            yield Work(self, tx, self.live(tx), now)

    def live(self, tx: "Connection") -> Live:
        """The release that is applied now. Raises NotFound when none was ever applied."""
        if self.rehearsal is not None and self._live is not None:
            return self._live  # nobody else applies anything here
        release = versions.get_mark(tx, RELEASE)
        if release is None:
            raise NotFound("no project has been applied to this database yet: run 'sop apply' first")
        if self._live is None or self._live.release != release:
            numbers = {v.flow: v.number for v in versions.latest_versions(tx).values()}
            self._live = Live(release, self.project_of(tx, release), numbers, versions.opening(tx))
            self._pinned.clear()
        return self._live

    @cached_property
    def ladder(self) -> Ladder:
        """The lengths of time of leases, calls and tasks."""
        return ladder_of(getattr(self.settings, "lease_s", LEASE_S))

    def lease_time(self, tx: "Connection", now: datetime) -> datetime:
        """The time leases are counted in: the database's, or `now` where the clock is made up."""
        return now if self.lease_clock is None or self.rehearsal is not None else self.lease_clock(tx)

    @property
    def zone(self) -> ZoneInfo:
        """The zone of the project that is live, once a transaction has read it."""
        assert self._live is not None
        return self._live.zone

    @property
    def project_name(self) -> str:
        """The name of the project that is live, once a transaction has read it."""
        return self._live.project.settings.name if self._live is not None else ""

    def forget_live(self) -> None:
        """Read the live release anew at the next look: after an apply."""
        self._live = None
        self.no_refresh_before = None

    def project_of(self, tx: "Connection", release: str) -> Project:
        """The project of a stored release, read once per process. Raises NotFound."""
        if release not in self._projects:
            files = versions.get_release(tx, release)
            if files is None:
                raise NotFound(f"release {release[:12]} is not in this database")
            self._projects[release] = with_quiet_days(self.load(files))
        return self._projects[release]

    def pinned(self, work: "Work", flow_id: str, number: int) -> tuple[Flow, Project] | None:
        """The flow as a run started with it, and the live project with the texts and benefits of that version; None when gone."""
        key = (flow_id, number, work.live.release)
        found = self._pinned.get(key) or self._find_pinned(work.tx, work.live, flow_id, number)
        if found is not None:
            self._pinned[key] = found  # another thread may forget all of them meanwhile
        return found

    def _find_pinned(self, tx: "Connection", live: Live, flow_id: str, number: int) -> tuple[Flow, Project] | None:
        if live.numbers.get(flow_id) == number and flow_id in live.project.flows:
            return live.project.flows[flow_id], live.project
        version = versions.get_version(tx, flow_id, number)
        if version is None:
            return None
        old = self.project_of(tx, version.release)
        corrected = self.project_of(tx, version.texts).templates if version.texts else {}
        merged = replace(
            live.project,
            templates={**live.project.templates, **old.templates, **corrected},
            benefits={**live.project.benefits, **old.benefits},
            channels={**old.channels, **live.project.channels},  # a channel that is gone still carries the texts written for it
        )
        return old.flows[flow_id], merged

    def instance(self, tx: "Connection") -> str:
        """The name of this database, part of every message key."""
        if not self._instance:
            self._instance = versions.get_mark(tx, INSTANCE) or ""
        return self._instance

    def know_instance(self, name: str) -> None:
        """The name as it was just read: it may have been changed by another process."""
        self._instance = name

    def adapter(self, channel: "Channel") -> "Adapter":
        """What speaks for a channel: the outbox, unless sending is live."""
        if channel.name not in self._opened:
            self._opened[channel.name] = self.adapters(self, channel)
        return self._opened[channel.name]

    def capability(self, channel: "Channel") -> "Capability":
        """What the channel can do; nothing at all while its account is missing."""
        from sop_engine.channels.contract import Capability
        from sop_engine.core.errors import Refused

        try:
            return self.adapter(channel).capability
        except Refused:
            return Capability()

    def close(self) -> None:
        """Let go of the connections of channels; they are opened again when needed."""
        for adapter in [*self._opened.values(), *self.providers.values()]:
            adapter.close()


@dataclass
class Work:
    """A unit of work: one transaction, the live project, one moment."""

    app: App
    tx: "Connection"
    live: Live
    now: datetime
    moments: Mapping[int, datetime] = field(default_factory=dict)  # by user, when it happened for them, if not now
    identified: set[int] = field(default_factory=set)  # users whose identities were set in this transaction
    links: list[dict[str, object]] = field(default_factory=list)  # of the texts written in this transaction

    @property
    def project(self) -> Project:
        """The live project."""
        return self.live.project

    @property
    def day(self) -> int:
        """Today's local date in the project's zone, as an ordinal."""
        return self.now.astimezone(self.live.zone).date().toordinal()

    def moment(self, user_id: int) -> datetime:
        """When what is being worked on happened for this user."""
        return self.moments.get(user_id, self.now)

    def zone_of(self, timezone: str | None) -> ZoneInfo:
        """The user's zone, else the project's; a bad one means the project's."""
        if not timezone or timezone == self.project.settings.timezone:
            return self.live.zone
        try:
            return ZoneInfo(timezone)
        except (KeyError, ValueError, OSError):
            return self.live.zone


def adapter_for(app: App, channel: "Channel") -> "Adapter":
    """What speaks for a channel. Nothing leaves the machine before SOP_SENDING=live: until then it is the outbox, whatever its `via`."""
    from sop_engine.channels.outbox import Outbox
    from sop_engine.channels.registry import Sinks, build

    def keep(messages: "Sequence[Message]") -> list[str]:
        with app.transaction() as tx:
            outbox.keep(tx, [_outbox_row(m, channel) for m in messages])
        return [m.key for m in messages]

    def find(key: str) -> str | None:
        with app.transaction() as tx:
            return outbox.find(tx, key)

    def make_task(message: "Message") -> str:
        with app.transaction() as tx:
            outbox.add_task(tx, outbox.task_of(message, channel.name), message.now)
        return message.key

    if app.rehearsal is not None or app.settings.sending != "live":
        return Outbox(lambda message: keep([message])[0], keep, find)
    sinks = Sinks(outbox=lambda message: keep([message])[0], task=make_task, find=find, tokens=tokens.Tokens(app.transaction))
    return build(channel, app.settings, sinks, project=app.project_name)


def _outbox_row(message: "Message", channel: "Channel") -> dict[str, object]:
    same = ("key", "user_id", "subject", "text", "template", "purpose", "test")
    row = {name: getattr(message, name) for name in same}
    return {**row, "at": message.now, "address": message.to, "channel": channel.name, "via": channel.via}


def open_app(settings: Settings, *, hurried: bool = False) -> App:
    """An app on the database of the settings, reading projects with the language and speaking through the channels."""
    from sop_engine.language.load import load

    return App(open_engine(settings.database_url, hurried=hurried), settings, load, adapter_for)
