"""`sop run` keeps one process going until it is told to end; `sop tick` lets one beat pass."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sop_engine.cli.opening import open_database
from sop_engine.cli.running import keep_going
from tests.builders import at
from tests.cli.conftest import Shop

pytestmark = pytest.mark.slow

COMMAND = (sys.executable, "-c", "from sop_engine.cli.main import main; main()")


def started(folder: Path, *words: str) -> subprocess.Popen[str]:
    """The command as a process of its own."""
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [*COMMAND, *words, "--project", str(folder)], stdout=pipe, stderr=pipe, text=True, encoding="utf-8", env=os.environ
    )


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_run_ends_cleanly_when_told_to(shop: Shop, sign: signal.Signals) -> None:
    process = started(shop.folder, "run", "--every", "600")
    assert process.stdout is not None
    assert process.stdout.readline().startswith("running, looking every 600 s; nothing leaves this machine")
    process.send_signal(sign)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert out.splitlines()[-1] == "ended"


def test_a_second_run_or_tick_on_the_same_database_is_refused(shop: Shop) -> None:
    process = started(shop.folder, "run", "--every", "600")
    assert process.stdout is not None
    process.stdout.readline()
    for words in (["run"], ["tick"]):
        said = shop.sop(*words)
        assert said.code == 1
        assert said.err.startswith("Error: another 'sop run' or 'sop tick' is using ")
    process.terminate()
    process.communicate(timeout=60)
    assert shop.sop("tick").code == 0


def test_a_run_that_was_killed_leaves_no_lock(shop: Shop) -> None:
    process = started(shop.folder, "run", "--every", "600")
    assert process.stdout is not None
    process.stdout.readline()
    process.kill()
    process.communicate(timeout=60)
    assert shop.sop("tick").code == 0


def test_run_before_apply_says_what_to_do(fresh: Shop) -> None:
    said = fresh.sop("run")
    assert (said.code, said.err.strip()) == (1, "Error: no project has been applied to this database yet: run 'sop apply' first")


def test_the_loop_beats_until_it_is_over(shop: Shop) -> None:
    shop.ok("track", "u1", "visit", at="2025-06-02T02:00:00Z")
    shop.ok("set", "u1", "手机号", "13800000001", at="2025-06-02T02:00:00Z")
    shop.ok("set", "u1", "短信许可", "true", at="2025-06-02T02:00:00Z")
    app = open_database(shop.folder)
    times = iter([at("2025-06-02 10:00"), at("2025-06-03 00:00"), at("2025-06-03 00:01")])
    waits: list[float] = []
    said: list[str] = []

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        return len(waits) == 3

    keep_going(app, wait, 5, lambda: next(times), said.append)
    app.engine.dispose()
    assert said == ["2025-06-02 10:00:00  1 touch was due", "2025-06-03 00:00:00  1 midnight"]
    assert waits == [5, 5, 5]


def test_a_beat_that_fails_is_said_and_the_next_one_tries_again(fresh: Shop) -> None:
    app = open_database(fresh.folder)
    said: list[str] = []
    keep_going(app, lambda _seconds: len(said) == 2, 5, lambda: at("2025-06-02 10:00"), said.append)
    app.engine.dispose()
    assert len(said) == 2
    assert "this beat failed and will be tried again: NotFound: no project has been applied" in said[0]


def test_a_later_day_can_be_tried_out_while_nothing_is_sent(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.ok("track", "u1", "visit")
    assert shop.ok("tick", "--at", "2025-06-13 10:00") == "3 midnights, 2 touches were due, 1 run finished\n"
    monkeypatch.setenv("SOP_SENDING", "live")
    assert "SOP_SENDING=live would send to real users before their time" in shop.sop("tick", "--at", "2025-07-01 10:00").err
    assert "is not a time" in shop.sop("tick", "--at", "morgen").err


def test_db_upgrade_says_when_there_is_nothing_to_do(shop: Shop) -> None:
    assert shop.ok("db", "upgrade") == "the database is up to date\n"


@pytest.mark.server
def test_postgresql_is_upgraded_by_hand(
    fresh: Shop, postgres_server: object, migrated_postgres: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.conftest import Databases

    assert isinstance(migrated_postgres, Databases)
    monkeypatch.setenv("SOP_DATABASE_URL", migrated_postgres.create(f"{migrated_postgres.prefix}_cli"))
    said = fresh.sop("apply", "--yes", "--no-test")
    assert said.code == 1
    assert "run 'sop db upgrade' first" in said.err
    assert fresh.ok("db", "upgrade").startswith("applied: 0001")
    fresh.ok("apply", "--yes", "--no-test")
    assert fresh.ok("track", "u1", "visit").startswith("recorded for a new user")
    assert fresh.ok("tiers").splitlines()[2].split() == ["新客期", "1", "100.0%"]
    fresh.ok("import", fresh.write("o.csv", "event,user_id,at\nvisit,u2,2025-06-01\n"), "--as", "events")
    assert fresh.ok("why", "u1", "生命周期").startswith("u1 · 生命周期 = 新客期")


def test_an_error_nobody_foresaw_is_one_sentence(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOP_TRACE")
    monkeypatch.setenv("SOP_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    said = shop.sop("tiers")
    assert said.code == 1
    assert said.err.startswith("Error: the database cannot be used: ")
    assert "Traceback" not in said.err
