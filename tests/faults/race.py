"""Races: opt-outs and ends of runs against intents, and takers of codes against each other; counted by the invariants."""

import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from sop_engine.actions.deliver import deliver
from sop_engine.actions.ingest import record_events
from sop_engine.actions.invariants import ask_invariants
from sop_engine.store import grants
from sop_engine.store.engine import open_engine
from sop_engine.store.migrate import upgrade
from tests.faults.figures import figure
from tests.servers import start_postgres
from tests.shop import Shop, keys
from tests.shop_project import Scripted

FLOW = "playbook: p\nintent: cultivate\nstart: {event: cart}\ngoal: buys\nagain: always\nsteps:\n  hi: {after: 1h, send: hello}\n"


def forbid_while_intending(engine: Engine, trials: int) -> tuple[int, int]:
    """Of so many users half refuse and half buy while two workers intend; how many were refused in time, and what is broken."""
    shop = Shop(engine, FLOW, start="2025-03-01 10:00", channels={"sms": Scripted()})
    people = list(keys(trials))
    for user in people:
        shop.user(user)
    record_events(shop.app, [shop.record(user, "cart", "2025-03-01 10:00", {}) for user in people], shop.now)
    shop.jump("2025-03-01 11:00")
    hints = []
    while more := shop.claim():
        hints += more

    def forbid(n: int) -> None:
        fields = {"channel": "sms"} if n % 2 else {"order_id": f"o{n}", "amount": 5}
        record_events(shop.app, [shop.record(people[n], "unsubscribed" if n % 2 else "order", "2025-03-01 11:00", fields)], shop.now)

    with ThreadPoolExecutor(4) as pool:
        jobs = []
        for first in range(0, trials, 5):  # the users of a batch, and those who forbid it, at the same time
            forbidding = [pool.submit(_patiently, forbid, n) for n in range(first, min(first + 2, trials))]
            sending = pool.submit(_patiently, deliver, shop.app, hints[first : first + 5], shop.now)
            jobs += [*forbidding, sending, *(pool.submit(_patiently, forbid, n) for n in range(first + 2, min(first + 5, trials)))]
        for job in jobs:
            job.result()
    with shop.app.work(shop.now) as work:
        found = ask_invariants(work).broken
    for one in found:
        print(f"{one.invariant.id} {one.invariant.says}: {one.count}: {', '.join(one.subjects)}", flush=True)
    refused = sum(1 for t in shop.touches() if t.state in ("skipped", "cancelled"))
    return refused, sum(one.count for one in found)


def _patiently(do: Callable[..., object], *words: object) -> None:
    """Again when SQLite was busy for longer than its patience: every door comes back to what it could not do."""
    for _ in range(20):
        try:
            do(*words)
        except OperationalError as error:
            if "locked" not in str(error):
                raise
        else:
            return


def take_codes(engine: Engine, tries: int, size: int) -> int:
    """Four takers of a pool of this size; how many codes were given."""
    with engine.begin() as tx:
        tx.execute(text("INSERT INTO pools (name, kind, size, taken) VALUES ('G', 'generated', :size, 0)"), {"size": size})

    def take(many: int) -> int:
        given = 0
        for _ in range(many):
            with engine.begin() as tx:
                given += grants.take_code(tx, "G", lambda: "code") is not None
        return given

    with ThreadPoolExecutor(4) as pool:
        return sum(pool.map(take, [tries // 4] * 4))


def main() -> int:
    """Run on DB=sqlite|postgres with TRIALS= users; WHAT=budget for codes alone."""
    on, trials = os.environ.get("DB", "sqlite"), int(os.environ.get("TRIALS", "1000"))
    with tempfile.TemporaryDirectory() as folder:
        server = start_postgres() if on == "postgres" else None
        engine = open_engine(server.url if server else f"sqlite:///{Path(folder) / 'race.db'}", durable=False)
        upgrade(engine)
        size = max(1, trials // 10)
        refused, broken = (0, 0) if os.environ.get("WHAT") == "budget" else forbid_while_intending(engine, trials)
        given = take_codes(engine, trials, size)  # after the invariants: these codes belong to nobody
        engine.dispose()
        if server is not None:
            server.stop()
    told = f"db={on} trials={trials} refused_in_time={refused} broken={broken} codes={given} of {size}"
    return figure("race", told, broken == 0 and given == size)
