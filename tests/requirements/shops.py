"""Shops for the rows of the requirements: users of the shipped library, its playbooks at work, small projects that are read."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Engine

from sop_engine.actions.apply import Options, apply
from sop_engine.actions.place import Cause, place_users
from sop_engine.app import App, Rehearsal, adapter_for
from sop_engine.core import fitting
from sop_engine.core.conditions import Condition, Value, holds
from sop_engine.core.errors import Problem
from sop_engine.core.interest import user_names
from sop_engine.core.metrics import Fit
from sop_engine.core.models import models_in_order
from sop_engine.core.project import Project
from sop_engine.core.records import EventRecord, UserRecord
from sop_engine.language.load import check, load
from sop_engine.settings import Settings
from sop_engine.store import fits, metric_values, tags
from sop_engine.store.engine import open_engine, transaction
from sop_engine.store.events import add_events
from sop_engine.store.facts import read_facts
from sop_engine.store.layers import known
from sop_engine.store.migrate import TABLES
from sop_engine.store.placements import place
from sop_engine.store.scope import Scope
from sop_engine.store.users import add_users
from tests.builders import at
from tests.golden.population import golden_users
from tests.shipped.library import files
from tests.shop import Shop
from tests.shop_project import CATALOGUE, PROJECT, TEXTS
from tests.store.population import fill, place_everybody

NOON = "2025-06-30 12:00"
FOLDER = Path(__file__).parent
KEYS = count(1)
LEADER = "playbooks/27-group-leader.yml"


@dataclass(frozen=True)
class Did:
    """Something a user did, so many days before the clock (0 is today); times of day are 11:00 unless given."""

    kind: str
    days: tuple[float, ...]
    fields: Mapping[str, Any]


def did(kind: str, /, *days: float, times: int = 1, **fields: Any) -> Did:
    """The event on each of these days before, `times` over."""
    return Did(kind, days * times, fields)


def bought(amount: float | str, *days: float, times: int = 1, **fields: Any) -> Did:
    """Orders of this amount, each its own."""
    return did("order", *days, times=times, amount=Decimal(str(amount)), **fields)


@cache
def base() -> dict[str, str]:
    """The shipped facts, metrics and tiers, the playbooks every shop begins with (numbers below 20, and the group leader's), their texts.

    The others bring facts and flags of single trades; they are held by their own stories.
    """
    kept = {f: t for f, t in files().items() if not f.startswith("playbooks/") or f[10:12] < "20" or f == LEADER}
    said = "".join(text for file, text in kept.items() if file.startswith("playbooks/"))
    return {f: t for f, t in kept.items() if f.startswith("playbooks/") or Path(f).name.split(".")[0] in said}


@cache
def library() -> Project:
    """The project of `library_files`."""
    return load(library_files())


@cache
def library_files() -> dict[str, str]:
    """The beginning of the shipped library with the metrics, tags, tiers, playbooks and stories that the rows need besides."""
    more = {f"playbooks/rows-{file.stem}.yml": file.read_text("utf-8") for file in sorted(FOLDER.glob("*.yml")) if file.stem != "rows"}
    more |= {f"templates/{file.stem}.md": file.read_text("utf-8") for file in sorted(FOLDER.glob("texts/*.md"))}
    return {**base(), **more}


@cache
def changed_library(*changes: tuple[str, str]) -> Project:
    """The same with texts replaced, each of which must be there."""
    texts = dict(files())
    for old, new in changes:
        assert any(old in text for text in texts.values()), old
        texts = {file: text.replace(old, new) for file, text in texts.items()}
    return load(texts)


@cache
def _engine(project_hash: str) -> Engine:
    engine = open_engine("sqlite://")
    TABLES.create_all(engine)
    return engine


class Known:
    """What is known of one user on the clock: values by name, levels by model."""

    def __init__(self, engine: Engine, project: Project, user_id: int, now: datetime) -> None:
        self.engine, self.project, self.user_id, self.now = engine, project, user_id, now

    def __getitem__(self, name: str) -> Value | None:
        with transaction(self.engine) as tx:
            return read_facts(tx, self.project, [name], Scope.of([self.user_id]), self.now)[self.user_id][name]

    def levels(self, *models: str) -> list[Value | None]:
        """The levels in these models."""
        return [self[model] for model in models]

    def fits(self, condition: Condition | None) -> bool:
        """Whether a condition of the project holds for the user."""
        assert condition is not None
        with transaction(self.engine) as tx:
            found = read_facts(tx, self.project, user_names([condition]), Scope.of([self.user_id]), self.now)
        return holds(condition, found[self.user_id])


def user(*happened: Did, joined: str = "2024-01-01", now: str = NOON, project: Project | None = None, **given: Any) -> Known:
    """A new user of the library to whom this happened, placed in every model."""
    return Base(project)(*happened, joined=joined, now=now, **given)


class Base:
    """A database of one project. The same project gives the same database, unless it is `fresh`: then population counts."""

    def __init__(self, project: Project | None = None, *, fresh: bool = False) -> None:
        self.project = project or library()
        self.engine = _engine.__wrapped__("") if fresh else _engine(self.project.hash)
        self.ids: list[int] = []
        with transaction(self.engine) as tx:
            metric_values.prepare(tx, self.project)

    def __call__(self, *happened: Did, joined: str = "2024-01-01", now: str = NOON, **given: Any) -> Known:
        """A new user to whom this happened, placed in every model."""
        key, moment = f"u{next(KEYS)}", at(now)
        attributes = {k: _value(v) for k, v in given.items() if k in self.project.attributes}
        with transaction(self.engine) as tx:
            ids = add_users(tx, self.project, [UserRecord(key, at(joined), attributes)], moment)
            add_events(tx, self.project, [r for h in happened for r in _records(key, h, now)], ids, moment)
            self.place(tx, ids[key], moment)
        self.ids.append(ids[key])
        return Known(self.engine, self.project, ids[key], moment)

    def place(self, tx: Any, user_id: int, moment: datetime) -> None:
        """Values, rule tags and levels of one user, as an event brings them up to date."""
        scope = Scope.of([user_id])
        metric_values.recompute(tx, self.project, scope, moment)
        tags.refresh_rule_tags(tx, self.project, scope, moment)
        for model in models_in_order(self.project):
            place(tx, known(tx, self.project, moment), model, scope, moment, cause="event", release="test")

    def fit(self, *names: str, now: str = NOON) -> list[Fit]:
        """Cut points over everybody there is, as a refresh finds them; then everybody is placed anew."""
        moment, found = at(now), []
        with transaction(self.engine) as tx:
            for name in names:
                metric = self.project.metrics[name]
                found.append(fitting.fit_cuts(metric, [row[0] for row in fits.values_for(tx, self.project, metric, moment)]))
                fits.save_fit(tx, metric, found[-1], moment)
            for user_id in self.ids:
                self.place(tx, user_id, moment)
        return found

    def frozen(self, now: str = NOON, **cuts: float) -> "Base":
        """Cut points as a refresh would have found them."""
        with transaction(self.engine) as tx:
            for name, cut in cuts.items():
                fits.save_fit(tx, self.project.metrics[name], Fit(name, cuts=(cut,)), at(now))
        return self


def _records(key: str, told: Did, now: str) -> list[EventRecord]:
    fields = {k: _value(v) for k, v in told.fields.items()}
    actor = str(fields.pop("actor", "user"))
    found = []
    for days in told.days:
        number = next(KEYS)
        own = {"order_id": f"o{number}", **fields} if told.kind == "order" else fields
        day = datetime.fromisoformat(now) - timedelta(days=days)
        local = day if days == 0 or days % 1 else day.replace(hour=11)
        found.append(EventRecord(f"e{number}", key, told.kind, local.replace(tzinfo=ZoneInfo("Asia/Shanghai")), own, actor))
    return found


def _value(value: Any) -> Value:
    """Numbers are Decimal, whatever a test wrote them as."""
    return Decimal(str(value)) if isinstance(value, int | float) and not isinstance(value, bool) else value


@cache
def golden_levels() -> dict[str, dict[str, Value | None]]:
    """By golden user: the level in each model that the file knows, by the shipped library, with the fixed revenue target of the file."""
    golden, project = golden_users(), with_target()
    models = sorted({model for expected in golden.expect.values() for model in expected["levels"]} - {"RFM八类", "贡献金字塔"})
    engine = _engine.__wrapped__("")
    with transaction(engine) as tx:
        ids = fill(tx, project, golden.users, golden.events, golden.clock)
        place_everybody(tx, project, golden.clock)
        found = read_facts(tx, project, models, Scope.of(ids.values()), golden.clock)
    engine.dispose()
    return {key: found[user_id] for key, user_id in ids.items()}


@cache
def with_target() -> Project:
    """The library whose revenue target is ¥1,000 instead of the best fifth of payers."""
    spend = replace(library().metrics["消费五等"], cuts=tuple(map(Decimal, (100, 300, 600, 1000))))
    return replace(library(), metrics={**library().metrics, spend.name: spend}, hash="with target")


class LibraryShop(Shop):
    """The library with some of its playbooks on, alive: nobody is held out, every draw falls on `variant`, no stock runs out."""

    def __init__(self, engine: Engine, *playbooks: str, start: str, variant: str | None = None, project: Project | None = None) -> None:
        whole = project or library()
        self.project = replace(whole, flows={i: f for i, f in whole.flows.items() if f.playbook in playbooks})
        super().__init__(engine, start=start, project={"timezone": whole.settings.timezone})
        self.app = App(engine, Settings.model_construct(), lambda _files: self.project, adapter_for, Rehearsal(variant=variant))
        self.app.new_code = lambda: f"CODE-{next(KEYS)}"
        apply(self.app, {}, self.project, self.now, Options(approved_by="story"))

    def somebody(self, *happened: Did, key: str = "u", joined: str | None = None, **given: Any) -> str:
        """A user appears to whom this happened before, reachable by SMS unless told otherwise, and so enters what holds."""
        facts = {"手机号": "13700000000", "短信许可": True, "昵称": "小林", **given}
        local = self.now.astimezone(self.zone).strftime("%Y-%m-%d %H:%M")
        with self.app.work(self.now) as work:
            known_facts = {k: _value(v) for k, v in facts.items() if v is not None}
            ids = add_users(work.tx, work.project, [UserRecord(key, self.at(joined) if joined else self.now, known_facts)], self.now)
            add_events(work.tx, work.project, [r for h in happened for r in _records(key, h, local)], ids, self.now)
            metric_values.recompute(work.tx, work.project, Scope.of(ids.values()), self.now)
            tags.refresh_rule_tags(work.tx, work.project, Scope.of(ids.values()), self.now)
            place_users(work, sorted(ids.values()), Cause("event"))
        self.beat()
        return key


def book(start: str, steps: str, *more: str, name: str = "book", intent: str = "cultivate", goal: str = "buys") -> str:
    """A playbook of one flow in the short forms; without a benefit in `more` or the steps it says that it promises none."""
    keys = [*more] if "give:" in steps else ["no_benefit: nothing", *more]
    head = f"playbook: {name}\nintent: {intent}\nstart: {{{start}}}\ngoal: {goal}\n"
    return head + "".join(f"{key}\n" for key in keys) + f"steps: {{{steps}}}\n"


HEAD = "\n".join(f"{key}: {value}" for key, value in PROJECT.items())


def said_of(*documents: str, head: str = HEAD, catalogue: str = CATALOGUE, texts: Mapping[str, str] | None = None) -> list[Problem]:
    """Everything `sop check` says of a small project with these documents."""
    named = {f"playbooks/{i}.yml": document for i, document in enumerate((f"{head}\n---\n{catalogue}", *documents))}
    named |= {f"templates/{name}.md": text for name, text in {**TEXTS, **(texts or {})}.items()}
    return list(check(named).problems)


def of_code(problems: list[Problem], *codes: int) -> list[str]:
    """`severity sentence` of the problems with one of these codes."""
    return [f"{p.severity} {p.sentence}" for p in problems if p.code in {f"SOP{code}" for code in codes}]
