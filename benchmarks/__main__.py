"""The command `python -m benchmarks`: builds the shops, measures row by row, prints the table and writes JSON."""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from time import perf_counter

from benchmarks import arriving, everybody, memory, over_http, sending, starting, webhooks
from benchmarks.measuring import Figure
from benchmarks.stock import Stock, build
from benchmarks.table import as_text, machine, size, write_json

RESULTS = Path(__file__).parent / "results"
QUICK = 5_000
LARGE = 500_000  # from here on only what concerns everybody is measured, and fewer times


@dataclass(frozen=True)
class Plan:
    """How much is measured: times a long and a short row, and things in a run."""

    long: int = 5
    short: int = 5
    batches: int = 20
    rows: int = 100_000
    sends: int = 5_000
    planned: int = 1_000_000


FULL = Plan()
BIG = Plan(long=3, short=5)
SMALL = Plan(long=3, short=3, batches=3, rows=5_000, sends=1_000, planned=100_000)
Row = Callable[[Stock, Plan], Iterator[Figure]]

# In this order: rebuild and memory leave a store that is no longer that of today.
EVERYBODY: dict[str, Row] = {
    "audience": lambda stock, plan: everybody.audience(stock, plan.short),
    "refresh": lambda stock, plan: everybody.refresh(stock, plan.short),
    "levels": lambda stock, plan: everybody.levels(stock, plan.long),
    "sweep": lambda stock, plan: everybody.sweep(stock, plan.long),
}
LAST: dict[str, Row] = {
    "rebuild": lambda stock, plan: everybody.rebuild(stock, plan.long),
    "memory": lambda stock, plan: memory.memory(stock, memory.after(plan.long)),
}
SOMEBODY: dict[str, Row] = {
    "ingestion": lambda stock, plan: arriving.ingestion(stock, plan.short, plan.batches),
    "import": lambda stock, plan: arriving.file_import(stock, plan.long, plan.rows),
    "live": lambda stock, plan: arriving.live(stock, plan.short, plan.batches),
    "http": lambda stock, plan: over_http.over_http(stock, plan.short, plan.batches),
    "queue": lambda stock, plan: sending.queue(stock, plan.short, plan.planned),
    "dispatch": lambda stock, plan: sending.dispatch(stock, plan.short, plan.sends),
    "rendering": lambda _stock, plan: sending.rendering(plan.short),
    "webhooks": lambda _stock, plan: webhooks.webhooks(plan.long, 96),
    "starting": lambda _stock, plan: starting.starting(plan.short),
    "checking": lambda stock, plan: starting.checking(plan.short, stock.folder),
}
NAMES = (*SOMEBODY, *EVERYBODY, *LAST)


def main() -> None:
    """Measure what is asked for."""
    asked = _asked()
    figures: list[Figure] = []
    _say(f"{machine()}")
    try:
        for users in [] if asked.production or asked.hold else [QUICK] if asked.quick else asked.sizes:
            figures += _measured(users, asked)
        if asked.postgres:
            figures += _on_postgres(QUICK if asked.quick else min(asked.sizes), SMALL if asked.quick else FULL)
        if asked.production:
            figures += _in_production(asked.quick)
        if asked.hold:
            from benchmarks.production import memory

            figures += list(memory(asked.hold))
    except KeyboardInterrupt:
        _say("stopped: the table has the rows measured so far")
    if figures:
        print(as_text(figures))
        print(f"\nEverything that was measured: benchmarks/results/{write_json(figures, RESULTS, datetime.now(UTC)).name}")


def _measured(users: int, asked: argparse.Namespace) -> Iterator[Figure]:
    plan = SMALL if asked.quick else BIG if users >= LARGE else FULL
    large = users >= LARGE
    rows = EVERYBODY | (LAST if not large else {"memory": LAST["memory"]})
    rows = (SOMEBODY | rows) if not large else rows
    wanted = {name: (SOMEBODY | EVERYBODY | LAST)[name] for name in NAMES if name in (asked.only or rows)}
    with tempfile.TemporaryDirectory(prefix="sop-bench-", dir=asked.folder) as folder:
        begun = perf_counter()
        stock = build(users, Path(folder) / size(users).replace(" ", ""))
        _say(f"{size(users)} users, {stock.events:,} events: built in {perf_counter() - begun:.0f} s")
        for name, row in wanted.items():
            begun = perf_counter()
            for figure in row(stock, plan):
                beside = f", ratio {figure.ratio:.2f}" if figure.ratio is not None else ""
                _say(f"  {figure.name}: {figure.ours.seconds:.3f} s{beside}")
                yield figure
            _say(f"{name}: {perf_counter() - begun:.0f} s")


def _on_postgres(users: int, plan: Plan) -> list[Figure]:
    from benchmarks.postgres import postgres

    found = list(postgres(users, plan.short, plan.planned))
    _say(f"PostgreSQL: {len(found)} rows" if found else "there is no PostgreSQL to start")
    return found


def _in_production(quick: bool) -> Iterator[Figure]:
    from benchmarks.production import production, refresh

    sends, mails = (2_000, 200) if quick else (20_000, 2_000)
    for figure in chain(production(sends, mails), refresh(QUICK if quick else 1_000_000, 3)):
        _say(f"  {figure.name}: {figure.ours.seconds:.3f} s")
        yield figure


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--sizes", type=_sizes, default=[100_000, 1_000_000], help="users, such as 100k,1m (the default)")
    parser.add_argument(
        "--only", action="append", choices=NAMES, metavar="NAME", help=f"only this row, again and again: {', '.join(NAMES)}"
    )
    parser.add_argument("--quick", action="store_true", help=f"{QUICK:,} users and short runs: to see that it works")
    parser.add_argument("--postgres", action="store_true", help="also on a PostgreSQL server, started as the tests start theirs")
    parser.add_argument("--production", action="store_true", help="instead: PostgreSQL, Redis and Celery workers, started here")
    parser.add_argument("--hold", type=float, metavar="MINUTES", help="instead: the memory of all processes after so long")
    parser.add_argument("--folder", type=Path, help="where the shops are built (1 M users take 8 GB); a temporary folder otherwise")
    return parser.parse_args()


def _sizes(text: str) -> list[int]:
    units = {"k": 1_000, "m": 1_000_000}
    return sorted(int(float(one.strip(" km")) * units.get(one.strip()[-1:], 1)) for one in text.lower().split(","))


main()
