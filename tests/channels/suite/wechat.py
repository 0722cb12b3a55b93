"""Puts the channels of WeCom and WeChat before their made-up providers, for the contract suite."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import httpx

from sop_engine.channels import wechat_oa, wecom_customer
from sop_engine.channels.contract import Message
from sop_engine.channels.wechat_oa import MpSubscribe, OaSubscribe, OaTemplate, WechatApp
from sop_engine.channels.wecom_customer import Corp, WecomCustomer
from sop_engine.channels.wecom_welcome import WecomWelcome
from tests.channels import sms
from tests.channels.suite.contract import NAME, NOW, Adapter, DoesNotApply, Rig
from tests.fakes.oa import FakeOa
from tests.fakes.wechat_server import Box, WechatServer
from tests.fakes.wecom import FakeWecom

WAITS = {"slow": 0.1, "accept_then_hang": 0.5}  # seconds: the second leaves a busy machine the time to accept
TOKENS = "token:"  # before a step: it is played on the call that fetches the access token
FREE_TEXT = "tasks and greetings are free text: WeCom has no templates to approve"
TEXT = Message(key="0123456789abcdef0123456789abcdef", now=NOW, text=f"{NAME}，回来看看", playbook="唤醒", version="1", step="群发")
FIELDS = (("thing1", f"{NAME}的订单已发货"), ("time2", "2019年10月1日 15:01"))
NOTICE = replace(TEXT, purpose="service", to="openid-1", provider_template="TPL1", vars=FIELDS)
WECOM = {"throttle": 45009, "refuse_content": 45002, "refuse_person": 84061, "refuse_account": 60020, "unlisted_code": 99999}
OA = {
    "throttle": 45011, "refuse_content": 47003, "refuse_person": 43019, "refuse_account": 40164, "refuse_template": 40037,
    "unlisted_code": 99999,
}  # fmt: skip
NO_HOLD = {"refuse_template": "permanent:content"}  # 40037 names no template to wait for: it may be the wrong number, or taken back


class BrokenBox(Box):
    """Cannot keep tokens once it is `broken`, and says what nobody may repeat."""

    broken = ""

    def get(self, name: str, fetch: Callable[[], tuple[str, timedelta]]) -> str:
        """The token."""
        if self.broken:
            raise RuntimeError(f"cannot store {self.broken}")
        return super().get(name, fetch)


Codes = Mapping[str, int | Callable[[], None]]
"""By behaviour: the code that is refused with, or what has to happen so that the provider itself refuses."""


def _over_wechat(fake: WechatServer, rig_of: tuple[Any, BrokenBox, Message, str], codes: Codes) -> Callable[[str], None]:
    """Plays behaviours on the call that sends; all others go as always."""
    client, box, message, path = rig_of

    def impatient(seconds: float) -> Callable[[httpx.Request], None]:
        def hook(request: httpx.Request) -> None:  # tokens and questions keep the usual patience
            if request.url.path.endswith(path):
                request.extensions = {**request.extensions, "timeout": httpx.Timeout(10, read=seconds).as_dict()}

        return hook

    def play(behaviour: str) -> None:
        if behaviour.startswith(TOKENS):
            told = behaviour.removeprefix(TOKENS)
            fake.token_script.append(int(told) if told.isdecimal() else told)
            return
        if behaviour == "refuse_template" and behaviour not in codes:
            raise DoesNotApply(FREE_TEXT)
        if behaviour == "store_fails":
            box.broken = f"{message.to} {fake.secret}"
        elif behaviour == "refuse_connect":
            fake.refuse_connect()
        elif callable(happens := codes.get(behaviour, behaviour)):
            happens()
        else:
            fake.script.append(happens)
        if behaviour in WAITS:
            client.event_hooks = {"request": [impatient(WAITS[behaviour])]}

    return play


@contextmanager
def _rig(
    fake: WechatServer,
    make: Callable[[BrokenBox], Any],
    message: Message,
    path: str,
    codes: Codes,
    taken: Callable[[], Sequence[str]],
    **more: Any,
) -> Iterator[Rig]:
    box = BrokenBox()
    # Reading the trusted certificates takes longer than a cell, and nothing here is encrypted.
    with fake, patch.object(wecom_customer, "open_client", sms.connections), patch.object(wechat_oa, "open_client", sms.connections):
        channel = make(box)
        never = (*message.to.split("@"), NAME, fake.secret, "TOKEN1")
        play = _over_wechat(fake, (channel._client, box, message, path), codes)

        def wire() -> list[bytes]:
            return [c.raw for c in fake.log if c.path.endswith(path)]

        try:
            yield Rig(channel, message, play, taken, channel.prepare, wire, never, **more)
        finally:
            channel.close()


def _corp(fake: FakeWecom) -> Corp:
    return Corp(fake.id, fake.secret, fake.url, loopback=True)


def wecom_tasks() -> Any:
    """Tasks that a colleague confirms. Nothing in them holds a key: another message is one with another text, customer or colleague."""
    fake = FakeWecom(NOW)
    codes: Codes = {**WECOM, "refuse_person": lambda: fake.strangers.add("wm-customer")}  # the answer is code 0 all the same
    others = ({"text": "另一段"}, {"to": "wm-other@zhang-san"}, {"to": "wm-customer@li-si"})
    return _rig(
        fake, lambda box: WecomCustomer(_corp(fake), box), replace(TEXT, to="wm-customer@zhang-san"), "add_msg_template", codes,
        lambda: [customer for task in fake.tasks.values() for customer in task.statuses], others=others,
    )  # fmt: skip


def wecom_greeting() -> Any:
    """The greeting of a new customer."""
    fake = FakeWecom(NOW)
    fake.codes["welcome-code"] = NOW
    message = replace(TEXT, to="welcome-code")
    return _rig(fake, lambda box: WecomWelcome(_corp(fake), box), message, "send_welcome_msg", WECOM, lambda: fake.greeted)


def _notices(kind: type[Any], told_by: str) -> Adapter:
    """One kind of notices; the provider's log tells them apart by the field `told_by`."""

    def build() -> Any:
        fake = FakeOa(NOW)
        fake.permitted[NOTICE.to, NOTICE.provider_template] = 2  # one too many: a message sent twice must not be refused for that
        return _rig(
            fake, lambda box: kind(WechatApp(fake.id, fake.secret, fake.url, loopback=True), box), NOTICE, kind.path, OA,
            lambda: [notice[told_by] for notice in fake.notices], may_be=NO_HOLD,
        )  # fmt: skip

    return build


WECHAT: dict[str, Adapter] = {
    "wecom_customer": wecom_tasks,
    "wecom_welcome": wecom_greeting,
    "oa_template": _notices(OaTemplate, "client_msg_id"),
    "oa_subscribe": _notices(OaSubscribe, "touser"),
    "mp_subscribe": _notices(MpSubscribe, "touser"),
}
"""The five kinds of channels of WeCom and WeChat."""
