"""Decides which addresses a webhook may connect to: public ones, checked after the name was resolved."""

import socket
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import httpx

from sop_engine.channels.codes import CONFIGURATION, REPEAT
from sop_engine.core.errors import Refused

Resolve = Callable[[str, int], Sequence[str]]
_GLOBAL = ip_network("2000::/3")
_NAT64 = ip_network("64:ff9b::/96")


def resolve(host: str, port: int) -> list[str]:
    """Every address of a name, as the system answers; raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


def checked_url(text: str, *, loopback: bool = False) -> httpx.URL:
    """The address of a webhook as it stands in the settings; raises Refused unless it is https (or, with `loopback`, http)."""
    try:
        url = httpx.URL(text.strip())
    except httpx.InvalidURL as error:
        raise Refused("the address of a webhook cannot be read. Write it like https://example.com/hook.") from error
    if url.scheme != "https" and not (loopback and url.scheme == "http"):
        raise Refused("the address of a webhook must begin with https://.")
    if not url.host or url.userinfo:
        raise Refused("the address of a webhook needs a host, and no user name in it.")
    return url


def reachable(url: httpx.URL, find: Resolve, *, loopback: bool = False) -> str:
    """The address to connect to; raises DeliveryError if the name is unknown or one of its addresses is not public."""
    try:
        found = find(url.raw_host.decode("ascii"), url.port or (443 if url.scheme == "https" else 80))
    except (OSError, UnicodeError) as error:
        raise REPEAT.error("the name of the host cannot be resolved") from error
    addresses = [ip_address(text.partition("%")[0]) for text in found]
    if not addresses:
        raise REPEAT.error("the name of the host has no address")
    if loopback and all(a.is_loopback for a in addresses):
        return str(addresses[0])
    # One inner address among several is refused too: the next connection might take it.
    if url.scheme != "https" or not all(is_public(address) for address in addresses):
        raise CONFIGURATION.error("the host is inside a private network, where webhooks must not go")
    return str(addresses[0])


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether the address, and the IPv4 address hidden in it, belongs to the public internet."""
    if isinstance(address, IPv6Address):
        hidden = address.ipv4_mapped or address.sixtofour or (address in _NAT64 and IPv4Address(int(address) & 0xFFFFFFFF))
        if hidden:
            return is_public(hidden)
        if address not in _GLOBAL:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved
