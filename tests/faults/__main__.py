"""The commands of the fault suite: chaos, faults, kills, race, planted, soak. Each ends with a line FIGURE … PASS or FAIL.

DB=sqlite|postgres, SEED=, MOST= (schedules of each ability), TRIALS=, TIMES=, MINUTES= are read from the environment.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.faults import kills, planted, race, soak
from tests.faults.crashes import Bench, Tally, explore
from tests.faults.figures import figure
from tests.faults.matrix import NOT_HERE, ROWS, rows_with_tests
from tests.faults.provider_file import ABILITIES
from tests.servers import start_postgres

SEED = int(os.environ.get("SEED", "1"))


def chaos() -> int:
    """Crash schedules, single and double, of every ability."""
    most, on = int(os.environ.get("MOST", "500")), os.environ.get("DB", "sqlite")
    server = start_postgres() if on == "postgres" else None
    whole = Tally()
    for ability in ABILITIES:
        with tempfile.TemporaryDirectory() as folder:
            bench, tally = Bench(Path(folder), ability, server.url if server else ""), Tally()
            bench.prepare()
            explore(bench, tally, most=most, seed=SEED)
        clean = "clean" if tally.clean else f"{(tally.duplicates + tally.losses + tally.wrong)[:3]}"
        print(f"{ability:<18} {tally.schedules} schedules, {tally.unknown} touches unknown, {clean}", flush=True)
        whole.add(tally)
    if server is not None:
        server.stop()
    for name in sorted(whole.asked, key=lambda i: int(i[1:])):
        print(f"{name:<4} looked at {whole.asked[name]} times, broken {whole.broken[name]}", flush=True)
    told = f"db={on} schedules={whole.schedules} duplicates={len(whole.duplicates)} losses={len(whole.losses)} wrong={len(whole.wrong)}"
    return figure("chaos", told, whole.clean, seed=SEED)


def faults() -> int:
    """The table of the matrix, then every test that carries a number; ONLY= narrows it."""
    held = rows_with_tests()
    for row in ROWS:
        print(f"{row}  {', '.join(held[row]) or 'no test: ' + NOT_HERE.get(row, 'NO REASON')}")
    names = sorted({test for tests in held.values() for test in tests})
    only = os.environ.get("ONLY", "")
    words = [sys.executable, "-m", "pytest", "-q", *sorted({n.partition("::")[0] for n in names}), "-k"]
    chosen = " or ".join(sorted({n.partition("::")[2] for n in names if only in n and n.partition("::")[2]}))
    code = subprocess.run([*words, chosen]).returncode
    with_tests = sum(1 for row in ROWS if held[row])
    return figure("faults", f"rows={len(ROWS)} with_tests={with_tests} without={len(NOT_HERE)}", code == 0)


COMMANDS = {
    "chaos": chaos,
    "faults": faults,
    "kills": kills.main,
    "race": race.main,
    "planted": lambda: planted.main(sys.argv[2:]),
    "soak": soak.main,
}

if __name__ == "__main__":
    raise SystemExit(COMMANDS[sys.argv[1]]())
