"""Kills a process that works on a SQLite file at any instant, and looks at what it left; a hundred times as a command."""

import os
import signal
import tempfile
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import text

from sop_engine.actions.beat import beat
from tests.faults.crashes import Bench, Tally, judge_after
from tests.faults.figures import figure
from tests.faults.forking import in_child, started
from tests.faults.provider_file import ABILITIES


def kill_in_the_middle(bench: Bench, luck: Random) -> dict[str, Any]:
    """Let a process begin its beat, kill it some moments after a point drawn by luck, recover, and judge."""
    bench.reset()

    def run() -> None:
        shop, _ = bench.shop()
        beat(shop.app, shop.now)

    child, passed = started(run)
    for _ in range(luck.randrange(1, 40)):
        if not passed.readline():
            break  # it came to its end before
    spin = luck.randrange(20_000)
    while spin:  # it goes on meanwhile, to some place between two points
        spin -= 1
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    passed.close()
    clean = in_child(lambda: opens_clean(bench)).value
    found: dict[str, Any] = in_child(lambda: judge_after(bench, may_be_unknown=bench.ability == "opaque")).value
    found["wrong"] += [f"the file is damaged: {one}" for one in clean if one != "ok"]
    return found


def opens_clean(bench: Bench) -> list[str]:
    """What SQLite says of the whole file: `ok` alone when nothing is wrong with it."""
    shop, _ = bench.shop()
    with shop.app.transaction() as tx:
        return [str(row[0]) for row in tx.execute(text("PRAGMA integrity_check"))]


def main() -> int:
    """TIMES= kills, SEED= of the instants."""
    times, seed = int(os.environ.get("TIMES", "100")), int(os.environ.get("SEED", "1"))
    tally, luck = Tally(), Random(seed)
    for ability in ABILITIES:
        with tempfile.TemporaryDirectory() as folder:
            bench = Bench(Path(folder), ability, durable=True, users=6)
            bench.prepare()
            for _ in range(max(1, times // len(ABILITIES))):
                found = kill_in_the_middle(bench, luck)
                tally.schedules += 1
                tally.unknown += found["unknown"]
                for what in ("duplicates", "losses", "wrong"):
                    getattr(tally, what).extend(found[what])
    told = f"kills={tally.schedules} duplicates={len(tally.duplicates)} losses={len(tally.losses)} wrong={len(tally.wrong)}"
    return figure("kills", f"{told} unknown={tally.unknown}", tally.clean, seed=seed)
