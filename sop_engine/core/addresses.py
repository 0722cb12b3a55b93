"""Decides: how a phone number and an e-mail address are written here, and what is none."""

import re
import unicodedata

_MARKS = re.compile(r"[\s\-.()\[\]\u2010-\u2015\u200b-\u200f\u202a-\u202e\u2060\ufeff]+")  # and what address books leave invisible
_MAINLAND = re.compile(r"(?:\+?86|0086)?(1[3-9]\d{9})", re.ASCII)
_ABROAD = re.compile(r"\+(?!86)[1-9]\d{6,14}", re.ASCII)
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}")
_DOMAIN = re.compile(r"(?=.{4,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


def phone_e164(text: str) -> str | None:
    """The number in E.164, `+86…` where it is a mainland mobile number without a prefix; None when it is no phone number."""
    digits = _MARKS.sub("", unicodedata.normalize("NFKC", text))
    mainland = _MAINLAND.fullmatch(digits)
    if mainland:
        return f"+86{mainland[1]}"
    return digits if _ABROAD.fullmatch(digits) else None


def email_address(text: str) -> str | None:
    """The address with its domain in lower case and IDNA, the part before @ untouched; None when it is no address."""
    local, at, domain = unicodedata.normalize("NFKC", text).strip().partition("@")
    try:
        domain = domain.lower() if domain.isascii() else domain.lower().encode("idna").decode("ascii")
    except UnicodeError:
        return None
    good = at and _LOCAL.fullmatch(local) and _DOMAIN.fullmatch(domain) and len(local) + len(domain) < 254
    return f"{local}@{domain}" if good else None


def same_address(text: str) -> str:
    """The form in which two spellings of one address are equal: of an e-mail address or phone its normal form, else the text itself."""
    return email_address(text) or phone_e164(text) or text.strip()
