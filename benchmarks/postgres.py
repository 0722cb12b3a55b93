"""Rows on a real PostgreSQL, when there is one to start: levels of everybody, the queue, the live chain. CPU is the client's alone."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice

import psycopg

from benchmarks.activity import Activity, local_days, make
from benchmarks.arriving import BATCH as ARRIVING
from benchmarks.arriving import Arrivals, record_of
from benchmarks.by_hand.columns import read_by_levels
from benchmarks.by_hand.levels import movers, write_postgres
from benchmarks.by_hand.queue import FLOW
from benchmarks.everybody import MOVING, ORDINAL
from benchmarks.measuring import Figure, alternate, median_each
from benchmarks.sending import CLAIMS, claim
from benchmarks.stock import NOW, app_on, event_rows, files_of, instant_text, project
from sop_engine.actions.apply import apply
from sop_engine.actions.ingest import record_events
from sop_engine.actions.release import BATCH
from sop_engine.app import App
from sop_engine.core.project import Project
from sop_engine.store import placements
from sop_engine.store.fits import latest_fits
from sop_engine.store.layers import known
from sop_engine.store.migrate import upgrade
from sop_engine.store.scope import Scope

CLAIM = (
    "WITH due AS MATERIALIZED (SELECT id FROM touches WHERE state = 'planned' AND due_at <= %s ORDER BY due_at, rank DESC, id "
    "LIMIT %s FOR UPDATE SKIP LOCKED) UPDATE touches SET state = 'queued', epoch = epoch + 1, lease_until = %s "
    "WHERE id IN (SELECT id FROM due) RETURNING id"
)
DONE = "UPDATE touches SET state = 'sent', done_at = %s, lease_until = NULL WHERE id = ANY(%s) AND state = 'queued'"


def postgres(users: int, times: int, planned: int) -> Iterator[Figure]:
    """All of them on one server that is started for it and keeps every commit on disk; nothing when there is none."""
    from tests.servers import start_postgres

    server = start_postgres(fsync=True)
    if server is None:
        return
    app = app_on(server.url)
    try:
        with psycopg.connect(server.url, autocommit=True) as raw:
            filled(app, raw, users)
            with app.transaction() as tx:
                live, cuts = app.live(tx).project, latest_fits(tx)["money"].fit.cuts
            yield _levels(app, raw, live, cuts, users, times)
            yield from _live(app, raw, users, times)
            yield _queue(app, raw, users, times, planned)
    finally:
        app.engine.dispose()
        server.stop()


def filled(app: App, raw: psycopg.Connection, users: int) -> int:
    """A shop of so many users in an empty database, with levels and values of `NOW`; how many events it has."""
    upgrade(app.engine)
    activity = make(users)
    _fill(raw, activity)
    apply(app, files_of(), project(), NOW)
    raw.execute("VACUUM ANALYZE")
    return len(activity.user)


def _fill(raw: psycopg.Connection, activity: Activity) -> None:
    indexes = raw.execute("SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'events' AND indexname LIKE 'ix_%'").fetchall()
    for name, _ in indexes:
        raw.execute(f"DROP INDEX {name}".encode())
    with raw.cursor() as cursor, cursor.copy("COPY users (id, key, joined_at, joined_day, attributes, turn) FROM STDIN") as copy:
        for number, (joined, day) in enumerate(zip(activity.joined.tolist(), local_days(activity.joined).tolist(), strict=True), 1):
            who = f'{{"name": "User {number}", "mail": "u{number}@example.com"}}'
            copy.write_row((number, f"u{number}", _moment(joined), day, who, 0))
    columns = "message_id, user_id, kind, at, day, hour, actor, source, fields, ref, counted, lowered, received_at"
    with raw.cursor() as cursor, cursor.copy(f"COPY events ({columns}) FROM STDIN") as copy:
        for rows in event_rows(activity):
            for n, user, kind, at, on, hour, fields, ref in rows:
                when = _moment(at)
                copy.write_row((f"m{n}", user, kind, when, on, hour, "user", "bench", fields, ref, True, 0, when))
    for _, index in indexes:
        raw.execute(str(index).encode())
    raw.execute("SELECT setval(pg_get_serial_sequence('users', 'id'), (SELECT MAX(id) FROM users))")
    raw.execute("ANALYZE")


def _moment(seconds: object) -> str:
    return datetime.fromtimestamp(float(str(seconds)), UTC).isoformat()


def _levels(app: App, raw: psycopg.Connection, live: Project, cuts: tuple[float, ...], users: int, times: int) -> Figure:
    def ours() -> int:
        with app.work(NOW) as work:
            given, tier = known(work.tx, live, NOW), live.tiers["value"]
            return len(placements.place(work.tx, given, tier, Scope.everybody(), NOW, cause="sweep", release=work.live.release))

    def by_hand() -> int:
        placed = "(SELECT user_id, level FROM placements WHERE model = 'value')"
        with raw.transaction():
            raw.execute("DROP TABLE IF EXISTS hand_movers")
            made = raw.execute(
                f"CREATE TEMP TABLE hand_movers AS {movers(read_by_levels(live), 'user_metrics', placed, ORDINAL, cuts)}".encode()
            )
            for sql in write_postgres(ORDINAL, instant_text(NOW)):
                raw.execute(sql.encode())
        return made.rowcount

    def unsettle(number: int, _name: str) -> None:
        raw.execute(f"UPDATE placements SET level = NULL WHERE user_id % {MOVING} = {number % MOVING}".encode())

    found = alternate({"ours": ours, "hand": by_hand}, times, before=unsettle)
    notes = {"movers": {name: t.answer for name, t in found.items()}}
    return Figure("PostgreSQL: levels of everybody", users, found["ours"], found["hand"], "hand-written SQL", "≤ 1.5", notes=notes)


def _live(app: App, raw: psycopg.Connection, users: int, times: int) -> Iterator[Figure]:
    rows = raw.execute("SELECT key, id, level FROM users LEFT JOIN placements ON user_id = id AND model = 'value' ORDER BY id").fetchall()
    arrivals = Arrivals(rows)
    batches = iter([[record_of(e) for e in arrivals.moving(ARRIVING)] for _ in range(times * 5)])

    def ours() -> None:
        for batch in islice(batches, 5):
            record_events(app, batch, NOW)

    found = alternate({"ours": ours}, times)
    yield Figure("PostgreSQL: live chain, batch 100, every event moves", users, found["ours"], None, "", "–", work=5 * ARRIVING)
    raw.execute("CREATE TABLE durable (number INTEGER)")
    single = iter([record_of(e) for e in arrivals.moving(times * 20)])
    pair = {
        "ours": lambda: record_events(app, [next(single)], NOW),
        "commit": lambda: raw.execute("INSERT INTO durable VALUES (1)"),
    }
    found = median_each(pair, times * 20)
    yield Figure("PostgreSQL: live chain, one event, p50", users, found["ours"], found["commit"], "one durable commit", "≤ 3")


def _queue(app: App, raw: psycopg.Connection, users: int, times: int, planned: int) -> Figure:
    _plan(raw, range(1, planned // 10 + 1))

    def by_hand() -> None:
        for _ in range(CLAIMS // BATCH):
            ids = [row[0] for row in raw.execute(CLAIM, (NOW, BATCH, NOW + timedelta(minutes=5))).fetchall()]
            raw.execute(DONE, (NOW, ids))

    found = alternate({"ours": lambda: claim(app, CLAIMS // BATCH), "hand": by_hand}, times)
    name = f"PostgreSQL: claim and done, batches of {BATCH}, {planned:,} planned"
    return Figure(name, users, found["ours"], found["hand"], "raw SQL", "≥ 10 k/s", work=CLAIMS)


def _plan(raw: psycopg.Connection, users: Sequence[int]) -> None:
    columns = "run_id, user_id, flow, step, occurrence, state, due_at, first_due_at, late_at, rank, epoch, attempts"
    with raw.cursor() as cursor, cursor.copy(f"COPY touches ({columns}) FROM STDIN") as copy:
        for day in range(10):
            due, late = NOW - timedelta(minutes=100 - day), NOW + timedelta(days=1)
            for user in users:
                copy.write_row((user + 10_000_000, user, FLOW, "first", str(day), "planned", due, due, late, 1, 0, 0))
    raw.execute("VACUUM ANALYZE touches")
