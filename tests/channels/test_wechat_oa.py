"""Holds Official Accounts and mini-programs to their rules: one notice under a key, permissions used one by one, fields that fit."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sop_engine.channels._wxcrypt import Cipher
from sop_engine.channels.contract import Message, Receipt, Reply, Request, call
from sop_engine.channels.oa_events import read_oa
from sop_engine.channels.wechat_oa import MpSubscribe, OaSubscribe, OaTemplate, WechatApp
from sop_engine.core.errors import DeliveryError
from sop_engine.core.wechat_fields import field_problem
from tests.fakes.oa import FakeOa, event, plainly
from tests.fakes.wechat_server import Box
from tests.fakes.wecom import AES_KEY, TOKEN, pushed

NOW = datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)
PLAIN, SEALED = Cipher(TOKEN, "", "wx1234567890"), Cipher(TOKEN, AES_KEY, "wx1234567890")
MESSAGE = Message(
    key="0123456789abcdef0123456789abcdef",
    now=NOW,
    purpose="service",
    to="openid-1",
    provider_template="TPL1",
    vars=(("thing1", "订单已发货"), ("time2", "2019年10月1日 15:01")),
)
Opened = tuple[FakeOa, dict[str, Any]]


@pytest.fixture(scope="module")
def opened() -> Iterator[Opened]:
    with FakeOa(NOW) as fake:
        app, box = WechatApp(fake.id, fake.secret, fake.url, loopback=True), Box()
        channels = {kind.kind: kind(app, box) for kind in (OaTemplate, OaSubscribe, MpSubscribe)}
        yield fake, channels
        for channel in channels.values():
            channel.close()


@pytest.fixture
def fake(opened: Opened) -> FakeOa:
    found = opened[0]
    found.log, found.script, found.notices, found.known, found.now = [], [], [], {}, NOW
    found.blocked, found.gone = set(), set()
    found.permitted.clear()
    return found


@pytest.fixture
def channels(opened: Opened) -> dict[str, Any]:
    return opened[1]


def outcome(answer: Receipt | DeliveryError) -> str:
    return f"{answer.stage}:{answer.provider_id}" if isinstance(answer, Receipt) else f"{answer.kind}:{answer.reason}"


def test_a_notice_says_who_what_and_under_which_key(fake: FakeOa, channels: dict[str, Any]) -> None:
    message = replace(MESSAGE, attachments=(("link", "https://x/1"), ("miniprogram", "wx9/pages/index?a=b")))
    assert outcome(channels["oa_template"].send(message)) == "accepted:201"
    assert fake.notices == [
        {
            "touser": "openid-1",
            "template_id": "TPL1",
            "url": "https://x/1",
            "miniprogram": {"appid": "wx9", "pagepath": "pages/index?a=b"},
            "data": {"thing1": {"value": "订单已发货"}, "time2": {"value": "2019年10月1日 15:01"}},
            "client_msg_id": MESSAGE.key,
        }
    ]


def test_a_repeat_under_the_same_key_is_one_notice(fake: FakeOa, channels: dict[str, Any]) -> None:
    fake.script = ["accept_then_cut"]
    assert [outcome(a) for a in call(channels["oa_template"], [MESSAGE])] == ["unknown:no_answer"]
    fake.now = NOW + timedelta(minutes=9)
    assert outcome(channels["oa_template"].send(MESSAGE)) == "accepted:201"
    assert len(fake.notices) == 1
    assert channels["oa_template"].capability.idempotent_for == timedelta(minutes=10)


def test_only_the_stable_token_is_asked_for(fake: FakeOa, channels: dict[str, Any]) -> None:
    fake.kill_tokens()
    channels["oa_template"].send(MESSAGE)
    assert set(fake.paths("token")) == {"stable_token"}


@pytest.mark.parametrize(("kind", "path"), [("oa_subscribe", "subscribe/bizsend"), ("mp_subscribe", "subscribe/send")])
def test_a_permitted_message_uses_up_its_permission(fake: FakeOa, channels: dict[str, Any], kind: str, path: str) -> None:
    fake.permitted["openid-1", "TPL1"] = 1
    answers = [outcome(a) for a in call(channels[kind], [replace(MESSAGE, attachments=(("page", "pages/index"),))] * 2)]
    assert answers == ["accepted:", "user_unreachable:no_credit"]
    assert fake.log[-1].path.endswith(path)
    assert fake.notices[0]["page"] == "pages/index"
    assert ("miniprogram_state" in fake.notices[0]) == (kind == "mp_subscribe")


@pytest.mark.parametrize(
    ("kind", "entry", "expected"),
    [
        ("oa_template", -1, "unknown:no_answer"),
        ("oa_template", "html_200", "unknown:no_answer"),
        ("oa_template", "accept_then_500", "unknown:no_answer"),
        ("oa_template", 45009, "retry_after:throttled"),
        ("oa_template", 45011, "retry_after:throttled"),
        ("oa_template", 45066, "retry_after:not_accepted"),
        ("oa_template", 40164, "retry_after:configuration"),
        ("oa_template", 40037, "permanent:content"),
        ("oa_template", 40003, "user_unreachable:bad_address"),
        ("oa_template", 48002, "user_unreachable:blocked"),
        ("oa_template", 43004, "user_unreachable:left"),
        ("oa_template", 12345, "unknown:no_answer"),
        ("mp_subscribe", -1, "unknown:no_answer"),
        ("oa_subscribe", 43101, "user_unreachable:no_credit"),
    ],
)
def test_every_refusal_has_its_class(fake: FakeOa, channels: dict[str, Any], kind: str, entry: str | int, expected: str) -> None:
    fake.permitted["openid-1", "TPL1"], fake.script = 1, [entry]
    assert [outcome(a) for a in call(channels[kind], [replace(MESSAGE, key=f"k{entry}")])] == [expected]


@pytest.mark.parametrize("vars_", [(), (("thing1", ""),), (("thing1", "字" * 21),), (("thing1", "两\n行"),)])
def test_a_value_its_field_does_not_take_never_leaves(fake: FakeOa, channels: dict[str, Any], vars_: tuple[tuple[str, str], ...]) -> None:
    assert [outcome(a) for a in call(channels["oa_template"], [replace(MESSAGE, vars=vars_)])] == ["permanent:content"]
    assert fake.bodies("template/send") == []


@pytest.mark.parametrize(
    ("name", "fits", "unfit"),
    [
        ("thing1", "字" * 20, "字" * 21),
        ("number2", "12345.6", "一百"),
        ("letter1", "abc", "abc1"),
        ("symbol1", "!?", "a"),
        ("character_string3", "NO-2024/1", "编号1"),
        ("time1", "15:01", "下午三点"),
        ("time1", "2019年10月1日 15:01~2019年10月2日 15:01", "2019年10月1日"),
        ("date1", "2019年10月1日", "10月1日"),
        ("date1", "2019年10月1日 15:01", "15:01"),
        ("amount1", "¥100.5", "一百元"),
        ("amount1", "100元", "12345678901"),
        ("phone_number1", "+86-13800000000", "1" * 18),
        ("car_number1", "粤A8Z888挂", "粤A8Z888挂12"),
        ("name1", "张三", "一二三四五六七八九十一"),
        ("name1", "John Smith", "A" * 21),
        ("phrase1", "已发货", "已经发货了哦"),
        ("unheard1", "anything", " "),
    ],
)
def test_every_kind_of_field_has_its_limit(name: str, fits: str, unfit: str) -> None:
    assert field_problem(name, fits) == ""
    assert field_problem(name, unfit) != ""


def facts(reply: Reply) -> list[tuple[str, ...]]:
    return [(f.kind, f.to, f.provider_id, f.code, *(f"{k}={v}" for k, v in f.fields.items())) for f in reply.facts]


LIST = "<{0}><List><TemplateId><![CDATA[TPL1]]></TemplateId>{1}</List></{0}>"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            event("TEMPLATESENDJOBFINISH", "o1", NOW, "<MsgID>201</MsgID><Status><![CDATA[success]]></Status>"),
            ("delivered", "o1", "201", "success"),
        ),
        (
            event("TEMPLATESENDJOBFINISH", "o1", NOW, "<MsgID>201</MsgID><Status><![CDATA[failed:user block]]></Status>"),
            ("blocked", "o1", "201", "failed:user block"),
        ),
        (
            event("TEMPLATESENDJOBFINISH", "o1", NOW, "<MsgID>201</MsgID><Status><![CDATA[failed: system failed]]></Status>"),
            ("soft_bounced", "o1", "201", "failed: system failed"),
        ),
        (
            event(
                "subscribe_msg_popup_event",
                "o1",
                NOW,
                LIST.format("SubscribeMsgPopupEvent", "<SubscribeStatusString>accept</SubscribeStatusString>"),
            ),
            ("credit", "o1", "", "TPL1"),
        ),
        (
            event(
                "subscribe_msg_popup_event",
                "o1",
                NOW,
                LIST.format("SubscribeMsgPopupEvent", "<SubscribeStatusString>reject</SubscribeStatusString>"),
            ),
            ("credit", "o1", "", "TPL1", "left=0"),
        ),
        (
            event(
                "subscribe_msg_change_event",
                "o1",
                NOW,
                LIST.format("SubscribeMsgChangeEvent", "<SubscribeStatusString>reject</SubscribeStatusString>"),
            ),
            ("credit", "o1", "", "TPL1", "left=0"),
        ),
        (
            event("subscribe_msg_sent_event", "o1", NOW, LIST.format("SubscribeMsgSentEvent", "<MsgID>9</MsgID><ErrorCode>0</ErrorCode>")),
            ("delivered", "o1", "9", "0", "template=TPL1"),
        ),
        (
            event("subscribe_msg_sent_event", "o1", NOW, LIST.format("SubscribeMsgSentEvent", "<MsgID>9</MsgID><ErrorCode>3</ErrorCode>")),
            ("refused", "o1", "9", "3", "template=TPL1"),
        ),
        (event("subscribe", "o1", NOW), ("connected", "o1", "", "")),
        (event("unsubscribe", "o1", NOW), ("disconnected", "o1", "", "left")),
        (event("CLICK", "o1", NOW), ("event", "o1", "", "")),
    ],
)
def test_every_event_becomes_what_it_means_in_both_modes(text: str, expected: tuple[str, ...]) -> None:
    for reply in (read_oa(PLAIN, plainly(PLAIN, NOW, text)), read_oa(SEALED, pushed(SEALED, NOW, text))):
        assert (reply.status, reply.body, facts(reply)) == (200, b"success", [expected])


def test_an_account_with_a_key_takes_nothing_that_is_not_encrypted() -> None:
    assert read_oa(SEALED, plainly(SEALED, NOW, event("unsubscribe", "o1", NOW))).status == 401


def test_the_address_is_checked_with_the_text_as_it_came() -> None:
    query = {"signature": PLAIN.signature("1", "n"), "timestamp": "1", "nonce": "n", "echostr": "12345"}
    reply = read_oa(PLAIN, Request(method="GET", now=NOW, query=query))
    assert (reply.status, reply.body) == (200, b"12345")
    assert read_oa(PLAIN, Request(method="GET", now=NOW, query={**query, "signature": "0" * 40})).status == 401
