"""Says who sent a webhook: Standard Webhooks signatures, made for what we send and checked on what we get."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

TOLERANCE = timedelta(minutes=5)


def secret_bytes(secret: str) -> bytes:
    """The key in a secret as it is written, with or without `whsec_`; raises ValueError unless it is base64 of 24 to 64 bytes."""
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error as error:
        raise ValueError("is not base64") from error
    if not 24 <= len(key) <= 64:
        raise ValueError("must be 24 to 64 bytes in base64")
    return key


def signed(secrets: Sequence[str], key: str, at: datetime, body: bytes) -> str:
    """The value of `webhook-signature`: one signature for each secret, the current one first."""
    content = f"{key}.{int(at.timestamp())}.".encode() + body
    digests = (hmac.new(secret_bytes(secret), content, hashlib.sha256).digest() for secret in secrets)
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)


def is_signed(secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: datetime) -> bool:
    """Whether the headers (names in lower case) hold a signature by one of the secrets, at most five minutes from now."""
    try:
        seconds = int(headers["webhook-timestamp"])
        key, given = headers["webhook-id"], headers["webhook-signature"].encode().split()
    except (KeyError, ValueError):
        return False
    if abs(now.timestamp() - seconds) > TOLERANCE.total_seconds():
        return False
    at = datetime.fromtimestamp(seconds, now.tzinfo)
    ours = signed(secrets, key, at, body).encode().split()
    return any([hmac.compare_digest(one, other) for one in ours for other in given])  # a list: no shortcut, no clue
