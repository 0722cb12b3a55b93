"""Tells another system what happened: one signed POST for each entry, or one line of a file."""

import json
import os
import ssl
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from sop_engine.channels.codes import CONFIGURATION
from sop_engine.channels.reach import Resolve, resolve
from sop_engine.channels.webhook import Endpoint, Webhook, read_answer
from sop_engine.core.errors import Refused

MOST_WRITTEN = 64 * 1024  # bytes of a line that is appended in one go


class Sink(Protocol):
    """Where entries go."""

    def tell(self, key: str, now: datetime, body: bytes) -> None:
        """Hand over one entry under its key; raises DeliveryError and nothing else."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


class WebhookSink:
    """A system behind an address, under the rules of webhooks."""

    def __init__(self, endpoint: Endpoint, *, find: Resolve = resolve, verify: ssl.SSLContext | bool = True) -> None:
        self._hook = Webhook(endpoint, find=find, verify=verify)

    def tell(self, key: str, now: datetime, body: bytes) -> None:
        """POST one entry; the receiver knows a repeat by `webhook-id`."""
        answer = self._hook.post(key, body, now)
        read_answer(answer.status, answer.headers, answer.body, now=now)

    def probe(self) -> str:
        """Connect and check the certificate; raises DeliveryError."""
        return self._hook.probe()

    def close(self) -> None:
        """Close the connections."""
        self._hook.close()


class FileSink:
    """A file that grows: what reads it knows a repeat by `id`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def tell(self, key: str, now: datetime, body: bytes) -> None:
        """Append one line in one write; raises DeliveryError when the file cannot be written."""
        line = json.dumps({"id": key, **json.loads(body)}, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        try:
            fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(fd, line[:MOST_WRITTEN])
            finally:
                os.close(fd)
        except OSError as error:
            raise CONFIGURATION.error(f"the file cannot be written ({type(error).__name__})") from error

    def probe(self) -> str:
        """Whether the folder is there; raises DeliveryError."""
        if not self._path.parent.is_dir():
            raise CONFIGURATION.error("the folder of the file is not there")
        return "a file"

    def close(self) -> None:
        """Nothing is open."""


def payload(kind: str, at: datetime, data: Mapping[str, object], user_key: str) -> bytes:
    """The body of one entry as compact JSON: its type, when it happened, and what; of the user the shop's own id alone."""
    stamp = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    whole = {"type": kind, "timestamp": stamp, "data": {"user": {"id": user_key}, **data, "at": stamp}}
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def open_sink(name: str, account: Any, *, loopback: bool = False, make: Callable[[Endpoint], Sink] = WebhookSink) -> Sink:
    """Where the entries of a feed go; raises Refused when its account says too little, or an address that must not be called."""
    if bool(account.path) == (account.url is not None):
        raise Refused(f"feed '{name}' needs either url and secret, or path.")
    if account.path:
        return FileSink(Path(account.path))
    if account.secret is None:
        raise Refused(f"feed '{name}' needs a secret to sign with; the receiver tells by it that an entry is ours.")
    secrets = [account.secret] + ([account.old_secret] if account.old_secret else [])
    headers = tuple((key, value.get_secret_value()) for key, value in account.headers.items())
    endpoint = Endpoint(account.url.get_secret_value(), tuple(s.get_secret_value() for s in secrets), headers, loopback=loopback)
    try:
        return make(endpoint)
    except Refused as error:
        raise Refused(f"feed '{name}': {error}") from error
