"""Rows about webhooks to a system that takes 50 ms to answer, over 1, 4 and 16 connections, beside a bare loop over one."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

from benchmarks.measuring import Figure, alternate
from benchmarks.stock import NOW
from sop_engine.channels.contract import Message, Receipt, call
from sop_engine.channels.webhook import Endpoint, Webhook

LATENCY_S = 0.05
SECRET = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
CONNECTIONS = (1, 4, 16)
ANSWER = b'{"status":"accepted","id":"1"}'


class _Slow(BaseHTTPRequestHandler):
    """Answers every POST after 50 ms."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body in one piece: the kernel waits 40 ms for the second one

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        threading.Event().wait(LATENCY_S)
        self.send_response(200)
        self.send_header("content-length", str(len(ANSWER)))
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(ANSWER)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def _server() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Slow)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/hook"
    server.shutdown()
    thread.join(10)
    server.server_close()


def webhooks(times: int, messages: int) -> Iterator[Figure]:
    """So many signed messages, each its own call; every thread holds one connection."""
    with _server() as url:
        batch = [Message(key=f"k{n:06d}", now=NOW, text="老朋友，好久不见", user_key=f"u{n}") for n in range(messages)]
        bodies = [message.text.encode() for message in batch]

        def by_hand() -> None:
            with httpx.Client() as client:
                for body in bodies:
                    client.post(url, content=body).raise_for_status()

        for number in CONNECTIONS:
            channel = Webhook(Endpoint(url, (SECRET,), loopback=True))
            parts = [batch[start::number] for start in range(number)]

            def ours(channel: Webhook = channel, parts: list[list[Message]] = parts) -> int:
                with ThreadPoolExecutor(len(parts)) as pool:
                    answers = pool.map(lambda part: call(channel, part), parts)
                    return sum(isinstance(one, Receipt) for part in answers for one in part)

            found = alternate({"ours": ours, "hand": by_hand}, times)
            channel.close()
            notes = {"accepted": found["ours"].answer}
            name = f"webhooks to 50 ms, {number} connection{'s' if number > 1 else ''}"
            yield Figure(name, None, found["ours"], found["hand"], "httpx, one connection", "–", work=messages, notes=notes)
