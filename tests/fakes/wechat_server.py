"""A provider that speaks like WeCom or WeChat: tokens, a script of misbehaviour, and a log of every call that only grows."""

import json
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

CUT = object()  # the connection ends without an answer
Json = dict[str, Any]


class Box:
    """Keeps tokens for one test."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    def get(self, name: str, fetch: Callable[[], tuple[str, timedelta]]) -> str:
        """The token, fetched where there is none."""
        if name not in self.kept:
            self.kept[name] = fetch()[0]
        return self.kept[name]

    def drop(self, name: str, token: str) -> None:
        """Forget it, if it is still the same."""
        if self.kept.get(name) == token:
            del self.kept[name]


@dataclass(frozen=True, slots=True)
class Call:
    """One request as it came."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Json
    raw: bytes = field(repr=False)
    content_type: str = ""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "WechatServer"

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def _answer(self, method: str) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        parts = urlsplit(self.path)
        body = json.loads(raw) if raw else {}
        call = Call(method, parts.path, dict(parse_qsl(parts.query)), body, raw, self.headers.get("content-type") or "")
        self.server.log.append(call)
        found = self.server.respond(call)
        if found is CUT:
            self.close_connection = True
            return
        status, answer = found if isinstance(found, tuple) else (200, found)
        written = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(written)))
        self.end_headers()
        self.wfile.write(written)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class WechatServer(ThreadingHTTPServer):
    """What both providers have in common. `script`: how calls that send something go, one entry each: ok, cut (accepted and then cut),
    cut_before, error_500 (accepted and then 500), garbage, html, or a code that is refused with.
    """

    daemon_threads, block_on_close = True, False
    id, secret = "ww6a112864f8022910", "the-secret"

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.log: list[Call] = []
        self.script: list[str | int] = []
        self.tokens: dict[str, str] = {}  # valid ones, by the secret they were given for
        self.fetched = 0
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> "WechatServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join(10)
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is what some tests want."""

    def paths(self, word: str = "") -> list[str]:
        """The last words of the paths that were called and hold this word."""
        return [c.path.rpartition("/")[2] for c in self.log if word in c.path]

    def bodies(self, word: str) -> list[Json]:
        """What was sent to the paths that end so."""
        return [c.body for c in self.log if c.path.endswith(word)]

    def kill_tokens(self) -> None:
        """Every token dies before its time."""
        self.tokens.clear()

    def respond(self, call: Call) -> Any:
        """The answer to one call."""
        raise NotImplementedError

    def new_token(self, secret: str) -> Json:
        """Another token for this secret."""
        self.fetched += 1
        self.tokens[secret] = f"TOKEN{self.fetched}"
        return {"errcode": 0, "errmsg": "ok", "access_token": self.tokens[secret], "expires_in": 7200}

    def refused(self, call: Call, dead: int) -> Json | None:
        """The refusal of a call with a wrong token or in a form the provider cannot read."""
        if call.query.get("access_token") not in self.tokens.values():
            return {"errcode": dead, "errmsg": "access_token expired"}
        if b"\\u" in call.raw:
            return {"errcode": 40033, "errmsg": "invalid request, contains \\uxxxx"}
        return None

    def scripted(self, accept: Callable[[], Json]) -> Any:
        """What the next entry of the script makes of a call that would be accepted."""
        entry = self.script.pop(0) if self.script else "ok"
        if isinstance(entry, int):
            return {"errcode": entry, "errmsg": "scripted"}
        if entry == "cut_before":
            return CUT
        if entry == "html":
            return 200, b"<html>login</html>"
        if entry == "garbage":
            return 200, b'{"errcode":'
        done = accept()
        with suppress(KeyError):
            return {"cut": CUT, "error_500": (500, b"")}[entry]
        return done
