"""Reads what a project says about links: whether clicks are tracked, on which hosts, and for how long links work."""

import re

from sop_engine.core.links import LinkRules
from sop_engine.language.reader import Reader
from sop_engine.language.source import List, Map, Node
from sop_engine.language.vocabulary import LINKS

LEAST_DAYS = 60  # a link in a message is followed weeks later, too
_HOST = re.compile(r"(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)*")


def read_links(node: Node, reader: Reader) -> LinkRules:
    """The rules; a project that says anything about links has them tracked unless it says `tracked: false`."""
    read = reader.keys(node, LINKS, "'links'")
    keep = read.get("keep")
    if keep is not None and keep.days < LEAST_DAYS:
        reader.error(_place(node, "keep"), 203, f"links must work for at least {LEAST_DAYS} days. Write '{LEAST_DAYS}d' or more.")
    fallback = read.get("fallback", "")
    if fallback and not fallback.startswith("https://"):
        reader.error(_place(node, "fallback"), 203, f"'{fallback}' is not an address. Write 'https://…'.")
    share_as = read.get("share_as", "")
    if share_as and not re.fullmatch(r"[a-z][a-z0-9_]{0,30}", share_as):
        reader.error(_place(node, "share_as"), 203, f"'{share_as}' is not the name of a parameter. Write 'sop_link'.")
    for key in ("hosts", "utm_hosts"):
        for host in read.get(key, ()):
            if not _HOST.fullmatch(host):
                sentence = f"'{host}' is not a host. Write 'shop.example.com', or '*.example.com' for all below it, in small letters."
                reader.error(_place(node, key), 203, sentence)
    return LinkRules(**{"tracked": True, **read})


def _place(node: Node, key: str) -> Node:
    found = node.get(key) if isinstance(node, Map) else None
    return found.items[0] if isinstance(found, List) and found.items else found or node
