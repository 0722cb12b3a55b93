"""Does harm to what runs: signals to process groups of ours, a TCP proxy that drops, delays and cuts, servers that die and come back."""

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

import redis

COMMIT = b"COMMIT"


def hurt(pid: int, sign: signal.Signals) -> None:
    """Send a signal to a process we started and to all its children; one that is gone already is fine."""
    with suppress(ProcessLookupError):
        os.killpg(pid, sign)


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """A process and its children stand still meanwhile."""
    hurt(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        hurt(pid, signal.SIGCONT)


def flush(redis_url: str) -> None:
    """Redis forgets everything."""
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()


class Proxy:
    """Stands between a client and a server on the loopback address, and fails as it is told; every connection passes through it."""

    def __init__(self, url: str) -> None:
        at = urlsplit(url)
        self._target = (at.hostname or "127.0.0.1", at.port or 0)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._port = int(self._listening.getsockname()[1])
        self.url = url.replace(f":{at.port}", f":{self._port}", 1)
        self.refusing = threading.Event()  # new connections are closed at once
        self.silent = threading.Event()  # half-open: nothing passes, nobody is told
        self.delay_s = 0.0
        self.cut_after: int | None = None  # bytes to the client; then the connection is cut
        self.cut_at: bytes | None = None  # when the client says this: it is passed on, and the answer never arrives
        self.at_cut: Callable[[], object] = lambda: None  # happens when that was passed on
        self.cuts = 0
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def cut_all(self) -> None:
        """Cut every connection there is."""
        pairs, self._pairs = self._pairs, []
        for pair in pairs:
            _close(*pair)

    def close(self) -> None:
        """Let nobody in any more, and cut who is."""
        _close(self._listening)
        self.cut_all()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            if self.refusing.is_set():
                _close(client)
                continue
            try:
                server = socket.create_connection(self._target, 5)
            except OSError:
                _close(client)
                continue
            server.settimeout(None)
            self._pairs.append((client, server))
            threading.Thread(target=self._up, args=(client, server), daemon=True).start()
            threading.Thread(target=self._down, args=(server, client), daemon=True).start()

    def _up(self, client: socket.socket, server: socket.socket) -> None:
        """What the client says."""
        for part in _parts(client):
            self._wait()
            last = self.cut_at is not None and self.cut_at in part.upper()
            if last:
                self.cut_at, self.cuts = None, self.cuts + 1
                with suppress(OSError):
                    client.shutdown(socket.SHUT_RDWR)  # first, so that no answer slips through
            with suppress(OSError):
                server.sendall(part)
            if last:
                self.at_cut()
                with suppress(OSError):
                    server.shutdown(socket.SHUT_WR)  # it does what it was asked, then finds that nobody is there
                return
        _close(client, server)

    def _down(self, server: socket.socket, client: socket.socket) -> None:
        """What the server answers."""
        passed = 0
        for part in _parts(server):
            self._wait()
            if self.cut_after is not None and passed + len(part) > self.cut_after:
                self.cut_after, self.cuts = None, self.cuts + 1
                break
            passed += len(part)
            with suppress(OSError):
                client.sendall(part)
        _close(client, server)

    def _wait(self) -> None:
        pause = threading.Event()
        if self.delay_s:
            pause.wait(self.delay_s)
        while self.silent.is_set():
            pause.wait(0.05)


def _parts(end: socket.socket) -> Iterator[bytes]:
    with suppress(OSError):
        while part := end.recv(65536):
            yield part


def _close(*ends: socket.socket) -> None:
    for end in ends:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()
