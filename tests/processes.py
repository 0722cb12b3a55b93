"""Starts the command `sop` as a process of its own, for tests that ask, kill and signal it; every wait has a deadline."""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import IO

import httpx

ROOT = Path(__file__).parent.parent
COMMAND = (sys.executable, "-c", "from sop_engine.cli.main import main; main()")
DEADLINE_S = 60


def until(holds: Callable[[], bool], *, seconds: float = DEADLINE_S, every: float = 0.05, what: str = "") -> float:
    """Wait until it holds; how long that took."""
    began, pause = time.monotonic(), Event()
    while not holds():
        assert time.monotonic() - began < seconds, f"not within {seconds} s: {what}"
        pause.wait(every)
    return time.monotonic() - began


@dataclass
class Process:
    """A running `sop …`; what it writes is kept in files, so that it never waits for a reader."""

    words: Sequence[str]
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    stderr: IO[bytes] | None = None  # None: kept like stdout

    def __enter__(self) -> "Process":
        self._out, self._err = tempfile.NamedTemporaryFile("wb"), tempfile.NamedTemporaryFile("wb")
        surroundings = {**{k: v for k, v in os.environ.items() if not k.startswith("SOP_")}, "PYTHONPATH": str(ROOT), **self.environment}
        self.process = subprocess.Popen(
            [*COMMAND, *self.words], cwd=self.folder, env=surroundings, stdout=self._out, stderr=self.stderr or self._err
        )
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(DEADLINE_S)
        for file in (self._out, self._err):
            file.close()

    @property
    def out(self) -> str:
        """What it wrote to stdout so far."""
        return Path(self._out.name).read_text("utf-8", "replace")

    @property
    def err(self) -> str:
        """What it wrote to stderr so far."""
        return Path(self._err.name).read_text("utf-8", "replace")

    def end(self) -> int:
        """Ask it to end; its exit code."""
        self.process.terminate()
        return self.process.wait(DEADLINE_S)

    def address(self) -> str:
        """Where `sop web` listens, once it says so."""
        until(lambda: "serving http" in self.out or self.process.poll() is not None, what="sop web listens")
        found = re.search(r"http://\S+:\d+", self.out)
        assert found, self.out + self.err
        until(lambda: _answers(f"{found[0]}/healthz"), what="sop web answers")
        return found[0]


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
