"""Decides what a text says besides its words: forbidden ones, and whether it makes an offer."""

import re
import unicodedata
from collections.abc import Iterable

_OFFER = re.compile(
    r"优惠|折扣|打折|\d折|[一二三四五六七八九]折|(?<!证)券|促销|限时|抢购|满\s?\d+(?:\.\d+)?\s?元?\s?减|立减|免费领|免邮|包邮|红包|特价|秒杀|半价"
    r"|\b(?:coupons?|vouchers?|discounts?|promo(?:tion)?s?|free shipping|\d+\s?% off)\b",
    re.IGNORECASE,
)


def forbidden_words(text: str, never_say: Iterable[str]) -> tuple[str, ...]:
    """The words of the project's `never_say` list that the text contains, compared after NFKC in lower case."""
    plain = _plain(text)
    return tuple(word for word in never_say if _plain(word) in plain)


def offer_words(text: str) -> tuple[tuple[int, str], ...]:
    """The words of the text that promise an offer (券, 满 99 减 20, discount …) with their places, counted from 0."""
    return tuple((found.start(), found.group()) for found in _OFFER.finditer(text))


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).lower()
