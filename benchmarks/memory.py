"""Measures the peak memory of one batch in a process of its own, above what it has after imports and opening the store."""

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from time import perf_counter, process_time

from benchmarks.activity import SEED, TODAY
from benchmarks.measuring import Figure, Times
from benchmarks.stock import NOW, Stock, app_of
from sop_engine.actions import everybody, importing, refresh, sweep
from sop_engine.app import App
from sop_engine.core.conditions import Value
from sop_engine.core.records import EventRecord
from sop_engine.store.engine import transaction

WORKS = ("sweep", "refresh", "import", "first levels")
MAIN = "import sys; from benchmarks.memory import main; main(*sys.argv[1:])"  # so that nothing is imported twice


def memory(stock: Stock, day: date) -> Iterator[Figure]:
    """The peak of each batch, on the store itself: its values and levels are not those of `TODAY` afterwards. `day` is swept next."""
    for name in WORKS:
        words = [sys.executable, "-c", MAIN, name, str(stock.users), str(stock.folder), day.isoformat()]
        told = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
        times = Times([told["wall"]], [told["cpu"]])
        yield Figure(f"memory of a batch: {name}", stock.users, times, None, "", "≤ 150 MB, ≤ 1.2 x", peak_mb=told["peak_mb"], notes=told)


def main(name: str, users: str, folder: str, day: str) -> None:
    """Do one batch and print what it took."""
    stock = Stock(int(users), Path(folder))
    app = app_of(stock)
    with app.transaction() as tx:
        app.live(tx)
    before = _megabytes("VmRSS")
    wall, cpu = perf_counter(), process_time()
    _do(name, app, stock, date.fromisoformat(day))
    told = {
        "wall": perf_counter() - wall,
        "cpu": process_time() - cpu,
        "before_mb": round(before),
        "peak_mb": round(_megabytes("VmHWM") - before, 1),
    }
    print(json.dumps(told))


def _do(name: str, app: App, stock: Stock, day: date) -> None:
    match name:
        case "sweep":
            sweep.sweep_day(app, day)
        case "refresh":
            refresh.refresh_due(app, NOW + timedelta(days=1), force=True)
        case "import":
            importing.import_rows(app, importing.Source(_records(stock.users)), NOW)
        case "first levels":
            # Everybody moves, as after the first import of a shop's history.
            with transaction(app.engine) as tx:
                tx.exec_driver_sql("DELETE FROM placements")
            with app.work(NOW) as work:
                everybody.place_everybody(work, "import", may_start=False)


def _records(users: int) -> Iterator[EventRecord]:
    """Events of a third of the users: so many that everybody is computed anew."""
    draw = random.Random(SEED)
    for number in range(max(users // 3, min(users * 3, 2 * importing.MOST_TOUCHED))):
        fields: dict[str, Value] = {"order_id": f"i{number}", "amount": Decimal(draw.randrange(1000))} if number % 10 == 0 else {}
        kind = "order" if fields else "open"
        at = NOW - timedelta(seconds=draw.randrange(300 * 86_400))
        yield EventRecord(f"import{number}", f"u{draw.randrange(users) + 1}", kind, at, fields, "user", "bench")


def _megabytes(what: str) -> float:
    """Resident memory now (VmRSS) or at most (VmHWM). Not ru_maxrss: a child begins with its parent's."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith(what))
        return int(line.split()[1]) / 1024
    return getrusage(RUSAGE_SELF).ru_maxrss / 1024 / (1024 if sys.platform == "darwin" else 1)


def after(rounds: int) -> date:
    """The day after so many midnights swept since `TODAY`."""
    return TODAY + timedelta(days=rounds + 1)
