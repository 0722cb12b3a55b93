"""A system that is told of moves and outcomes: an HTTP server that checks signatures, knows ids again and keeps every request."""

import json
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from typing import Any

from sop_engine.channels.signature import signed
from tests.fakes.loopback import Loopback

SECRET = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@dataclass(frozen=True)
class Told:
    """One request: its id, what it said, and what was answered (0: the connection was cut after reading it)."""

    id: str
    body: dict[str, Any]
    answered: int

    @property
    def data(self) -> dict[str, Any]:
        data: dict[str, Any] = self.body["data"]
        return data


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "FeedReceiver"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        status = self.server.answer_to({k.lower(): v for k, v in self.headers.items()}, body)
        if status == 0:
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class FeedReceiver(Loopback):
    """Answers 200, or what `script` says next: a status, or 0 for a connection that is cut; 401 for a signature that is not ours."""

    def __init__(self) -> None:
        super().__init__(_Handler)
        self.log: list[Told] = []
        self.script: deque[int] = deque()
        self.always: int | None = None
        self.url += "/feed"

    def answer_to(self, headers: dict[str, str], body: bytes) -> int:
        """The status of a request, which is kept."""
        at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
        good = signed([SECRET], headers["webhook-id"], at, body) == headers["webhook-signature"]
        usual = 200 if self.always is None else self.always
        status = (self.script.popleft() if self.script else usual) if good else 401
        self.log.append(Told(headers["webhook-id"], json.loads(body), status))
        return status

    @property
    def taken(self) -> list[Told]:
        """What the receiver has by now: each id once, when it was first read in full."""
        return list({t.id: t for t in reversed(self.log) if t.answered in (0, 200)}.values())[::-1]
