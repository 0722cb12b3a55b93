"""Enumerated crash schedules: die at every point, recover, die again at every point of the recovery, recover, and count.

Every stage is a fork with a connection of its own; the clock is made up. What was sent is counted in the provider's own log.
"""

import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import text

from sop_engine.actions.beat import beat
from sop_engine.actions.invariants import ask_invariants
from sop_engine.settings import Settings
from sop_engine.store import attempts
from sop_engine.store.engine import open_engine
from sop_engine.store.invariants import Broken
from sop_engine.store.migrate import upgrade
from tests.faults.forking import Ended, in_child
from tests.faults.provider_file import ABILITIES, FileProvider
from tests.shop import Shop
from tests.shop_project import BENEFIT

BOOKS = f"""
benefits:
  gift: {{pool: G, {BENEFIT}}}
---
playbook: p
intent: cultivate
start: {{event: cart}}
goal: buys
again: always
steps:
  hi: {{after: 10m, send: hello}}
  gift: {{after: 10m, give: gift, send: coupon}}
  then: {{at: now, from: hi, send: again}}
"""
START, DUE = "2025-03-01 10:00", "2025-03-01 10:10"
LATER = (3, 4, 6, 40, 180)  # minutes after the crash at which somebody looks again
CHANGING = (
    "users", "runs", "touches", "touch_changes", "attempts", "late_results", "grants", "pools", "pool_codes", "receipts", "marks",
    "circuits", "send_counts", "events", "user_metrics", "stops", "audit",
)  # fmt: skip


@dataclass
class Bench:
    """A prepared database (a SQLite file, or an empty PostgreSQL database) and a provider of one ability."""

    folder: Path
    ability: str
    url: str = ""  # of PostgreSQL
    users: int = 2
    durable: bool = False  # a kill is no power loss
    _shop: tuple[Shop, FileProvider] | None = None

    def prepare(self) -> None:
        """Everything is planned and nothing is due; what children need is read and compiled once, and no connection is left open."""
        self._prepare()
        self._shop = self._open()
        self.reset()
        shop, _ = self.shop()
        self.restore(shop)
        beat(shop.app, shop.now)
        _recover_and_judge(self, 0)
        shop.app.engine.dispose()

    def _prepare(self) -> None:
        engine = open_engine(self.url or f"sqlite:///{self.folder / 'prepared.db'}")
        if self.url:
            with engine.begin() as tx:
                tx.execute(text("DROP SCHEMA IF EXISTS saved CASCADE"))
                tx.execute(text("DROP SCHEMA public CASCADE"))
                tx.execute(text("CREATE SCHEMA public"))
        upgrade(engine)
        shop = Shop(engine, BOOKS, start=START)
        shop.codes("G", *(f"C{n}" for n in range(50)))
        for n in range(self.users):
            shop.event(shop.user(f"u{n}"), "cart")
        with engine.begin() as tx:
            if self.url:
                tx.execute(text("CREATE SCHEMA saved"))
                for table in CHANGING:
                    tx.execute(text(f"CREATE TABLE saved.{table} AS SELECT * FROM {table}"))
        engine.dispose()

    def reset(self) -> None:
        """As it was prepared; the provider has taken nothing."""
        self.log.unlink(missing_ok=True)
        if not self.url:
            for leftover in ("now.db-wal", "now.db-shm"):
                (self.folder / leftover).unlink(missing_ok=True)
            shutil.copyfile(self.folder / "prepared.db", self.folder / "now.db")

    @property
    def log(self) -> Path:
        """The provider's own log."""
        return self.folder / "provider.log"

    def _open(self) -> tuple[Shop, FileProvider]:
        engine = open_engine(self.url or f"sqlite:///{self.folder / 'now.db'}", durable=self.durable)
        provider = FileProvider(self.log, ABILITIES[self.ability], datetime.min)
        shop = Shop(engine, start=DUE, channels={"sms": provider})
        shop.app.settings = Settings.model_construct(sending="live")
        return shop, provider

    def shop(self) -> tuple[Shop, FileProvider]:
        """The shop on the database as it is now, at the moment everything is due, and its provider. For children alone."""
        assert self._shop is not None
        shop, provider = self._shop
        shop.now = provider.now = shop.at(DUE)
        return shop, provider

    def restore(self, shop: Shop) -> None:
        """On PostgreSQL: take back what an earlier schedule wrote."""
        if self.url:
            with shop.app.transaction() as tx:
                tx.execute(text(f"TRUNCATE {', '.join(CHANGING)}"))
                for table in CHANGING:
                    tx.execute(text(f"INSERT INTO {table} SELECT * FROM saved.{table}"))


@dataclass
class Tally:
    """What came of many schedules."""

    schedules: int = 0
    duplicates: list[str] = field(default_factory=list)
    losses: list[str] = field(default_factory=list)
    unknown: int = 0
    wrong: list[str] = field(default_factory=list)  # unknown where it need not be, calls without an attempt, broken invariants
    points: set[str] = field(default_factory=set)
    asked: Counter[str] = field(default_factory=Counter)  # by invariant: how often it was looked at
    broken: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Tally") -> None:
        """Count what came of others, too."""
        self.schedules, self.unknown, self.points = (
            self.schedules + other.schedules,
            self.unknown + other.unknown,
            self.points | other.points,
        )
        self.asked, self.broken = self.asked + other.asked, self.broken + other.broken
        self.duplicates, self.losses, self.wrong = self.duplicates + other.duplicates, self.losses + other.losses, self.wrong + other.wrong

    @property
    def clean(self) -> bool:
        """No duplicate, no loss, nothing wrong."""
        return not (self.duplicates or self.losses or self.wrong)


def explore(bench: Bench, tally: Tally, *, most: int, seed: int = 0, away: int = 0) -> None:
    """Every single crash, then as many double ones as there is room for, drawn by the seed. `away`: minutes until somebody looks."""
    dry = _stage(bench, None)
    singles = list(range(len(dry.passed)))
    for k in singles[:most]:
        _schedule(bench, tally, k, None, away)
    doubles = [(k, m) for k in singles for m in range(len(_recovery_points(bench, k, away)))] if most > len(singles) else []
    Random(seed).shuffle(doubles)
    for k, m in doubles[: most - len(singles)]:
        _schedule(bench, tally, k, m, away)


def _recovery_points(bench: Bench, k: int, away: int) -> list[str]:
    _stage(bench, k)
    return in_child(lambda: _recover(bench, away)).passed


def _stage(bench: Bench, end_at: int | None) -> Ended:
    bench.reset()

    def run() -> None:
        shop, _ = bench.shop()
        beat(shop.app, shop.now)

    in_child(lambda: bench.restore(bench.shop()[0])) if bench.url else None
    return in_child(run, end_at=end_at)


def _schedule(bench: Bench, tally: Tally, k: int, m: int | None, away: int) -> None:
    died = _stage(bench, k)
    tally.points |= set(died.passed)
    if m is not None:
        tally.points |= set(in_child(lambda: _recover(bench, away), end_at=m).passed)
        away += LATER[-1]  # time goes on
    unsure = bench.ability == "opaque" or (bench.ability == "keyed for a while" and away > 0)  # the key may be known no more
    judged = in_child(lambda: _recover_and_judge(bench, away, may_be_unknown=unsure)).value
    name = f"{bench.ability}: {k}{'' if m is None else f', {m}'} ({died.passed[-1]})"
    tally.schedules += 1
    tally.unknown += judged["unknown"]
    tally.asked.update(judged["asked"].keys())
    tally.broken.update(judged["asked"])
    for what in ("duplicates", "losses", "wrong"):
        getattr(tally, what).extend(f"{name}: {one}" for one in judged[what])


def _recover(bench: Bench, away: int) -> None:
    shop, provider = bench.shop()
    begun = shop.now + timedelta(minutes=away)
    for minutes in LATER:
        provider.now = shop.now = begun + timedelta(minutes=minutes)
        beat(shop.app, shop.now)


def judge_after(bench: Bench, *, may_be_unknown: bool) -> dict[str, Any]:
    """Recover from whatever is stored now, and judge. For children alone."""
    return _recover_and_judge(bench, 0, may_be_unknown=may_be_unknown)


def _recover_and_judge(bench: Bench, away: int, *, may_be_unknown: bool = False) -> dict[str, Any]:
    _recover(bench, away)
    shop, provider = bench.shop()
    shop.now += timedelta(minutes=away + LATER[-1])
    return judge(shop, provider, may_be_unknown=may_be_unknown)


def judge(shop: Shop, provider: FileProvider, *, may_be_unknown: bool) -> dict[str, Any]:
    """What is wrong with what happened, by the provider's log, the states of the touches, and the invariants."""
    taken: dict[int, list[dict[str, Any]]] = {}
    for line in provider.lines():
        taken.setdefault(line["touch"], []).append(line)
    rows = [t for t in shop.touches() if t.step != "well"]
    lost = [t for t in rows if t.state == "unknown" or t.reason == "outcome_unknown"]
    twice = [f"touch {touch} taken {len(lines)} times" for touch, lines in taken.items() if len(lines) > 1]
    unannounced, answers = list(_unannounced(shop, provider)), _asked(shop)
    said = [f"{one.invariant.id} {one.invariant.says}: {', '.join(one.subjects)}" for one in answers if one.count]
    return {
        "duplicates": twice,
        "losses": [
            f"touch {t.id} ({t.step}) is {t.state}:{t.reason}" for t in rows if t not in lost and (t.state != "sent" or t.id not in taken)
        ],
        "unknown": len(lost),
        "wrong": [*_unneeded(lost, may_be_unknown), *unannounced, *said],
        "asked": {"I1": len(twice), "I6": len(unannounced)} | {one.invariant.id: one.count for one in answers},
    }


def _unneeded(lost: list[Any], may_be_unknown: bool) -> Iterator[str]:
    if not may_be_unknown:
        yield from (f"touch {t.id} is unknown, and need not be" for t in lost)


def _unannounced(shop: Shop, provider: FileProvider) -> Iterator[str]:
    """I6: what the provider took has an attempt with the same key and body."""
    with shop.app.transaction() as tx:
        known = {(row.key, row.body_hash) for row in tx.execute(attempts.attempts.select())}
    yield from (f"a call nobody announced: {line['key']}" for line in provider.lines() if (line["key"], line["body"]) not in known)


def _asked(shop: Shop) -> Sequence[Broken]:
    with shop.app.work(shop.now) as work:
        return ask_invariants(work).asked
