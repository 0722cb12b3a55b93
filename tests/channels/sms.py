"""Makes SMS channels that speak to the fakes."""

from datetime import UTC, datetime

import httpx

from sop_engine.channels.aliyun_sms import AliyunSms
from sop_engine.channels.calling import open_client
from sop_engine.channels.contract import Handed, Message
from sop_engine.channels.sms import Account
from sop_engine.channels.tencent_sms import TencentSms
from tests.fakes import aliyun, tencent

NOW = datetime(2025, 1, 2, 3, 30, tzinfo=UTC)  # 11:30 in Shanghai
PHONE = "+8613900001234"
RECEIPTS = "0123456789abcdef0123456789abcdef"
MESSAGE = Message(
    key="k1",
    now=NOW,
    to=PHONE,
    text="【某品牌】张三，你好。拒收请回复R",
    vars=(("name", "张三"),),
    template="问候",
    provider_template="SMS_1",
)


SHORT = httpx.Timeout(0.5, connect=2)  # before a provider that is silent; elsewhere a busy machine would look like one


def connections() -> httpx.Client:
    """The connections of an account: the fakes speak http, and certificates take long to read."""
    return open_client(verify=False)


def to_aliyun(url: str = "https://dysmsapi.aliyuncs.com", **change: str) -> AliyunSms:
    """An account at the fake."""
    told = {"key_id": aliyun.ID, "key_secret": aliyun.SECRET, "sign": aliyun.SIGN, "endpoint": url, "receipts_secret": RECEIPTS, **change}
    return AliyunSms(Account(**told, loopback=True), client=connections())


def to_tencent(url: str = "https://sms.tencentcloudapi.com", **change: str) -> TencentSms:
    """An account at the fake."""
    told = {"key_id": tencent.ID, "key_secret": tencent.KEY, "sign": tencent.SIGN, "endpoint": url, "receipts_secret": RECEIPTS, **change}
    told = {"app_id": tencent.APP, "region": "ap-guangzhou", **told}
    return TencentSms(Account(**told, loopback=True), client=connections())


def handed(now: datetime, *, key: str = "k1", began_at: datetime = NOW, provider_id: str = "") -> Handed:
    """A message that was handed over before."""
    return Handed(key=key, began_at=began_at, now=now, to=PHONE, provider_id=provider_id)
