"""Decides to which address a mail's bounces go, one for each message, and reads from such an address which message it was."""

import hashlib
import hmac
import re
from collections.abc import Mapping

_BOUNCE = re.compile(r"bounce\+(\d{1,18})-([0-9a-f]{20})@", re.ASCII | re.IGNORECASE)


def bounce_address(keys: Mapping[str, bytes], touch_id: int, domain: str) -> str:
    """The address that bounces of a touch go to, signed with the first of the keys."""
    kid = next(iter(keys))
    return f"bounce+{touch_id}-{_signature(keys[kid], kid, touch_id)}@{domain}"


def touch_of(keys: Mapping[str, bytes], text: str) -> int | None:
    """The touch of the first address in the text that one of the keys signed; None where there is none."""
    for touch, given in _BOUNCE.findall(text):
        if any([hmac.compare_digest(_signature(key, kid, int(touch)), given.lower()) for kid, key in keys.items()]):
            return int(touch)
    return None


def _signature(key: bytes, kid: str, touch_id: int) -> str:
    return hmac.new(key, f"sop:verp:v1:{kid}:{touch_id}".encode(), hashlib.sha256).hexdigest()[:20]
