"""Decides which channel a `via:` means, and that nothing leaves this machine unless sending is live."""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from pydantic import SecretStr

from sop_engine.channels.aliyun_sms import AliyunSms
from sop_engine.channels.benefit_provider import BenefitProvider
from sop_engine.channels.contract import Capability, Channel, Find, Sink, TokenBox
from sop_engine.channels.email import Email
from sop_engine.channels.email_receipts import Bounces
from sop_engine.channels.outbox import Outbox
from sop_engine.channels.signature import secret_bytes
from sop_engine.channels.sms import Account as SmsAccount
from sop_engine.channels.smtp import Relay
from sop_engine.channels.task import StaffTask, TaskLinks
from sop_engine.channels.tencent_sms import TencentSms
from sop_engine.channels.webhook import Endpoint, Webhook
from sop_engine.channels.wechat_accounts import open_wechat, open_wecom
from sop_engine.channels.wechat_oa import MpSubscribe, OaSubscribe, OaTemplate
from sop_engine.channels.wecom_customer import WecomCustomer
from sop_engine.channels.wecom_welcome import WecomWelcome
from sop_engine.core import catalog
from sop_engine.core.errors import Refused

CAPABILITIES: Mapping[str, Capability] = {
    "outbox": Outbox.capability,
    "staff_task": StaffTask.capability,
    "email": Email.capability,
    "webhook": Webhook.capability,
    "aliyun_sms": AliyunSms.capability,
    "tencent_sms": TencentSms.capability,
    "wecom_customer": WecomCustomer.capability,
    "wecom_welcome": WecomWelcome.capability,
    "mp_subscribe": MpSubscribe.capability,
    "oa_template": OaTemplate.capability,
    "oa_subscribe": OaSubscribe.capability,
}
"""What every `via:` of the language can do."""

KNOWN = frozenset(CAPABILITIES)


class Accounts(Protocol):
    """What channels read of the settings."""

    @property
    def sending(self) -> str: ...
    @property
    def public_url(self) -> str: ...
    @property
    def smtp_host(self) -> str: ...
    @property
    def smtp_port(self) -> int: ...
    @property
    def smtp_tls(self) -> str: ...
    @property
    def smtp_user(self) -> str: ...
    @property
    def smtp_password(self) -> SecretStr: ...
    @property
    def smtp_from(self) -> str: ...
    @property
    def smtp_unsubscribe(self) -> str: ...
    @property
    def smtp_bounce_domain(self) -> str: ...
    @property
    def smtp_receipts_secret(self) -> SecretStr: ...
    @property
    def signing_keys(self) -> Mapping[str, bytes]: ...
    @property
    def smtp_ca_file(self) -> Path | None: ...
    @property
    def webhook_loopback(self) -> bool: ...
    @property
    def accounts(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Sinks:
    """Where messages that stay here are stored: previews and tasks."""

    outbox: Sink
    task: Sink
    find: Find | None = None
    tokens: TokenBox | None = None


def build(channel: catalog.Channel, accounts: Accounts, sinks: Sinks, *, project: str = "") -> Channel:
    """The channel to send through: unless `accounts.sending` is live, the outbox for all that would leave this machine.

    Raises Refused for a `via` that does not exist, or whose account is missing.
    """
    if channel.via not in KNOWN:
        raise Refused(f"channel '{channel.name}' goes via '{channel.via}', which does not exist.{_suggested(channel.via)}")
    if channel.via == "staff_task":
        return StaffTask(sinks.task, sinks.find, TaskLinks(accounts.public_url, accounts.signing_keys))
    if channel.via == "outbox" or accounts.sending != "live":
        return Outbox(sinks.outbox, find=sinks.find)
    try:
        return _REMOTE[channel.via](channel.name, accounts, sinks, project)
    except Refused as error:
        raise Refused(f"channel '{channel.name}': {error}") from error


def _email(_name: str, accounts: Accounts, _sinks: Sinks, project: str) -> Channel:
    if not accounts.smtp_host or not accounts.smtp_from:
        raise Refused("set SOP_SMTP_HOST and SOP_SMTP_FROM to send e-mail.")
    relay = Relay(
        accounts.smtp_host,
        accounts.smtp_port,
        accounts.smtp_tls,
        user=accounts.smtp_user,
        password=accounts.smtp_password.get_secret_value(),
        ca_file=str(accounts.smtp_ca_file) if accounts.smtp_ca_file else None,
    )
    secrets = tuple(text.strip() for text in accounts.smtp_receipts_secret.get_secret_value().split(",") if text.strip())
    for secret in secrets:
        try:
            secret_bytes(secret)
        except ValueError as error:
            raise Refused(f"SOP_SMTP_RECEIPTS_SECRET {error}. Make one with: openssl rand -base64 32.") from error
    bounces = Bounces(accounts.smtp_bounce_domain, accounts.signing_keys, secrets)
    return Email(relay, accounts.smtp_from, project=project, unsubscribe=accounts.smtp_unsubscribe, bounces=bounces)


def account_of(accounts: Accounts, name: str, via: str, keys: str) -> Any:
    """What the file of accounts says about a channel; raises Refused when it says nothing, or speaks of another kind."""
    account = accounts.accounts.get(name)
    if account is None or account.via != via:
        kind = "" if via == "webhook" else f' via = "{via}",'
        raise Refused(f'the file named by SOP_CHANNELS_FILE has no ["{name}"] with{kind} {keys}.')
    return account


def _webhook(name: str, accounts: Accounts, _sinks: Sinks, _project: str) -> Channel:
    return Webhook(_endpoint(name, accounts, "webhook"))


def benefit_provider(name: str, accounts: Accounts) -> BenefitProvider:
    """The coupon system of this name; raises Refused when its account is missing or cannot be used."""
    try:
        return BenefitProvider(_endpoint(name, accounts, "benefits"))
    except Refused as error:
        raise Refused(f"provider '{name}' of benefits: {error}") from error


def _endpoint(name: str, accounts: Accounts, via: str) -> Endpoint:
    account = account_of(accounts, name, via, "url and secret")
    secrets = [account.secret] + ([account.old_secret] if account.old_secret else [])
    headers = tuple((key, value.get_secret_value()) for key, value in account.headers.items())
    return Endpoint(
        account.url.get_secret_value(), tuple(s.get_secret_value() for s in secrets), headers, loopback=accounts.webhook_loopback
    )


def _aliyun_sms(name: str, accounts: Accounts, _sinks: Sinks, _project: str) -> Channel:
    account = account_of(accounts, name, "aliyun_sms", "access_key_id, access_key_secret and sign")
    return AliyunSms(_sms(account, accounts, account.access_key_id, account.access_key_secret))


def _tencent_sms(name: str, accounts: Accounts, _sinks: Sinks, _project: str) -> Channel:
    account = account_of(accounts, name, "tencent_sms", "secret_id, secret_key, sdk_app_id and sign")
    return TencentSms(
        replace(_sms(account, accounts, account.secret_id, account.secret_key), app_id=account.sdk_app_id, region=account.region)
    )


def _sms(account: Any, accounts: Accounts, key: SecretStr, secret: SecretStr) -> SmsAccount:
    receipts = account.receipts_secret.get_secret_value() if account.receipts_secret else ""
    keys = (key.get_secret_value(), secret.get_secret_value())
    return SmsAccount(*keys, account.sign, account.endpoint, receipts, loopback=accounts.webhook_loopback)


def _wecom(via: str) -> Callable[[str, Accounts, Sinks, str], Channel]:
    def make(name: str, accounts: Accounts, sinks: Sinks, _project: str) -> Channel:
        account = account_of(accounts, name, via, "corp_id and secret")
        return open_wecom(via, account, sinks.tokens, loopback=accounts.webhook_loopback)

    return make


def _wechat(via: str) -> Callable[[str, Accounts, Sinks, str], Channel]:
    def make(name: str, accounts: Accounts, sinks: Sinks, _project: str) -> Channel:
        account = account_of(accounts, name, via, "appid and secret")
        return open_wechat(via, account, sinks.tokens, loopback=accounts.webhook_loopback)

    return make


_REMOTE: Mapping[str, Callable[[str, Accounts, Sinks, str], Channel]] = {
    "email": _email,
    "webhook": _webhook,
    "aliyun_sms": _aliyun_sms,
    "tencent_sms": _tencent_sms,
    "wecom_customer": _wecom("wecom_customer"),
    "wecom_welcome": _wecom("wecom_welcome"),
    "oa_template": _wechat("oa_template"),
    "oa_subscribe": _wechat("oa_subscribe"),
    "mp_subscribe": _wechat("mp_subscribe"),
}


def _suggested(via: str) -> str:
    close = difflib.get_close_matches(via, KNOWN, 1, 0.6)
    return (f" Did you mean '{close[0]}'?" if close else "") + f" It can be: {', '.join(sorted(KNOWN))}."
