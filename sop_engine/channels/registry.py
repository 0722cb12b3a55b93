"""Decides which channel a `via:` means, and that nothing leaves this machine unless sending is live."""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pydantic import SecretStr

from sop_engine.channels.benefit_provider import BenefitProvider
from sop_engine.channels.contract import Capability, Channel, Find, Sink, TokenBox
from sop_engine.channels.email import Email
from sop_engine.channels.outbox import Outbox
from sop_engine.channels.smtp import Relay
from sop_engine.channels.task import StaffTask
from sop_engine.channels.webhook import Endpoint, Webhook
from sop_engine.core import catalog
from sop_engine.core.errors import Refused

CAPABILITIES: Mapping[str, Capability] = {
    "outbox": Outbox.capability,
    "staff_task": StaffTask.capability,
    "email": Email.capability,
    "webhook": Webhook.capability,
    "aliyun_sms": Capability(ask="sure", receipts="both", links="static", needs_template=True),
    "tencent_sms": Capability(ask="positive_only", receipts="both", links="static", needs_template=True),
    "wecom_customer": Capability(ask="sure", receipts="poll", links="static", staff_confirmed=True),
    "wecom_welcome": Capability(),
    "mp_subscribe": Capability(receipts="push", needs_template=True),
    "oa_template": Capability(receipts="push", needs_template=True),
    "oa_subscribe": Capability(receipts="push", needs_template=True),
}
"""What every `via:` of the language can do, those included that cannot be reached yet."""

KNOWN = frozenset(CAPABILITIES)


class Accounts(Protocol):
    """What channels read of the settings."""

    @property
    def sending(self) -> str: ...
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

    Raises Refused for a `via` that does not exist, that this version cannot reach, or whose account is missing.
    """
    if channel.via not in KNOWN:
        raise Refused(f"channel '{channel.name}' goes via '{channel.via}', which does not exist.{_suggested(channel.via)}")
    if channel.via == "staff_task":
        return StaffTask(sinks.task, sinks.find)
    if channel.via == "outbox" or accounts.sending != "live":
        return Outbox(sinks.outbox, find=sinks.find)
    make = _REMOTE.get(channel.via)
    if make is None:
        raise Refused(
            f"channel '{channel.name}' goes via {channel.via}, which this version cannot reach yet; write 'via: webhook' and hand its "
            "messages to a system that can, or leave SOP_SENDING off to see them in the outbox."
        )
    try:
        return make(channel.name, accounts, sinks, project)
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
    return Email(relay, accounts.smtp_from, project=project, unsubscribe=accounts.smtp_unsubscribe)


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


_REMOTE: Mapping[str, Callable[[str, Accounts, Sinks, str], Channel]] = {"email": _email, "webhook": _webhook}


def _suggested(via: str) -> str:
    close = difflib.get_close_matches(via, KNOWN, 1, 0.6)
    return (f" Did you mean '{close[0]}'?" if close else "") + f" It can be: {', '.join(sorted(KNOWN))}."
