"""Decides what an answer or a report of an SMS provider means: typed tables by (provider, code)."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import TypeVar
from zoneinfo import ZoneInfo

from sop_engine.channels.codes import (
    BAD_ADDRESS,
    BLOCKED,
    CONFIGURATION,
    CONTENT,
    NO_ANSWER,
    RECIPIENT,
    RECIPIENT_THROTTLED,
    TEMPLATE,
    THROTTLED,
    Meaning,
    http_meaning,
)
from sop_engine.core.errors import DeliveryError

SHANGHAI = ZoneInfo("Asia/Shanghai")
ALIYUN, TENCENT = "aliyun_sms", "tencent_sms"
LONGEST_PAUSE_S = 60


@dataclass(frozen=True, slots=True)
class Refusal:
    """What was refused: by whom, with which code and text, at which HTTP status, when; `times`: how often in a row it was throttled."""

    provider: str
    code: str
    now: datetime
    text: str = ""
    status: int = 200
    times: int = 0


def _midnight(refusal: Refusal) -> timedelta:
    return _until_hour(refusal, 0)


def _eight(refusal: Refusal) -> timedelta:
    return _until_hour(refusal, 8)


def _until_hour(refusal: Refusal, hour: int) -> timedelta:
    here = refusal.now.astimezone(SHANGHAI)
    at = here.replace(hour=hour, minute=0, second=0, microsecond=0)
    return (at if at > here else at + timedelta(days=1)) - here


def _as_the_text_says(refusal: Refusal) -> timedelta:
    """Aliyun has one code for the limits of a minute, an hour and a day, and says in the text which one is used up."""
    if "分钟" in refusal.text:
        return timedelta(seconds=70)
    return _midnight(refusal) if "天" in refusal.text and "小时" not in refusal.text else timedelta(hours=1)


def _longer_each_time(refusal: Refusal) -> timedelta:
    return timedelta(seconds=min(2 ** min(refusal.times, 6), LONGEST_PAUSE_S))


@dataclass(frozen=True, slots=True)
class Row:
    """What a code means, how long the wait is where it is known, and what a person has to be told."""

    meaning: Meaning
    wait: Callable[[Refusal], timedelta] | None = None
    told: str = ""


_40_S = Row(RECIPIENT_THROTTLED, lambda _: timedelta(seconds=40))
_AN_HOUR = Row(RECIPIENT_THROTTLED, lambda _: timedelta(hours=1))
_NEXT_DAY = Row(RECIPIENT_THROTTLED, _midnight)
_ALL_NEXT_DAY = Row(THROTTLED, _midnight)
_SLOWER = Row(THROTTLED, _longer_each_time)


def _rows(provider: str, prefix: str, row: Row, names: str) -> dict[tuple[str, str], Row]:
    return {(provider, prefix + name): row for name in names.split()}


_ALIYUN_ROWS: Mapping[tuple[str, str], Row] = {
    **_rows(ALIYUN, "isv.", Row(RECIPIENT_THROTTLED, _as_the_text_says), "BUSINESS_LIMIT_CONTROL"),
    **_rows(ALIYUN, "isv.", _ALL_NEXT_DAY, "DAY_LIMIT_CONTROL MONTH_LIMIT_CONTROL"),
    **_rows(ALIYUN, "", _SLOWER, "Throttling*"),
    **_rows(ALIYUN, "", Row(NO_ANSWER), "isp.SYSTEM_ERROR isp.UNKNOWN_ERROR ServiceUnavailable InternalError"),
    **_rows(
        ALIYUN, "isv.", Row(CONFIGURATION),
        "OUT_OF_SERVICE AMOUNT_NOT_ENOUGH ACCOUNT_* PRODUCT_UN_SUBSCRIPT PRODUCT_UNSUBSCRIBE DENY_IP_RANGE",
    ),
    **_rows(
        ALIYUN, "", Row(CONFIGURATION),
        "isp.RAM_PERMISSION_DENY InvalidAccessKeyId.* SignatureDoesNotMatch SignatureNonceUsed InvalidTimeStamp.Expired InvalidVersion "
        "InvalidAction.NotFound Forbidden.*",
    ),
    **_rows(
        ALIYUN, "isv.", Row(TEMPLATE),
        "SMS_TEMPLATE_ILLEGAL SMS_SIGNATURE_ILLEGAL SMS_SIGN_ILLEGAL SIGN_STATE_ILLEGAL SIGN_SOURCE_ILLEGAL SMS_SIGNATURE_SCENE_ILLEGAL "
        "SMS_CONTENT_MISMATCH_TEMPLATE_TYPE",
    ),
    **_rows(
        ALIYUN, "isv.", Row(CONTENT),
        "TEMPLATE_MISSING_PARAMETERS INVALID_PARAMETERS INVALID_JSON_PARAM PARAM_LENGTH_LIMIT PARAM_NOT_SUPPORT_URL "
        "TEMPLATE_PARAMS_ILLEGAL BLACK_KEY_CONTROL_LIMIT SMS_CONTENT_ILLEGAL UNSUPPORTED_CONTENT EXTEND_CODE_ERROR ONE_CODE_MULTIPLE_SIGN "
        "CODE_ERROR MOBILE_COUNT_OVER_LIMIT",
    ),
    **_rows(ALIYUN, "isv.", Row(BAD_ADDRESS), "MOBILE_NUMBER_ILLEGAL"),
    **_rows(ALIYUN, "isv.", Row(RECIPIENT), "DOMESTIC_NUMBER_NOT_SUPPORTED SMS_TEST_NUMBER_LIMIT"),
}  # fmt: skip

_TENCENT_ROWS: Mapping[tuple[str, str], Row] = {
    **_rows(TENCENT, "FailedOperation.", Row(BLOCKED), "PhoneNumberInBlacklist"),
    **_rows(TENCENT, "", Row(BAD_ADDRESS), "InvalidParameterValue.IncorrectPhoneNumber FailedOperation.PhoneNumberParseFail"),
    **_rows(TENCENT, "LimitExceeded.", _40_S, "PhoneNumberThirtySecondLimit"),
    **_rows(TENCENT, "LimitExceeded.", _AN_HOUR, "PhoneNumberOneHourLimit DeliveryFrequencyLimit"),
    **_rows(TENCENT, "LimitExceeded.", _NEXT_DAY, "PhoneNumberDailyLimit PhoneNumberSameContentDailyLimit"),
    **_rows(TENCENT, "LimitExceeded.", _ALL_NEXT_DAY, "App*DailyLimit AppDailyLimit DailyLimit"),
    **_rows(TENCENT, "", _SLOWER, "RequestLimitExceeded* LimitExceeded.GlobalSmsSendingRateLimit"),
    **_rows(
        TENCENT, "FailedOperation.", Row(RECIPIENT_THROTTLED, _eight, "marketing outside its hours: the channel's hours are wrong"),
        "MarketingSendTimeConstraint",
    ),
    **_rows(TENCENT, "InternalError.", Row(CONFIGURATION), "RequestTimeException SigVerificationFail SigFieldMissing"),
    (TENCENT, "InternalError"): Row(NO_ANSWER),
    **_rows(TENCENT, "InternalError.", Row(NO_ANSWER), "Timeout SendAndRecvFail OtherError UnknownError ParseBackendResponseFail"),
    **_rows(
        TENCENT, "", Row(CONFIGURATION),
        "AuthFailure.* UnauthorizedOperation.* FailedOperation.InsufficientBalanceInSmsPackage InvalidParameterValue.SdkAppIdNotExist "
        "LimitExceeded.AppCountryOrRegionInBlacklist",
    ),
    **_rows(
        TENCENT, "FailedOperation.", Row(TEMPLATE),
        "SignatureIncorrectOrUnapproved TemplateIncorrectOrUnapproved TemplateUnapprovedOrNotExist TemplateIdNotExist",
    ),
    **_rows(TENCENT, "", Row(CONTENT), "FailedOperation.* InvalidParameter*.* MissingParameter* LimitExceeded.PhoneNumberCountLimit"),
    **_rows(TENCENT, "", Row(RECIPIENT), "UnsupportedOperation.*"),
}  # fmt: skip

ANSWERS: Mapping[tuple[str, str], Row] = {**_ALIYUN_ROWS, **_TENCENT_ROWS}
"""What a refusal by code means. A `*` stands for anything; a code that is written out goes before one that is not."""

REPORTS: Mapping[tuple[str, str], tuple[str, str]] = {
    (ALIYUN, code): (kind, about)
    for kind, about, codes in (
        ("delivered", "", "DELIVERED"),
        ("blocked", "", "MOBILE_IN_BLACK USER_REJECT DB:0144 *BLACK*"),
        ("capped", "", "MOBILE_SEND_LIMIT"),
        ("refused", "template", "CONTENT_KEYWORD CONTENT_ERROR"),
        ("refused", "account", "IS_CLOSE NO_ROUTE PARAMS_ILLEGAL PORT_NOT_REGISTERED"),
        (
            "soft_bounced", "",
            "MOBILE_NOT_ON_SERVICE INVALID_NUMBER MK:0001 MK:0005 MOBILE_ACCOUNT_ABNORMAL MOBLLE_TERMINAL_ERROR EXPIRED UNDELIV UNKNOWN "
            "REQUEST_SUCCESS SP_*",
        ),
    )
    for code in codes.split()
}  # fmt: skip
"""What a report by code means: the kind of fact, and what a person has to look at besides. All others did not arrive this time."""

V = TypeVar("V")


def refused(refusal: Refusal) -> DeliveryError:
    """The error that a refusal is.

    A code the table does not know is unclear after an HTTP status that may have created a message, and is named as such, so that
    it is seen.
    """
    code = re.sub(r"[^A-Za-z0-9_.:-]", "", refusal.code)[:80]
    row = look_up(ANSWERS, refusal.provider, refusal.code)
    if row is None:
        meaning = NO_ANSWER if refusal.status < 300 else http_meaning(refusal.status)
        return meaning.error(f"unlisted code {code or 'none'}, HTTP {refusal.status}")
    wait = row.wait(refusal) if row.wait else None
    return row.meaning.error(f"{code}: {row.told}" if row.told else code, wait=wait)


def reported(provider: str, code: str) -> tuple[str, str]:
    """The kind of fact a report is, and what a person has to look at: template, account or nothing."""
    return look_up(REPORTS, provider, code) or ("soft_bounced", "")


def look_up(table: Mapping[tuple[str, str], V], provider: str, code: str) -> V | None:
    """The row of a code of a provider: that which is written out, else the first whose stars fit."""
    found = table.get((provider, code))
    if found is not None:
        return found
    return next((row for (whose, form), row in table.items() if whose == provider and "*" in form and fnmatchcase(code, form)), None)
