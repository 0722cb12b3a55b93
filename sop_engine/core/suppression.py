"""Decides which addresses are never written to, and under which keyed name they are remembered."""

import hashlib
import hmac
import re
import unicodedata
from collections.abc import Mapping

from sop_engine.core.addresses import email_address, phone_e164

REASONS: Mapping[str, str] = {
    "unsubscribed": "the person wants no more of it",
    "complained": "the person called it spam",
    "bounced": "mail to it came back, several times or for good",
    "bad_address": "the address does not exist; another address of the same person is not concerned",
    "blocked": "the person has blocked the sender; ends when they follow again",
    "left": "the person no longer follows the account; ends when they follow again",
    "not_friend": "this colleague and this customer are no longer connected; ends when they are",
    "provider_list": "the provider has it on a list of its own",
    "manual": "a colleague, or a list that was imported",
    "erasure": "the person asked to be forgotten, and must not be found again by a later import",
}
"""Why an address is on the list."""

SCOPES = ("marketing", "all")
ENDED_BY: Mapping[str, tuple[str, ...]] = {
    "connected": ("not_friend", "blocked", "left"),
    "follow": ("blocked", "left"),
    "unblocked": ("blocked",),
}
"""Which reasons end with which event."""

OF_ERROR: Mapping[str, str] = {"bad_address": "bad_address", "blocked": "blocked", "left": "left", "no_relation": "not_friend"}
"""Which reason of a channel that cannot reach somebody puts the address on the list, and under which reason."""

_DIGITS = re.compile(r"[\d\s+\-.()]+")
KINDS = ("phone", "email", "id")


def normal_form(kind: str, text: str) -> str | None:
    """How an address of this kind is written here; None when it is none."""
    if kind == "phone":
        return phone_e164(text)
    return email_address(text) if kind == "email" else text.strip() or None


def kind_of_address(text: str) -> str:
    """What an address is meant to be: with an @ a mail address, of digits alone a phone number, else some other id."""
    plain = unicodedata.normalize("NFKC", text)
    return "email" if "@" in plain else "phone" if _DIGITS.fullmatch(plain) else "id"


def address_hmac(key: bytes, kind: str, normal: str) -> str:
    """The name under which an address is kept: hexadecimal, and nobody can find the address from it without the key."""
    return hmac.new(key, f"sop:addr:v1:{kind}:{normal}".encode(), hashlib.sha256).hexdigest()
