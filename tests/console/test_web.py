"""`sop web` as a process of its own, asked over HTTP: ready, not ready and why, and back by itself when the database returns (F23)."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, insert, update

from sop_engine.store.columns import table_of
from sop_engine.store.engine import open_engine, transaction
from sop_engine.store.migrate import upgrade
from sop_engine.store.safety_tables import JobRow, LeaseRow
from sop_engine.store.versions import set_mark
from tests.processes import Process, until
from tests.servers import Server, start_postgres
from tests.worker.production import PROJECT, TEXT

pytestmark = pytest.mark.slow
leases, jobs = table_of(LeaseRow), table_of(JobRow)


def make_ready(engine: Engine) -> None:
    """A database as a scheduler keeps it, with an applied release."""
    now = datetime.now(UTC)
    with transaction(engine) as tx:
        set_mark(tx, "release", "r1")
        tx.execute(insert(leases).values(name="leader", holder="h", epoch=3, until=now + timedelta(hours=1)))
        tx.execute(insert(jobs).values(name="release", every_s=3600, ok_at=now))


def ask(url: str) -> tuple[int, Any]:
    """Status and JSON of one request; it is always answered within seconds."""
    answer = httpx.get(url, timeout=10, trust_env=False)
    return answer.status_code, answer.json() if "json" in answer.headers["content-type"] else answer.text


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "playbooks").mkdir()
    return tmp_path


def test_before_anything_was_applied_it_answers_and_says_what_to_do(folder: Path) -> None:
    with Process(["web", "--port", "0"], folder) as web:
        address = web.address()
        assert ask(f"{address}/healthz") == (200, {"alive": True})
        status, said = ask(f"{address}/readyz")
        assert (status, said["ready"]) == (503, False)
        assert said["checks"]["schema"] == {"ok": False, "why": "the database is not at this version: run 'sop db upgrade'"}
        assert ask(f"{address}/metrics") == (503, {"error": "the database is not at this version: run 'sop db upgrade'"})
        assert ask(f"{address}/nothing")[0] == 404
        assert web.end() == 0
        assert web.out.splitlines()[-1] == "ended"


def test_on_sqlite_it_is_ready_once_somebody_leads_and_its_jobs_go_well(folder: Path) -> None:
    engine = open_engine(f"sqlite:///{folder / 'sop.db'}")
    upgrade(engine)
    with Process(["web", "--port", "0"], folder) as web:
        address = web.address()
        _, said = ask(f"{address}/readyz")
        assert {name for name, check in said["checks"].items() if not check["ok"]} == {"release", "leader", "jobs"}
        make_ready(engine)
        until(lambda: ask(f"{address}/readyz")[0] == 200, what="ready")
        assert ask(f"{address}/metrics")[1].splitlines()[2].startswith("sop_oldest_due_unsent_seconds 0.0")
        with transaction(engine) as tx:
            tx.execute(update(jobs).values(ok_at=datetime.now(UTC) - timedelta(hours=4)))
        until(lambda: ask(f"{address}/readyz")[0] == 503, what="not ready")
        assert ask(f"{address}/readyz")[1]["checks"]["jobs"]["why"].startswith("release: went well 14")
        httpx.head(f"{address}/healthz", timeout=10, trust_env=False).raise_for_status()
    engine.dispose()


def test_a_port_that_is_taken_is_one_sentence(folder: Path) -> None:
    with Process(["web", "--port", "0"], folder) as web, Process(["web", "--port", web.address().rpartition(":")[2]], folder) as second:
        assert second.process.wait(60) == 1
        assert second.err.startswith("Error: cannot listen at 127.0.0.1, port ")


def test_beside_sop_run_it_is_ready_also_after_a_scheduler_worked_here(folder: Path) -> None:
    (folder / "playbooks/shop.yml").write_text(PROJECT.replace("CHANNEL", "outbox"), "utf-8")
    (folder / "templates").mkdir()
    (folder / "templates/hello.md").write_text(TEXT, "utf-8")
    with Process(["apply", "--yes", "--no-test"], folder) as apply:
        assert apply.process.wait(60) == 0, apply.err
    engine = open_engine(f"sqlite:///{folder / 'sop.db'}")
    with transaction(engine) as tx:
        tx.execute(insert(jobs).values(name="release", every_s=1, ok_at=datetime.now(UTC) - timedelta(days=1)))
    with Process(["web", "--port", "0"], folder) as web, Process(["run", "--every", "1"], folder) as run:
        address = web.address()
        until(lambda: ask(f"{address}/readyz")[0] == 200, what="ready")
        assert 'sop_job_age_seconds{job="beat"}' in ask(f"{address}/metrics")[1]
        assert (run.end(), web.end()) == (0, 0)
    engine.dispose()


def browser(address: str) -> tuple[int, str | None]:
    """Status and Retry-After of what a browser asks first, with a key nobody has."""
    answer = httpx.get(f"{address}/v1/projects/sop_{'0' * 12}_{'x' * 43}/settings", timeout=10, trust_env=False)
    return answer.status_code, answer.headers.get("retry-after")


@pytest.fixture
def own_postgres() -> Iterator[Server]:
    """A PostgreSQL that this test alone kills."""
    server = start_postgres(fsync=True)
    if server is None or server.process is None:
        pytest.skip("no server: PostgreSQL")
    yield server
    server.stop()


@pytest.mark.server
def test_while_the_database_is_away_it_says_so_and_it_is_back_by_itself(folder: Path, own_postgres: Server) -> None:
    engine = open_engine(own_postgres.url)
    upgrade(engine)
    make_ready(engine)
    engine.dispose()
    with Process(["web", "--port", "0"], folder, {"SOP_DATABASE_URL": own_postgres.url}) as web:
        address = web.address()
        assert ask(f"{address}/readyz") == (200, {"ready": True, "checks": {name: {"ok": True} for name in CHECKS}})
        assert browser(address) == (401, None)
        own_postgres.kill()
        until(lambda: ask(f"{address}/readyz")[0] == 503, what="not ready")
        assert set(ask(f"{address}/readyz")[1]["checks"]) == {"database"}
        assert ask(f"{address}/metrics")[1] == {"error": "the database does not answer (OperationalError)"}
        assert ask(f"{address}/healthz")[0] == 200
        assert browser(address) == (503, "5")
        assert own_postgres.start()
        assert until(lambda: ask(f"{address}/readyz")[0] == 200, what="ready again") < 10
        assert ask(f"{address}/metrics")[0] == 200
        assert browser(address)[0] == 401
        assert web.end() == 0
        assert "Traceback" not in web.err


CHECKS = ("database", "schema", "release", "leader", "jobs", "late", "clocks")
