"""A shop with one day-45 SMS, and the accounts it goes through: for tests of the whole engine."""

from functools import cache

from pydantic import SecretStr

from sop_engine.core.project import Project
from sop_engine.language.load import load
from sop_engine.settings import Settings
from sop_engine.settings.accounts import Account, AliyunSmsAccount, TencentSmsAccount
from tests.builders import at
from tests.fakes import aliyun, tencent

RECEIPTS = "0123456789abcdef0123456789abcdef"
BEGUN, DUE = at("2025-03-01 20:00"), at("2025-04-15 10:00")
BOOK = """
project: 店
timezone: Asia/Shanghai
purchase: order.amount
activity: [visit, order]
content_types: [优惠]
---
attributes: {昵称: text, 手机号: phone}
---
events:
  visit: {}
  order: {order_id: text, amount: number}
---
channels:
  短信: {via: aliyun_sms, to: 手机号}
---
benefits:
  回归券: {pool: BACK, worth: 50, min_spend: 199, valid: 14d, limit: 1 per 180d, budget: 80000 per 30d}
---
playbook: 沉默45天唤醒
intent: win_back
start: {event: visit}
goal: {event: order, within: 30d}
again: after 30d
steps:
  第45天唤醒: {at: day 45 10:00, give: 回归券, send: 唤醒_短信}
"""
TEXT = """---
template: 唤醒_短信
channel: 短信
purpose: marketing
content_type: 优惠
provider_template: SMS_45
provider_vars:
  name: 昵称
  least: benefit.min_spend
  off: benefit.worth
  code: benefit.code
  until: benefit.expires
variables:
  昵称: 老朋友
  benefit.min_spend: required
  benefit.worth: required
  benefit.code: required
  benefit.expires: required
---
【某品牌】{{ 昵称 }}，满{{ benefit.min_spend | number }}减{{ benefit.worth | number }}，码{{ benefit.code }}，
至{{ benefit.expires | date }}。拒收请回复R
"""
BY_TENCENT = (
    TEXT.replace("SMS_45", '"1145"').replace("  name:", "  1:").replace("  least:", "  2:").replace("  off:", "  3:")
    .replace("  code:", "  4:").replace("  until:", "  5:")
    .replace("benefit.code: required", "benefit.code: required    # allow SOP729: 老账号")
    .replace("benefit.expires: required", "benefit.expires: required    # allow SOP729: 老账号")
)  # fmt: skip
ALIYUN_FILES = {"playbooks/a.yml": BOOK, "templates/a.md": TEXT}
TENCENT_FILES = {"playbooks/a.yml": BOOK.replace("aliyun_sms", "tencent_sms"), "templates/a.md": BY_TENCENT}


@cache
def loaded(files: tuple[tuple[str, str], ...]) -> Project:
    """The project of these files, read once."""
    return load(dict(files))


def by_aliyun(url: str) -> Settings:
    """Live, with an account at the fake."""
    secret = SecretStr
    accounts: dict[str, Account] = {
        "短信": AliyunSmsAccount(
            via="aliyun_sms",
            access_key_id=secret(aliyun.ID),
            access_key_secret=secret(aliyun.SECRET),
            sign=aliyun.SIGN,
            endpoint=url,
            receipts_secret=secret(RECEIPTS),
        )
    }
    return live(accounts)


def by_tencent(url: str) -> Settings:
    """Live, with an account at the fake."""
    account = TencentSmsAccount(
        via="tencent_sms", secret_id=SecretStr(tencent.ID), secret_key=SecretStr(tencent.KEY), sdk_app_id=tencent.APP, sign=tencent.SIGN,
        endpoint=url,
    )  # fmt: skip
    return live({"短信": account})


def live(accounts: dict[str, Account]) -> Settings:
    """Settings that send, to this machine too."""
    given = Settings.model_construct(sending="live", webhook_loopback=True)
    given._accounts.update(accounts)
    return given
