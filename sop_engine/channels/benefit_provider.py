"""Speaks to a system that gives coupons: signed POSTs whose id is the key of the grant, so that a repeat gets the same coupon."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sop_engine.channels.calling import Answer
from sop_engine.channels.codes import NO_ANSWER, http_meaning
from sop_engine.channels.reach import Resolve, resolve
from sop_engine.channels.webhook import Endpoint, Webhook

DECLINES = ("out_of_stock", "per_user_limit", "not_eligible", "ended")
"""Why a provider gives nothing; another word is kept as `declined`."""
LONGEST_CODE = 100


@dataclass(frozen=True, slots=True)
class Wanted:
    """One coupon to be asked for. `benefit`: the provider's name for it; `value`: its worth, where that is money."""

    grant: str
    benefit: str
    user: str
    value: Decimal | None
    valid_until: datetime
    now: datetime


@dataclass(frozen=True, slots=True)
class Coupon:
    """What the provider gave. `expires_at` is None where it does not say."""

    code: str
    expires_at: datetime | None = None
    url: str = ""


@dataclass(frozen=True, slots=True)
class Declined:
    """The provider gives nothing, for good."""

    reason: str


class BenefitProvider:
    """One coupon system. Every method raises DeliveryError: proven not taken, refused for good, or no answer."""

    def __init__(self, endpoint: Endpoint, *, find: Resolve = resolve) -> None:
        self._hook = Webhook(endpoint, find=find)

    def issue(self, wanted: Wanted) -> Coupon | Declined:
        """Ask for a coupon, any number of times under the same grant: it is the same coupon."""
        data = {
            "grant": wanted.grant,
            "benefit": wanted.benefit,
            "user": {"id": wanted.user},
            "value": None if wanted.value is None else float(wanted.value),
            "valid_until": _time(wanted.valid_until),
        }
        return _coupon(self._ask("benefit.issue", wanted.grant, data, wanted.now))

    def get(self, grant: str, now: datetime) -> Coupon | Declined | None:
        """What became of a grant; None when the provider does not know it, or has taken it back."""
        told = self._ask("benefit.get", f"{grant}_get", {"grant": grant}, now)
        return None if told.get("status") in ("unknown", "voided") else _coupon(told)

    def void(self, grant: str, now: datetime) -> None:
        """Take a coupon back; one that was never given cannot be had afterwards either."""
        told = self._ask("benefit.void", f"{grant}_void", {"grant": grant}, now)
        if told.get("status") not in ("voided", "unknown"):
            raise NO_ANSWER.error("JSON of another form")

    def close(self) -> None:
        """Close the connections."""
        self._hook.close()

    def _ask(self, kind: str, key: str, data: dict[str, Any], now: datetime) -> dict[str, Any]:
        whole = {"type": kind, "timestamp": _time(now), "data": data}
        return _told(self._hook.post(key, json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode(), now))


def _told(answer: Answer) -> dict[str, Any]:
    """The JSON of a good answer; raises DeliveryError for every other one. A page instead of JSON proves nothing."""
    if not 200 <= answer.status < 300:
        raise http_meaning(answer.status).error(f"HTTP {answer.status}")
    try:
        told = answer.json()
    except (ValueError, RecursionError) as error:
        raise NO_ANSWER.error(f"HTTP {answer.status} with something that is not JSON") from error
    if not isinstance(told, dict):
        raise NO_ANSWER.error(f"HTTP {answer.status} with JSON of another form")
    return told


def _coupon(told: dict[str, Any]) -> Coupon | Declined:
    if told.get("status") == "declined":
        reason = str(told.get("reason", ""))
        return Declined(reason if reason in DECLINES else "declined")
    code = told.get("code")
    if told.get("status") != "issued" or not isinstance(code, str) or not 0 < len(code) <= LONGEST_CODE:
        raise NO_ANSWER.error("JSON of another form")
    return Coupon(code, _read_time(told.get("expires_at")), str(told.get("url") or "")[:1000])


def _read_time(value: object) -> datetime | None:
    if value is None:
        return None
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError as error:
        raise NO_ANSWER.error("an expires_at that is no time") from error
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)


def _time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
