"""A wave over real processes: scheduler, workers, PostgreSQL, Redis and a provider of its own, while something dies in the middle of it."""

import os
import subprocess
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from sop_engine.actions import stopping
from sop_engine.actions.ingest import record_events
from sop_engine.actions.invariants import ask_invariants
from sop_engine.core.records import EventRecord
from tests.faults.provider import Provider
from tests.worker.production import Production, now, until

SECRET = "whsec_" + "c29wLWZhdWx0LXN1aXRlLXNlY3JldC1vZi10ZXN0cw=="
LEASE_S = "24"  # seconds; shorter ones leave a busy machine no time for a call


@dataclass
class Wave:
    """A project whose one channel is the provider, and so many touches that are due."""

    production: Production
    provider: Provider
    many: int
    stops: list[str] = field(default_factory=list)  # what stopped by itself
    _replaced: list["subprocess.Popen[str]"] = field(default_factory=list)

    @staticmethod
    def make(folder: Path, database_url: str, redis_url: str, *, many: int, keyed: bool = True) -> "Wave":
        """Migrated, applied, and every touch due now; nobody works yet."""
        provider = Provider.start(folder, keyed=keyed)
        shop = folder / "shop"
        shop.mkdir()
        (shop / "channels.toml").write_text(f'["sms"]\nurl = "{provider.url}"\nsecret = "env:FAULT_SECRET"\n')
        live = {"sending": "live", "webhook_loopback": "true", "channels_file": "channels.toml", "lease_s": LEASE_S}
        os.environ["FAULT_SECRET"] = SECRET
        wave = Wave(Production.make(shop, database_url, redis_url, via="webhook", instance="", **live), provider, many)
        wave._fill()
        return wave

    def _fill(self) -> None:
        app, at = self.production.app, now()
        records = [EventRecord(f"cart-{n}", f"u{n}", "cart", at, {}, "user", "test") for n in range(self.many)]
        for start in range(0, self.many, 500):
            record_events(app, records[start : start + 500], at)
        with app.transaction() as tx:
            tx.execute(text("""UPDATE users SET attributes = '{"phone": "13800000000"}'"""))

    def work(self, workers: int = 1) -> None:
        """Start a scheduler and workers."""
        self.production.start("scheduler")
        for _ in range(workers):
            self.production.start("worker")

    def keep_running(self) -> None:
        """Start again what has ended, as a restart policy does."""
        for n, process in enumerate(self.production.processes):
            if process.poll() is not None and process not in self._replaced:
                self._replaced.append(process)
                self.production.start("scheduler" if n == 0 else "worker")

    def resume(self) -> None:
        """An operator lets go on what stopped by itself: a kill leaves unknown outcomes, and many of those stop a playbook."""
        with suppress(DBAPIError), self.production.app.work(now()) as work:
            for one in stopping.list_stops(work):
                self.stops.append(f"{one.scope}: {one.why}")
                stopping.resume(work, one.scope, by="operator", why="the kill was the test's")

    def states(self) -> Counter[str]:
        """Touches by state; nothing while the database is away."""
        with suppress(DBAPIError), self.production.app.transaction() as tx:
            return Counter({row[0]: row[1] for row in tx.execute(text("SELECT state, COUNT(*) FROM touches GROUP BY state"))})
        return Counter()

    def when_sent(self, many: int, do: Callable[[], object]) -> None:
        """Wait until so many have reached the provider, then do it."""

        def there() -> bool:
            self.keep_running()
            return sum(self.provider.taken().values()) >= many

        until(there, deadline_s=180, told=self.production.logs)
        do()

    def finish(self, *, deadline_s: float = 300) -> float:
        """Wait until nothing is planned, queued or being sent; how many seconds it took."""
        over = {"sent", "failed"}

        def done() -> bool:
            self.keep_running()
            self.resume()
            return bool(found := self.states()) and not set(found) - over

        return until(done, deadline_s=deadline_s, told=lambda: f"{self.states()} {self.production.logs()[-4000:]}")

    def judge(self) -> dict[str, object]:
        """Duplicates and losses by the provider's own log, states, and what is broken."""
        taken = self.provider.taken()
        app = self.production.app
        with app.work(now()) as work:
            broken = [f"{b.invariant.id}: {b.subjects}" for b in ask_invariants(work).broken]
        return {
            "duplicates": sum(1 for times in taken.values() if times > 1),
            "taken": len(taken),
            "states": dict(self.states()),
            "broken": broken,
        }

    def close(self) -> None:
        """End everything."""
        self.production.close()
        self.provider.close()
