"""An Official Account and a mini-program as far as the engine speaks to them: stable tokens, notices, permissions, pushed events."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from sop_engine.channels._wxcrypt import Cipher
from sop_engine.channels.contract import Request
from sop_engine.core.wechat_fields import field_problem
from tests.fakes.wechat_server import Call, Json, WechatServer


class FakeOa(WechatServer):
    """`now` is its clock; `permitted`: messages left by (openid, template); `blocked` and `gone`: openids."""

    def __init__(self, now: datetime) -> None:
        super().__init__()
        self.id = "wx1234567890"
        self.now = now
        self.permitted: Counter[tuple[str, str]] = Counter()
        self.blocked: set[str] = set()
        self.gone: set[str] = set()
        self.notices: list[Json] = []
        self.known: dict[tuple[str, str], tuple[datetime, int]] = {}  # by openid and client_msg_id: when, and its number

    def respond(self, call: Call) -> Any:
        """The answer to one call."""
        if call.path == "/cgi-bin/stable_token":
            right = call.body == {"grant_type": "client_credential", "appid": self.id, "secret": self.secret, "force_refresh": False}
            return self.new_token(self.secret) if right else {"errcode": 40125, "errmsg": "invalid appsecret"}
        if call.path == "/cgi-bin/token":  # every other process has lost its token now
            self.kill_tokens()
            return self.new_token("another")
        refused = self.refused(call, 40001) or self._unfit(call.body)
        if refused:
            return refused
        return self._template(call.body) if call.path.endswith("template/send") else self._permitted(call.body)

    def _unfit(self, body: Json) -> Json | None:
        openid = body.get("touser", "")
        if openid in self.gone:
            return {"errcode": 43004, "errmsg": "require subscribe"}
        if openid in self.blocked:
            return {"errcode": 43019, "errmsg": "blocked"}
        data = body.get("data") or {}
        if not data or any(field_problem(name, one["value"]) for name, one in data.items()):
            return {"errcode": 47003, "errmsg": "argument invalid"}
        return None

    def _template(self, body: Json) -> Any:
        key = (body["touser"], body["client_msg_id"])
        before = self.known.get(key)
        if before is not None and self.now - before[0] < timedelta(minutes=10):
            return {"errcode": 45065, "errmsg": "clientmsgid exist", "msgid": before[1]}
        return self.scripted(lambda: self._noticed(body, key))

    def _noticed(self, body: Json, key: tuple[str, str]) -> Json:
        self.notices.append(body)
        self.known[key] = (self.now, 200 + len(self.notices))
        return {"errcode": 0, "errmsg": "ok", "msgid": self.known[key][1]}

    def _permitted(self, body: Json) -> Any:
        key = (body["touser"], body["template_id"])
        if self.permitted[key] <= 0:
            return {"errcode": 43101, "errmsg": "user refuse to accept the msg"}
        return self.scripted(lambda: self._used(body, key))

    def _used(self, body: Json, key: tuple[str, str]) -> Json:
        self.permitted[key] -= 1
        self.notices.append(body)
        return {"errcode": 0, "errmsg": "ok"}


def event(kind: str, openid: str, at: datetime, inside: str = "") -> str:
    """The text of an event."""
    return (
        f"<xml><ToUserName><![CDATA[gh_1]]></ToUserName><FromUserName><![CDATA[{openid}]]></FromUserName>"
        f"<CreateTime>{int(at.timestamp())}</CreateTime><MsgType><![CDATA[event]]></MsgType><Event><![CDATA[{kind}]]></Event>{inside}</xml>"
    )


def plainly(cipher: Cipher, now: datetime, message: str) -> Request:
    """An event as it is pushed in plain mode, signed."""
    query = {"signature": cipher.signature("1735787045", "nonce1"), "timestamp": "1735787045", "nonce": "nonce1"}
    return Request(method="POST", now=now, query=query, body=message.encode())
