"""A coupon system on the loopback address: stock, one coupon for each grant, calls that go wrong, and a log of what it did."""

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.fakes.loopback import Loopback

SECRET = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SCRIPT = {"ok", "cut", "accept_then_cut", "accept_then_500", "throttle", "garbage", "html_200", "refuse", "decline"}


@dataclass
class Book:
    """Stock and log. The log is the truth: (what, grant, code) of everything that was done, calls that did nothing aside."""

    stock: int = 1000
    script: list[str] = field(default_factory=list)  # what happens to the next calls; then ok
    decline: str = "not_eligible"
    expires_at: str | None = None
    codes: dict[str, str] = field(default_factory=dict)  # by grant
    voided: set[str] = field(default_factory=set)
    log: list[tuple[str, str, str]] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)

    def issue(self, data: dict[str, Any], word: str) -> dict[str, Any]:
        """Give a coupon, the same again for the same grant."""
        grant = data["grant"]
        if grant in self.voided:
            return {"status": "declined", "reason": "ended"}
        if grant not in self.codes:
            if word == "decline" or len(self.codes) >= self.stock:
                return {"status": "declined", "reason": self.decline if word == "decline" else "out_of_stock"}
            self.codes[grant] = f"EXT-{len(self.codes) + 1:04}"
            self.log.append(("issued", grant, self.codes[grant]))
        return {"status": "issued", "code": self.codes[grant], "expires_at": self.expires_at, "url": f"https://c.example/{grant[:6]}"}

    def void(self, data: dict[str, Any]) -> dict[str, Any]:
        """Take a coupon back; a grant that was never given cannot be had any more."""
        grant = data["grant"]
        if grant not in self.voided:
            self.voided.add(grant)
            self.log.append(("voided", grant, self.codes.get(grant, "")))
        return {"status": "voided"}

    def get(self, data: dict[str, Any]) -> dict[str, Any]:
        """What became of a grant."""
        grant = data["grant"]
        if grant in self.voided:
            return {"status": "voided"}
        return {"status": "issued", "code": self.codes[grant]} if grant in self.codes else {"status": "unknown"}


def signature(headers: dict[str, str], body: bytes) -> str:
    """The signature a call must have, worked out here anew."""
    content = f"{headers.get('webhook-id')}.{headers.get('webhook-timestamp')}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(base64.b64decode(SECRET), content, hashlib.sha256).digest()).decode()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "BenefitSystem"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {k.lower(): v for k, v in self.headers.items()}
        if headers.get("webhook-signature") != signature(headers, body) or headers.get("content-type") != "application/json":
            return self._answer(401, b"")
        with self.server.lock:
            self._act(json.loads(body), headers["webhook-id"])

    def _act(self, told: dict[str, Any], key: str) -> None:
        book = self.server.book
        word = book.script.pop(0) if book.script else "ok"
        book.calls.append({**told, "id": key})
        plain = {"cut": None, "throttle": (429, b""), "refuse": (400, b""), "garbage": (200, b"{"), "html_200": (200, b"<html>")}
        if word in plain:
            return self._cut() if plain[word] is None else self._answer(*plain[word])
        kind, data = told["type"].removeprefix("benefit."), told["data"]
        answer = book.issue(data, word) if kind == "issue" else book.void(data) if kind == "void" else book.get(data)
        if word == "accept_then_cut":
            return self._cut()
        return self._answer(500 if word == "accept_then_500" else 200, json.dumps(answer).encode())

    def _cut(self) -> None:
        self.close_connection = True

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class BenefitSystem(Loopback):
    """The server; `book` is what it knows and did. It ends though a client keeps its connection open."""

    block_on_close = False

    def __init__(self, script: Sequence[str] = (), **known: Any) -> None:
        super().__init__(_Handler)
        assert set(script) <= SCRIPT
        self.book, self.lock = Book(script=list(script), **known), threading.Lock()
        self.url += "/coupons"
