"""A look at the engine counts what is there, and never reads a whole table, on both databases."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, insert

from sop_engine.core.signs import Job, Leader, Process, Signs
from sop_engine.store import stops, traffic
from sop_engine.store.clock import database_time
from sop_engine.store.columns import table_of
from sop_engine.store.engine import open_engine, reading, transaction
from sop_engine.store.halts import SAFE_MODE
from sop_engine.store.migrate import upgrade
from sop_engine.store.run_tables import PoolRow, RunRow, TouchRow
from sop_engine.store.safety_tables import AttemptRow, CircuitRow, JobRow, LeaseRow, ProcessRow, SetAsideRow
from sop_engine.store.signs import read_signs
from sop_engine.store.versions import set_mark
from tests.builders import at
from tests.conftest import Databases

NOW = at("2025-06-30 12:00")
BIG = "touches|attempts|runs|touch_changes|events|users|outbox|grants"
WITHOUT_CHANGES = BIG.replace("|touch_changes", "")  # SQLite calls the newest rows by key a scan too: a limit ends it
READ_WHOLE = {
    "sqlite": re.compile(rf"SCAN ({WITHOUT_CHANGES})(?! USING (COVERING )?INDEX)"),
    "postgresql": re.compile(rf"Seq Scan on ({BIG})"),
}


def see(engine: Engine) -> Signs:
    with reading(engine) as tx:
        return read_signs(tx, NOW, release="release")


def ago(seconds: float) -> Any:
    return NOW - timedelta(seconds=seconds)


def add_touches(tx: Connection, *rows: tuple[str, float], **more: Any) -> None:
    """Touches of one run by (state, seconds since due)."""
    common = {"run_id": 1, "user_id": 1, "flow": "f", "late_at": NOW, "epoch": 1}
    tx.execute(
        insert(table_of(TouchRow)),
        [
            {**common, "step": f"{state}{n}", "state": state, "due_at": ago(due), "first_due_at": ago(due), **more}
            for n, (state, due) in enumerate(rows)
        ],
    )


def attempt(number: int, outcome: str, seconds: float, channel: str = "sms") -> dict[str, Any]:
    given = {"key": f"k{number}", "body_hash": "", "turn": 0, "switch": 0, "due_at": NOW, "began_at": ago(seconds)}
    return {"touch_id": number, "user_id": 1, "epoch": 1, "proof": 0, "channel": channel, "outcome": outcome, **given}


def test_nothing_is_seen_where_nothing_is(engine: Engine) -> None:
    seen = see(engine)
    assert (seen.oldest_due_s, seen.planned, seen.open_runs, seen.leader, seen.released) == (0, 0, 0, None, False)
    assert seen.touches == {"planned_due": 0, "queued": 0, "sending": 0, "unknown": 0}


def test_touches_are_counted_and_the_oldest_that_is_due_is_found(engine: Engine) -> None:
    with transaction(engine) as tx:
        add_touches(
            tx, ("planned", 30), ("planned", 40), ("planned", -50), ("sending", 70), ("queued", 60), ("unknown", 900), ("sent", 999)
        )
    seen = see(engine)
    assert seen.oldest_due_s == 70
    assert seen.touches == {"planned_due": 2, "queued": 1, "sending": 1, "unknown": 1}
    assert seen.planned == 3


def test_what_lies_in_the_future_is_not_late(engine: Engine) -> None:
    with transaction(engine) as tx:
        add_touches(tx, ("planned", -1), ("queued", -5))
    assert see(engine).oldest_due_s == 0


def test_attempts_and_skips_of_the_last_hour_are_told_by_outcome_and_reason(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    with transaction(engine) as tx:
        rows = [attempt(1, "accepted", 10), attempt(2, "accepted", 20, "mail"), attempt(3, "unclear", 30), attempt(4, "accepted", 4000)]
        tx.execute(insert(table_of(AttemptRow)), rows)
        add_touches(tx, ("queued", 10), ("queued", 5000))
        for step, done, reason in (("queued0", 10, "cap"), ("queued1", 5000, "late")):
            c = table_of(TouchRow).c
            tx.execute(table_of(TouchRow).update().where(c.step == step).values(state="skipped", reason=reason, done_at=ago(done)))
    seen = see(engine)
    assert seen.attempts == {("sms", "accepted"): 1, ("mail", "accepted"): 1, ("sms", "unclear"): 1}
    assert seen.attempts_window_s == 3600
    assert seen.skipped == {"cap": 1}
    monkeypatch.setattr(traffic, "NEWEST", 2)
    seen = see(engine)
    assert (seen.attempts, seen.attempts_window_s) == ({("sms", "accepted"): 1, ("mail", "accepted"): 1}, 20)


def test_who_leads_and_what_stands_still_is_seen(engine: Engine) -> None:
    with transaction(engine) as tx:
        until = database_time(tx) + timedelta(seconds=10)
        tx.execute(insert(table_of(LeaseRow)).values(name="leader", holder="h", epoch=7, until=until))
        jobs = [
            ("sweep", 60, ago(5), None),
            ("refresh", 60, ago(50), ago(10)),
            ("expiry", 60, None, ago(10)),
            ("rescue", 60, ago(5), ago(9)),
        ]
        tx.execute(insert(table_of(JobRow)), [{"name": n, "every_s": e, "ok_at": ok, "failed_at": bad} for n, e, ok, bad in jobs])
        seen = [("old", 700, None), ("w1", 2, ago(4))]
        rows = [{"name": n, "kind": "worker", "started_at": NOW, "seen_at": ago(s), "worked_at": w} for n, s, w in seen]
        tx.execute(insert(table_of(ProcessRow)), rows)
        tx.execute(insert(table_of(CircuitRow)), [{"account": "sms", "state": "open"}, {"account": "mail", "state": "closed"}])
        tx.execute(insert(table_of(SetAsideRow)), [{"user_id": u, "task": "sweep", "at": NOW, "error": ""} for u in (1, 2)])
        tx.execute(insert(table_of(PoolRow)), [{"name": "p", "size": 10, "taken": 3}, {"name": "endless", "size": None, "taken": 3}])
        stops.add(tx, "channel:sms", stop=True, at=NOW, by="o", why="")
        set_mark(tx, SAFE_MODE, '{"at": "x", "why": "y"}')
        set_mark(tx, "release", "r1")
    seen_now = see(engine)
    assert isinstance(seen_now.leader, Leader)
    assert seen_now.leader.epoch == 7
    assert 5 < seen_now.leader.left_s <= 10
    assert seen_now.jobs == [
        Job("expiry", 60, None, True),
        Job("refresh", 60, 50, True),
        Job("rescue", 60, 5, False),
        Job("sweep", 60, 5, False),
    ]
    assert seen_now.processes == [Process("w1", "worker", 2, 4)]
    assert seen_now.circuits == {"mail": False, "sms": True}
    assert (seen_now.set_aside, seen_now.pool_codes, seen_now.stopped) == (2, {"p": 7}, {"channel:sms": False})
    assert (seen_now.safe_mode, seen_now.released) == (True, True)


def test_counts_stop_at_their_bound(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traffic, "COUNTED", 2)
    with transaction(engine) as tx:
        add_touches(tx, *[("planned", n) for n in range(5)], *[("unknown", n) for n in range(5)])
        run = {"user_id": 1, "flow": "f", "version": 1, "cause": "", "started_at": NOW, "started_day": 1, "anchor_day": 1}
        tx.execute(insert(table_of(RunRow)), [{**run, "start_key": str(n)} for n in range(5)])
    seen = see(engine)
    assert (seen.touches["planned_due"], seen.touches["unknown"], seen.planned, seen.open_runs) == (2, 2, 2, 2)


def explained(engine: Engine) -> Iterator[str]:
    """The plan of every statement of a look; PostgreSQL is told to read a table whole only where there is no other way."""
    asked: list[tuple[str, Any]] = []
    postgres = engine.dialect.name == "postgresql"

    @event.listens_for(engine, "before_cursor_execute")
    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.lstrip().startswith(("SELECT", "WITH")):
            asked.append((statement, parameters))

    see(engine)
    event.remove(engine, "before_cursor_execute", note)
    with reading(engine) as tx:
        if postgres:
            tx.exec_driver_sql("SET LOCAL enable_seqscan = off")
        for statement, parameters in asked:
            for row in tx.exec_driver_sql(f"EXPLAIN {'' if postgres else 'QUERY PLAN '}{statement}", parameters):
                yield str(row[0] if postgres else row[3])


def test_no_big_table_is_read_whole(engine: Engine) -> None:
    plans = list(explained(engine))
    for index in ("ix_touches_due", "ix_touches_lease", "ix_touches_look", "ix_attempts_began", "ix_runs_close"):
        assert any(index in plan for plan in plans), index
    assert [plan for plan in plans if READ_WHOLE[engine.dialect.name].search(plan)] == []


@pytest.mark.server
def test_a_look_cannot_write(migrated_postgres: Databases) -> None:
    engine = open_engine(migrated_postgres.copy())
    with pytest.raises(Exception, match="read-only transaction"), reading(engine) as tx:
        tx.execute(table_of(JobRow).delete())
    engine.dispose()


def test_on_sqlite_a_look_does_not_wait_for_a_writer(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'a.db'}")
    upgrade(engine)
    with transaction(engine) as tx:
        tx.execute(insert(table_of(JobRow)).values(name="sweep", every_s=1))
        assert see(engine).jobs == []
    assert len(see(engine).jobs) == 1
    engine.dispose()
