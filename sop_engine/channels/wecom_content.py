"""Writes the text and the attachments of a WeCom message, inside the limits of the provider."""

from typing import Any

from sop_engine.channels.contract import Message
from sop_engine.channels.wechat_call import refused_content
from sop_engine.core.wecom import MOST_BYTES

MOST_ATTACHMENTS = 9
LONGEST_TITLE = 128  # bytes of a link's title


def content_of(message: Message) -> dict[str, Any]:
    """`text` and `attachments` of a message; raises DeliveryError when it is empty or larger than the provider takes."""
    size = len(message.text.encode("utf-8", "replace"))
    if size > MOST_BYTES:
        raise refused_content(f"the text is {size} bytes long; WeCom takes {MOST_BYTES}")
    if len(message.attachments) > MOST_ATTACHMENTS:
        raise refused_content(f"{len(message.attachments)} attachments; WeCom takes {MOST_ATTACHMENTS}")
    attachments = [_attachment(message, kind, address) for kind, address in message.attachments]
    if not message.text and not attachments:
        raise refused_content("there is neither text nor attachment")
    body: dict[str, Any] = {"text": {"content": message.text}} if message.text else {}
    return {**body, "attachments": attachments} if attachments else body


def _attachment(message: Message, kind: str, address: str) -> dict[str, Any]:
    if kind == "image":
        return {"msgtype": "image", "image": {"pic_url": address}}
    if kind == "link":
        return {"msgtype": "link", "link": {"title": _cut(message.subject or address, LONGEST_TITLE), "url": address}}
    if kind in ("video", "file"):
        return {"msgtype": kind, kind: {"media_id": address}}
    raise refused_content(f"WeCom takes no attachment '{kind}'; image, link, video and file are possible")


def _cut(text: str, most: int) -> str:
    return text.encode("utf-8", "replace")[:most].decode("utf-8", "ignore")
