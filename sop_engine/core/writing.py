"""Decides how a value is written for a reader: money, numbers, dates and lengths in Chinese or English."""

import re
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal

FILTERS = ("money", "number", "percent", "date", "time", "weeks", "short")
NUMBER_FILTERS = ("money", "number", "percent", "weeks")

_SIGNS = {"CNY": "¥", "JPY": "¥", "USD": "$", "EUR": "€", "GBP": "£", "HKD": "HK$"}
_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,17})(?:\.\d{0,5}[1-9])?")
_MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"]


def number_in(value: object) -> Decimal | None:
    """The number that a value is, or that a text is when it is nothing but a plainly written number; else None."""
    if isinstance(value, Decimal):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    return Decimal(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else None


class Unknown:
    """A value nobody knows: false, written as nothing, and every comparison with it is false."""

    def __bool__(self) -> bool:
        return False

    def __str__(self) -> str:
        return ""

    def _false(self, other: object) -> bool:
        return False

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _false
    __hash__ = object.__hash__


UNKNOWN = Unknown()


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes values in one language (`zh` or `en`) and currency. The methods are the filters of templates.

    A filter writes a text (a fallback such as 未知, a benefit worth 试用装) as it is.
    """

    language: str = "zh"
    currency: str = "CNY"

    def plain(self, value: object) -> object:
        """The value without a filter: 1200.5, 是, 2025年3月4日."""
        match value:
            case str():
                return value
            case bool():
                return self._either("是" if value else "否", "yes" if value else "no")
            case Decimal():
                return format(value.normalize(), "f") if value else "0"
            case date():
                return self.date(value)
        return str(value)

    def money(self, value: object) -> object:
        """An amount with its sign and thousands: ¥1,200.01, ¥20."""
        number = number_in(value)
        if number is None:
            return self.plain(value)
        amount = _rounded(abs(number), 2)
        text = f"{amount:,.2f}".removesuffix(".00")
        return f"{'-' if number < 0 else ''}{_SIGNS.get(self.currency, self.currency + ' ')}{text}"

    def number(self, value: object) -> object:
        """A number with thousands and at most two decimals: 12,000.5."""
        number = number_in(value)
        return self.plain(value) if number is None else _trimmed(f"{_rounded(number, 2):,.2f}")

    def percent(self, value: object) -> object:
        """A share in per cent with at most one decimal: 0.625 is 62.5%."""
        number = number_in(value)
        return self.plain(value) if number is None else _trimmed(f"{_rounded(number * 100, 1):,.1f}") + "%"

    def date(self, value: object) -> object:
        """A day: 2025年3月4日, 4 March 2025."""
        day = _day_in(value)
        if day is None:
            return value if isinstance(value, str) else self.plain(value)
        return self._either(f"{day.year}年{day.month}月{day.day}日", f"{day.day} {_MONTHS[day.month - 1]} {day.year}")

    def time(self, value: object) -> object:
        """The time of day: 14:05."""
        return f"{value:%H:%M}" if isinstance(value, datetime) else self.plain(value)

    def weeks(self, value: object) -> object:
        """Days as weeks and days: 70 is 10 周 0 天."""
        number = number_in(value)
        if number is None:
            return self.plain(value)
        weeks, days = divmod(abs(int(number)), 7)
        english = f"{weeks} week{'' if weeks == 1 else 's'} {days} day{'' if days == 1 else 's'}"
        return ("-" if number < 0 else "") + self._either(f"{weeks} 周 {days} 天", english)

    def short(self, value: object, length: int = 40) -> object:
        """The text cut to so many characters, with … where something was left out."""
        text = str(self.plain(value))
        return text if len(text) <= length else text[: max(length - 1, 0)] + "…"

    def _either(self, chinese: str, english: str) -> str:
        return chinese if self.language == "zh" else english


def _rounded(number: Decimal, places: int) -> Decimal:
    return number.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)


def _trimmed(text: str) -> str:
    return text.rstrip("0").rstrip(".")


def _day_in(value: object) -> date | None:
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
