"""The command `python -m benchmarks.library`: refresh and sweep of the whole shipped library, in seconds and megabytes."""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from time import perf_counter, process_time

from benchmarks.activity import MEAN_EVENTS, TODAY, Activity, make
from benchmarks.stock import NOW, Stock, app_of, event_rows, fill_sqlite
from benchmarks.table import machine, size

ROOT = Path(__file__).parent.parent
KINDS = {"open": "visit", "click": "like", "message": "share"}  # the standard activity in words of the library
CATEGORIES = ("咖啡", "水果", "护肤", "生鲜", "茶饮")
SHOPS = ("办公区", "社区店", "线上")
ADD_USER = (
    "INSERT INTO users (id, key, joined_at, joined_day, attributes, turn) "
    "VALUES (?1, 'u' || ?1, strftime('%Y-%m-%d %H:%M:%f000', ?2, 'unixepoch'), ?3, "
    "json_object('昵称', 'U' || ?1, '手机号', printf('138%08d', ?1), '企微号', 'wx' || ?1, '企微好友', json('true')), 0)"
)
WORKS = ("refresh", "sweep")
MAIN = "import sys; from benchmarks.library import work; work(*sys.argv[1:])"  # each work in a process of its own, for its memory


def main() -> None:
    """Build the shops, measure each work on each, print the table and how the largest compares with the smallest."""
    asked = _asked()
    print(machine())
    found: dict[str, list[dict[str, float]]] = {name: [] for name in ("apply", *WORKS)}
    print(f"\n{asked.events:g} events a user on average, on SQLite")
    print(f"\n{'users':>9}  {'work':<10}  {'seconds':>8}  {'cpu':>8}  {'peak MB':>7}  moves")
    for users in asked.sizes:
        with tempfile.TemporaryDirectory(prefix="sop-library-", dir=asked.folder) as folder:
            stock = Stock(users, Path(folder))
            _fill(stock, asked.events)
            for name in found:
                told = _measured(name, stock)
                found[name].append(told)
                row = f"{told['wall']:>8.1f}  {told['cpu']:>8.1f}  {told['peak_mb']:>7.0f}  {told['moves'] or ''}"
                print(f"{size(users):>9}  {name:<10}  {row}", flush=True)
    if len(asked.sizes) > 1:
        print(f"\n{size(asked.sizes[-1])} against {size(asked.sizes[0])} ({asked.sizes[-1] / asked.sizes[0]:g} times the users):")
        for name, rows in found.items():
            seconds, memory = (rows[-1][key] / rows[0][key] for key in ("wall", "peak_mb"))
            print(f"  {name:<10}  seconds × {seconds:.1f}, peak memory × {memory:.2f}")


def work(name: str, users: str, folder: str) -> None:
    """Do one work on a shop, and print what it took; the peak is that of the whole process."""
    from sop_engine.actions import refresh, sweep

    stock = Stock(int(users), Path(folder))
    app = app_of(stock)
    wall, cpu, moves = perf_counter(), process_time(), 0
    if name == "apply":
        _apply(stock)
    elif name == "refresh":
        refresh.refresh_due(app, NOW + timedelta(minutes=1), force=True)
    else:
        moves = sweep.sweep_day(app, TODAY + timedelta(days=1)) or 0
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    print(json.dumps({"wall": perf_counter() - wall, "cpu": process_time() - cpu, "peak_mb": int(peak.split()[1]) / 1024, "moves": moves}))


def _measured(name: str, stock: Stock) -> dict[str, float]:
    words = [sys.executable, "-c", MAIN, name, str(stock.users), str(stock.folder)]
    told: dict[str, float] = json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1])
    return told


def _fill(stock: Stock, mean_events: float) -> None:
    from sop_engine.store.migrate import upgrade

    app = app_of(stock)
    upgrade(app.engine)
    app.engine.dispose()
    activity = make(stock.users, mean=mean_events)
    fill_sqlite(stock.store, activity, _rows(activity), ADD_USER)


def _rows(activity: Activity) -> Iterator[list[tuple[object, ...]]]:
    """The events of the library; an order has a category, a number of items and a shop, some of them at dear prices."""
    for rows in event_rows(activity):
        yield [(n, user, KINDS.get(str(kind), "order"), at, day, hour, _fields(n, str(kind), fields), ref)
               for n, user, kind, at, day, hour, fields, ref in rows]  # fmt: skip


def _fields(number: object, kind: str, fields: object) -> object:
    if kind in KINDS:
        return fields
    n = int(str(number))
    more = {"category": CATEGORIES[n % 5], "items": 1 + n % 4, "shop": SHOPS[n % 3]}
    return json.dumps({**json.loads(str(fields)), **more}, ensure_ascii=False)


def _apply(stock: Stock) -> None:
    from sop_engine.actions.apply import Options, apply
    from sop_engine.language.folder import read_folder
    from sop_engine.language.load import load

    texts = read_folder(ROOT)
    apply(app_of(stock), texts, load(texts), NOW, Options(approved_by="bench"))


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.library", description=__doc__)
    parser.add_argument("--sizes", type=_sizes, default=[100_000, 1_000_000], help="users, such as 100k,1m (the default)")
    parser.add_argument("--events", type=float, default=MEAN_EVENTS, help=f"events a user, on average; {MEAN_EVENTS} if not said")
    parser.add_argument("--folder", type=Path, help="where the shops are built (1 M users take some 12 GB); a temporary folder otherwise")
    return parser.parse_args()


def _sizes(text: str) -> list[int]:
    units = {"k": 1_000, "m": 1_000_000}
    return sorted(int(float(one.strip(" km")) * units.get(one.strip()[-1:], 1)) for one in text.lower().split(","))


if __name__ == "__main__":
    main()
