"""Signs a request to Aliyun (ACS3-HMAC-SHA256): everything that counts stands in the query and in headers."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote

from sop_engine.channels.cloud_key import Key

ALGORITHM = "ACS3-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class Call:
    """One call: `query` is in canonical form, `at` aware, `nonce` never the same twice."""

    host: str
    action: str
    version: str
    at: datetime
    nonce: str
    query: str = field(repr=False)
    body: bytes = field(default=b"", repr=False)


def canonical_query(parameters: Mapping[str, str]) -> str:
    """The parameters sorted and escaped, the one way they are signed and sent."""
    return "&".join(f"{_escaped(name)}={_escaped(value)}" for name, value in sorted(parameters.items()))


def signed_headers(key: Key, call: Call) -> dict[str, str]:
    """The headers of a call, with its signature."""
    headers = {
        "host": call.host,
        "x-acs-action": call.action,
        "x-acs-content-sha256": hashlib.sha256(call.body).hexdigest(),
        "x-acs-date": call.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "x-acs-signature-nonce": call.nonce,
        "x-acs-version": call.version,
    }
    names = ";".join(sorted(headers))
    made = signature(key.secret, canonical_request(headers, call.query, call.body))
    return {**headers, "authorization": f"{ALGORITHM} Credential={key.id},SignedHeaders={names},Signature={made}"}


def canonical_request(headers: Mapping[str, str], query: str, body: bytes = b"") -> str:
    """What is signed, before it is hashed: all of `headers` count."""
    lines = "".join(f"{name}:{headers[name].strip()}\n" for name in sorted(headers))
    return f"POST\n/\n{query}\n{lines}\n{';'.join(sorted(headers))}\n{hashlib.sha256(body).hexdigest()}"


def signature(secret: str, canonical: str) -> str:
    """The signature of a canonical request, in hex."""
    text = f"{ALGORITHM}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def _escaped(text: str) -> str:
    return quote(text, safe="~")
