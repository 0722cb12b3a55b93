"""A provider that speaks like WeCom or WeChat: tokens, a script of misbehaviour, and a log of every call that only grows."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.fakes.loopback import Loopback

CUT = object()  # the connection ends without an answer
HANG = object()  # no answer comes until the client leaves
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
    timeout = 20
    wbufsize = 65536  # one packet for an answer: two would wait for each other
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
        if found is HANG:
            self.connection.recv(1)
        if found in (CUT, HANG):
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


STEPS: Mapping[str, tuple[bool, Any]] = {
    "ok": (True, None),
    "slow": (False, HANG),
    "cut_before": (False, CUT),
    "html_200": (False, (200, b"<html>login</html>")),
    "garbage": (True, (200, b'{"errcode":')),
    "accept_then_hang": (True, HANG),
    "accept_then_cut": (True, CUT),
    "accept_then_500": (True, (500, b"")),
}
"""What a script may say: whether the call is carried out, and what is answered instead of its result."""


class WechatServer(Loopback):
    """What both providers have in common. `script`: how calls that send something go, one entry each: a word of STEPS, or a code
    that is refused with. `token_script`: the same for calls that fetch a token.
    """

    id, secret = "ww6a112864f8022910", "the-secret"

    def __init__(self) -> None:
        super().__init__(_Handler)
        self.log: list[Call] = []
        self.script: list[str | int] = []
        self.token_script: list[str | int] = []
        self.tokens: dict[str, str] = {}  # valid ones, by the secret they were given for
        self.fetched = 0

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

    def new_token(self, secret: str) -> Any:
        """Another token for this secret."""
        return _played(self.token_script, lambda: self._token(secret))

    def _token(self, secret: str) -> Json:
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
        return _played(self.script, accept)


def _played(script: list[str | int], accept: Callable[[], Json]) -> Any:
    entry = script.pop(0) if script else "ok"
    if isinstance(entry, int):
        return {"errcode": entry, "errmsg": "scripted"}
    taken, instead = STEPS[entry]
    done = accept() if taken else None
    return done if instead is None else instead
