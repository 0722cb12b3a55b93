"""Decides what an SMTP reply or an HTTP status means: typed tables, read from top to bottom, the first row that fits."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from sop_engine.core.errors import DeliveryError


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an answer means to the engine: kind and reason of DeliveryError, and how long to wait where the answer says so."""

    kind: str
    reason: str
    wait: timedelta | None = None

    def error(self, detail: str, *, wait: timedelta | None = None) -> DeliveryError:
        """The DeliveryError that says it; `wait` is what the provider itself asked for."""
        wait = wait or self.wait
        seconds = int(wait.total_seconds()) if wait else None
        return DeliveryError(self.kind, self.reason, detail, retry_after_s=seconds)


REPEAT = Meaning("retry_after", "not_accepted")
THROTTLED = Meaning("retry_after", "throttled")
TOMORROW = Meaning("retry_after", "throttled", timedelta(days=1))
LATER = Meaning("retry_after", "recipient_throttled", timedelta(hours=1))
CONFIGURATION = Meaning("retry_after", "configuration")
CONTENT = Meaning("permanent", "content")
RECIPIENT = Meaning("permanent", "recipient")
BAD_ADDRESS = Meaning("user_unreachable", "bad_address")
BLOCKED = Meaning("user_unreachable", "blocked")
NO_CONSENT = Meaning("user_unreachable", "no_consent")
LEFT = Meaning("user_unreachable", "left")
NO_RELATION = Meaning("user_unreachable", "no_relation")
NO_CREDIT = Meaning("user_unreachable", "no_credit")
TEMPLATE = Meaning("retry_after", "template")
RECIPIENT_THROTTLED = Meaning("retry_after", "recipient_throttled")
NO_ANSWER = Meaning("unknown", "no_answer")


@dataclass(frozen=True, slots=True)
class SmtpRow:
    """Replies with one of `codes`, an enhanced status matching `status` and a text matching `words`, of one provider; empty fits any."""

    meaning: Meaning
    codes: frozenset[int] = frozenset()
    status: str = ""
    words: str = ""
    provider: str = ""

    def fits(self, provider: str, code: int, text: str) -> bool:
        """Whether the row speaks of this reply."""
        status = re.match(r"\s*(\d\.\d{1,3}\.\d{1,3})", text)
        return (
            (not self.codes or code in self.codes)
            and self.provider in ("", provider)
            and (not self.status or bool(status and re.fullmatch(self.status, status[1])))
            and (not self.words or bool(re.search(self.words, text, re.IGNORECASE)))
        )


def _codes(*codes: int) -> frozenset[int]:
    return frozenset(codes)


SMTP: tuple[SmtpRow, ...] = (
    SmtpRow(CONFIGURATION, _codes(436), provider="aliyun"),  # MAIL FROM is not the login
    SmtpRow(BAD_ADDRESS, _codes(559, 563), provider="aliyun"),
    SmtpRow(CONTENT, _codes(561), provider="aliyun"),  # a honeypot
    SmtpRow(CONTENT, _codes(556, 557), provider="aliyun"),  # too many recipients, too large
    SmtpRow(CONFIGURATION, _codes(530, 534, 535, 538)),
    SmtpRow(CONFIGURATION, _codes(454), status=r"4\.7\.0"),
    SmtpRow(RECIPIENT, _codes(452), status=r"4\.2\.2"),
    SmtpRow(RECIPIENT, _codes(552), status=r"5\.2\.2"),  # a full mailbox
    SmtpRow(CONTENT, _codes(552, 554), status=r"5\.3\.4"),  # too large
    SmtpRow(TOMORROW, _codes(552), words=r"\b(daily|day|monthly|month)\b"),  # the sender's own quota
    SmtpRow(LATER, _codes(550), words=r"frequency limited|mailbox unavailable or access denied"),  # the box is being flooded
    SmtpRow(BAD_ADDRESS, _codes(550, 551, 553), status=r"5\.1\.\d+"),
    SmtpRow(BAD_ADDRESS, _codes(521, 556)),
    SmtpRow(CONTENT, _codes(550, 554), status=r"5\.7\.\d+"),
    SmtpRow(CONTENT, _codes(550, 554), words=r"spam|policy"),
    SmtpRow(REPEAT, frozenset(range(400, 500))),
    SmtpRow(CONTENT, frozenset(range(500, 600))),
)


def smtp_meaning(provider: str, code: int, text: str, *, handed_over: bool) -> Meaning:
    """What a reply that is no success means; one of no known form is unclear once the text has been handed over."""
    found = next((row.meaning for row in SMTP if row.fits(provider, code, text)), None)
    return found or (NO_ANSWER if handed_over else REPEAT)


HTTP: tuple[tuple[Callable[[int], bool], Meaning], ...] = (
    (lambda s: s in (401, 403, 404, 405, 410) or 300 <= s < 400, CONFIGURATION),
    (lambda s: s in (408, 425, 429, 503), THROTTLED),
    (lambda s: 400 <= s < 500, CONTENT),
)


def http_meaning(status: int) -> Meaning:
    """What an HTTP status that is no success means; whatever may have been carried out is unclear."""
    return next((meaning for fits, meaning in HTTP if fits(status)), NO_ANSWER)


REJECTED = {
    "user_blocked": BLOCKED,
    "bad_address": BAD_ADDRESS,
    "no_consent": NO_CONSENT,
    "content": CONTENT,
    "later": RECIPIENT_THROTTLED,
}
"""What a webhook's `{"status": "rejected", "code": …}` means."""
