"""Speaks for Official Accounts and mini-programs: service notices by template, and messages somebody has permitted, one by one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar

from sop_engine.channels._wxcrypt import Cipher
from sop_engine.channels.calling import checked_endpoint, open_client
from sop_engine.channels.codes import CONTENT
from sop_engine.channels.contract import Capability, Message, Receipt, Reply, Request, TokenBox
from sop_engine.channels.oa_events import read_oa
from sop_engine.channels.wechat_call import Api, Identity, encoded
from sop_engine.core.wechat_fields import field_problem

KNOWN_AGAIN = timedelta(minutes=10)  # so long a template message is sent once under its key


@dataclass(frozen=True, slots=True)
class WechatApp:
    """An Official Account or a mini-program. `callback`: what verifies the events it pushes."""

    appid: str
    secret: str = field(repr=False)
    endpoint: str = "https://api.weixin.qq.com"
    callback: Cipher | None = field(default=None, repr=False)
    loopback: bool = False


class _Notices:
    """What the three kinds of messages have in common."""

    path: ClassVar[str]
    link: ClassVar[str]  # what the address of a page is called

    def __init__(self, app: WechatApp, tokens: TokenBox | None) -> None:
        self._app, self._client = app, open_client()
        self._api = Api(self._client, checked_endpoint(app.endpoint, loopback=app.loopback), Identity("oa", app.appid, app.secret), tokens)

    def prepare(self, message: Message) -> bytes:
        """The bytes `send` hands over, the same in every repeat; raises DeliveryError for a value its field does not take."""
        return encoded({**self.body(message), **self.more(message)})

    def send(self, message: Message) -> Receipt:
        """Send one message; raises DeliveryError, also for a value its field does not take."""
        found = self._api.call(f"/cgi-bin/message/{self.path}", {**self.body(message), **self.more(message)}, creates=True)
        number = found.get("msgid")
        return Receipt(str(number) if isinstance(number, int | str) else "", "accepted")

    def body(self, message: Message) -> dict[str, Any]:
        """Receiver, template, fields and what a tap opens."""
        if not message.provider_template or not message.vars:
            raise CONTENT.error("the template names no provider_template or no provider_vars")
        for name, value in message.vars:
            if problem := field_problem(name, value):
                raise CONTENT.error(problem)
        data = {name: {"value": value} for name, value in message.vars}
        return {"touser": message.to, "template_id": message.provider_template, **_opened(message, self.link), "data": data}

    def more(self, _message: Message) -> Mapping[str, Any]:
        """What only this kind of message says."""
        return {}

    def parse(self, request: Request) -> Reply:
        """The facts in a verified event; a bare 401 for another request, 404 when the account takes none."""
        return read_oa(self._app.callback, request)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


class OaTemplate(_Notices):
    """The channel `oa_template`: service notices of an Official Account, each once under its key for ten minutes."""

    kind: ClassVar[str] = "oa_template"
    capability: ClassVar[Capability] = Capability(idempotent_for=KNOWN_AGAIN, receipts="push", needs_template=True)
    path, link = "template/send", "url"

    def more(self, message: Message) -> Mapping[str, Any]:
        """The key by which a repeat is known."""
        return {"client_msg_id": message.key}


class OaSubscribe(_Notices):
    """The channel `oa_subscribe`: messages of an Official Account that were permitted one by one."""

    kind: ClassVar[str] = "oa_subscribe"
    capability: ClassVar[Capability] = Capability(receipts="push", needs_template=True)
    path, link = "subscribe/bizsend", "page"


class MpSubscribe(_Notices):
    """The channel `mp_subscribe`: messages of a mini-program that were permitted one by one."""

    kind: ClassVar[str] = "mp_subscribe"
    capability: ClassVar[Capability] = Capability(receipts="push", needs_template=True)
    path, link = "subscribe/send", "page"

    def more(self, _message: Message) -> Mapping[str, Any]:
        """The released mini-program, in Chinese."""
        return {"miniprogram_state": "formal", "lang": "zh_CN"}


def _opened(message: Message, link: str) -> dict[str, Any]:
    """What a tap opens: `link: https://…`, `page: pages/index`, or `miniprogram: appid/pages/index`, which beats the others."""
    found: dict[str, Any] = {}
    for kind, address in message.attachments:
        if kind == "miniprogram":
            appid, _, path = address.partition("/")
            found["miniprogram"] = {"appid": appid, "pagepath": path}
        elif kind in ("link", "page"):
            found[link] = address
        else:
            raise CONTENT.error(f"a WeChat notice takes no attachment '{kind}'; link, page and miniprogram are possible")
    return found
