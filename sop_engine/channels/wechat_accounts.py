"""Opens the channels of WeCom and WeChat from what the file of accounts says."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import SecretStr

from sop_engine.channels._wxcrypt import Cipher
from sop_engine.channels.contract import Channel, TokenBox
from sop_engine.channels.wechat_oa import MpSubscribe, OaSubscribe, OaTemplate, WechatApp
from sop_engine.channels.wecom_customer import Corp, WecomCustomer
from sop_engine.channels.wecom_welcome import WecomWelcome
from sop_engine.core.errors import Refused


def open_wecom(via: str, account: Any, tokens: TokenBox | None, *, loopback: bool) -> Channel:
    """A channel of a corporation; raises Refused for an endpoint or a key of another form."""
    callback = _cipher(account, account.corp_id)
    if callback is not None and not callback.encrypts:
        raise Refused("callback_token needs callback_key beside it: WeCom encrypts what it pushes.")
    corp = Corp(account.corp_id, account.secret.get_secret_value(), account.endpoint, account.agent_id, callback, loopback)
    make: Mapping[str, Callable[[Corp, TokenBox | None], Channel]] = {"wecom_customer": WecomCustomer, "wecom_welcome": WecomWelcome}
    return make[via](corp, tokens)


def open_wechat(via: str, account: Any, tokens: TokenBox | None, *, loopback: bool) -> Channel:
    """A channel of an Official Account or a mini-program; raises Refused for an endpoint or a key of another form."""
    app = WechatApp(account.appid, account.secret.get_secret_value(), account.endpoint, _cipher(account, account.appid), loopback)
    make: Mapping[str, Callable[[WechatApp, TokenBox | None], Channel]] = {
        "oa_template": OaTemplate,
        "oa_subscribe": OaSubscribe,
        "mp_subscribe": MpSubscribe,
    }
    return make[via](app, tokens)


def _cipher(account: Any, receiver: str) -> Cipher | None:
    """What verifies the account's callbacks; None where it takes none."""
    token, key = _text(account.callback_token), _text(account.callback_key)
    if key and not token:
        raise Refused("callback_key needs callback_token beside it.")
    return Cipher(token, key, receiver) if token else None


def _text(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret is not None else ""
