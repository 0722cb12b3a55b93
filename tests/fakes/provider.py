"""Plays an HTTP provider on the loopback address: an append-only log of what it took, and a script of what it does call by call."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.fakes.loopback import Loopback

STEPS = (
    "ok", "throttle", "fail", "slow", "accept_then_hang", "accept_then_cut", "accept_then_500", "garbage", "html_200",
)  # fmt: skip
"""What a script may say; `refuse_connect` is `fake.refuse_connect()`, for a refused connection is no call."""


@dataclass(frozen=True)
class Heard:
    """One request as it came over the wire; `headers` have small names."""

    path: str
    query: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Taken:
    """One accepted message."""

    at: datetime
    key: str
    to: str
    id: str
    said: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Said:
    """What goes back."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


def as_json(status: int, told: object) -> Said:
    """An answer in JSON."""
    return Said(status, json.dumps(told, ensure_ascii=False).encode(), {"content-type": "application/json"})


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 20
    wbufsize = 65536  # one packet for an answer: two would wait for each other
    server: "Provider"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        path, _, query = self.path.partition("?")
        heard = Heard(path, query, {k.lower(): v for k, v in self.headers.items()}, body)
        step, argument = ("control", "") if path.startswith("/__fake/") else self.server.next_step()
        said = self.server.control(heard) if step == "control" else self.server.hear(heard, step, argument)
        if step in ("slow", "accept_then_hang"):
            self.connection.recv(1)  # until the client leaves
        if step in ("slow", "accept_then_hang", "accept_then_cut"):
            self.close_connection = True
            return
        self.send_response(said.status)
        for name, value in {"content-length": str(len(said.body)), **said.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(said.body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class Provider(Loopback):
    """Base of the fakes. `now`: the provider's clock; None: it believes what requests say."""

    throttled: Said = as_json(429, {})

    def __init__(self) -> None:
        super().__init__(_Handler)
        self.now: datetime | None = None
        self.script: list[tuple[str, str]] = []
        self.log: list[Taken] = []
        self.calls: list[Heard] = []

    # what a provider fills in

    def check(self, heard: Heard) -> Said | None:
        """The refusal of a request that is wrongly signed or formed."""
        raise NotImplementedError

    def take(self, heard: Heard) -> Said:
        """Carry out a good request."""
        raise NotImplementedError

    def failed(self, code: str) -> Said:
        """The answer with a code."""
        raise NotImplementedError

    # what all have

    def play(self, *steps: str) -> None:
        """What the next calls meet: `ok`, `fail:CODE`, `throttle:3` and so on; later ones are carried out."""
        for step in steps:
            name, _, argument = step.partition(":")
            assert name in STEPS, name
            many = int(argument or 1) if name == "throttle" else 1
            self.script += [(name, argument)] * many

    def next_step(self) -> tuple[str, str]:
        return self.script.pop(0) if self.script else ("ok", "")

    def hear(self, heard: Heard, step: str, argument: str) -> Said:
        """The answer to one call; a wrong request is refused whatever the script says."""
        self.calls.append(heard)
        wrong = self.check(heard)
        if wrong is not None:
            return wrong
        if step in ("ok", "accept_then_hang", "accept_then_cut", "accept_then_500", "garbage"):
            said = self.take(heard)
            instead = {"accept_then_500": Said(500, b""), "garbage": Said(200, b'{"Code": "O\x00')}
            return instead.get(step, said)
        if step == "html_200":
            return Said(200, b"<html><body>Please log in</body></html>", {"content-type": "text/html"})
        return self.throttled if step == "throttle" else self.failed(argument) if step == "fail" else Said(200, b"")

    def control(self, heard: Heard) -> Said:
        """Scripts and the log over HTTP, for tests in which the engine is another process."""
        word, told = heard.path.removeprefix("/__fake/"), json.loads(heard.body or b"null")
        if word == "script":
            self.play(*told)
        elif word == "clock":
            self.now = datetime.fromisoformat(told)
        elif word == "reset":
            self.script.clear()  # the log is never forgotten
        elif word != "log":
            return Said(404, b"")
        return as_json(200, [{"key": t.key, "to": t.to, "id": t.id, "at": t.at.isoformat()} for t in self.log])

    def advance(self, **length: float) -> None:
        """Let time pass for the provider."""
        assert self.now is not None
        self.now += timedelta(**length)


def utc_of(seconds: str) -> datetime:
    """The moment of a text of seconds."""
    return datetime.fromtimestamp(int(seconds), UTC)
