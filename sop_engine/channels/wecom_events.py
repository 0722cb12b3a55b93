"""Reads the events WeCom pushes: who is connected to whom now, and what else customers did."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from xml.etree.ElementTree import Element

from sop_engine.channels._wxcrypt import Cipher, leaf_hash
from sop_engine.channels.contract import Fact, Reply, Request
from sop_engine.channels.wechat_inbound import created_at, received, said
from sop_engine.core.wecom import WecomPair

ADDED = "wecom_added"
ENDS: Mapping[str, str] = {"del_follow_user": "left", "del_external_contact": "removed", "transfer_fail": "transfer_fail"}
"""Which change ends a relation, and what it is called: a customer who leaves does not want it, one who was removed did not say so."""


def read_wecom(cipher: Cipher | None, request: Request) -> Reply:
    """The facts in an event, and the empty answer WeCom expects."""
    return received(cipher, request, lambda root: _facts(root, request.now), thanks=b"")


def _facts(root: Element, now: datetime) -> Sequence[Fact]:
    """What an event says; one nobody needs is kept under its own name."""
    key, at = leaf_hash(root), created_at(root, now)
    change, pair = said(root, "ChangeType"), WecomPair(said(root, "ExternalUserID"), said(root, "UserID"))
    if said(root, "Event") != "change_external_contact":
        return [_kept(root, key, at)]
    read = _CHANGES.get(change)
    return read(root, pair, key, at) if read else [_kept(root, key, at)]


def _added(root: Element, pair: WecomPair, key: str, at: datetime) -> Sequence[Fact]:
    fields = {"staff": pair.staff, "state": said(root, "State"), "welcome_code": said(root, "WelcomeCode")}
    return [
        Fact(kind="connected", event_key=f"{key}:connected", at=at, to=str(pair)),
        Fact(kind="event", event_key=key, at=at, to=pair.customer, name=ADDED, fields=fields),
    ]


def _ended(root: Element, pair: WecomPair, key: str, at: datetime) -> Sequence[Fact]:
    fields = {name: text for name, text in {"source": said(root, "Source"), "reason": said(root, "FailReason")}.items() if text}
    return [Fact(kind="disconnected", event_key=key, at=at, to=str(pair), code=ENDS[said(root, "ChangeType")], fields=fields)]


_CHANGES: Mapping[str, Callable[[Element, WecomPair, str, datetime], Sequence[Fact]]] = {
    "add_external_contact": _added,
    "add_half_external_contact": _added,
    **dict.fromkeys(ENDS, _ended),
}


def _kept(root: Element, key: str, at: datetime) -> Fact:
    kind = said(root, "Event") or said(root, "MsgType") or "unknown"
    told = {"change": said(root, "ChangeType"), "staff": said(root, "UserID")}
    fields = {name: text for name, text in told.items() if text}
    return Fact(kind="event", event_key=key, at=at, to=said(root, "ExternalUserID"), name=f"wecom_{kind}", fields=fields)
