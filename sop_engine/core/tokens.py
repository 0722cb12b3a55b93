"""Decides whether a link is ours: a short text signed for one purpose, that anybody may carry and nobody can change."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping


def sign(keys: Mapping[str, bytes], kid: str, purpose: str, payload: str, size: int) -> str:
    """`{kid}.{payload}.{signature}` in base64url without padding; `size`: bytes kept of the HMAC-SHA256; `kid` names the key in `keys`."""
    return f"{kid}.{_written(payload.encode())}.{_written(_signature(keys[kid], kid, purpose, payload)[:size])}"


def read(keys: Mapping[str, bytes], token: str, purpose: str, size: int) -> str | None:
    """The payload of a token that one of the keys signed for this purpose; None for every other text."""
    kid, _, rest = token.partition(".")
    written, _, signature = rest.partition(".")
    key = keys.get(kid)
    if key is None:
        return None
    try:
        payload, given = _read(written).decode(), _read(signature)
    except (ValueError, binascii.Error):
        return None
    good = hmac.compare_digest(_signature(key, kid, purpose, payload)[:size], given)
    return payload if good and token == sign(keys, kid, purpose, payload, size) else None  # one spelling only


def _signature(key: bytes, kid: str, purpose: str, payload: str) -> bytes:
    return hmac.new(key, f"sop:{purpose}:v1:{kid}:{payload}".encode(), hashlib.sha256).digest()


def _written(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _read(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
