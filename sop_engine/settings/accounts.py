"""Reads the file of accounts: what each channel needs to speak to its provider, every secret by reference."""

import difflib
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError

from sop_engine.core.errors import BadInput
from sop_engine.core.feeds import TELLS, Feed, Subject
from sop_engine.core.rates import rate_of


def read_file(path: str) -> str:
    """The text of a file without the line end; raises ValueError when it cannot be read."""
    try:
        return Path(path).read_text("utf-8").strip()
    except (OSError, UnicodeError) as error:
        raise ValueError(f"the file '{path}' cannot be read ({type(error).__name__})") from error


def _from_file(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    return SecretStr(read_file(text.removeprefix("file:"))) if text.startswith("file:") else secret


def _rate(text: str) -> str:
    try:
        rate_of(text)
    except BadInput as error:
        raise ValueError(str(error)) from error
    return text


WrittenRate = Annotated[str, AfterValidator(_rate)]
Secret = Annotated[SecretStr, AfterValidator(_from_file)]
"""A password as it is, or `file:PATH`: the text of that file without the line end."""


class Account(BaseModel):
    """What every account has. Secrets are written env:NAME or file:PATH, except those that may be `OPEN`."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
    OPEN: ClassVar[frozenset[str]] = frozenset()

    rate: WrittenRate = Field("", description="the most messages it takes, like 50/second or 1000/hour; empty: no limit")


class WebhookAccount(Account):
    """Where one webhook channel sends to, and what signs it."""

    OPEN: ClassVar[frozenset[str]] = frozenset({"url", "headers"})

    via: Literal["webhook"] = Field("webhook", description="which kind of account it is; without it, a webhook")
    url: SecretStr = Field(description="where messages are sent; env:NAME or file:PATH if it holds a token")
    secret: SecretStr = Field(description="signs what is sent: env:NAME or file:PATH")
    old_secret: SecretStr | None = Field(None, description="signs besides until the receiver knows the new one: env:NAME or file:PATH")
    headers: dict[str, SecretStr] = Field(default_factory=dict, description="further headers, names in small letters")


class FeedAccount(Account):
    """Another system that is told of moves, outcomes, runs and goals: over a signed webhook, or in a file."""

    OPEN: ClassVar[frozenset[str]] = frozenset({"url", "headers"})

    via: Literal["feed"]
    url: SecretStr | None = Field(None, description="where it is told; env:NAME or file:PATH if it holds a token")
    path: str = Field("", description="instead of an address: a file that gets a line of JSON for each entry")
    secret: SecretStr | None = Field(None, description="signs what is sent to `url`: env:NAME or file:PATH")
    old_secret: SecretStr | None = Field(None, description="signs besides until the receiver knows the new one: env:NAME or file:PATH")
    headers: dict[str, SecretStr] = Field(default_factory=dict, description="further headers, names in small letters")
    tells: tuple[Subject, ...] = Field(TELLS, description="what it is told of: level, touch, run, goal")
    models: tuple[str, ...] = Field((), description="only moves in these tiers; none named: in all")

    @property
    def feed(self) -> Feed:
        """What it wants to be told, without a name."""
        return Feed("", self.tells, self.models)


class BenefitsAccount(Account):
    """A system that gives coupons: the `provider` of external benefits."""

    OPEN: ClassVar[frozenset[str]] = frozenset({"url", "headers"})

    via: Literal["benefits"]
    url: SecretStr = Field(description="where coupons are asked for; env:NAME or file:PATH if it holds a token")
    secret: SecretStr = Field(description="signs what is asked: env:NAME or file:PATH")
    old_secret: SecretStr | None = Field(None, description="signs besides until the system knows the new one: env:NAME or file:PATH")
    headers: dict[str, SecretStr] = Field(default_factory=dict, description="further headers, names in small letters")


class AliyunSmsAccount(Account):
    """An account for SMS at Aliyun (dysmsapi)."""

    via: Literal["aliyun_sms"]
    access_key_id: SecretStr = Field(description="the access key's id: env:NAME or file:PATH")
    access_key_secret: SecretStr = Field(description="the access key's secret: env:NAME or file:PATH")
    sign: str = Field(description="the approved signature, without brackets")
    receipts_secret: SecretStr | None = Field(None, description="the secret part of the address that takes receipts: env:NAME or file:PATH")
    endpoint: str = Field("https://dysmsapi.aliyuncs.com", description="the provider's address")


class TencentSmsAccount(Account):
    """An account for SMS at Tencent Cloud."""

    via: Literal["tencent_sms"]
    secret_id: SecretStr = Field(description="the key's id: env:NAME or file:PATH")
    secret_key: SecretStr = Field(description="the key's secret: env:NAME or file:PATH")
    sdk_app_id: str = Field(description="the application's id (SdkAppId)")
    sign: str = Field(description="the approved signature, without brackets")
    region: str = Field("ap-guangzhou", description="the region")
    receipts_secret: SecretStr | None = Field(None, description="the secret part of the address that takes receipts: env:NAME or file:PATH")
    endpoint: str = Field("https://sms.tencentcloudapi.com", description="the provider's address")


class WecomAccount(Account):
    """A WeCom corporation with a self-built app: mass messages that colleagues confirm, and welcome messages."""

    via: Literal["wecom_customer", "wecom_welcome"]
    corp_id: str = Field(description="the corporation's id")
    secret: SecretStr = Field(description="the app's secret: env:NAME or file:PATH")
    agent_id: int = Field(0, description="the app's number, for reminders to colleagues; 0: none are sent")
    sender: Literal["owner", "last_added", "first_added"] = Field(
        "owner", description="which colleague sends, where a customer has several"
    )
    cap: str = Field("month_days", description="mass messages a customer may get: month_days, week_7 or day_1")
    confirm_by_hours: int = Field(24, ge=1, le=168, description="hours a colleague has to confirm a mass message")
    remind_at_hours: int = Field(4, ge=0, le=168, description="hours after which the colleague is reminded; 0: never")
    on_unconfirmed: Literal["cancel", "fallback", "leave"] = Field("fallback", description="what happens to a message nobody confirmed")
    callback_token: SecretStr | None = Field(None, description="the callback's token: env:NAME or file:PATH")
    callback_key: SecretStr | None = Field(None, description="the callback's EncodingAESKey: env:NAME or file:PATH")
    endpoint: str = Field("https://qyapi.weixin.qq.com", description="the provider's address")


class WechatAccount(Account):
    """An Official Account or a mini-program."""

    via: Literal["oa_template", "oa_subscribe", "mp_subscribe"]
    appid: str = Field(description="the account's appid")
    secret: SecretStr = Field(description="the account's secret: env:NAME or file:PATH")
    callback_token: SecretStr | None = Field(None, description="the callback's token: env:NAME or file:PATH")
    callback_key: SecretStr | None = Field(None, description="the callback's EncodingAESKey; without it, plain mode: env:NAME or file:PATH")
    endpoint: str = Field("https://api.weixin.qq.com", description="the provider's address")


KINDS: Mapping[str, type[Account]] = {
    "webhook": WebhookAccount,
    "feed": FeedAccount,
    "benefits": BenefitsAccount,
    "aliyun_sms": AliyunSmsAccount,
    "tencent_sms": TencentSmsAccount,
    "wecom_customer": WecomAccount,
    "wecom_welcome": WecomAccount,
    "oa_template": WechatAccount,
    "oa_subscribe": WechatAccount,
    "mp_subscribe": WechatAccount,
}
"""Which account a `via` has."""


def read_accounts(path: Path, environment: Mapping[str, str | None]) -> dict[str, Account]:
    """The accounts of a TOML file by channel, every reference replaced by what it names; raises BadInput."""
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise BadInput(f"SOP_CHANNELS_FILE names '{path}', which cannot be read ({type(error).__name__}).") from error
    except (tomllib.TOMLDecodeError, UnicodeError) as error:
        raise BadInput(f'{path}: {error}. The name of a channel stands in brackets and quotes: ["抖音"].') from error
    return {name: _account(f"{path}: channel '{name}'", table, environment) for name, table in tables.items()}


def describe_accounts() -> list[tuple[str, str, str]]:
    """Every key of every kind of account as (via, key, meaning); the documentation is held to it."""
    return [
        (via, name, field.description or "") for via, kind in KINDS.items() for name, field in kind.model_fields.items() if name != "via"
    ]


def _account(place: str, table: object, environment: Mapping[str, str | None]) -> Account:
    if not isinstance(table, dict):
        raise BadInput(f"{place} is no table. Write the name in brackets on a line of its own, then its keys, such as url and secret.")
    kind = KINDS.get(str(table.get("via", "webhook")))
    if kind is None:
        raise BadInput(f"{place}: via is '{table['via']}', which has no account. It can be: {', '.join(KINDS)}.")
    try:
        account = kind.model_validate(table)
        update = {name: _with_references(account, name, environment) for name in type(account).model_fields}
    except ValidationError as error:
        raise BadInput(f"{place}: {sentences(error, str, kind.model_fields)}") from error
    except ValueError as error:
        raise BadInput(f"{place}: {error}.") from error
    return account.model_copy(update=update)


def _with_references(account: Account, name: str, environment: Mapping[str, str | None]) -> Any:
    value, always = getattr(account, name), name not in account.OPEN
    if isinstance(value, SecretStr):
        return _referred(value, environment, always=always)
    if isinstance(value, dict):
        return {key: _referred(one, environment, always=always) for key, one in value.items()}
    return value


def _referred(secret: SecretStr, environment: Mapping[str, str | None], *, always: bool) -> SecretStr:
    """What `env:NAME` or `file:PATH` names; another text is itself, unless it `always` must be one of them."""
    kind, colon, name = secret.get_secret_value().partition(":")
    if colon and kind == "file":
        return SecretStr(read_file(name))
    if colon and kind == "env":
        if not environment.get(name):
            raise ValueError(f"the environment variable {name} is not set")
        return SecretStr(environment[name] or "")
    if always:
        raise ValueError("a secret never stands in this file; write env:NAME or file:PATH")
    return secret


def sentences(error: ValidationError, named: Callable[[str], str], keys: Mapping[str, Any] | None = None) -> str:
    """What is wrong with settings, in words, without the values; `keys`: what an account may say."""
    return "; ".join(_sentence(named(str(e["loc"][0])), e["type"], e["msg"], keys or {}) for e in error.errors(include_input=False))


def _sentence(name: str, kind: str, text: str, keys: Mapping[str, Any]) -> str:
    if kind == "extra_forbidden":
        close = difflib.get_close_matches(name, keys, 1)
        hint = f" Did you mean '{close[0]}'?" if close else ""
        return f"'{name}' is not a key of a channel.{hint} It can be: {', '.join(keys)}"
    if kind == "missing":
        return f"'{name}' is missing"
    return f"{name}: {text.removeprefix('Value error, ')}"
