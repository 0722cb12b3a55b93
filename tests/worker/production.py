"""A production of its own for tests: a project on PostgreSQL and Redis, and our commands as processes in groups of their own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from sop_engine.app import App, open_app
from sop_engine.settings import Settings

COMMAND = (sys.executable, "-c", "from sop_engine.cli.main import main; main()")
DEADLINE_S = 180
SECRET = "whsec_" + "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTEyMzQ="
PROJECT = """
project: shop
timezone: Asia/Shanghai
purchase: order.amount
activity: active
content_types: [offer]
hours: 00:00-24:00
primary_tier: stage
---
channels:
  sms: {via: CHANNEL, to: phone}
---
attributes:
  phone: phone
---
events:
  cart: {item: text}
  order: {order_id: text, amount: number}
  active: [cart, order]
---
metrics:
  quiet: {days_since: [active, joined]}
---
goals:
  buys: {event: order, within: 14d}
---
tier: stage
note: x
levels:
  lost: quiet >= 30
  awake: otherwise
---
playbook: p
intent: cultivate
start: {event: cart}
goal: buys
again: always
steps:
  hi: {at: now, send: hello}
"""
TEXT = "---\ntemplate: hello\nchannel: sms\npurpose: marketing\ncontent_type: offer\n---\nhello 退订回T\n"
MAIL = TEXT.replace("content_type: offer\n", "content_type: offer\nsubject: hello\n").replace(" 退订回T", " {{ link.unsubscribe }}")


@dataclass
class Production:
    """A project folder, its environment, and the processes started on it."""

    folder: Path
    environment: dict[str, str]
    processes: list["subprocess.Popen[str]"] = field(default_factory=list)

    @staticmethod
    def make(folder: Path, database_url: str, redis_url: str, *, via: str = "outbox", **settings: str) -> "Production":
        """A project that is migrated and applied."""
        for name in ("playbooks", "templates"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / "playbooks/shop.yml").write_text(PROJECT.replace("CHANNEL", via), "utf-8")
        (folder / "templates/hello.md").write_text(TEXT if via != "email" else MAIL, "utf-8")
        environment = {
            "HOOK": SECRET,
            "SOP_DATABASE_URL": database_url,
            "SOP_REDIS_URL": redis_url,
            **{f"SOP_{k.upper()}": v for k, v in settings.items()},
        }
        made = Production(folder, {**{k: v for k, v in os.environ.items() if not k.startswith("SOP_")}, **environment})
        made.sop("db", "upgrade")
        made.sop("apply", "--yes", "--no-test")
        return made

    def sop(self, *words: str) -> str:
        """Run a command that must work; what it printed."""
        done = subprocess.run([*COMMAND, *words, "--project", str(self.folder)], env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    def start(self, *words: str, said_to: str = "", **more: str) -> "subprocess.Popen[str]":
        """Start a command as the leader of a process group of its own; what it says goes to a file named after it, or to `said_to`."""
        place = Path(said_to) if said_to else self.folder / f"{words[0]}-{len(self.processes)}.log"
        with place.open("w") as log:
            process = subprocess.Popen(
                [*COMMAND, *words, "--project", str(self.folder)],
                env={**self.environment, **more}, stdout=log, stderr=subprocess.STDOUT, text=True, start_new_session=True,
            )  # fmt: skip
        self.processes.append(process)
        return process

    def logs(self) -> str:
        """Everything the processes said."""
        return "\n".join(f"{f.name}: {f.read_text()}" for f in sorted(self.folder.glob("*.log")))

    @cached_property
    def app(self) -> App:
        """The engine on the same database, in this process."""
        return open_app(Settings(database_url=self.environment["SOP_DATABASE_URL"], redis_url=self.environment["SOP_REDIS_URL"]))

    def close(self) -> None:
        """End every process that is left."""
        if "app" in self.__dict__:
            self.app.engine.dispose()
        for process in self.processes:
            signal_group(process, signal.SIGKILL)
        for process in self.processes:
            process.wait(DEADLINE_S)


def signal_group(process: "subprocess.Popen[str]", sign: signal.Signals) -> None:
    """Send a signal to a process and all its children."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, sign)


def until(holds: Callable[[], object], *, deadline_s: float = DEADLINE_S, told: Callable[[], str] = lambda: "") -> float:
    """Wait until something holds; how many seconds it took."""
    from threading import Event

    begun = time.monotonic()
    while not holds():
        assert time.monotonic() - begun < deadline_s, told()
        Event().wait(0.05)
    return time.monotonic() - begun


def free_port() -> int:
    """A port nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def now() -> datetime:
    """The real time."""
    return datetime.now(UTC)
