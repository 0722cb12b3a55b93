"""Sends the one message a new WeCom customer gets without a colleague's doing, within twenty seconds of their adding one."""

from datetime import timedelta
from typing import Any, ClassVar

from sop_engine.channels.contract import Capability, Message, Receipt, Reply, Request, TokenBox
from sop_engine.channels.wechat_call import encoded, refused_content
from sop_engine.channels.wecom_content import content_of
from sop_engine.channels.wecom_customer import Corp, wecom_api
from sop_engine.channels.wecom_events import read_wecom

EXPIRES = timedelta(seconds=20)


class WecomWelcome:
    """The channel `wecom_welcome`. The address of a message is the code that came with the event."""

    kind: ClassVar[str] = "wecom_welcome"
    capability: ClassVar[Capability] = Capability(expires=EXPIRES)

    def __init__(self, corp: Corp, tokens: TokenBox | None) -> None:
        self._corp = corp
        self._client, self._api = wecom_api(corp, tokens)

    def prepare(self, message: Message) -> bytes:
        """The bytes `send` hands over, the same in every repeat; raises DeliveryError for what the provider does not take."""
        return encoded(_body(message))

    def send(self, message: Message) -> Receipt:
        """Greet once; a customer who was greeted already counts as greeted. Raises DeliveryError."""
        self._api.call("/cgi-bin/externalcontact/send_welcome_msg", _body(message), creates=True, table="wecom_welcome")
        return Receipt("", "accepted")

    def parse(self, request: Request) -> Reply:
        """The facts in a verified event; a bare 401 for another request, 404 when the account takes none."""
        return read_wecom(self._corp.callback, request)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _body(message: Message) -> dict[str, Any]:
    if not message.to:
        raise refused_content("there is no welcome code")
    return {"welcome_code": message.to, **content_of(message)}
