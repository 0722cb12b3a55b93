"""Rows on real PostgreSQL, Redis and Celery workers: dispatch through the broker, mail into a sink, a refresh by several workers."""

import os
import shutil
import smtplib
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from email.message import EmailMessage
from pathlib import Path
from threading import Event

import psycopg
from sqlalchemy import text

from benchmarks.everybody import MOVING
from benchmarks.measuring import Figure, Times
from benchmarks.postgres import filled
from benchmarks.stock import NOW, PROJECT
from sop_engine.actions.deliver import deliver
from sop_engine.actions.ingest import record_events
from sop_engine.actions.refresh import finish_refreshes, refresh_due
from sop_engine.actions.release import BATCH, release_due
from sop_engine.actions.slicing import HandOut
from sop_engine.app import App
from sop_engine.core.records import EventRecord, UserRecord
from sop_engine.settings import Settings
from sop_engine.store import queue
from sop_engine.store import users as store_users
from sop_engine.worker.options import PREFIX
from sop_engine.worker.tasks import Broker, celery_app
from tests.servers import start_postgres, start_redis
from tests.worker import sink
from tests.worker.chaos import Storm
from tests.worker.production import Production, free_port, now, until
from tests.worker.test_end_to_end import carts


def production(sends: int, mails: int) -> Iterator[Figure]:
    """All of them; nothing where there is no server to start."""
    postgres, redis = start_postgres(fsync=True), start_redis()
    if postgres is None or redis is None:
        return
    try:
        with tempfile.TemporaryDirectory(prefix="sop-bench-") as folder:
            made = Production.make(Path(folder) / "shop", postgres.url, redis.url)
            try:
                yield from _dispatch(made, sends)
            finally:
                made.close()
    finally:
        redis.stop()
        postgres.stop()
    with tempfile.TemporaryDirectory(prefix="sop-bench-") as folder, Storm(Path(folder), "email") as one:
        yield _mail(one, Path(folder), mails)


def memory(minutes: float, *, each_s: float = 1.0, at_once: int = 2) -> Iterator[Figure]:
    """What each process holds after so long at work: two sends a second, to users of whom each hears again and again."""
    postgres, redis = start_postgres(fsync=True), start_redis()
    if postgres is None or redis is None:
        return
    with tempfile.TemporaryDirectory(prefix="sop-bench-") as folder:
        made = Production.make(Path(folder) / "shop", postgres.url, redis.url)
        try:
            words = (("worker", "--concurrency", "2"), ("scheduler",), ("web", "--port", "0"))
            processes = {one[0]: made.start(*one) for one in words}
            carts(made, 20)
            until(lambda: _idle(made.app), deadline_s=120)
            begun, first, sent = time.perf_counter(), {}, 0
            while time.perf_counter() - begun < minutes * 60:
                at = now()
                told = [EventRecord(f"m{sent}-{n}", f"u{(sent + n) % 500}", "cart", at, {}, "user", "bench") for n in range(at_once)]
                record_events(made.app, told, at)
                sent += at_once
                Event().wait(each_s)
                if not first and time.perf_counter() - begun > 60:
                    first = {name: _held_mb(process.pid) for name, process in processes.items()}
            for name, process in processes.items():
                notes = {"minutes": minutes, "sends": sent, "MB after a minute": first.get(name)}
                goal = "≤ 200 MB" if name == "worker" else "–"
                many = " (parent and two children)" if name == "worker" else ""
                took = Times([time.perf_counter() - begun])
                yield Figure(f"memory of sop {name}{many}", None, took, None, "", goal, peak_mb=_held_mb(process.pid), notes=notes)
        finally:
            made.close()
            redis.stop()
            postgres.stop()


def _held_mb(group: int) -> float:
    """The memory of a process and its children, what they share counted once (PSS)."""
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if os.getpgid(int(folder.name)) == group:
                lines = (folder / "smaps_rollup").read_text().splitlines()
                total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return round(total / 1024, 1)


def refresh(users: int, times: int) -> Iterator[Figure]:
    """New cut points and levels of everybody, 2 % of whom move: in this process, then by one and by two workers."""
    postgres, redis = start_postgres(fsync=True), start_redis()
    if postgres is None or redis is None:
        return
    with tempfile.TemporaryDirectory(prefix="sop-bench-") as folder:
        made = Production(Path(folder), {**os.environ, "SOP_DATABASE_URL": postgres.url, "SOP_REDIS_URL": redis.url})
        try:
            shutil.copytree(PROJECT, made.folder, dirs_exist_ok=True)
            with psycopg.connect(postgres.url, autocommit=True) as raw:
                events = filled(made.app, raw, users)
                yield from _refreshed(made, raw, users, events, times)
        finally:
            made.close()
            redis.stop()
            postgres.stop()


def _refreshed(made: Production, raw: psycopg.Connection, users: int, events: int, times: int) -> Iterator[Figure]:
    app = made.app
    broker = Broker(celery_app(app.settings, lambda: app))

    def once(number: int, hand_out: HandOut | None) -> float:
        raw.execute(f"UPDATE placements SET level = NULL WHERE user_id % {MOVING} = {number % MOVING}".encode())
        raw.execute("VACUUM ANALYZE placements")
        begun = time.perf_counter()
        refresh_due(app, NOW, force=True, hand_out=hand_out)
        until(lambda: finish_refreshes(app, NOW, hand_out), deadline_s=900)
        return time.perf_counter() - begun

    here = Times([once(n, None) for n in range(times)])
    size = raw.execute("SELECT pg_total_relation_size('events')").fetchone()
    notes = {"bytes of an event with its indexes": round(size[0] / events) if size else None}
    yield Figure("PostgreSQL: refresh of everybody, one process, no broker", users, here, None, "", "–", notes=notes)
    for processes in (1, 2):
        worker = made.start("worker", "--concurrency", str(processes))
        once(processes * 10, broker.slices)  # its processes have opened what they need
        found = Times([once(processes * 10 + n, broker.slices) for n in range(1, times + 1)])
        name = f"PostgreSQL: refresh of everybody over Celery, {processes} worker process{'es' if processes > 1 else ''}"
        yield Figure(name, users, found, here, "one process, no broker", "–")
        worker.terminate()
        worker.wait(60)


def _plan(app: App, many: int) -> None:
    """So many touches of as many users, due now: those of before are planned anew."""
    with app.transaction() as tx:
        if int(tx.execute(text("SELECT count(*) FROM touches")).scalar_one()) == 0:
            return
        again = (
            "UPDATE touches SET state = 'planned', done_at = NULL, intent_at = NULL, intent_day = NULL, due_at = now(), "
            "late_at = now() + interval '1 day'"
        )
        tx.execute(text(again))
        tx.execute(text("UPDATE runs SET state = 'open', end_reason = NULL"))
        for table in ("attempts", "outbox", "receipts"):
            tx.execute(text(f"TRUNCATE {table}"))
    with app.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as raw:
        raw.execute(text("VACUUM ANALYZE touches"))


def _dispatch(made: Production, sends: int) -> Iterator[Figure]:
    """One process without a broker; then Celery with one and with two worker processes; and tasks that do nothing, in equal batches."""
    app, at = made.app, now()
    for start in range(0, sends, 500):
        with app.work(at) as work:
            people = [UserRecord(f"u{n}", at, {"phone": "13800000000"}) for n in range(start, min(start + 500, sends))]
            store_users.add_users(work.tx, work.project, people, at)
    carts(made, sends)
    one, messages = Times(), 0
    for _ in range(3):
        _plan(app, sends)
        begun = time.perf_counter()
        while release_due(app, now(), lambda hints, _lane: deliver(app, hints, now()), inflight=sends):
            pass
        one.wall.append(time.perf_counter() - begun)
    notes: dict[str, object] = {f"bytes of one of {t}, with indexes": _bytes(app, t) for t in ("touches", "attempts", "touch_changes")}
    yield Figure("PostgreSQL: dispatch to the outbox, one process, no broker", sends, one, None, "", "≥ 5 k/s", work=sends, notes=notes)
    settings = Settings(database_url=made.environment["SOP_DATABASE_URL"], redis_url=made.environment["SOP_REDIS_URL"])
    celery = celery_app(settings, lambda: app)
    broker = Broker(celery)
    for processes in (1, 2):
        worker = made.start("worker", "--concurrency", str(processes))
        _warm(app, broker)
        through, bare, messages = Times(), Times(), 0
        for _ in range(3):
            _plan(app, sends)
            begun = time.perf_counter()

            def count(hints: object, lane: int) -> None:
                nonlocal messages
                messages += 1
                broker.deliver(hints, lane)  # type: ignore[arg-type]

            until(lambda count=count: _release_all(app, count), deadline_s=300)
            through.wall.append(time.perf_counter() - begun)
            begun = time.perf_counter()
            for _ in range(sends // BATCH):
                celery.send_task(PREFIX + "deliver", args=[[[2**40, 1]] * BATCH], queue=PREFIX + "marketing")
            until(lambda: _empty(made), deadline_s=120)
            bare.wall.append(time.perf_counter() - begun)
        notes = {"messages per send": round(messages / 3 / sends, 4), "one process, wall": round(one.seconds, 2)}
        name = f"PostgreSQL: dispatch through Celery, {processes} worker process{'es' if processes > 1 else ''}"
        yield Figure(name, sends, through, bare, "hints that find nothing, equal batches", "≥ 1.5x one process", work=sends, notes=notes)
        worker.terminate()
        worker.wait(60)


def _bytes(app: App, table: str) -> int:
    """What a row takes on the disk, after so many were written once."""
    with app.transaction() as tx:
        size = text(f"SELECT pg_total_relation_size('{table}') / greatest(count(*), 1) FROM {table}")
        return int(tx.execute(size).scalar_one())


def _release_all(app: App, enqueue: object) -> bool:
    while release_due(app, now(), enqueue, inflight=4 * BATCH):  # type: ignore[arg-type]
        pass
    with app.transaction() as tx:
        left = tx.execute(text("SELECT count(*) FROM touches WHERE state IN ('planned', 'queued', 'sending')")).scalar_one()
    return int(left) == 0


def _warm(app: App, broker: Broker) -> None:
    """One touch through the worker, so that its processes have opened what they need."""
    _plan(app, 1)
    release_due(app, now(), broker.deliver, limit=20)
    until(lambda: _idle(app), deadline_s=120)


def _idle(app: App) -> bool:
    with app.transaction() as tx:
        return queue.count_queued(tx) == 0


def _empty(made: Production) -> bool:
    import redis

    with redis.Redis.from_url(made.environment["SOP_REDIS_URL"]) as client:
        return not client.llen("sop:sop.marketing")


def _mail(one: Storm, folder: Path, mails: int) -> Figure:
    """Mail through the whole engine, one worker process, against a loop of smtplib on one connection."""
    port = free_port()
    server = sink.start("mail", port, folder / "bare.log")
    one.plan(mails)
    made = one.production
    made.start("scheduler")
    ours, bare = Times(), Times()
    worker = made.start("worker", "--concurrency", "1")
    until(lambda: one.states()["sent"] > 20, deadline_s=120)
    before, begun = one.states()["sent"], time.perf_counter()
    until(lambda: one.states()["sent"] == mails, deadline_s=600)
    ours.wall.append((time.perf_counter() - begun) * mails / (mails - before))
    worker.terminate()
    worker.wait(60)
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Shop <shop@example.com>", "u1@example.com", "hello"
    mail.set_content("hello\n")
    with smtplib.SMTP("127.0.0.1", port) as smtp:
        begun = time.perf_counter()
        for n in range(mails):
            smtp.sendmail("shop@example.com", [f"u{n}@example.com"], mail.as_bytes())
        bare.wall.append(time.perf_counter() - begun)
    server.kill()
    server.wait()
    return Figure(
        "e-mail into a local sink, one worker process, every intent durable",
        mails,
        ours,
        bare,
        "smtplib, one connection",
        "≥ 0.5",
        work=mails,
    )
