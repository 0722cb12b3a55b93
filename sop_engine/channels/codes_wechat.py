"""Decides what an error code of WeCom, an Official Account or a mini-program means; the same number means something else to each."""

from collections.abc import Mapping
from datetime import timedelta

from sop_engine.channels.codes import (
    BAD_ADDRESS,
    BLOCKED,
    CONFIGURATION,
    CONTENT,
    LEFT,
    NO_ANSWER,
    NO_CREDIT,
    NO_RELATION,
    REPEAT,
    TOMORROW,
    Meaning,
)

TOKEN = Meaning("token", "token")  # fetch another one, and repeat once; again: configuration
DONE = Meaning("done", "done")  # what was asked for is so already
SOON = Meaning("retry_after", "not_accepted", timedelta(seconds=5))
IN_A_MOMENT = Meaning("retry_after", "not_accepted", timedelta(seconds=2))
IN_A_MINUTE = Meaning("retry_after", "not_accepted", timedelta(seconds=61))
FREQUENCY = Meaning("retry_after", "throttled", timedelta(seconds=61))
MOMENTS = Meaning("retry_after", "throttled", timedelta(seconds=5))
MINUTE_LIMIT = Meaning("retry_after", "throttled", timedelta(seconds=70))


def _rows(provider: str, meaning: Meaning, *codes: int) -> dict[tuple[str, int], Meaning]:
    return {(provider, code): meaning for code in codes}


CODES: Mapping[tuple[str, int], Meaning] = {
    **_rows("wecom", TOKEN, 40014, 42001, 41001),
    **_rows("wecom", CONFIGURATION, 40001, 40013, 40091, 43009, 48002, 48005, 48006, 50002, 50003, 60011, 60020, 301002, 610004),
    **_rows("wecom", FREQUENCY, 45009),
    **_rows("wecom", MOMENTS, 45033),
    **_rows("wecom", CONTENT, 40007, 40033, 40058, 40063, 40068, 41046, 41047, 41052, 41064, 41065, 45002),
    **_rows("wecom", BAD_ADDRESS, 40096, 41056),
    **_rows("wecom", NO_RELATION, 84061, 41048),
    # The colleague cannot send; their pair with the customer is left out from now on, so that another one is chosen.
    **_rows("wecom", NO_RELATION, 40003, 40031, 60111, 41054, 84074, 84083, 84084, 81013),
    **_rows("wecom", SOON, 41063),
    **_rows("wecom_welcome", DONE, 41051),
    **_rows("wecom_welcome", CONTENT, 41050),
    **_rows("wecom_welcome", IN_A_MOMENT, 41096),
    **_rows("oa", TOKEN, 40001, 40014, 42001),
    **_rows("oa", CONFIGURATION, 40164, 48001, 48004, 50002),
    **_rows("oa", TOMORROW, 45009),
    **_rows("oa", MINUTE_LIMIT, 45011),
    **_rows("oa", LEFT, 43004, 50005),
    **_rows("oa", BAD_ADDRESS, 40003),
    **_rows("oa", BLOCKED, 43019, 48002),
    **_rows("oa", NO_CREDIT, 43101),
    **_rows("oa", CONTENT, 40037, 41030, 47001, 47003),
    **_rows("oa", DONE, 45065),
    **_rows("oa", IN_A_MINUTE, 45066),
}
"""By provider and code. `wecom_welcome` comes before `wecom` where a welcome message is sent."""

BUSY = frozenset({-1, 6000})  # the provider's own trouble: a read may be repeated, what creates something may have done so


def wechat_meaning(provider: str, code: int, *, creates: bool) -> Meaning:
    """What a code that is not 0 means; one of no known meaning is unclear for a call that may have created a message."""
    if code in BUSY:
        return NO_ANSWER if creates else REPEAT
    wider = provider.partition("_")[0]
    found = CODES.get((provider, code)) or CODES.get((wider, code))
    return found or (NO_ANSWER if creates else CONTENT)
