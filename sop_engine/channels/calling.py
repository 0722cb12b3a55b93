"""Makes one HTTP call to a provider, and says what it proves that no answer came."""

import json
import logging
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from sop_engine.channels.codes import NO_ANSWER, REPEAT
from sop_engine.core.errors import Refused

MOST_READ = 64 * 1024

_NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
    httpx.InvalidURL,
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: at most 64 KB of the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    def json(self) -> Any:
        """The body as JSON; raises ValueError when it is none."""
        return json.loads(self.body)


def open_client(*, verify: ssl.SSLContext | bool = True) -> httpx.Client:
    """The connections of one account: no proxies of the environment, no redirects, 3 s to connect and 10 s for the rest."""
    timeout = httpx.Timeout(10, connect=3)
    limits = httpx.Limits(keepalive_expiry=5)  # a connection the receiver has closed meanwhile would look like no answer
    plain = {"accept-encoding": "identity"}  # answers are read as they come
    logging.getLogger("httpx").addFilter(_without_query)
    return httpx.Client(trust_env=False, follow_redirects=False, verify=verify, timeout=timeout, limits=limits, headers=plain)


def exchange(client: httpx.Client, request: httpx.Request) -> Answer:
    """The answer to one request; raises DeliveryError: proven not accepted where nothing was sent, else unclear.

    Neither the address nor the body stands in the error: they may hold a token or an address.
    """
    try:
        response = client.send(request, stream=True)
    except _NOT_SENT as error:
        raise REPEAT.error(type(error).__name__) from error
    except httpx.HTTPError as error:
        raise NO_ANSWER.error(type(error).__name__) from error
    try:
        return Answer(response.status_code, response.headers, _read(response))
    except httpx.HTTPError as error:
        raise NO_ANSWER.error(type(error).__name__) from error
    finally:
        response.close()


def checked_endpoint(text: str, *, loopback: bool = False) -> httpx.URL:
    """The address of a provider as it stands in its account; raises Refused unless it is https (or, with `loopback`, on this machine)."""
    try:
        url = httpx.URL(text.strip().rstrip("/"))
    except httpx.InvalidURL as error:
        raise Refused("the endpoint cannot be read. Write it like https://example.com.") from error
    if url.scheme != "https" and not (loopback and url.scheme == "http" and url.host in ("127.0.0.1", "::1", "localhost")):
        raise Refused("the endpoint must begin with https://.")
    if not url.host or url.userinfo:
        raise Refused("the endpoint needs a host, and no user name in it.")
    return url


def _without_query(record: logging.LogRecord) -> bool:
    """Takes the queries out of a line of the HTTP log: tokens and phone numbers travel in them."""
    if isinstance(record.args, tuple):
        record.args = tuple(arg.copy_with(query=None) if isinstance(arg, httpx.URL) else arg for arg in record.args)
    return True


def _read(response: httpx.Response) -> bytes:
    """The body up to the limit; more cannot be an answer of the known form."""
    read = b""
    for part in response.iter_raw():
        read += part
        if len(read) > MOST_READ:
            return b"<"
    return read
