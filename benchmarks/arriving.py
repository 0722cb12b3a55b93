"""Rows about what arrives: events in batches, a file, and the whole way from an event to planned touches."""

import csv
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from benchmarks.activity import SEED, ZONE
from benchmarks.by_hand import driver
from benchmarks.by_hand.driver import Event, Script, row_of
from benchmarks.everybody import Both, opened
from benchmarks.measuring import Figure, Times, alternate, median_each
from benchmarks.stock import NOW, Stock, app_of, build, driver_of, project
from sop_engine.actions.importing import Source, import_rows
from sop_engine.actions.ingest import record_events
from sop_engine.core.conditions import Value
from sop_engine.core.records import EventRecord
from sop_engine.language.mapping import read_events
from sop_engine.language.tables import open_table
from sop_engine.store import events, users

INGESTED = 1_000
BATCH = 100
KINDS = ("order", "open", "open", "open", "open", "open", "click", "click", "click", "message")
WHO = "SELECT key, id, level FROM users LEFT JOIN placements ON user_id = id AND model = 'value' ORDER BY id"
ORDER = 1_000.0  # who spends so much today is among the best


@dataclass
class Arrivals:
    """Makes events that never come twice, of users of a shop who are drawn by lot."""

    rows: Sequence[tuple[str, int, str | None]]  # key, id and level of each
    draw: random.Random = field(default_factory=lambda: random.Random(SEED))
    number: int = 0
    ids: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ids = {key: number for key, number, _ in self.rows}
        self.others = [key for key, _, level in self.rows if level != "best"]
        self.awake = [key for key, _, level in self.rows if level not in (None, "asleep")]
        self.draw.shuffle(self.others)

    def anything(self, many: int) -> list[Event]:
        """Events of any kind, each of another user."""
        return [self._one(key, self.draw.choice(KINDS)) for key in self.draw.sample(list(self.ids), many)]

    def moving(self, many: int, share: float = 1.0) -> list[Event]:
        """Orders that make somebody one of the best: this share; the others are openings that move nobody."""
        orders = round(many * share)
        movers = [self.others.pop() for _ in range(orders)]
        still = self.draw.sample(self.awake, many - orders)
        return [*(self._one(key, "order") for key in movers), *(self._one(key, "open") for key in still if key not in movers)]

    def _one(self, key: str, kind: str) -> Event:
        self.number += 1
        return Event(f"live{self.number}", key, kind, NOW, ORDER if kind == "order" else None)


def record_of(event: Event) -> EventRecord:
    """The event as the engine takes it in."""
    fields: dict[str, Value] = {} if event.amount is None else {"order_id": f"o{event.message_id}", "amount": Decimal(str(event.amount))}
    return EventRecord(event.message_id, event.user_key, event.kind, event.at, fields, "user", "bench")


def ingestion(stock: Stock, times: int, batches: int) -> Iterator[Figure]:
    """Events stored in batches of a thousand; then the same with everything that follows from them."""
    with opened(stock.copied("ingestion")) as both:
        arrivals = Arrivals(both.lite.execute(WHO).fetchall())
        records: list[list[EventRecord]] = []
        rows: list[list[tuple[object, ...]]] = []

        def prepare(_number: int, name: str) -> None:
            made = [arrivals.anything(INGESTED) for _ in range(batches)]
            if name == "ours":
                records[:] = [[record_of(e) for e in batch] for batch in made]
            else:
                rows[:] = [[row_of(e, arrivals.ids[e.user_key]) for e in batch] for batch in made]

        insert = Times()

        def ours() -> None:
            wall, cpu = 0.0, 0.0
            for batch in records:
                with both.app.work(NOW) as work:
                    known = events.known_messages(work.tx, [r.message_id for r in batch])
                    fresh = [r for r in batch if r.message_id not in known]
                    ids, _ = users.ensure_users(work.tx, work.project, [(r.user_key, r.at) for r in fresh])
                    wall, cpu = wall - time.perf_counter(), cpu - time.process_time()
                    events.add_events(work.tx, work.project, fresh, ids, NOW)
                wall, cpu = wall + time.perf_counter(), cpu + time.process_time()
            insert.wall.append(wall)
            insert.cpu.append(cpu)

        def by_hand() -> None:
            for batch in rows:
                driver.add(both.lite, batch)

        found = alternate({"ours": ours, "hand": by_hand}, times, before=prepare)
        work_ = INGESTED * batches
        name = "ingestion, batches of 1 k"
        yield Figure(f"{name}: insert part", stock.users, insert, found["hand"], "sqlite3 executemany", "≥ 0.4", work=work_)
        yield Figure(f"{name}: users, de-duplicated", stock.users, found["ours"], found["hand"], "sqlite3 executemany", "–", work=work_)
        found = _both_ways(both, arrivals, times, batches, lambda: arrivals.anything(INGESTED))
    yield Figure(f"{name}: metrics, levels", stock.users, found["ours"], found["hand"], "raw-driver script", "–", work=work_)


def _both_ways(both: Both, arrivals: Arrivals, times: int, batches: int, make: Callable[[], list[Event]]) -> dict[str, Times]:
    """Batches taken in by the engine, and by the script."""
    script = Script(both.lite, both.project, both.cuts)
    made: list[list[Event]] = []
    records: list[list[EventRecord]] = []

    def prepare(_number: int, _name: str) -> None:
        made[:] = [make() for _ in range(batches)]
        records[:] = [[record_of(e) for e in batch] for batch in made]

    def ours() -> int:
        return sum(record_events(both.app, batch, NOW).moves for batch in records)

    def by_hand() -> int:
        return sum(script.record(batch, NOW) for batch in made)

    return alternate({"ours": ours, "hand": by_hand}, times, before=prepare)


def live(stock: Stock, times: int, batches: int) -> Iterator[Figure]:
    """The whole way, in batches of 100: when every event moves somebody, and when one of twenty does."""
    with opened(stock.copied("live")) as both:
        arrivals = Arrivals(both.lite.execute(WHO).fetchall())
        for share, words in ((1.0, "every event moves"), (0.05, "5 % move")):
            found = _both_ways(both, arrivals, times, batches, lambda share=share: arrivals.moving(BATCH, share))
            notes = {"moves in a run": {name: t.answer for name, t in found.items()}}
            work = BATCH * batches
            yield Figure(
                f"live chain, batch 100, {words}",
                stock.users,
                found["ours"],
                found["hand"],
                "raw-driver script",
                "≥ 0.4",
                work,
                notes=notes,
            )
        yield _one_event(stock, both, arrivals, times * 20)


def _one_event(stock: Stock, both: Both, arrivals: Arrivals, times: int) -> Figure:
    both.lite.execute("CREATE TABLE IF NOT EXISTS durable (number INTEGER PRIMARY KEY)")
    single: Iterator[EventRecord] = iter([record_of(e) for e in arrivals.moving(times)])
    found = median_each(
        {
            "ours": lambda: record_events(both.app, [next(single)], NOW),
            "commit": lambda: both.lite.execute("INSERT INTO durable DEFAULT VALUES"),
        },
        times,
    )
    return Figure("live chain, one event, p50", stock.users, found["ours"], found["commit"], "one durable commit", "≤ 3")


def file_import(stock: Stock, times: int, rows: int) -> Iterator[Figure]:
    """A CSV file of events into an empty store: the part that reads and stores, and the whole with metrics and levels."""
    empty = build(0, stock.folder / "empty")
    file = stock.folder / "events.csv"
    _write_csv(file, rows, users_=max(1, rows // 20))
    copies = iter(range(1_000))
    fresh: list[Stock] = []
    part = Times()

    def prepare(_number: int, _name: str) -> None:
        fresh[:] = [empty.copied(str(next(copies)))]

    def ours() -> None:
        app, clocks = app_of(fresh[0]), [(time.perf_counter(), time.process_time())]
        source = Source(read_events(open_table(file), None, project(), now=NOW))
        import_rows(app, source, NOW, progress=lambda _read: clocks.append((time.perf_counter(), time.process_time())))
        app.engine.dispose()
        part.wall.append(clocks[-1][0] - clocks[0][0])
        part.cpu.append(clocks[-1][1] - clocks[0][1])

    def by_hand() -> None:
        raw = driver_of(fresh[0])
        driver.load_file(raw, file)
        raw.close()

    found = alternate({"ours": ours, "hand": by_hand}, times, before=prepare)
    yield Figure("import of a file: read and stored", None, part, found["hand"], "raw loader", "≥ 0.3", work=rows)
    yield Figure("import of a file: with metrics, levels", None, found["ours"], found["hand"], "raw loader", "–", work=rows)


def _write_csv(file: Path, rows: int, users_: int) -> None:
    draw = random.Random(SEED)
    with file.open("w", encoding="utf-8", newline="") as target:
        writer = csv.writer(target)
        writer.writerow(["event", "user_id", "at", "message_id", "order_id", "amount"])
        for number in range(rows):
            kind = draw.choice(KINDS)
            at = (NOW - timedelta(seconds=draw.randrange(400 * 86_400))).astimezone(ZONE)
            money = (f"o{number}", f"{draw.lognormvariate(4.2, 0.8):.2f}") if kind == "order" else ("", "")
            writer.writerow([kind, f"u{draw.randrange(users_)}", f"{at:%Y-%m-%d %H:%M:%S}", f"m{number}", *money])
