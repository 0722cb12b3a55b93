"""Reads the items of a call of the ingestion API, each by itself: what it says, or why it is refused."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sop_engine.core.ingested import LONGEST_ID, LONGEST_MESSAGE_ID, TYPES, Dropped, Item, Refusal
from sop_engine.language.sent_times import happened
from sop_engine.language.wire import NotJson, size_of

MOST_ITEM_BYTES = 32 * 1024  # of compact JSON
LONGEST_NAME = 200
OURS = "sop_engine"
NOBODY = ("undefined", "null")  # what scripts write where there is no id: one user of all of them would melt together


@dataclass(frozen=True, slots=True)
class Call:
    """One request: its items as they were sent, what all of them share, and when it came."""

    items: Sequence[Any]
    shared: Mapping[str, Any]
    received_at: datetime
    history: bool = False
    whole_size: int = 0  # bytes of the body; of a small one no item is measured


def call_of(body: Mapping[str, Any], kind: str, received_at: datetime, *, history: bool = False, size: int = 0) -> Call:
    """The call in a body that came to the route of `kind`: one of the types, or batch. Raises NotJson where `batch` is no list."""
    if kind != "batch":
        return Call([{**body, "type": kind}], {"sentAt": body.get("sentAt")}, received_at, history, size)
    listed = body.get("batch")
    if not isinstance(listed, list):
        raise NotJson("'batch' is a list of items")
    return Call(listed, {k: body.get(k) for k in ("context", "integrations", "sentAt")}, received_at, history, size)


def write_key_of(call: Call, body: Mapping[str, Any]) -> str:
    """The key that stands in the body, else in its first item that has one; empty where there is none."""
    found = [body.get("writeKey"), *(item.get("writeKey") for item in call.items if isinstance(item, dict))]
    return next((key for key in found if isinstance(key, str) and key), "")


def read_items(call: Call, write_key: str = "") -> Iterator[Item | Refusal | Dropped]:
    """Every item in order. One that names another key than `write_key` (if that is not empty) is refused."""
    for raw in call.items:
        yield _read(call, raw, write_key)


def _read(call: Call, raw: Any, write_key: str) -> Item | Refusal | Dropped:
    if not isinstance(raw, dict):
        return Refusal("not_object", raw)
    if call.whole_size > MOST_ITEM_BYTES and size_of(raw) > MOST_ITEM_BYTES:
        return Refusal("too_large", raw)
    if write_key and raw.get("writeKey", write_key) not in (write_key, None, ""):
        return Refusal("other_key", raw)
    if {**_map(call.shared.get("integrations")), **_map(raw.get("integrations"))}.get(OURS) is False:
        return Dropped()
    kind = str(raw.get("type", "")).strip().lower()
    reason = "unknown_type" if kind not in TYPES else _missing(kind, raw)
    if reason:
        return Refusal(reason, raw)
    sent = call.shared.get("sentAt") or raw.get("sentAt")
    told = happened(_time_of(raw), sent, call.received_at, history=call.history)
    if told is None:
        return Refusal("future", raw)
    return Item(
        kind,
        message_id(raw.get("messageId")),
        told.at,
        user_id=identifier(raw.get("userId")),
        anonymous_id=identifier(raw.get("anonymousId")),
        previous_id=identifier(raw.get("previousId")) if kind == "alias" else "",
        group_id=identifier(raw.get("groupId")),
        name=_name(raw.get("event")),
        values=_values(kind, raw),
        context={**_map(call.shared.get("context")), **_map(raw.get("context"))},
        bad_timestamp=told.bad,
    )


def _time_of(raw: Mapping[str, Any]) -> Any:
    written = raw.get("timestamp")
    return raw.get("originalTimestamp") if written is None else written


def _missing(kind: str, raw: Mapping[str, Any]) -> str:
    """The reason for which an item of a known type is refused; empty when it is whole."""
    user, visitor = identifier(raw.get("userId")), identifier(raw.get("anonymousId"))
    whole = bool(user and identifier(raw.get("previousId"))) if kind == "alias" else bool(user or visitor)
    if not whole:
        return "no_identity"
    return "no_event_name" if kind == "track" and not _name(raw.get("event")) else ""


def _values(kind: str, raw: Mapping[str, Any]) -> dict[str, Any]:
    if kind in ("identify", "group"):
        return _map(raw.get("traits"))
    values = _map(raw.get("properties"))
    if kind in ("page", "screen"):
        own = {name: raw[name] for name in ("name", "category") if isinstance(raw.get(name), str) and raw[name]}
        values = {**values, **own}
    return values


def identifier(value: Any) -> str:
    """An id as text; empty for what is none."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return ""
    written = value.strip() if isinstance(value, str) else f"{value:f}" if isinstance(value, Decimal) else str(value)
    fits = len(written) <= LONGEST_ID and written.isprintable() and written not in NOBODY
    return written if fits else ""


def message_id(value: Any) -> str:
    """The item's own id, a long one by its hash; empty for none."""
    written = value.strip() if isinstance(value, str) else str(value) if isinstance(value, int) and not isinstance(value, bool) else ""
    return written if len(written) <= LONGEST_MESSAGE_ID else "h:" + hashlib.sha256(written.encode("utf-8", "replace")).hexdigest()


def _name(value: Any) -> str:
    return value.strip()[:LONGEST_NAME] if isinstance(value, str) else ""


def _map(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
