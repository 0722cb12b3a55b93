"""Makes one call to WeCom or WeChat with an access token, and another one if the token has died; says what a refusal means."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx

from sop_engine.channels.calling import Answer, exchange
from sop_engine.channels.codes import CONFIGURATION, CONTENT, NO_ANSWER, REPEAT, Meaning, http_meaning
from sop_engine.channels.codes_wechat import DONE, TOKEN, wechat_meaning
from sop_engine.channels.contract import TokenBox
from sop_engine.core.errors import DeliveryError, Refused

LONGEST_TOKEN = 512


@dataclass(frozen=True, slots=True)
class Identity:
    """Who calls: the corporation or account and its secret."""

    provider: str  # wecom or oa
    id: str
    secret: str = field(repr=False)

    @property
    def name(self) -> str:
        """What its token is kept under: two apps of one corporation have two secrets, and so two tokens."""
        return hashlib.sha256("\x00".join((self.provider, self.id, self.secret)).encode()).hexdigest()


class Api:
    """The calls of one account."""

    def __init__(self, client: httpx.Client, endpoint: httpx.URL, identity: Identity, tokens: TokenBox | None) -> None:
        if tokens is None:
            raise Refused("there is nowhere to keep access tokens.")
        self._client, self._endpoint, self._identity, self._tokens = client, endpoint, identity, tokens

    def call(self, path: str, body: Mapping[str, Any], *, creates: bool = False, table: str = "") -> dict[str, Any]:
        """The answer to one POST with code 0, or with one that says that it is so already. Raises DeliveryError for any other.

        `creates`: whether a call nobody answered may have sent something; `table`: whose codes are asked first. A token that is refused
        is replaced and the call repeated, once.
        """
        content = encoded(body)
        for last in (False, True):
            token = self._tokens.get(self._identity.name, self._fetch)
            found, meaning = self._posted(path, token, content, creates=creates, table=table or self._identity.provider)
            if meaning is None or meaning is DONE:
                return found
            if meaning is not TOKEN:
                raise meaning.error(_told(found))
            self._tokens.drop(self._identity.name, token)
            if last:
                raise CONFIGURATION.error(f"{_told(found)}: a fresh access token is refused too")
        raise AssertionError("two tries were made")

    def _posted(self, path: str, token: str, content: bytes, *, creates: bool, table: str) -> tuple[dict[str, Any], Meaning | None]:
        url = self._endpoint.copy_with(path=path, params={"access_token": token})
        headers = {"content-type": "application/json; charset=utf-8", "accept-encoding": "identity"}
        try:
            answer = exchange(self._client, self._client.build_request("POST", url, content=content, headers=headers))
        except DeliveryError as error:
            if creates or error.kind != "unknown":
                raise
            raise REPEAT.error(error.detail) from error
        return _read(answer, lambda code: wechat_meaning(table, code, creates=creates), creates=creates)

    def _fetch(self) -> tuple[str, timedelta]:
        one = self._identity
        if one.provider == "wecom":
            url = self._endpoint.copy_with(path="/cgi-bin/gettoken", params={"corpid": one.id, "corpsecret": one.secret})
            request = self._client.build_request("GET", url)
        else:  # the other way of fetching one ends the tokens of every other process
            asked = {"grant_type": "client_credential", "appid": one.id, "secret": one.secret, "force_refresh": False}
            url = self._endpoint.copy_with(path="/cgi-bin/stable_token")
            request = self._client.build_request("POST", url, json=asked)
        try:
            answer = exchange(self._client, request)
        except DeliveryError as error:
            raise REPEAT.error(error.detail) from error  # without a token nothing is created
        found, meaning = _read(answer, lambda code: _of_token(one.provider, code), creates=False)
        if meaning is not None:
            raise meaning.error(_told(found))
        token, seconds = found.get("access_token"), found.get("expires_in")
        if not isinstance(token, str) or not 0 < len(token) <= LONGEST_TOKEN or not isinstance(seconds, int) or seconds <= 0:
            raise REPEAT.error("the answer holds no access token")
        return token, timedelta(seconds=seconds)


def _of_token(provider: str, code: int) -> Meaning:
    """Whoever is refused a token has the wrong secret, address or right: a person has to look."""
    meaning = wechat_meaning(provider, code, creates=False)
    return meaning if meaning.kind == "retry_after" else CONFIGURATION


def _read(answer: Answer, meaning_of: Callable[[int], Meaning], *, creates: bool) -> tuple[dict[str, Any], Meaning | None]:
    """The answer and what its code means, None for success; raises DeliveryError where it has no code at all."""
    try:
        found = answer.json()
    except ValueError:
        found = None
    if isinstance(found, dict):
        code = found.get("errcode", 0 if answer.status == 200 else None)
        if isinstance(code, int) and not isinstance(code, bool):
            return found, None if code == 0 else meaning_of(code)
    if answer.status == 200:
        raise (NO_ANSWER if creates else REPEAT).error("the answer is not of the known form")
    meaning = http_meaning(answer.status)
    raise (REPEAT if meaning is NO_ANSWER and not creates else meaning).error(f"HTTP {answer.status}")


def _told(found: Mapping[str, Any]) -> str:
    """The code alone: the provider's sentence may quote what was sent."""
    return f"code {found.get('errcode')}"


def encoded(body: Mapping[str, Any]) -> bytes:
    """The bytes of a call: Chinese as it is, for the provider refuses escapes."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def text_of(value: object) -> str:
    """A text of an answer; empty where it is none."""
    return value if isinstance(value, str) else ""


def refused_content(detail: str) -> DeliveryError:
    """The message cannot be sent as it is, to nobody."""
    return CONTENT.error(detail)
