"""Plays stories: the real engine on SQLite in memory with a made-up clock; whatever is sent and not expected fails the story."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count

from sop_engine.actions.apply import Options, apply
from sop_engine.actions.beat import advance, beat
from sop_engine.actions.ingest import record_events
from sop_engine.actions.place import Cause, place_users
from sop_engine.actions.storytelling import judge, unexpected
from sop_engine.actions.tagging import set_values
from sop_engine.app import App, Rehearsal, Work, adapter_for
from sop_engine.core.calendar import resolve
from sop_engine.core.conditions import Value
from sop_engine.core.explain import text_of_value
from sop_engine.core.needed import needed
from sop_engine.core.project import Project
from sop_engine.core.records import EventRecord, UserRecord
from sop_engine.core.story import Story, StoryEvent, StoryLine
from sop_engine.settings import Settings
from sop_engine.store import events as store_events
from sop_engine.store import levels, metric_values, tags
from sop_engine.store import users as store_users
from sop_engine.store.engine import open_engine
from sop_engine.store.migrate import TABLES
from sop_engine.store.people import get_id
from sop_engine.store.scope import Scope

USER = "story"


@dataclass(frozen=True, slots=True)
class Result:
    """How a story went: every line that did not hold, with its place."""

    story: Story
    failures: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether everything was as told."""
        return not self.failures


def rehearsal_app(project: Project, rehearsal: Rehearsal) -> App:
    """An engine on a fresh SQLite database in memory that contacts nobody."""
    engine = open_engine("sqlite://")
    TABLES.create_all(engine)
    numbers = count(1)
    app = App(engine, Settings.model_construct(), lambda _files: project, adapter_for, rehearsal)
    app.new_code = lambda: f"CODE-{next(numbers)}"
    return app


def play_all(project: Project, stories: Sequence[Story]) -> Iterator[Result]:
    """Play these stories one after the other."""
    return (play(project, story) for story in stories)


def play(project: Project, story: Story) -> Result:
    """Play one story; nobody is contacted, nothing is drawn, no budget or stock runs out."""
    project = needed(project, story)
    app = rehearsal_app(project, Rehearsal(variant=story.variant))
    try:
        return Result(story, tuple(_Play(app, project, story).run()))
    finally:
        app.engine.dispose()


class _Play:
    """One story being played."""

    def __init__(self, app: App, project: Project, story: Story) -> None:
        self.app, self.project, self.story = app, project, story
        self.now = self.at(0, story.start_minute)
        self.ids = count(1)
        self.seen: set[int] = set()  # touches that were expected

    def at(self, day: int, minute: int) -> datetime:
        """A local time of the story."""
        return resolve(self.story.day_0 + timedelta(days=day), minute, self.project.zone)

    def run(self) -> list[str]:
        """Everything that was not as told."""
        self._appear()
        failures: list[str] = []
        for line in self.story.lines:
            failures += self._line(line)
        with self.app.work(self.now) as work:
            return failures + unexpected(work, self.story, self.seen)

    def _appear(self) -> None:
        """The user appears on day 0, with attributes, tags and history, and so enters what holds."""
        apply(self.app, {}, self.project, self.now, Options(approved_by=USER))
        given = dict(self.story.given)
        joined = given.pop("joined", None)
        with self.app.work(self.now) as work:
            day = joined if joined is not None else self.story.day_0
            at = resolve(day, 0, self.project.zone) if joined is not None else self.now  # type: ignore[arg-type]  # joined is a date
            timezone, locale = given.pop("timezone", None), given.pop("locale", None)
            facts = {k: v for k, v in given.items() if k in self.project.attributes}
            record = UserRecord(USER, at, facts, str(timezone) if timezone else None, str(locale) if locale else None)
            ids = store_users.add_users(work.tx, work.project, [record], work.now)
            self.user = ids[USER]
            self._set(work, {k: v for k, v in given.items() if k not in self.project.attributes})
            history = [r for e in self.story.history for r in self._records(e)]
            if history:
                store_events.add_events(work.tx, work.project, history, ids, work.now)
            metric_values.recompute(work.tx, work.project, Scope.of([self.user]), work.now)
            tags.refresh_rule_tags(work.tx, work.project, Scope.of([self.user]), work.now)
            place_users(work, [self.user], Cause("event"))
        beat(self.app, self.now)

    def _records(self, told: StoryEvent) -> list[EventRecord]:
        fields = dict(told.fields)
        message_id, actor = fields.pop("id", None), str(fields.pop("actor", "user"))
        if told.event == "unsubscribed" or self.project.events[told.event].built_in:
            actor = actor if "actor" in dict(told.fields) else "user"
        at = self.at(told.day, told.minute)
        ids = [str(message_id) if message_id else f"{self.story.title}:{next(self.ids)}" for _ in range(told.times)]
        clean: dict[str, Value] = {k: v for k, v in fields.items() if v is not None}
        return [EventRecord(i, USER, told.event, at, _own_order(clean, n), actor, "story") for n, i in enumerate(ids)]

    def _set(self, work: Work, values: dict[str, Value | None]) -> None:
        """Attributes and tags are set; metrics and tiers are frozen at the value."""
        frozen = {k: v for k, v in values.items() if k in self.project.metrics or k in self.project.tiers}
        set_values(work, self.user, {k: v for k, v in values.items() if k not in frozen})
        for name, value in frozen.items():
            levels.set_by_hand(work.tx, self.user, levels.ByHand(name, None if value is None else text_of_value(value)), work.now)

    def _line(self, line: StoryLine) -> list[str]:
        at = self.at(line.day, line.minute)
        if at < self.now:
            return [f"{line.place}: this line is earlier than the one before it"]
        acts = line.kind in ("event", "set")
        self.now = advance(self.app, self.now, at, inclusive=not acts)
        if acts:
            self._act(line)
            beat(self.app, self.now)
            return []
        with self.app.work(self.now) as work:
            return judge(work, self.user, line, self.seen)

    def _act(self, line: StoryLine) -> None:
        if line.event is not None:
            record_events(self.app, self._records(line.event), self.now)
            return
        with self.app.work(self.now) as work:
            self._set(work, dict(line.sets))
            place_users(work, [get_id(work.tx, USER)], Cause("event"))


def _own_order(fields: dict[str, Value], number: int) -> dict[str, Value]:
    """An event told several times is several: each repeat has an order number of its own."""
    if number and isinstance(fields.get("order_id"), str):
        return {**fields, "order_id": f"{fields['order_id']}-{number + 1}"}
    return fields
