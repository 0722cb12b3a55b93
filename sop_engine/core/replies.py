"""Decides whether an answer is a refusal: the words by which people leave a list, in any width and case, and nothing around them."""

import unicodedata
from dataclasses import replace

from sop_engine.core.records import EventRecord

OPT_OUT = frozenset({"R", "T", "TD", "N", "退订", "拒收", "取消订阅", "回T", "STOP", "UNSUBSCRIBE"})
"""The whole answer must be one of these: "R码怎么用" is a question."""

REPLY = "reply"
"""The `result` of an `unsubscribed` event that was an answer."""


def is_opt_out(text: str) -> bool:
    """Whether a whole answer means: no more of this."""
    return unicodedata.normalize("NFKC", text).strip().upper() in OPT_OUT


def understood(record: EventRecord) -> EventRecord:
    """The event as it is meant: an answer that refuses is `unsubscribed` and no reply, however it came in."""
    text = record.fields.get("text")
    if record.event != "replied" or not isinstance(text, str) or not is_opt_out(text):
        return record
    return replace(record, event="unsubscribed", fields={**record.fields, "result": REPLY})
