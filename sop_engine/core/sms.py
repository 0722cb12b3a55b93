"""Decides how long an SMS is, what cannot stand in one, and where its signature is."""

import re
import unicodedata
from dataclasses import dataclass

SMS = frozenset({"aliyun_sms", "tencent_sms"})
"""Every `via` that is an SMS."""

ONE = 70  # UTF-16 units in a message alone, and in each of several joined ones
ONE_OF_SEVERAL = 67
ONE_GSM = 160  # septets, likewise
ONE_OF_SEVERAL_GSM = 153
LONGEST_VARIABLE = 35  # characters of one variable at Aliyun
TENCENT_VARIABLE = 6  # characters of one variable in accounts at Tencent that were opened after January 2024

_GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_TWICE = frozenset("^{}\\[~]|€\f")
_SIGN = re.compile(r"\s*【([^【】]*)】")
_ADDRESS = re.compile(r"(?:https?://|www\.)|[a-z0-9-]+\.(?:com|cn|net|org|top|cc|io|me|shop|vip|link)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Length:
    """How long a text is, in UTF-16 units or septets, and how many messages the carrier charges for it."""

    units: int
    parts: int


def sms_length(text: str, *, mainland: bool = True) -> Length:
    """The length of a text with its signature. The mainland counts UTF-16 alone; elsewhere GSM 03.38 is used where it suffices."""
    if not mainland and all(c in _GSM or c in _GSM_TWICE for c in text):
        return _gsm(text)
    units = len(text.encode("utf-16-le", "surrogatepass")) // 2
    return Length(units, 1 if units <= ONE else -(-units // ONE_OF_SEVERAL))


def _gsm(text: str) -> Length:
    widths = [2 if c in _GSM_TWICE else 1 for c in text]
    units = sum(widths)
    if units <= ONE_GSM:
        return Length(units, 1)
    parts, filled = 1, 0
    for width in widths:  # the two septets of one character are never parted
        if filled + width > ONE_OF_SEVERAL_GSM:
            parts, filled = parts + 1, 0
        filled += width
    return Length(units, parts)


def sms_parts(text: str) -> int:
    """How many messages the carrier of the mainland charges: 70 characters fit in one, else 67 in each; an emoji counts as two."""
    return sms_length(text).parts


def sign_of(text: str) -> str:
    """The signature a text begins with, without its brackets; empty where there is none."""
    found = _SIGN.match(text)
    return found[1].strip() if found else ""


def without_sign(text: str, sign: str) -> str:
    """The text without this signature at its beginning: the provider writes it itself."""
    return text[found.end() :] if (found := _SIGN.match(text)) and found[1].strip() == sign else text


def foreign_characters(text: str) -> tuple[tuple[int, str], ...]:
    """Characters an SMS of the mainland does not carry, with their places from 0: emoji, traditional and control characters."""
    return tuple((at, c) for at, c in enumerate(text) if is_pictured(c) or _is_traditional(c) or (_is_control(c) and c != "\n"))


def unfit_value(text: str) -> bool:
    """Whether a value cannot stand in a variable of an SMS: it holds an emoji, a control character, a line end or an address."""
    return any(is_pictured(c) or _is_control(c) for c in text) or has_address(text)


def has_address(text: str) -> bool:
    """Whether the text holds the address of a page, with or without https:// before it."""
    return bool(_ADDRESS.search(text))


def is_pictured(character: str) -> bool:
    """Whether it is an emoji, or needs more than 16 bits as most of them do."""
    drawn = unicodedata.category(character) == "So" and "\u2190" <= character <= "\u2bff" and not _encodes(character, "gb2312")
    return drawn or ord(character) > 0xFFFF


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cf", "Co", "Cs") or 0xFE00 <= ord(character) <= 0xFE0F


def _is_traditional(character: str) -> bool:
    """Whether Big5 has it and GB 2312, the set of the simplified characters, has not."""
    return "\u4e00" <= character <= "\u9fff" and not _encodes(character, "gb2312") and _encodes(character, "big5")


def _encodes(character: str, charset: str) -> bool:
    try:
        character.encode(charset)
    except UnicodeEncodeError:
        return False
    return True
