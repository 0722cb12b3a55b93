"""Holds that nothing leaves this machine unless sending is live, and what is said about channels that cannot be built."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from sop_engine.channels.aliyun_sms import AliyunSms
from sop_engine.channels.contract import Message
from sop_engine.channels.email import Email
from sop_engine.channels.outbox import Outbox
from sop_engine.channels.registry import CAPABILITIES, KNOWN, Accounts, Sinks, build
from sop_engine.channels.task import StaffTask
from sop_engine.channels.tencent_sms import TencentSms
from sop_engine.channels.webhook import Webhook
from sop_engine.core.catalog import Channel
from sop_engine.core.errors import Refused
from sop_engine.settings import Settings, load

SINKS = Sinks(outbox=lambda message: f"outbox-{message.key}", task=lambda message: f"task-{message.key}")
ACCOUNTS = """
["抖音"]
url = "https://example.com/hook"
secret = "env:DOUYIN"
["短信"]
via = "aliyun_sms"
access_key_id = "env:DOUYIN"
access_key_secret = "env:DOUYIN"
sign = "某品牌"
["短信二"]
via = "tencent_sms"
secret_id = "env:DOUYIN"
secret_key = "env:DOUYIN"
sdk_app_id = "1400006666"
sign = "某品牌"
receipts_secret = "env:DOUYIN"
"""


@pytest.fixture
def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    (tmp_path / "channels.toml").write_text(ACCOUNTS, "utf-8")
    for name, value in {
        "SOP_SENDING": "live",
        "SOP_CHANNELS_FILE": "channels.toml",
        "SOP_SMTP_HOST": "mail.example.com",
        "SOP_SMTP_FROM": "某品牌 <mail@example.com>",
        "DOUYIN": "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    }.items():
        monkeypatch.setenv(name, value)
    return load(tmp_path)


@pytest.mark.parametrize("via", sorted(KNOWN - {"staff_task"}))
def test_without_live_every_message_stays_in_the_outbox(via: str, live: Settings) -> None:
    off: Accounts = live.model_copy(update={"sending": "off"})
    channel = build(Channel("渠道", via), off, SINKS)
    assert isinstance(channel, Outbox)
    assert channel.send(Message(key="k", now=datetime(2025, 1, 1, tzinfo=UTC))).provider_id == "outbox-k"


def test_a_task_is_a_task_live_or_not(live: Settings) -> None:
    for accounts in (live, live.model_copy(update={"sending": "off"})):
        assert isinstance(build(Channel("顾问任务", "staff_task"), accounts, SINKS), StaffTask)


def test_live_channels_are_built_from_the_settings(live: Settings) -> None:
    kinds = {
        "邮件": ("email", Email),
        "抖音": ("webhook", Webhook),
        "试": ("outbox", Outbox),
        "短信": ("aliyun_sms", AliyunSms),
        "短信二": ("tencent_sms", TencentSms),
    }
    for name, (via, kind) in kinds.items():
        channel = build(Channel(name, via), live, SINKS, project="某品牌私域")
        assert isinstance(channel, kind)
        assert channel.capability == CAPABILITIES[via]
        channel.close()


@pytest.mark.parametrize("sending", ["off", "live"])
def test_an_unknown_channel_suggests_a_close_one(sending: str, live: Settings) -> None:
    with pytest.raises(Refused, match="goes via 'webhok', which does not exist\\. Did you mean 'webhook'\\?"):
        build(Channel("抖音", "webhok"), live.model_copy(update={"sending": sending}), SINKS)


def test_a_missing_account_names_the_channel_and_the_setting(live: Settings) -> None:
    with pytest.raises(Refused, match=r"channel '飞书': the file named by SOP_CHANNELS_FILE has no \[\"飞书\"\]"):
        build(Channel("飞书", "webhook"), live, SINKS)
    with pytest.raises(Refused, match=r"channel '短信三': the file named by SOP_CHANNELS_FILE has no .* with via = \"tencent_sms\""):
        build(Channel("短信三", "tencent_sms"), live, SINKS)
    with pytest.raises(Refused, match="channel '邮件': set SOP_SMTP_HOST"):
        build(Channel("邮件", "email"), live.model_copy(update={"smtp_host": ""}), SINKS)
    with pytest.raises(Refused, match="channel '邮件': mail to 'mail\\.example\\.com' without TLS"):
        build(Channel("邮件", "email"), live.model_copy(update={"smtp_tls": "none"}), SINKS)
