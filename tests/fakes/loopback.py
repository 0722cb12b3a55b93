"""Listens on the loopback address until it is told to refuse: what every made-up HTTP provider stands on."""

import socket
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


class Loopback(ThreadingHTTPServer):
    """A server at `url`, listening inside `with`."""

    daemon_threads = True

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self._listening = True
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True)

    def refuse_connect(self) -> None:
        """From now on nobody listens."""
        if self._listening:
            self._listening = False
            self.shutdown()
            self._thread.join(10)
            with suppress(OSError):
                self.socket.shutdown(socket.SHUT_RDWR)
            self.server_close()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.refuse_connect()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is what some tests want."""
