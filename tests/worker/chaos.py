"""Kills worker, leader, Redis (with all its data) and PostgreSQL, one after the other, in the middle of very many sends; then counts.

`python -m tests.worker.chaos --touches 20000 --via email` prints what came of it and a line FIGURE; it ends with 1 on a violation.
"""

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import text

from sop_engine.actions.ingest import record_events
from sop_engine.core.records import EventRecord, UserRecord
from sop_engine.store import users as store_users
from tests.servers import Server, start_postgres, start_redis
from tests.worker import sink
from tests.worker.production import Production, free_port, now, signal_group, until

LEASE_S = 16
VIAS = {"email": "mail", "webhook": "webhook"}


@dataclass
class Storm:
    """A production on servers of its own, a counting provider, and what was done to them."""

    folder: Path
    via: str
    seed: int = 1
    done: Counter[str] = field(default_factory=Counter)
    recovered: list[float] = field(default_factory=list)

    def __enter__(self) -> "Storm":
        postgres, redis = start_postgres(fsync=True), start_redis()
        assert postgres is not None and redis is not None
        self.postgres: Server = postgres
        self.redis: Server = redis
        self.log = self.folder / "provider.log"
        port = free_port()
        self.provider = sink.start(VIAS[self.via], port, self.log)
        self.production = Production.make(self.folder / "shop", postgres.url, redis.url, via=self.via, lease_s=str(LEASE_S), sending="live",
                                          **self._settings(port))  # fmt: skip
        self.random = random.Random(self.seed)
        return self

    def __exit__(self, *_error: object) -> None:
        self.production.close()
        self.provider.kill()
        self.provider.wait()
        for server in (self.postgres, self.redis):
            server.stop()

    def _settings(self, port: int) -> dict[str, str]:
        if self.via == "email":
            return {"smtp_host": "127.0.0.1", "smtp_port": str(port), "smtp_tls": "none", "smtp_from": "Shop <shop@example.com>",
                    "public_url": "https://shop.example"}  # fmt: skip
        accounts = self.folder / "channels.toml"
        accounts.write_text(f'["sms"]\nurl = "http://127.0.0.1:{port}/"\nsecret = "env:HOOK"\n', "utf-8")
        return {"channels_file": str(accounts), "webhook_loopback": "true", "public_url": "https://shop.example"}

    def plan(self, touches: int) -> None:
        """So many users with a cart now: each has one touch that is due."""
        app, at = self.production.app, now()
        for start in range(0, touches, 500):
            keys = [f"u{n}" for n in range(start, min(start + 500, touches))]
            with app.work(at) as work:
                store_users.add_users(work.tx, work.project, [UserRecord(k, at, {"phone": _address(self.via, k)}) for k in keys], at)
            record_events(app, [EventRecord(f"cart-{k}", k, "cart", at, {}, "user", "test") for k in keys], at)

    def states(self) -> Counter[str]:
        """Touches by state; empty while the database is away."""
        try:
            with self.production.app.transaction() as tx:
                return Counter(dict(tx.execute(text("SELECT state, count(*) FROM touches GROUP BY state")).all()))
        except Exception:
            self.production.app.engine.dispose()
            return Counter()

    def start(self) -> None:
        """A worker, and two schedulers of which one leads."""
        self.worker = self.production.start("worker")
        self.schedulers = [self.production.start("scheduler", "--name", f"s{n}") for n in range(2)]

    def strike(self) -> str:
        """Kill something that is at work, and start it again."""
        what, strike = self.random.choice(
            [("worker", self._worker), ("leader", self._leader), ("redis", self._redis), ("postgres", self._postgres)]
        )
        strike()
        self.done[what] += 1
        return what

    def _worker(self) -> None:
        _killed(self.worker)
        self.worker = self.production.start("worker")

    def _leader(self) -> None:
        with self.production.app.transaction() as tx:
            name = tx.execute(text("SELECT holder FROM leases")).scalar()
        index = 1 if name == "s1" else 0
        _killed(self.schedulers[index])
        self.schedulers[index] = self.production.start("scheduler", "--name", f"s{index}")

    def _redis(self) -> None:
        self.redis.restart()

    def _postgres(self) -> None:
        self.production.app.engine.dispose()
        self.postgres.restart()

    def told(self) -> str:
        """What is known when it takes too long."""
        return f"{self.states()} {self.production.logs()[-3000:]}"

    def revive(self) -> None:
        """Start what ended by itself, as a supervisor would."""
        if self.worker.poll() is not None:
            self.worker = self.production.start("worker")
        for n, process in enumerate(self.schedulers):
            if process.poll() is not None:
                self.schedulers[n] = self.production.start("scheduler", "--name", f"s{n}")


def _killed(process: "subprocess.Popen[str]") -> None:
    signal_group(process, signal.SIGKILL)
    process.wait(30)


def _address(via: str, key: str) -> str:
    return f"{key}@example.com" if via == "email" else "13800000000"


@dataclass(frozen=True)
class Outcome:
    """What came of a storm."""

    touches: int
    states: Counter[str]
    taken: int
    twice: int
    lost: int
    strikes: Counter[str]
    seconds: float
    doctor: str

    @property
    def ok(self) -> bool:
        """Each touch reached the provider once, or it is known that nobody knows; none is lost or still waiting."""
        return self.twice == 0 and self.lost == 0 and set(self.states) <= {"sent", "unknown"}

    def figure(self, via: str, seed: int) -> str:
        """The line that says it."""
        struck = " ".join(f"{what}={many}" for what, many in sorted(self.strikes.items()))
        states = " ".join(f"{state}={many}" for state, many in sorted(self.states.items()))
        word = "PASS" if self.ok else "FAIL"
        return (
            f"FIGURE storm via={via} touches={self.touches} {states} taken={self.taken} twice={self.twice} lost={self.lost} "
            f"killed: {struck} seconds={self.seconds:.0f} seed={seed} {word}"
        )


def storm(folder: Path, via: str, touches: int, *, seed: int, strikes: int, say: Callable[[str], object] = print) -> Outcome:
    """Send so many touches while things are killed, so many times, spread over the sends; then wait until nothing is left to do."""
    with Storm(folder, via, seed) as one:
        one.plan(touches)
        say(f"{touches:,} touches planned")
        begun = time.monotonic()
        one.start()
        for n in range(strikes):
            goal = touches * (n + 1) // (strikes + 2)
            until(lambda goal=goal: _over(one, goal, touches), deadline_s=600, told=one.told)
            what = one.strike()
            say(f"{time.monotonic() - begun:5.0f} s  {one.states()}  killed: {what}")
        until(lambda: _settled(one, touches), deadline_s=900, told=one.told)
        seconds = time.monotonic() - begun
        found = _counted(one, touches, seconds)
        say(found.doctor)
        return found


def _over(one: Storm, goal: int, touches: int) -> bool:
    one.revive()
    states = one.states()
    done = states["sent"] + states["unknown"] + states["failed"]
    return done >= goal or (bool(states) and states["sent"] + states["unknown"] == touches)


def _settled(one: Storm, touches: int) -> bool:
    one.revive()
    states = one.states()
    waiting = states["unknown"] if one.via == "webhook" else 0  # where the key is known again, none stays unknown
    return bool(states) and states["sent"] + states["unknown"] + states["failed"] == touches and not waiting


def _counted(one: Storm, touches: int, seconds: float) -> Outcome:
    lines = one.log.read_text().split("\n")[:-1]
    if one.via == "email":
        per_user = Counter(line.partition("@")[0] for line in lines)
    else:
        per_user = Counter(line.split()[1] for line in lines if line.startswith("taken"))
    with one.production.app.transaction() as tx:
        sql = "SELECT u.key, t.state FROM touches t JOIN users u ON u.id = t.user_id"
        state = dict(tx.execute(text(sql)).all())
    lost = sum(1 for key, one_state in state.items() if one_state == "sent" and per_user[key] == 0)
    doctor = subprocess.run(
        [sys.executable, "-c", "from sop_engine.cli.main import main; main()", "doctor", "--project", str(one.production.folder)],
        env=one.production.environment, capture_output=True, text=True,
    )  # fmt: skip
    twice = sum(many > 1 for many in per_user.values())
    return Outcome(touches, Counter(state.values()), len(per_user), twice, lost, one.done, seconds, doctor.stdout + doctor.stderr)


def main() -> None:
    """What the command does."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--touches", type=int, default=20_000)
    parser.add_argument("--via", choices=sorted(VIAS), default="email")
    parser.add_argument("--strikes", type=int, default=12)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 10_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sop-storm-") as folder:
        found = storm(Path(folder), asked.via, asked.touches, seed=asked.seed, strikes=asked.strikes)
    print(found.figure(asked.via, asked.seed))
    sys.exit(0 if found.ok else 1)


if __name__ == "__main__":
    main()
