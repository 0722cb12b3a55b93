"""Holds the settings: nothing is sent unless told, secrets are never shown, and a mistake is named by its variable."""

import os
import re
from pathlib import Path

import pytest

from sop_engine.core.errors import BadInput
from sop_engine.settings import describe, load
from sop_engine.settings.accounts import describe_accounts

SECRET = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in os.environ if n.upper().startswith("SOP_")]:
        monkeypatch.delenv(name)


def test_without_any_setting_the_project_runs_here_and_sends_nothing(tmp_path: Path) -> None:
    settings = load(tmp_path)
    assert settings.sending == "off"
    assert settings.database_in(tmp_path) == f"sqlite:///{tmp_path.resolve()}/sop.db"
    assert (settings.redis_url, dict(settings.accounts)) == ("", {})


@pytest.mark.parametrize("word", ["", "Live", "LIVE", "on", "true", "1", "yes", "off", "live "])
def test_anything_but_live_means_off(word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOP_SENDING", word)
    assert load(tmp_path).sending == "off"


def test_live_means_live_and_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("SOP_SENDING=live\nSOP_SMTP_FROM=某品牌 <mail@example.com>\n", "utf-8")
    assert load(tmp_path).sending == "live"
    assert load(tmp_path).smtp_from == "某品牌 <mail@example.com>"
    monkeypatch.setenv("SOP_SENDING", "off")
    assert load(tmp_path).sending == "off"


@pytest.mark.parametrize("url", ["postgresql+psycopg://u:p@db/sop", "sqlite://", "sqlite:///:memory:", "sqlite:////data/sop.db"])
def test_a_full_database_address_stays_as_it_is(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOP_DATABASE_URL", url)
    assert load(tmp_path).database_in(tmp_path) == url


def test_a_secret_may_stand_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "smtp").write_text("geheim\n", "utf-8")
    monkeypatch.setenv("SOP_SMTP_PASSWORD", f"file:{tmp_path / 'smtp'}")
    assert load(tmp_path).smtp_password.get_secret_value() == "geheim"
    monkeypatch.setenv("SOP_SMTP_PASSWORD", f"file:{tmp_path / 'missing'}")
    with pytest.raises(BadInput, match=r"^SOP_SMTP_PASSWORD: the file '.*missing' cannot be read \(FileNotFoundError\)$"):
        load(tmp_path)


def test_no_secret_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOP_DATABASE_URL", "postgresql+psycopg://u:geheim@db/sop")
    monkeypatch.setenv("SOP_REDIS_URL", "redis://:geheim@redis/0")
    monkeypatch.setenv("SOP_SMTP_PASSWORD", "geheim")
    monkeypatch.setenv("SOP_SIGNING_KEY", "geheim")
    monkeypatch.setenv("SOP_CHANNELS_FILE", "channels.toml")
    monkeypatch.setenv("HOOK", "geheim")
    (tmp_path / "channels.toml").write_text('["抖音"]\nurl = "https://x.com/geheim"\nsecret = "env:HOOK"\n', "utf-8")
    settings = load(tmp_path)
    for text in (repr(settings), str(settings), repr(settings.accounts)):
        assert "geheim" not in text


@pytest.mark.parametrize(
    ("name", "value"), [("SOP_SMTP_PORT", "geheim"), ("SOP_SMTP_PORT", "0"), ("SOP_SMTP_TLS", "geheim"), ("SOP_WEBHOOK_LOOPBACK", "geheim")]
)
def test_a_bad_value_is_named_by_its_variable_and_not_repeated(
    name: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(BadInput, match=f"^{name}: ") as caught:
        load(tmp_path)
    assert "geheim" not in str(caught.value)


def accounts(text: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    monkeypatch.setenv("SOP_CHANNELS_FILE", "channels.toml")
    (folder / "channels.toml").write_text(text, "utf-8")
    return dict(load(folder).accounts)


def test_each_webhook_channel_has_an_account_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "old").write_text("old\n", "utf-8")
    (tmp_path / ".env").write_text(f"DOUYIN={SECRET}\n", "utf-8")
    monkeypatch.setenv("FEISHU", "https://example.com/bot/TOKEN")
    text = f"""
        ["抖音"]
        url = "https://example.com/hook"
        secret = "env:DOUYIN"
        old_secret = "file:{tmp_path / "old"}"
        headers = {{ x-app = "1" }}
        ["飞书"]
        url = "env:FEISHU"
        secret = "env:DOUYIN"
    """
    account = accounts(text, tmp_path, monkeypatch)
    douyin, feishu = account["抖音"], account["飞书"]
    assert douyin.secret.get_secret_value() == SECRET
    assert douyin.old_secret.get_secret_value() == "old"
    assert douyin.headers["x-app"].get_secret_value() == "1"
    assert feishu.url.get_secret_value() == "https://example.com/bot/TOKEN"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[抖音]\n", 'stands in brackets and quotes: ["抖音"]'),
        ('x = "y"', "channel 'x' is no table"),
        ('["x"]\nsecret = "env:A"', "channel 'x': 'url' is missing"),
        ('["x"]\nurl = "https://e.com"\nsecret = "abc"', "channel 'x': a secret never stands in this file; write env:NAME or file:PATH"),
        ('["x"]\nurl = "https://e.com"\nsecret = "env:NOT_THERE"', "channel 'x': the environment variable NOT_THERE is not set"),
        ('["x"]\nurl = "https://e.com"\nsecret = "file:/not/there"', "the file '/not/there' cannot be read (FileNotFoundError)"),
        ('["x"]\nurl = "https://e.com"\nsecrett = "env:A"', "'secrett' is not a key of a channel. Did you mean 'secret'?"),
    ],
)
def test_a_mistake_in_the_accounts_is_explained(text: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadInput, match=re.escape(sentence)):
        accounts(text, tmp_path, monkeypatch)


def test_a_missing_file_of_accounts_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOP_CHANNELS_FILE", "nowhere.toml")
    with pytest.raises(BadInput, match=r"SOP_CHANNELS_FILE names '.*nowhere\.toml', which cannot be read"):
        load(tmp_path)


def test_every_setting_has_a_meaning_for_the_documentation() -> None:
    described = describe()
    assert ("SOP_SENDING", "off") in [(name, default) for name, default, _ in described]
    assert all(name.startswith("SOP_") and meaning for name, _, meaning in described)
    assert [key for via, key, meaning in describe_accounts() if via == "webhook" and meaning] == [
        "rate",
        "url",
        "secret",
        "old_secret",
        "headers",
    ]


def test_links_are_signed_with_the_current_key_and_read_with_those_of_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(tmp_path).signing_keys == {}
    monkeypatch.setenv("SOP_SIGNING_KEY", "new")
    monkeypatch.setenv("SOP_OLD_SIGNING_KEYS", "old, older")
    assert list(load(tmp_path).signing_keys.values()) == [b"new", b"old", b"older"]
