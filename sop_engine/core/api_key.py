"""Decides what a key of the API looks like, and what each of its scopes opens."""

import hashlib
import hmac
import re

PREFIX = "sop"
ID_BYTES, SECRET_BYTES = 6, 32  # the id is public; the secret has 256 bits
SCOPES = {"ingest": "may send events", "read": "may look users up", "operate": "may send the engine's own events too, such as unsubscribed"}
_KEY = re.compile(rf"{PREFIX}_([0-9a-f]{{{2 * ID_BYTES}}})_[A-Za-z0-9_-]{{40,60}}", re.ASCII)
_SOURCE = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}", re.ASCII)


def key_text(key_id: str, secret: str) -> str:
    """The key as it is handed out: it may stand in a URL and in a header."""
    return f"{PREFIX}_{key_id}_{secret}"


def id_of(written: str) -> str | None:
    """The public id in a key; None for what cannot be one."""
    found = _KEY.fullmatch(written)
    return found[1] if found else None


def hash_of_key(written: str) -> str:
    """What is stored of a key: SHA-256, hexadecimal. A key has 256 bits of chance, so no salt is needed."""
    return hashlib.sha256(written.encode("utf-8", "replace")).hexdigest()


def is_same(written: str, stored_hash: str) -> bool:
    """Whether this is the key of that hash; how long it takes says nothing."""
    return hmac.compare_digest(hash_of_key(written), stored_hash)


def is_source(name: str) -> bool:
    """Whether a source can be called so: small letters, digits, - and _, at most 40."""
    return _SOURCE.fullmatch(name) is not None
