"""Providers as processes of their own that count what they take: an SMTP server and a webhook receiver, each with its own log."""

import asyncio
import json
import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

SCRIPT = "from tests.worker.sink import main; main()"


class Log:
    """One line for everything taken, on the disk before the answer goes out."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def note(self, text: str) -> None:
        """Add a line."""
        os.write(self._file, f"{text}\n".encode())


def serve_mail(port: int, log: Log) -> None:
    """Take every mail, and note its recipient."""
    from aiosmtpd.smtp import SMTP

    class Handler:
        async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
            for recipient in envelope.rcpt_tos:
                log.note(recipient)
            return "250 OK"

    async def run() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: SMTP(Handler(), loop=loop), "127.0.0.1", port)
        async with server:
            await server.serve_forever()

    asyncio.run(run())


def serve_webhook(port: int, log: Log) -> None:
    """Take every message, and note its key; a key that was taken before is dropped, as receivers must, and noted as such."""
    taken: set[str] = set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            key, user = self.headers["webhook-id"], json.loads(body)["data"]["user"]["id"]
            log.note(f"{'again' if key in taken else 'taken'} {user} {key}")
            taken.add(key)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_words: Any) -> None:
            """Nothing is said."""

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


def start(kind: str, port: int, path: Path) -> "subprocess.Popen[bytes]":
    """Start a provider: mail or webhook."""
    return subprocess.Popen([sys.executable, "-c", SCRIPT, kind, str(port), str(path)], cwd=Path(__file__).parents[2])


def main() -> None:
    """What the process does."""
    kind, port, path = sys.argv[1:]
    (serve_mail if kind == "mail" else serve_webhook)(int(port), Log(path))
