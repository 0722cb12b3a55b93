"""A made-up shop lived through the whole engine, read every morning: does it find a variant that truly adds points, and invent none?

`python -m tests.actions.simulated_shop --seeds 200` prints the daily log of the first seed and what was found in all of them. A shop of
2,800 users takes about half a minute on a quiet machine; `--days` and `--a-day` make it smaller.
"""

import argparse
import random
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import Engine

from sop_engine.actions.compare import compare_playbook
from sop_engine.actions.ingest import record_events
from sop_engine.store.engine import open_engine
from sop_engine.store.migrate import upgrade
from tests.conftest import sqlite_copy
from tests.shop import Shop

FIRST = date(2025, 3, 1)
WINDOW = 3
NATURAL = 0.10
PLAYBOOK = """
playbook: back
intent: win_back
start: {event: cart}
goal: {event: order, within: 3d}
holdout: 50%
experiment: {name: SALT, planned_per_arm: PLANNED}
steps:
  hello: {at: day 0 20:00, send: hello_push}
"""


@dataclass(frozen=True)
class Size:
    """Days on which users come, and how many a day."""

    days: int = 8
    a_day: int = 60

    @property
    def users(self) -> int:
        """All of them: the declared size."""
        return self.days * self.a_day


@dataclass(frozen=True)
class Lived:
    """The log of one shop, a line a day, and its first verdict: better, worse, or missed."""

    lines: tuple[str, ...]
    verdict: str


def live(engine: Engine, seed: int, effect: float, size: Size) -> Lived:
    """Users have a cart at noon; one in ten, and `effect` more of those who get the message, orders within three days after it.
    Every morning the report is read, until it has a verdict or all windows are over.
    """
    text = PLAYBOOK.replace("SALT", f"seed{seed}").replace("PLANNED", str(size.users // 2))
    shop, draw = Shop(engine, text, start=f"{FIRST} 09:00"), random.Random(seed)
    orders: dict[date, list[str]] = {}
    lines: list[str] = []
    for offset in range(size.days + WINDOW + 2):
        today = FIRST + timedelta(days=offset)
        shop.until(f"{today} 09:00")
        report = compare_playbook(shop.app, "back", shop.now)
        only = report.comparisons[0]
        lines.append(f"{today} {only.verdict}" + (f" ({only.reason})" if only.reason else ""))
        if only.verdict in ("better", "worse"):
            return Lived(tuple(lines), only.verdict)
        shop.until(f"{today} 12:00")
        _day(shop, today, offset < size.days, (draw, effect, size.a_day), orders)
    return Lived(tuple(lines), "missed")


def _day(shop: Shop, today: date, open_: bool, chance: tuple[random.Random, float, int], orders: dict[date, list[str]]) -> None:
    draw, effect, a_day = chance
    keys = [f"u{today}_{n}" for n in range(a_day)] if open_ else []
    record_events(shop.app, [shop.record(k, "cart", f"{today} 12:00", {}) for k in keys], shop.now)
    for key in keys:
        held = shop.runs(key)[0].held_out
        if draw.random() < NATURAL + (0 if held else effect):
            orders.setdefault(today + timedelta(days=draw.randint(1, WINDOW)), []).append(key)
    due = [shop.record(k, "order", f"{today} 12:00", {"order_id": k, "amount": 50}) for k in orders.get(today, [])]
    record_events(shop.app, due, shop.now)


def live_all(migrated: sqlite3.Connection, seeds: Sequence[int], effect: float, size: Size) -> Iterator[Lived]:
    """One shop after the other, each on a database of its own."""
    for seed in seeds:
        with sqlite_copy(migrated) as engine:
            yield live(engine, seed, effect, size)


def main() -> int:
    """Print the log of the first seed, then found, missed and wrong over all seeds, with the effect and in the twin without."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--days", type=int, default=28)
    parser.add_argument("--a-day", type=int, default=100)
    parser.add_argument("--effect", type=float, default=0.04)
    asked = parser.parse_args()
    size = Size(asked.days, asked.a_day)
    source = open_engine("sqlite://")
    upgrade(source)
    raw = source.raw_connection()
    assert isinstance(raw.driver_connection, sqlite3.Connection)
    for effect in (asked.effect, 0.0):
        counts: dict[str, int] = {"better": 0, "worse": 0, "missed": 0}
        for number, one in enumerate(live_all(raw.driver_connection, range(asked.seeds), effect, size), 1):
            if number == 1 and effect:
                print("\n".join(one.lines))
            counts[one.verdict] += 1
            print(f"\reffect {100 * effect:g} points: {number} of {asked.seeds} shops, {counts}", end="", flush=True)
        wrong = counts["worse"] if effect else counts["better"] + counts["worse"]
        told = f"found {counts['better']}, missed {counts['missed']}, wrong {wrong}" if effect else f"wrongly called {wrong}"
        print(f"\neffect {100 * effect:g} points: {told} of {asked.seeds}")
    raw.close()
    source.dispose()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
