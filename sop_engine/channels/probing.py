"""Looks whether a provider can be reached: resolves, connects and checks the certificate; sends nothing."""

import socket
import ssl
from typing import Protocol

import httpx

from sop_engine.channels.codes import CONFIGURATION, REPEAT
from sop_engine.channels.reach import Resolve, reachable, resolve

CONNECT_S = 3.0


class Probed(Protocol):
    """A channel that can say whether its provider would listen."""

    def probe(self) -> str:
        """What was found, in a few words; raises DeliveryError. Nothing is sent to anybody."""
        ...


def probe_endpoint(url: httpx.URL, *, find: Resolve = resolve, loopback: bool = False, verify: ssl.SSLContext | bool = True) -> str:
    """Connect to an address and check its certificate; raises DeliveryError: not reachable, or a person has to put it right."""
    address = reachable(url, find, loopback=loopback)
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        with socket.create_connection((address, port), CONNECT_S) as plain:
            if url.scheme != "https":
                return "connected, without TLS"
            context = verify if isinstance(verify, ssl.SSLContext) else ssl.create_default_context()
            with context.wrap_socket(plain, server_hostname=url.raw_host.decode("ascii")) as secured:
                return f"connected, {secured.version()}, certificate valid"
    except ssl.SSLCertVerificationError as error:
        raise CONFIGURATION.error(f"the certificate is not valid: {error.verify_message}") from error
    except OSError as error:
        raise REPEAT.error(f"no connection: {type(error).__name__}") from error
