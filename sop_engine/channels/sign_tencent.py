"""Signs a request to Tencent Cloud (TC3-HMAC-SHA256): host, content type and the body's own bytes; the date is UTC's."""

import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sop_engine.channels.cloud_key import Key

ALGORITHM = "TC3-HMAC-SHA256"
NAMES = "content-type;host"


@dataclass(frozen=True, slots=True)
class Call:
    """One call; `at` is aware."""

    host: str
    service: str
    at: datetime
    body: bytes = field(repr=False)
    content_type: str = "application/json"

    @property
    def seconds(self) -> int:
        """The time of the call in seconds since 1970."""
        return int(self.at.timestamp())

    @property
    def scope(self) -> str:
        """What a signature is good for: in China it is still yesterday before 08:00."""
        return f"{self.at.astimezone(UTC):%Y-%m-%d}/{self.service}/tc3_request"


def authorization(key: Key, call: Call) -> str:
    """The value of the header `Authorization`."""
    made = signature(key.secret, call, canonical_request(call))
    return f"{ALGORITHM} Credential={key.id}/{call.scope}, SignedHeaders={NAMES}, Signature={made}"


def canonical_request(call: Call) -> str:
    """What is signed, before it is hashed."""
    headers = f"content-type:{call.content_type}\nhost:{call.host}\n"
    return f"POST\n/\n\n{headers}\n{NAMES}\n{hashlib.sha256(call.body).hexdigest()}"


def signature(secret: str, call: Call, canonical: str) -> str:
    """The signature of a canonical request, in hex."""
    date, service, last = call.scope.split("/")
    key = f"TC3{secret}".encode()
    for part in (date, service, last):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    text = f"{ALGORITHM}\n{call.seconds}\n{call.scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
