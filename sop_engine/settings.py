"""Reads what differs from machine to machine: addresses, passwords, and whether anything may be sent; from SOP_… and a file of accounts."""

import difflib
import os
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Literal

from dotenv import dotenv_values
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from sop_engine.core.errors import BadInput
from sop_engine.core.ladder import LEASE_S
from sop_engine.core.rates import rate_of

HIDDEN = SecretStr("")


def _mode(value: object) -> str:
    return "live" if value == "live" else "off"


def _read(path: str) -> str:
    try:
        return Path(path).read_text("utf-8").strip()
    except (OSError, UnicodeError) as error:
        raise ValueError(f"the file '{path}' cannot be read ({type(error).__name__})") from error


def _from_file(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    return SecretStr(_read(text.removeprefix("file:"))) if text.startswith("file:") else secret


def _rate(text: str) -> str:
    try:
        rate_of(text)
    except BadInput as error:
        raise ValueError(str(error)) from error
    return text


WrittenRate = Annotated[str, AfterValidator(_rate)]
Secret = Annotated[SecretStr, AfterValidator(_from_file)]
"""A password as it is, or `file:PATH`: the text of that file without the line end."""


class WebhookAccount(BaseModel):
    """Where one webhook channel sends to, and what signs it."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    url: SecretStr = Field(description="where messages are sent; env:NAME or file:PATH if it holds a token")
    secret: SecretStr = Field(description="signs what is sent: env:NAME or file:PATH")
    old_secret: SecretStr | None = Field(None, description="signs besides until the receiver knows the new one: env:NAME or file:PATH")
    headers: dict[str, SecretStr] = Field(default_factory=dict, description="further headers, names in small letters")
    rate: WrittenRate = Field("", description="the most messages it takes, like 50/second or 1000/hour; empty: no limit")


class Settings(BaseSettings):
    """Everything set from outside. Each name is an environment variable with SOP_ before it; secrets are never in its repr."""

    model_config = SettingsConfigDict(
        env_prefix="SOP_", extra="ignore", frozen=True, hide_input_in_errors=True, env_ignore_empty=True, env_file_encoding="utf-8"
    )

    database_url: str = Field(
        "sqlite:///sop.db", repr=False, description="the database; a relative SQLite file is looked for in the project's folder"
    )
    redis_url: str = Field("", repr=False, description="Redis for Celery workers; without it one process does everything")
    instance: str = Field("", description="the name the database must have (sop doctor shows it): with another one nothing is sent")
    lease_s: float = Field(LEASE_S, ge=0.5, le=600, description="seconds a worker holds what it took; all other waits follow from it")
    max_inflight: int = Field(2000, ge=1, description="the most touches that wait in the broker at once")
    log: Literal["auto", "json", "text", "off"] = Field(
        "auto", description="what is written to stderr: json is one object a line; auto: json of services, warnings as text of `sop run`"
    )
    late_alarm_s: float = Field(900, ge=0, description="seconds a touch may be due and not gone out before /readyz turns red; 0: any")
    sending: Annotated[Literal["off", "live"], BeforeValidator(_mode)] = Field(
        "off", description="live sends for real; with anything else every message stays in the outbox on this machine"
    )
    public_url: str = Field("", description="https address at which users reach this installation: links and unsubscribing")
    ingest_origins: str = Field(
        "", description="web pages that may send events from a browser: https origins with commas between, or *; empty: none"
    )
    reports_dir: str = Field("", description="folder that reports are written into as files; empty: they are kept in the database alone")
    reports_url: str = Field("", description="address at which colleagues read that folder: the links in messages about reports")
    signing_key: Secret = Field(HIDDEN, description="signs the links in messages: a long random text, or file:PATH")
    smtp_host: str = Field("", description="the mail server that mails are handed to")
    smtp_port: int = Field(587, ge=1, le=65535, description="its port: 587 with starttls, 465 with implicit")
    smtp_tls: Literal["starttls", "implicit", "none"] = Field("starttls", description="encryption; none is for this machine only")
    smtp_user: str = Field("", description="user name at the mail server; empty: no login")
    smtp_password: Secret = Field(HIDDEN, description="its password, or file:PATH")
    smtp_from: str = Field("", description="the sender, written: 某品牌 <mail@example.com>")
    smtp_unsubscribe: str = Field("", description="an address that takes unsubscriptions by mail, beside the link")
    smtp_ca_file: Path | None = Field(None, description="certificates to trust besides the system's, for a mail server of your own")
    smtp_rate: WrittenRate = Field("", description="the most mails the mail server takes, like 50/second or 1000/hour; empty: no limit")
    channels_file: Path | None = Field(None, description="TOML file with the address and the secret of each webhook channel")
    webhook_loopback: bool = Field(False, description="for development: webhooks may go to this machine, by http too")
    _webhooks: dict[str, WebhookAccount] = PrivateAttr(default_factory=dict)

    @property
    def webhooks(self) -> Mapping[str, WebhookAccount]:
        """The accounts of the webhook channels, by channel."""
        return self._webhooks

    def rate(self, account: str) -> str:
        """The rate of an account as it was written; empty where there is none."""
        if account == "email":
            return self.smtp_rate
        found = self._webhooks.get(account)
        return found.rate if found is not None else ""

    @property
    def has_rates(self) -> bool:
        """Whether any account has a rate."""
        return bool(self.smtp_rate) or any(one.rate for one in self._webhooks.values())

    def database_in(self, folder: Path) -> str:
        """The database's address, a relative SQLite file being in the folder."""
        start, found, name = self.database_url.partition("sqlite:///")
        if start or not found or name in ("", ":memory:") or Path(name).is_absolute():
            return self.database_url
        return f"sqlite:///{folder.resolve() / name}"


def load(folder: Path) -> Settings:
    """The settings from the environment, then from `.env` in the folder, then the defaults; raises BadInput naming what is wrong."""
    dotenv = folder / ".env"
    try:
        settings = Settings(_env_file=dotenv)  # type: ignore[call-arg]  # an argument of BaseSettings that mypy does not see
    except ValidationError as error:
        raise BadInput(_sentences(error, lambda name: f"SOP_{name.upper()}")) from error
    if settings.channels_file:
        settings._webhooks.update(read_accounts(folder / settings.channels_file, {**dotenv_values(dotenv), **os.environ}))
    return settings


def read_accounts(path: Path, environment: Mapping[str, str | None]) -> dict[str, WebhookAccount]:
    """The webhook accounts of a TOML file by channel, every reference replaced by what it names; raises BadInput."""
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise BadInput(f"SOP_CHANNELS_FILE names '{path}', which cannot be read ({type(error).__name__}).") from error
    except (tomllib.TOMLDecodeError, UnicodeError) as error:
        raise BadInput(f'{path}: {error}. The name of a channel stands in brackets and quotes: ["抖音"].') from error
    return {name: _account(f"{path}: channel '{name}'", table, environment) for name, table in tables.items()}


def describe() -> list[tuple[str, str, str]]:
    """Every setting as (variable, default, meaning), in order; the documentation is held to it."""
    fields = Settings.model_fields.items()
    return [(f"SOP_{name.upper()}", _shown(field.default), field.description or "") for name, field in fields]


def describe_webhooks() -> list[tuple[str, str]]:
    """Every key of a channel in SOP_CHANNELS_FILE as (key, meaning)."""
    return [(name, field.description or "") for name, field in WebhookAccount.model_fields.items()]


def _shown(default: object) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    return "" if default is None or isinstance(default, SecretStr) else str(default)


def _account(place: str, table: object, environment: Mapping[str, str | None]) -> WebhookAccount:
    if not isinstance(table, dict):
        raise BadInput(f"{place} is no table. Write the name in brackets on a line of its own, then url and secret.")
    try:
        account = WebhookAccount.model_validate(table)
        update = {
            "url": _referred(account.url, environment),
            "secret": _referred(account.secret, environment, always=True),
            "old_secret": account.old_secret and _referred(account.old_secret, environment, always=True),
            "headers": {name: _referred(value, environment) for name, value in account.headers.items()},
        }
    except ValidationError as error:
        raise BadInput(f"{place}: {_sentences(error, str)}") from error
    except ValueError as error:
        raise BadInput(f"{place}: {error}.") from error
    return account.model_copy(update=update)


def _referred(secret: SecretStr, environment: Mapping[str, str | None], *, always: bool = False) -> SecretStr:
    """What `env:NAME` or `file:PATH` names; another text is itself, unless it `always` must be one of them."""
    kind, colon, name = secret.get_secret_value().partition(":")
    if colon and kind == "file":
        return SecretStr(_read(name))
    if colon and kind == "env":
        if not environment.get(name):
            raise ValueError(f"the environment variable {name} is not set")
        return SecretStr(environment[name] or "")
    if always:
        raise ValueError("a secret never stands in this file; write env:NAME or file:PATH")
    return secret


def _sentences(error: ValidationError, named: Callable[[str], str]) -> str:
    return "; ".join(_sentence(named(str(e["loc"][0])), e["type"], e["msg"]) for e in error.errors(include_input=False))


def _sentence(name: str, kind: str, text: str) -> str:
    if kind == "extra_forbidden":
        close = difflib.get_close_matches(name, WebhookAccount.model_fields, 1)
        hint = f" Did you mean '{close[0]}'?" if close else ""
        return f"'{name}' is not a key of a channel.{hint} It can be: {', '.join(WebhookAccount.model_fields)}"
    if kind == "missing":
        return f"'{name}' is missing"
    return f"{name}: {text.removeprefix('Value error, ')}"
