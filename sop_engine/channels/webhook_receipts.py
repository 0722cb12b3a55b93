"""Reads what a system of one's own reports about messages it was handed: signed like what we send it."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sop_engine.channels.contract import Fact, Reply, Request
from sop_engine.channels.signature import is_signed

FAILED: Mapping[str, str] = {
    "bad_address": "bounced",
    "user_blocked": "blocked",
    "no_consent": "unsubscribed",
    "later": "soft_bounced",
}
"""What `touch.failed` means by its code; with every other code the message was refused."""

KINDS: Mapping[str, str] = {
    "touch.delivered": "delivered",
    "touch.failed": "refused",
    "touch.opted_out": "unsubscribed",
    "touch.replied": "replied",
}
"""Which fact a report is, by its type."""

TAKEN = Reply(body=b"{}")
FORGED = Reply(status=401, content_type="text/plain")
UNREADABLE = Reply(status=400, content_type="text/plain")


def read_report(secrets: Sequence[str], request: Request) -> Reply:
    """The fact in a report; 401 for one that is not signed by any of the secrets, 400 for one of another form."""
    if not is_signed(secrets, request.headers, request.body, request.now):
        return FORGED
    told = json_object(request.body)
    data = told.get("data") if told else None
    if told is None or not isinstance(data, dict) or not isinstance(data.get("key"), str) or not data["key"]:
        return UNREADABLE
    kind = KINDS.get(str(told.get("type")))
    if kind is None:
        return TAKEN  # something a later version knows
    code = _text(data, "code")
    fact = Fact(
        kind=FAILED.get(code, kind) if kind == "refused" else kind,
        event_key=request.headers["webhook-id"],
        at=time_of(data.get("at"), request.now),
        key=data["key"][:200],
        code=code,
        text=_text(data, "text") if kind == "replied" else "",
    )
    return Reply(facts=(fact,), body=TAKEN.body)


def json_object(body: bytes) -> dict[str, Any] | None:
    """The body as a JSON object; None for everything else."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) else None


def time_of(written: object, now: datetime) -> datetime:
    """A time as ISO 8601 or in unix seconds, aware UTC; `now` where it cannot be read or is still to come."""
    try:
        if isinstance(written, int | float) and not isinstance(written, bool):
            at = datetime.fromtimestamp(written, UTC)
        else:
            at = datetime.fromisoformat(str(written))
            at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return now
    return min(at, now)


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    return value[:4000] if isinstance(value, str) else ""
