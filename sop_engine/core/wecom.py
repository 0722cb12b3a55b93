"""What WeCom's rules say: the pair of customer and colleague, how many mass messages a customer may get, and limits of texts."""

import calendar
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

MOST_TASKS = 20  # tasks a colleague is given in a day: each different text is one, and each must be confirmed by hand
MOST_BYTES = 4000  # of a text


@dataclass(frozen=True, slots=True)
class WecomPair:
    """A customer and the colleague who speaks to them, written `customer@staff`; ids of customers hold no @, those of colleagues may."""

    customer: str
    staff: str

    @classmethod
    def read(cls, text: str) -> "WecomPair":
        """The pair in an address; a part that is missing is empty."""
        customer, _, staff = text.partition("@")
        return cls(customer, staff)

    def __str__(self) -> str:
        return f"{self.customer}@{self.staff}"


@dataclass(frozen=True, slots=True)
class CapRule:
    """How many mass messages a customer may get in one window. Company and colleagues share them, so the provider may refuse earlier."""

    most: int | None  # None: as many as the month has days
    window: str  # month, week or day


CAP_RULES = {"month_days": CapRule(None, "month"), "week_7": CapRule(7, "week"), "day_1": CapRule(1, "day")}
"""By what the administrator has set."""


def cap_window(rule: CapRule, day: date) -> tuple[date, date, int]:
    """The first day of the window a day is in, the first day after it, and how many messages fit into it."""
    if rule.window == "month":
        days = calendar.monthrange(day.year, day.month)[1]
        first = day.replace(day=1)
        return first, first + timedelta(days=days), rule.most or days
    first = day - timedelta(days=day.weekday()) if rule.window == "week" else day
    return first, first + timedelta(days=7 if rule.window == "week" else 1), rule.most or 1


@dataclass(frozen=True, slots=True)
class Relation:
    """A colleague a customer is connected to, since when, and whether they took the customer over from another."""

    staff: str
    since: datetime
    owner: bool = False


def choose_staff(relations: Sequence[Relation], policy: str) -> str | None:
    """Who speaks to a customer: the owner (else whoever was first), the one added last, or the one added first; None without any."""
    if not relations:
        return None
    by_age = sorted(relations, key=lambda r: (r.since, r.staff))
    owners = [r for r in by_age if r.owner]
    return {"owner": (owners or by_age)[-1 if owners else 0], "last_added": by_age[-1], "first_added": by_age[0]}[policy].staff
