"""Decides when something happened of which a client with a clock of its own tells us."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

SKEW = timedelta(seconds=60)  # a clock that is wrong by less is left alone
AHEAD = timedelta(minutes=5)
FIRST_YEAR = 1990  # earlier times are zeros of some clock
_MILLISECONDS = 10**11  # larger numbers are milliseconds since 1970, smaller ones seconds
_NUMBER = re.compile(r"-?\d{1,16}(?:\.\d{1,9})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Told:
    """When it happened, aware UTC; `bad` says that what was written could not be used."""

    at: datetime
    bad: bool = False


def happened(written: Any, sent: Any, received_at: datetime, *, history: bool = False) -> Told | None:
    """When an item happened that says `written`, in a body that says it was `sent`; None when that is still to come.

    The clock of the client is put right by what it was wrong when it sent, if that is more than a minute; not in `history`.
    """
    sent_at = moment(sent)
    known = written is not None and written != ""
    at = moment(written) if known else sent_at or received_at
    bad = at is None or at.year < FIRST_YEAR
    if at is None or bad:
        return Told(received_at, bad=True)
    if sent_at is not None and not history and abs(received_at - sent_at) > SKEW:
        try:
            at += received_at - sent_at
        except OverflowError:
            return Told(received_at, bad=True)
    return None if at > received_at + AHEAD else Told(at)


def moment(written: Any) -> datetime | None:
    """A time as clients write it: ISO 8601, UTC if it says no zone, or a number of seconds or milliseconds; None for anything else."""
    try:
        match written:
            case bool():
                return None
            case int() | Decimal():
                return _since_1970(Decimal(written))
            case str() if _NUMBER.fullmatch(written.strip()) and len(written.strip()) > 8:  # shorter ones are dates: 20250102
                return _since_1970(Decimal(written.strip()))
            case str():
                found = datetime.fromisoformat(written.strip())
                return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError, ArithmeticError):
        return None
    return None


def _since_1970(number: Decimal) -> datetime:
    seconds = number / 1000 if abs(number) > _MILLISECONDS else number
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(seconds * 1_000_000))
