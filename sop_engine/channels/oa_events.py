"""Reads the events an Official Account or a mini-program gets: what became of notices, what people permit, who follows."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from xml.etree.ElementTree import Element

from sop_engine.channels._wxcrypt import Cipher, leaf_hash
from sop_engine.channels.codes_wechat import wechat_meaning
from sop_engine.channels.contract import Fact, Reply, Request
from sop_engine.channels.wechat_inbound import created_at, received, said

JOBS: Mapping[str, str] = {"success": "delivered", "failed:user block": "blocked"}
"""What a finished template message means by its status; any other failure is a soft one."""


def read_oa(cipher: Cipher | None, request: Request) -> Reply:
    """The facts in an event, and the word by which WeChat knows that it need not repeat it."""
    return received(cipher, request, lambda root: tuple(_facts(root, request.now)), thanks=b"success")


def _facts(root: Element, now: datetime) -> Sequence[Fact]:
    key, at, openid = leaf_hash(root), created_at(root, now), said(root, "FromUserName")
    read = _EVENTS.get(said(root, "Event"))
    if read is None:
        name = f"oa_{said(root, 'Event') or said(root, 'MsgType') or 'unknown'}"
        return [Fact(kind="event", event_key=key, at=at, to=openid, name=name, text=said(root, "Content"))]
    return list(read(root, key, at, openid))


def _job(root: Element, key: str, at: datetime, openid: str) -> Iterator[Fact]:
    status = said(root, "Status")
    kind = JOBS.get(status.replace("failed: ", "failed:"), "soft_bounced")
    yield Fact(kind=kind, event_key=key, at=at, provider_id=said(root, "MsgID"), to=openid, code=status)


def _asked(root: Element, key: str, at: datetime, openid: str) -> Iterator[Fact]:
    """Somebody was asked: an acceptance is one more message, a refusal leaves none."""
    for number, row in enumerate(root.iterfind("SubscribeMsgPopupEvent/List")):
        fields = {} if said(row, "SubscribeStatusString") == "accept" else {"left": "0"}
        yield Fact(kind="credit", event_key=f"{key}:{number}", at=at, to=openid, code=said(row, "TemplateId"), fields=fields)


def _changed(root: Element, key: str, at: datetime, openid: str) -> Iterator[Fact]:
    for number, row in enumerate(root.iterfind("SubscribeMsgChangeEvent/List")):
        if said(row, "SubscribeStatusString") == "reject":
            fields = {"left": "0"}
            yield Fact(kind="credit", event_key=f"{key}:{number}", at=at, to=openid, code=said(row, "TemplateId"), fields=fields)


def _sent(root: Element, key: str, at: datetime, openid: str) -> Iterator[Fact]:
    """Messages by permission have no number when they are sent: `template` and the openid say which one it is."""
    for number, row in enumerate(root.iterfind("SubscribeMsgSentEvent/List")):
        code, fields = said(row, "ErrorCode"), {"template": said(row, "TemplateId")}
        kind = "delivered" if code == "0" else "refused"
        known = wechat_meaning("oa", int(code), creates=False).reason if code.isascii() and code.isdigit() and code != "0" else ""
        kind = "blocked" if known == "blocked" else kind
        event_key = f"{key}:{number}"
        yield Fact(kind=kind, event_key=event_key, at=at, provider_id=said(row, "MsgID"), to=openid, code=code, fields=fields)


def _follows(_root: Element, key: str, at: datetime, openid: str) -> Iterator[Fact]:
    yield Fact(kind="connected", event_key=key, at=at, to=openid)


def _follows_no_more(_root: Element, key: str, at: datetime, openid: str) -> Iterator[Fact]:
    yield Fact(kind="disconnected", event_key=key, at=at, to=openid, code="left")


_EVENTS: Mapping[str, Callable[[Element, str, datetime, str], Iterator[Fact]]] = {
    "TEMPLATESENDJOBFINISH": _job,
    "subscribe_msg_popup_event": _asked,
    "subscribe_msg_change_event": _changed,
    "subscribe_msg_sent_event": _sent,
    "subscribe": _follows,
    "unsubscribe": _follows_no_more,
}
