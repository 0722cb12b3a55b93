"""Builds what is measured on: a SQLite store of the engine and a DuckDB database with the same raw events."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import duckdb
import numpy as np

from benchmarks.activity import KINDS, TODAY, Activity, local_days, make, midnight_of
from sop_engine.actions.apply import apply
from sop_engine.app import App, open_app
from sop_engine.core.project import Project
from sop_engine.language.load import load
from sop_engine.settings import Settings
from sop_engine.store.migrate import upgrade

PROJECT = Path(__file__).parent / "project"
NOW = midnight_of(TODAY) + timedelta(hours=11)
CHUNK = 100_000
THREADS = 2
ADD_USER = (
    "INSERT INTO users (id, key, joined_at, joined_day, attributes, turn) "
    "VALUES (?1, 'u' || ?1, strftime('%Y-%m-%d %H:%M:%f000', ?2, 'unixepoch'), ?3, "
    "json_object('name', 'User ' || ?1, 'mail', 'u' || ?1 || '@example.com'), 0)"
)
ADD_EVENT = (
    "INSERT INTO events (message_id, user_id, kind, at, day, hour, actor, source, fields, ref, counted, lowered, received_at) "
    "SELECT 'm' || ?1, ?2, ?3, moment, ?5, ?6, 'user', 'bench', ?7, ?8, 1, 0, moment "
    "FROM (SELECT strftime('%Y-%m-%d %H:%M:%f000', ?4, 'unixepoch') AS moment)"
)


@dataclass(frozen=True)
class Stock:
    """A shop of one size in a folder of its own: today is `TODAY`, levels and values are up to date."""

    users: int
    folder: Path

    @property
    def store(self) -> Path:
        """The SQLite file of the engine."""
        return self.folder / "store.db"

    @property
    def raw(self) -> Path:
        """The DuckDB file with the raw events."""
        return self.folder / "raw.duckdb"

    @property
    def events(self) -> int:
        """How many events there are."""
        with duckdb.connect(str(self.raw)) as raw:
            found = raw.execute("SELECT COUNT(*) FROM events").fetchone()
        return int(found[0]) if found else 0

    def copied(self, name: str) -> "Stock":
        """A copy of the store that may be written to; it shares the raw events."""
        folder = self.folder / name
        folder.mkdir()
        with sqlite3.connect(self.store) as source, sqlite3.connect(folder / "store.db") as target:
            source.backup(target)
        source.close()
        target.close()
        return Stock(self.users, folder)


def files_of(folder: Path = PROJECT) -> Mapping[str, str]:
    """The text of a project."""
    listed = (*folder.rglob("*.yml"), *folder.rglob("*.md"))
    return {f.relative_to(folder).as_posix(): f.read_text("utf-8") for f in sorted(listed)}


@cache
def project() -> Project:
    """The project that is measured."""
    return load(files_of())


def app_on(url: str) -> App:
    """The engine on a database; nothing is sent anywhere."""
    return open_app(Settings.model_construct(database_url=url))


def app_of(stock: Stock) -> App:
    """The engine on the store of a shop."""
    return app_on(f"sqlite:///{stock.store}")


def driver_of(stock: Stock) -> sqlite3.Connection:
    """The raw driver on the same store, set as the engine sets it: WAL, every commit on disk, the same cache."""
    raw = sqlite3.connect(stock.store, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=5000", "foreign_keys=ON", "cache_size=-32000"):
        raw.execute(f"PRAGMA {pragma}")
    return raw


def build(users: int, folder: Path) -> Stock:
    """A shop of so many users: raw rows written by the driver, then the project applied by the engine."""
    stock = Stock(users, folder)
    folder.mkdir(parents=True)
    activity = make(users)
    app = app_of(stock)
    upgrade(app.engine)
    app.engine.dispose()
    fill_sqlite(stock.store, activity, event_rows(activity))
    _fill_duckdb(stock.raw, activity)
    del activity
    apply(app, files_of(), project(), NOW)
    app.engine.dispose()
    return stock


def fill_sqlite(store: Path, activity: Activity, events: Iterable[list[tuple[object, ...]]], add_user: str = ADD_USER) -> None:
    """Write users and chunks of events, each (number, user, kind, seconds, local day, hour, fields, reference), by the driver."""
    raw = sqlite3.connect(store, isolation_level=None)
    for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-400000"):
        raw.execute(f"PRAGMA {pragma}")
    raw.execute("BEGIN")
    ids = range(1, activity.users + 1)
    raw.executemany(add_user, zip(ids, activity.joined.tolist(), local_days(activity.joined).tolist(), strict=True))
    indexes = without_indexes(raw)
    for rows in events:
        raw.executemany(ADD_EVENT, rows)
    for index in indexes:
        raw.execute(index)
    raw.execute("COMMIT")
    raw.close()


def without_indexes(raw: sqlite3.Connection) -> list[str]:
    """Drop the indexes of the event log before a bulk load; what makes them again."""
    found = raw.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'events' AND sql IS NOT NULL").fetchall()
    for name, _ in found:
        raw.execute(f"DROP INDEX {name}")
    return [sql for _, sql in found]


def event_rows(activity: Activity) -> Iterator[list[tuple[object, ...]]]:
    """Chunks of (number, user, kind, seconds, local day, hour, fields, reference)."""
    day, hour = activity.day, activity.hour
    for start in range(0, len(activity.user), CHUNK):
        part = slice(start, start + CHUNK)
        listed = zip(
            range(start, start + CHUNK),
            activity.user[part].tolist(),
            activity.kind[part].tolist(),
            activity.at[part].tolist(),
            day[part].tolist(),
            hour[part].tolist(),
            activity.amount[part].tolist(),
            strict=False,
        )
        yield [
            (n, user, "order", at, on, hour_, f'{{"order_id": "o{n}", "amount": {amount!r}}}', f"o{n}")
            if kind == 0
            else (n, user, KINDS[kind], at, on, hour_, "{}", None)
            for n, user, kind, at, on, hour_, amount in listed
        ]


def _fill_duckdb(file: Path, activity: Activity) -> None:
    raw = duckdb.connect(str(file))
    columns = {
        "user_id": activity.user,
        "kind": np.asarray(KINDS, dtype=object)[activity.kind],
        "day": activity.day.astype(np.int32),
        "amount": activity.amount,
    }
    raw.register("columns", columns)
    raw.execute("CREATE TABLE events AS SELECT user_id, kind, day, amount FROM columns")
    raw.unregister("columns")
    raw.execute("CREATE TABLE users AS SELECT range AS id FROM range(1, ?)", [activity.users + 1])
    raw.execute("CREATE TABLE placements (user_id BIGINT, level VARCHAR, before VARCHAR, since_day INTEGER)")
    raw.execute("CREATE TABLE moves (user_id BIGINT, old VARCHAR, new VARCHAR, day INTEGER, facts VARCHAR)")
    raw.close()


def instant_text(at: datetime) -> str:
    """A time as the SQLite store writes it."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
