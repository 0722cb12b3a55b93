"""Applies what WeCom and WeChat report about people rather than messages: who is connected to whom, and what they permit."""

from sop_engine.actions.routing import appid_of, corp_of
from sop_engine.app import Work
from sop_engine.channels.contract import Fact
from sop_engine.core.wecom import WecomPair
from sop_engine.store import permissions, relations

ENDS = {"left": "left", "removed": "removed", "transfer_fail": "unfit"}
"""What a relation is after a fact `disconnected` with this code."""


def apply_wechat(work: Work, channel: str, fact: Fact) -> bool:
    """Apply a fact of kind credit, or connected or disconnected about a pair, that came in by this channel; False for every other one.

    Each is to be applied once for its `event_key`. Who follows an account or does so no more is about no pair.
    """
    pair = WecomPair.read(fact.to)
    if fact.kind in ("connected", "disconnected") and not pair.staff:
        return False
    if fact.kind == "connected":
        relations.connect(work.tx, corp_of(work, channel), pair, fact.at, owner=fact.fields.get("owner") == "yes")
    elif fact.kind == "disconnected":
        relations.end(work.tx, corp_of(work, channel), pair, ENDS.get(fact.code, "removed"), fact.at)
    elif fact.kind == "credit":
        _permit(work, channel, fact)
    else:
        return False
    return True


def _permit(work: Work, channel: str, fact: Fact) -> None:
    """One more message is permitted, or as many are left as the provider says."""
    told, account = fact.fields.get("left", ""), appid_of(work, channel)
    if told.isascii() and told.isdigit():
        permissions.put(work.tx, account, fact.to, fact.code, int(told))
    else:
        permissions.add(work.tx, account, fact.to, fact.code, 1)
