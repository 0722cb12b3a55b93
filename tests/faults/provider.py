"""A provider as a process of its own: speaks the webhook protocol, or SMTP, on the loopback address, and keeps its own append-only log.

One line for each message it took: key, hash of the body, time. What it does with the next calls is told by `POST /script`.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

HANG_S = 20.0
SLOW_S = 1.2
TAKES = {"accept", "accept_slow", "accept_hang", "accept_500", "accept_cut"}
ANSWERS: dict[str, tuple[int, dict[str, str], str]] = {
    "accept": (200, {}, ""),
    "accept_slow": (200, {}, ""),
    "accept_500": (500, {}, ""),
    "429": (429, {"retry-after": "120"}, ""),
    "503": (503, {}, ""),
    "401": (401, {}, ""),
    "reject": (200, {}, '{"status": "rejected", "code": "content"}'),
}
BEHAVIOURS = {*ANSWERS, "accept_hang", "accept_cut", "hang"}


class Book:
    """The provider's log and its script, for all threads."""

    def __init__(self, log: Path, *, keyed: bool) -> None:
        self.log, self.keyed, self.known = log, keyed, set[str]()
        self.script: list[str] = []
        self.always = "accept"
        self.lock = threading.Lock()

    def next(self) -> str:
        with self.lock:
            return self.script.pop(0) if self.script else self.always

    def take(self, key: str, body: bytes) -> None:
        with self.lock:
            if self.keyed and key in self.known:
                return
            self.known.add(key)
            line = {"key": key, "body": hashlib.sha256(body).hexdigest(), "at": time.monotonic()}
            descriptor = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.write(descriptor, (json.dumps(line) + "\n").encode())
            os.close(descriptor)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    book: Book

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/script":
            told = json.loads(body)
            self.book.script, self.book.always = list(told["next"]), told.get("always", "accept")
            return self._answer(200, {}, "")
        what = self.book.next()
        if what in TAKES:
            self.book.take(self.headers["webhook-id"], body)
        if what in ("hang", "accept_hang"):
            threading.Event().wait(HANG_S)
        if what == "accept_slow":
            threading.Event().wait(SLOW_S)
        if what in ANSWERS:
            self._answer(*ANSWERS[what])
        else:
            self.close_connection = True
        return None

    def _answer(self, status: int, headers: dict[str, str], text: str) -> None:
        self.send_response(status)
        for name, value in {"content-length": str(len(text)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def serve_http(log: Path, *, keyed: bool) -> None:
    """Serve until ended; the port is printed first."""
    _Handler.book = Book(log, keyed=keyed)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    print(server.server_address[1], flush=True)
    server.serve_forever()


def serve_smtp(log: Path) -> None:
    """Take every mail and count it by the engine's key in it; a mail server knows no key again."""
    from email import message_from_bytes

    from aiosmtpd.controller import Controller

    book = Book(log, keyed=False)

    class Sink:
        async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
            book.take(str(message_from_bytes(envelope.content)["X-SOP-Key"]), envelope.content)
            return "250 taken"

    controller = Controller(Sink(), hostname="127.0.0.1", port=_free_port())
    controller.start()
    print(controller.port, flush=True)
    signal.pause()


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Provider:
    """The process and its log, as a test sees them."""

    log: Path
    process: "subprocess.Popen[str]"
    port: int

    @staticmethod
    def start(folder: Path, kind: str = "http", *, keyed: bool = False) -> "Provider":
        """Start one: http or smtp; `keyed`: it knows a key again and takes it once."""
        log = folder / f"{kind}.log"
        words = [sys.executable, "-m", "tests.faults.provider", kind, str(log), "keyed" if keyed else ""]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, start_new_session=True)
        assert process.stdout is not None
        return Provider(log, process, int(process.stdout.readline()))

    @property
    def url(self) -> str:
        """Where webhooks are sent to."""
        return f"http://127.0.0.1:{self.port}/hook"

    def script(self, *following: str, always: str = "accept") -> None:
        """What it does with the next calls, and with all after them."""
        assert {*following, always} <= BEHAVIOURS
        body = json.dumps({"next": following, "always": always}).encode()
        urllib.request.urlopen(f"http://127.0.0.1:{self.port}/script", body, timeout=5).close()

    def taken(self) -> Counter[str]:
        """How often each key was taken."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return Counter(json.loads(line)["key"] for line in lines)

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait(10)
        if self.process.stdout is not None:
            self.process.stdout.close()


if __name__ == "__main__":
    if sys.argv[1] == "smtp":
        serve_smtp(Path(sys.argv[2]))
    serve_http(Path(sys.argv[2]), keyed="keyed" in sys.argv[3:])
