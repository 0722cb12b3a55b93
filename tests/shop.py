"""A small shop for tests: a project written in the test, a made-up clock, users who do things, and what they were sent."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from itertools import count
from typing import Any
from zlib import crc32
from zoneinfo import ZoneInfo

from sqlalchemy import Engine

from sop_engine.actions.apply import Change, Options, apply
from sop_engine.actions.beat import Beat, advance, beat
from sop_engine.actions.deliver import deliver
from sop_engine.actions.ingest import Recorded, record_events
from sop_engine.actions.place import Cause, place_users
from sop_engine.actions.release import release_due
from sop_engine.actions.tagging import set_values
from sop_engine.actions.unite import unite_identified
from sop_engine.app import App, adapter_for
from sop_engine.core.conditions import Value
from sop_engine.core.project import Project
from sop_engine.core.records import EventRecord, UserRecord
from sop_engine.core.run import Run
from sop_engine.language.load import load
from sop_engine.settings import Settings
from sop_engine.store import events as store_events
from sop_engine.store import facts as store_facts
from sop_engine.store import grants, levels, metric_values, outbox, runs, tags, touches
from sop_engine.store import users as store_users
from sop_engine.store.people import get_id
from sop_engine.store.scope import Scope
from tests.shop_project import CATALOGUE, PROJECT, TEXTS, Scripted

KEYS = count(1)


@cache
def _load(files: tuple[tuple[str, str], ...]) -> Project:
    return load(dict(files))


class Shop:
    """A project on a database, at a made-up moment. Local times are Shanghai's unless the project says otherwise."""

    def __init__(
        self,
        engine: Engine,
        *documents: str,
        start: str = "2025-03-01 09:00",
        project: Mapping[str, str] | None = None,
        texts: Mapping[str, str] | None = None,
        channels: Mapping[str, Scripted] | None = None,
    ) -> None:
        self.settings, self.texts = {**PROJECT, **(project or {})}, {**TEXTS, **(texts or {})}
        self.zone = ZoneInfo(self.settings["timezone"])
        self.now = self.at(start)
        scripted = dict(channels or {})
        self.app = App(
            engine,
            Settings.model_construct(),
            lambda files: _load(tuple(sorted(files.items()))),
            lambda app, channel: scripted[channel.name] if channel.name in scripted else adapter_for(app, channel),
            lease_clock=None,
        )
        if documents:
            self.apply(*documents)

    def at(self, local: str) -> datetime:
        """The instant of a local time of the project."""
        return datetime.fromisoformat(local).replace(tzinfo=self.zone).astimezone(UTC)

    def files(self, *documents: str, catalogue: str = CATALOGUE) -> dict[str, str]:
        """The project as files."""
        head = "\n".join(f"{k}: {v}" for k, v in self.settings.items())
        books = {f"playbooks/{i}.yml": document for i, document in enumerate(documents)}
        return {
            "playbooks/a.yml": f"{head}\n---\n{catalogue}",
            **books,
            **{f"templates/{k}.md": v for k, v in self.texts.items()},
        }

    def apply(self, *documents: str, options: Options | None = None, catalogue: str = CATALOGUE) -> list[Change]:
        """Make these documents live, with the catalogue above."""
        files = self.files(*documents, catalogue=catalogue)
        return apply(self.app, files, self.app.load(files), self.now, options)

    # what happens

    def user(self, key: str, *, joined: str | None = None, timezone: str | None = None, locale: str | None = None, **given: Value) -> str:
        """A user appears, reachable by SMS unless `phone` says otherwise, and so enters what holds."""
        facts: dict[str, Value | None] = {"phone": f"138{crc32(key.encode()) % 10**8:08d}", **given}
        if facts["phone"] == "":
            del facts["phone"]
        record = UserRecord(key, self.at(joined) if joined else self.now, facts, timezone, locale)
        self.users([record])
        return key

    def users(self, records: Sequence[UserRecord]) -> None:
        """Users appear."""
        with self.app.work(self.now) as work:
            work.identified |= set(store_users.add_users(work.tx, work.project, records, self.now).values())
            gone = unite_identified(work)
            ids = sorted(set(store_users.ids_by_key(work.tx, [r.key for r in records]).values()) - gone.keys())
            metric_values.recompute(work.tx, work.project, Scope.of(ids), self.now)
            tags.refresh_rule_tags(work.tx, work.project, Scope.of(ids), self.now)
            place_users(work, ids, Cause("event"))

    def history(self, *told: tuple[str, str, str, Mapping[str, Value]], joined: str = "2024-01-01") -> None:
        """Events of the past, (user, kind, local time, fields), come with an import: they fire nothing."""
        records = [self.record(user, kind, local, fields) for user, kind, local, fields in told]
        self.load_history([UserRecord(k, self.at(joined), {"phone": "13800000000"}) for k in {r.user_key for r in records}], records)

    def load_history(self, people: Sequence[UserRecord], records: Sequence[EventRecord]) -> None:
        """As an import brings them: users and events, levels without starts."""
        with self.app.work(self.now) as work:
            ids = store_users.add_users(work.tx, work.project, people, self.now)
            store_events.add_events(work.tx, work.project, records, ids, self.now)
            scope = Scope.of(ids.values())
            metric_values.recompute(work.tx, work.project, scope, self.now)
            tags.refresh_rule_tags(work.tx, work.project, scope, self.now)
            place_users(work, sorted(ids.values()), Cause("import", may_start=False))

    def record(self, user: str, kind: str, local: str, fields: Mapping[str, Value]) -> EventRecord:
        """An event as it is handed in; whole and broken numbers become decimals."""
        rest = {k: _value(v) for k, v in fields.items()}
        message_id, actor = str(rest.pop("id", f"m{next(KEYS)}")), str(rest.pop("actor", "user"))
        return EventRecord(message_id, user, kind, self.at(local), rest, actor, "test")

    def event(self, user: str, kind: str, *, at: str | None = None, **fields: Any) -> Recorded:
        """A user does something, `at` a local time to which the clock moves first (it may lie in the past: then it arrives late)."""
        if at is not None and self.at(at) > self.now:
            self.until(at, inclusive=False)
        local = at or self.local()
        done = record_events(self.app, [self.record(user, kind, local, fields)], self.now)
        self.beat()
        return done

    def local(self) -> str:
        """The clock, in local time."""
        return self.now.astimezone(self.zone).strftime("%Y-%m-%d %H:%M:%S.%f")

    def until(self, local: str, *, inclusive: bool = True) -> None:
        """Let time pass, with a beat at every moment something happens."""
        self.now = advance(self.app, self.now, self.at(local), inclusive=inclusive)

    def jump(self, local: str) -> None:
        """Time passes and nobody works: the engine is down."""
        self.now = self.at(local)

    def beat(self) -> Beat:
        """What a minute brings."""
        return beat(self.app, self.now)

    def claim(self) -> list[tuple[int, int]]:
        """Claim what is due without delivering it: hints for `deliver`."""
        hints: list[tuple[int, int]] = []
        release_due(self.app, self.now, lambda claimed, _lane: hints.extend(claimed))
        return hints

    def deliver(self, hints: Sequence[tuple[int, int]]) -> int:
        """Deliver what was claimed."""
        return deliver(self.app, hints, self.now)

    def set(self, user: str, **values: Value | None) -> None:
        """A colleague sets attributes or tags."""
        with self.app.work(self.now) as work:
            one = get_id(work.tx, user)
            set_values(work, one, values)
            one = unite_identified(work).get(one, one)
            tags.refresh_rule_tags(work.tx, work.project, Scope.of([one]), self.now)
            place_users(work, [one], Cause("event"))
        self.beat()

    def level_by_hand(self, user: str, name: str, value: str | None, *, until: str | None = None) -> None:
        """A colleague sets a metric or level."""
        with self.app.work(self.now) as work:
            day = self.at(until).astimezone(self.zone).date().toordinal() if until else None
            levels.set_by_hand(work.tx, get_id(work.tx, user), levels.ByHand(name, value, "colleague", day), self.now)
            place_users(work, [get_id(work.tx, user)], Cause("hand"))
        self.beat()

    def codes(self, pool: str, *codes: str) -> None:
        """Upload codes."""
        with self.app.transaction() as tx:
            grants.add_codes(tx, pool, codes)

    # what came of it

    def sent(self, user: str | None = None) -> list[str]:
        """`step@local time` of what was sent, in the order it was planned; of one user or of all."""
        return [f"{t.step}@{self._local(t.done_at)}" for t in self.touches(user) if t.state == "sent"]

    def skipped(self, user: str | None = None) -> list[str]:
        """`step:reason` of what was skipped."""
        return [f"{t.step}:{t.reason}" for t in self.touches(user) if t.state == "skipped"]

    def states(self, user: str | None = None) -> list[str]:
        """`step:state`, with the reason where there is one."""
        return [f"{t.step}:{t.state}" + (f":{t.reason}" if t.reason else "") for t in self.touches(user)]

    def planned(self, user: str | None = None) -> list[str]:
        """`step@local time` of what is to come."""
        return [f"{t.step}@{self._local(t.due_at)}" for t in self.touches(user) if t.state == "planned"]

    def touches(self, user: str | None = None) -> list[Any]:
        """Whole rows, oldest first."""
        with self.app.transaction() as tx:
            where = {} if user is None else {"user_id": get_id(tx, user)}
            return touches.list_touches(tx, **where)

    def outbox(self, user: str | None = None) -> list[Any]:
        """Messages, oldest first."""
        with self.app.transaction() as tx:
            owner = None if user is None else get_id(tx, user)
            return outbox.list_outbox(tx, user_id=owner, limit=100_000)[::-1]

    def texts_sent(self, user: str | None = None) -> list[str]:
        """The texts of the messages, oldest first."""
        return [m.text for m in self.outbox(user)]

    def runs(self, user: str) -> list[Run]:
        """All runs of a user, oldest first."""
        with self.app.transaction() as tx:
            return runs.list_runs(tx, get_id(tx, user))

    def ends(self, user: str) -> list[str | None]:
        """How the runs of a user ended; None while open."""
        return [run.end_reason for run in self.runs(user)]

    def refused(self, user: str) -> list[str]:
        """Reasons of refused starts."""
        with self.app.transaction() as tx:
            return [r.reason for r in runs.list_refused(tx, get_id(tx, user))]

    def facts(self, user: str, *names: str) -> list[Value | None]:
        """Values of the user now."""
        with self.app.work(self.now) as work:
            one = get_id(work.tx, user)
            found = store_facts.read_facts(work.tx, work.project, names, Scope.of([one]), self.now)[one]
            return [found[name] for name in names]

    def moves(self, user: str, model: str) -> list[tuple[str | None, str | None, str]]:
        """(from, to, local time) of the user's moves in a model."""
        with self.app.transaction() as tx:
            mine = (levels.move_rows.c.user_id == get_id(tx, user)) & (levels.move_rows.c.model == model)
            rows = tx.execute(levels.move_rows.select().where(mine).order_by(levels.move_rows.c.id))
            return [(r.old, r.new, self._local(r.at)) for r in rows]

    def grants(self, user: str | None = None) -> list[Any]:
        """Rows of benefits given, oldest first."""
        with self.app.transaction() as tx:
            statement = grants.grants.select().order_by(grants.grants.c.id)
            if user is not None:
                statement = statement.where(grants.grants.c.user_id == get_id(tx, user))
            return list(tx.execute(statement))

    def _local(self, moment: datetime) -> str:
        return moment.astimezone(self.zone).strftime("%m-%d %H:%M")


def _value(value: Any) -> Value:
    return Decimal(str(value)) if isinstance(value, int | float) and not isinstance(value, bool) else value


def keys(many: int, prefix: str = "u") -> Iterable[str]:
    """u1, u2, …"""
    return (f"{prefix}{n}" for n in range(1, many + 1))
