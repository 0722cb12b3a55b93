"""Puts every channel before a made-up provider: one entry in ADAPTERS each, and the contract suite holds it to every behaviour."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import httpx

from sop_engine.channels import smtp
from sop_engine.channels.contract import Channel, Message
from sop_engine.channels.email import Email
from sop_engine.channels.mime import compose
from sop_engine.channels.outbox import Outbox
from sop_engine.channels.smtp import Relay
from sop_engine.channels.task import StaffTask
from sop_engine.channels.webhook import Endpoint, Webhook, payload
from tests.channels import sms
from tests.channels.smtp_server import CUT, SmtpServer
from tests.channels.suite.contract import NAME, NOW, Adapter, DoesNotApply, Rig
from tests.channels.suite.receiver import SECRET, Receiver
from tests.channels.suite.wechat import WECHAT
from tests.fakes import aliyun, tencent
from tests.fakes.aliyun import Aliyun
from tests.fakes.provider import Provider
from tests.fakes.tencent import Tencent

HERE = "nothing leaves this machine: there is no provider to do this"
SILENT = ("slow", "accept_then_hang")  # here alone a channel waits, and not for long
SENDER = "某品牌 <mail@example.com>"
PHONES = ("13900001234", NAME)
TEXT = Message(
    key="k1", now=NOW, to="+8613900001234", text=f"【某品牌】{NAME}，你好。", vars=(("name", NAME),), template="问候", user_key="u-7"
)


def over_http(fake: Provider, client: httpx.Client, codes: Mapping[str, str]) -> Callable[[str], None]:
    """Plays behaviours on a fake provider; `codes` names its codes, and says why it has none where it begins with `-`."""

    def play(behaviour: str) -> None:
        told = codes.get(behaviour, "")
        if behaviour == "store_fails":
            raise DoesNotApply("it stores nothing on this machine")
        if told.startswith("-"):
            raise DoesNotApply(told[1:])
        if behaviour in SILENT:
            client.timeout = sms.SHORT
        if behaviour == "refuse_connect":
            fake.refuse_connect()
        else:
            fake.play(f"fail:{told}" if told else behaviour)

    return play


@contextmanager
def _sms(fake: Provider, make: Callable[[str], Any], codes: Mapping[str, str], message: Message) -> Iterator[Rig]:
    with fake:
        channel = make(fake.url)
        try:
            yield Rig(
                channel, message, over_http(fake, channel._line.client, codes), lambda: [t.key for t in fake.log], channel.prepare,
                lambda: [_prepared(one.query, one.body) for one in fake.calls if one.headers.get("x-acs-action", "SendSms") == "SendSms"
                         and one.headers.get("x-tc-action", "SendSms") == "SendSms"],
                (*PHONES, aliyun.SECRET, tencent.KEY),
            )  # fmt: skip
        finally:
            channel.close()


def _prepared(query: str, body: bytes) -> bytes:
    return body or query.encode()


def aliyun_sms() -> Any:
    """Aliyun."""
    codes = {
        "refuse_content": "isv.SMS_CONTENT_ILLEGAL", "refuse_person": "isv.MOBILE_NUMBER_ILLEGAL",
        "refuse_account": "isv.AMOUNT_NOT_ENOUGH", "refuse_template": "isv.SMS_TEMPLATE_ILLEGAL", "unlisted_code": "isv.NEW",
    }  # fmt: skip
    return _sms(Aliyun(), sms.to_aliyun, codes, replace(TEXT, provider_template="SMS_1"))


def tencent_sms() -> Any:
    """Tencent."""
    codes = {
        "refuse_content": "FailedOperation.ContainSensitiveWord", "refuse_person": "FailedOperation.PhoneNumberInBlacklist",
        "refuse_account": "FailedOperation.InsufficientBalanceInSmsPackage", "unlisted_code": "New.Code",
        "refuse_template": "FailedOperation.TemplateIncorrectOrUnapproved",
    }  # fmt: skip
    fake = Tencent()
    fake.shows_context = True
    return _sms(fake, sms.to_tencent, codes, replace(TEXT, provider_template="1110"))


@contextmanager
def webhook() -> Iterator[Rig]:
    """A system of the shop's own."""
    codes = {
        "refuse_content": "content", "refuse_person": "user_blocked", "refuse_account": "401", "unlisted_code": "new",
        "refuse_template": "-a webhook has no templates to approve",
    }  # fmt: skip
    with Receiver() as fake:
        channel = Webhook(Endpoint(fake.url + "/", (SECRET,), loopback=True), verify=False)
        try:
            message = replace(TEXT, to="dy-139")
            yield Rig(
                channel,
                message,
                over_http(fake, channel._client, codes),
                lambda: [t.key for t in fake.log],
                payload,
                lambda: [c.body for c in fake.calls],
                ("dy-139", NAME, SECRET),
            )
        finally:
            channel.close()


REPLIES = {
    "ok": {},
    "slow": {"banner": ""},
    "html_200": {"banner": "<html>log in</html>"},
    "throttle": {"MAIL": "451 4.7.1 slow down"},
    "refuse_content": {".": "554 5.7.1 spam for user@example.net"},
    "refuse_person": {"RCPT": "550 5.1.1 <user@example.net> no such user"},
    "refuse_account": {"MAIL": "535 5.7.8 log in first"},
    "unlisted_code": {".": "999 new"},
    "accept_then_hang": {".": ""},
    "accept_then_cut": {".": CUT},
    "garbage": {".": "what is this"},
}
BEFORE = "retry_after:not_accepted"  # whatever fails before the text is proven not to be taken
NO_REPLY = {
    "refuse_template": "mail has no templates to approve",
    "accept_then_500": "a reply after the text is the server's decision",
    "store_fails": "it stores nothing on this machine",
}


@contextmanager
def email() -> Iterator[Rig]:
    """A mail server."""
    with SmtpServer() as server, patch.object(smtp, "WAIT_S", 10):
        channel, to = Email(Relay("127.0.0.1", server.port, tls="none"), SENDER), "user@example.net"

        def play(behaviour: str) -> None:
            if behaviour in NO_REPLY:
                raise DoesNotApply(NO_REPLY[behaviour])
            if behaviour == "refuse_connect":
                server.__exit__()
            if behaviour in SILENT:
                smtp.WAIT_S = 0.5  # until the patch ends
            server.script.update(REPLIES.get(behaviour, {}))

        def taken() -> list[str]:
            decided = server.script["."].startswith(("554", "999"))  # these replies to the text throw it away
            return [] if decided else [to for _, to in server.envelopes]

        try:
            yield Rig(
                channel, replace(TEXT, to=to, subject=f"{NAME}，你好", purpose="service"), play, taken,
                lambda message: compose(message, sender=SENDER, to=to), lambda: server.mails, (to, NAME),
                {"slow": BEFORE, "html_200": BEFORE},
            )  # fmt: skip
        finally:
            channel.close()


def _local(make: Callable[..., Channel]) -> Adapter:
    @contextmanager
    def build() -> Iterator[Rig]:
        kept: dict[str, str] = {}
        broken: list[str] = []

        def store(message: Message) -> str:
            if broken:
                raise RuntimeError(broken.pop() + message.to)
            return kept.setdefault(message.key, f"row-{len(kept)}")

        def play(behaviour: str) -> None:
            if behaviour not in ("ok", "store_fails"):
                raise DoesNotApply(HERE)
            if behaviour == "store_fails":
                broken.append("cannot store ")

        channel = make(store, find=kept.get)
        yield Rig(channel, TEXT, play, lambda: list(kept), lambda message: repr(message).encode(), list, PHONES)

    return build


ADAPTERS: dict[str, Adapter] = {
    "outbox": _local(Outbox),
    "staff_task": _local(StaffTask),
    "email": email,
    "webhook": webhook,
    "aliyun_sms": aliyun_sms,
    "tencent_sms": tencent_sms,
    **WECHAT,
}
"""Every channel there is."""
