"""Reads what differs from machine to machine: addresses, passwords, and whether anything may be sent; from SOP_… and a file of accounts."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

from dotenv import dotenv_values
from pydantic import BeforeValidator, Field, PrivateAttr, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from sop_engine.core.errors import BadInput
from sop_engine.core.feeds import Feed
from sop_engine.core.ladder import LEASE_S
from sop_engine.settings.accounts import Account, FeedAccount, Secret, WrittenRate, read_accounts, sentences

HIDDEN = SecretStr("")


def _mode(value: object) -> str:
    return "live" if value == "live" else "off"


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
    old_signing_keys: Secret = Field(HIDDEN, description="keys of before, by commas, whose links still count; or file:PATH")
    redemption_secrets: Secret = Field(
        HIDDEN, description="what tills and providers sign uses of codes with, by commas, the current one first; or file:PATH"
    )
    check_key: Secret = Field(HIDDEN, description="what whoever asks whether a code is valid must show; empty: nobody may; or file:PATH")
    unsubscribe_file: str = Field(
        "unsubscribed.jsonl", description="where withdrawals wait while the database takes none; of the web and the workers the same file"
    )
    smtp_host: str = Field("", description="the mail server that mails are handed to")
    smtp_port: int = Field(587, ge=1, le=65535, description="its port: 587 with starttls, 465 with implicit")
    smtp_tls: Literal["starttls", "implicit", "none"] = Field("starttls", description="encryption; none is for this machine only")
    smtp_user: str = Field("", description="user name at the mail server; empty: no login")
    smtp_password: Secret = Field(HIDDEN, description="its password, or file:PATH")
    smtp_from: str = Field("", description="the sender, written: 某品牌 <mail@example.com>")
    smtp_unsubscribe: str = Field("", description="an address that takes unsubscriptions by mail, beside the link")
    smtp_bounce_domain: str = Field(
        "", description="domain at which bounces are taken in, each mail having an address of its own there; empty: they go to the sender"
    )
    smtp_receipts_secret: Secret = Field(
        HIDDEN, description="signs reports about mails, as a webhook's secret does, and by a comma the one before; or file:PATH"
    )
    smtp_ca_file: Path | None = Field(None, description="certificates to trust besides the system's, for a mail server of your own")
    smtp_rate: WrittenRate = Field("", description="the most mails the mail server takes, like 50/second or 1000/hour; empty: no limit")
    channels_file: Path | None = Field(None, description="TOML file with the account of each channel: addresses, names and secrets")
    test_addresses: str = Field("", description="addresses, by commas, to which 'sop send-test' sends without asking")
    webhook_loopback: bool = Field(False, description="for development: webhooks and accounts may be on this machine, by http too")
    _accounts: dict[str, Account] = PrivateAttr(default_factory=dict)

    @property
    def accounts(self) -> Mapping[str, Account]:
        """What the file of accounts says, by channel."""
        return self._accounts

    @property
    def feeds(self) -> tuple[Feed, ...]:
        """The other systems that are told of what happens: those with a file always, the others when sending is live."""
        found = {name: one for name, one in self._accounts.items() if isinstance(one, FeedAccount)}
        return tuple(replace(one.feed, name=name) for name, one in found.items() if one.path or self.sending == "live")

    @property
    def signing_keys(self) -> Mapping[str, bytes]:
        """The keys that sign links by a short name made from each, the current one first; empty while there is none."""
        texts = [self.signing_key.get_secret_value(), *self.old_signing_keys.get_secret_value().split(",")]
        keys = [text.strip().encode() for text in texts if text.strip()]
        return {hashlib.sha256(key).hexdigest()[:4]: key for key in keys}

    def rate(self, account: str) -> str:
        """The rate of an account as it was written; empty where there is none."""
        if account == "email":
            return self.smtp_rate
        found = self._accounts.get(account)
        return found.rate if found is not None else ""

    @property
    def has_rates(self) -> bool:
        """Whether any account has a rate."""
        return bool(self.smtp_rate) or any(one.rate for one in self._accounts.values())

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
        raise BadInput(sentences(error, lambda name: f"SOP_{name.upper()}")) from error
    if settings.channels_file:
        settings._accounts.update(read_accounts(folder / settings.channels_file, {**dotenv_values(dotenv), **os.environ}))
    return settings


def describe() -> list[tuple[str, str, str]]:
    """Every setting as (variable, default, meaning), in order; the documentation is held to it."""
    fields = Settings.model_fields.items()
    return [(f"SOP_{name.upper()}", _shown(field.default), field.description or "") for name, field in fields]


def _shown(default: object) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    return "" if default is None or isinstance(default, SecretStr) else str(default)
