"""F30, F69: a process is killed in the middle of a write, or the power fails: the file is whole, and nothing is lost or doubled."""

import os
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import text

from sop_engine.actions.beat import beat
from sop_engine.store import crash_points
from tests.faults.crashes import Bench, judge_after
from tests.faults.forking import in_child
from tests.faults.kills import kill_in_the_middle, opens_clean

FRAME, HEAD = 4096 + 24, 32  # of a write-ahead log


@pytest.fixture
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    """A prepared database with a provider of the ability the test names."""
    made = Bench(tmp_path, request.param, durable=True, users=6)
    made.prepare()
    return made


@pytest.mark.slow
@pytest.mark.parametrize("bench", ["keyed for ever", "opaque"], indirect=True)
def test_f30_five_kills_in_the_middle_of_a_write_leave_a_clean_file(bench: Bench) -> None:
    luck = Random(30)
    for number in range(5):
        found = kill_in_the_middle(bench, luck)
        assert (found["duplicates"], found["losses"], found["wrong"]) == ([], [], []), number
        assert found["unknown"] == 0 or bench.ability == "opaque"


@pytest.mark.parametrize("bench", ["askable", "opaque"], indirect=True)
def test_f69_what_the_power_leaves_of_the_log_after_an_intent_is_enough_to_go_on(bench: Bench) -> None:
    """Every commit is on the disk before it is answered. So whatever else is lost, cut at any place, the intents of all calls are there."""
    wal = bench.folder / "now.db-wal"
    bench.reset()

    def work() -> list[int]:
        synced: list[int] = []

        def hook(name: str) -> None:
            if name == "after_intent_commit":
                synced.append(os.stat(wal).st_size)

        shop, _ = bench.shop()
        with shop.app.transaction() as tx:
            assert tx.execute(text("PRAGMA synchronous")).scalar() == 2  # FULL: a commit is on the disk
        crash_points.hook = hook
        beat(shop.app, shop.now)
        return synced

    first, *later = in_child(work).value  # the child ends without closing the file
    log, file, taken = wal.read_bytes(), (bench.folder / "now.db").read_bytes(), bench.log.read_bytes()
    least = max([first, *later])
    assert (first - HEAD) % FRAME == 0
    assert least < len(log)
    cuts = {least, least + FRAME // 2, (least + len(log)) // 2, len(log) - FRAME, len(log) - 1}
    for cut in sorted(cuts):
        bench.reset()
        bench.log.write_bytes(taken)
        (bench.folder / "now.db").write_bytes(file)
        wal.write_bytes(log[:cut])
        assert in_child(lambda: opens_clean(bench)).value == ["ok"]
        found = in_child(lambda: judge_after(bench, may_be_unknown=bench.ability == "opaque")).value
        assert (found["duplicates"], found["losses"], found["wrong"]) == ([], [], []), cut
