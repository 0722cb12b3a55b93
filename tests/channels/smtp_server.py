"""Says what a test tells it to: an SMTP server on the loopback address that can answer anything and cut at any word."""

import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

CERTIFICATE = Path(__file__).with_name("loopback.pem")  # for localhost and 127.0.0.1, made for these tests
CUT = "cut"
GOOD = {"banner": "220 ready", "EHLO": "250 hello", "MAIL": "250 ok", "RCPT": "250 ok", "DATA": "354 go on", ".": "250 taken as 42"}


class SmtpServer:
    """Answers every verb by the script; `mails` are what was handed over, `words` every verb, `connections` how many came.

    `each`: hangs up without a word after so many mails on one connection; 0: never.
    """

    def __init__(self, script: Mapping[str, str] | None = None, *, tls: bool = False, each: int = 0) -> None:
        self.script = {**GOOD, "RSET": "250 ok", "QUIT": "221 bye", **(script or {})}
        self.mails: list[bytes] = []
        self.envelopes: list[tuple[str, str]] = []
        self.words: list[str] = []
        self.connections = 0
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(CERTIFICATE)
        self._tls = tls
        self._each = each
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> "SmtpServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(10)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            with suppress(OSError), connection:
                self._talk(self._context.wrap_socket(connection, server_side=True) if self._tls else connection)

    def _talk(self, connection: socket.socket) -> None:
        sender = to = ""
        before = len(self.mails)
        with connection, connection.makefile("rb") as lines:
            if not self._say(connection, "banner"):
                return
            while line := lines.readline():
                verb = line.split()[0].decode().upper()
                self.words.append(verb)
                if verb == "MAIL":
                    sender = line.decode().partition("<")[2].partition(">")[0]
                if verb == "RCPT":
                    to = line.decode().partition("<")[2].partition(">")[0]
                if not self._say(connection, verb) or verb == "QUIT":
                    return
                if verb == "STARTTLS" and self.script[verb].startswith("220"):
                    return self._talk_again(connection)
                if verb == "DATA" and self.script[verb].startswith("354"):
                    mail = b"".join(iter(lines.readline, b".\r\n"))
                    self.mails.append(mail)
                    self.envelopes.append((sender, to))
                    if not self._say(connection, ".") or len(self.mails) - before == self._each:
                        return

    def _talk_again(self, connection: socket.socket) -> None:
        self.script["banner"] = ""
        self._talk(self._context.wrap_socket(connection, server_side=True))

    def _say(self, connection: socket.socket, verb: str) -> bool:
        answer = self.script.get(verb, "502 no such word")
        if answer == CUT:
            return False
        if answer:
            connection.sendall(answer.encode() + b"\r\n")
        return True
