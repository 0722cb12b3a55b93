"""Holds the SMS of Tencent Cloud to its documents: what is sent, what its answers mean, what asking proves, what its reports say."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sop_engine.channels.codes_sms import ANSWERS, TENCENT, Refusal, refused
from sop_engine.channels.contract import Message, Receipt, Request
from sop_engine.core.errors import DeliveryError, Refused
from tests.channels.sms import MESSAGE, NOW, PHONE, RECEIPTS, handed, to_tencent
from tests.channels.test_sms_signatures import BODY
from tests.fakes.tencent import Tencent

MINUTE = timedelta(minutes=1)
SENT = replace(MESSAGE, provider_template="1110")


@pytest.fixture
def fake() -> Iterator[Tencent]:
    with Tencent() as provider:
        provider.now = NOW
        yield provider


def refusal(fake: Tencent, message: Message = SENT, **change: str) -> DeliveryError:
    channel = to_tencent(fake.url, **change)
    with pytest.raises(DeliveryError) as caught:
        channel.send(message)
    channel.close()
    return caught.value


def test_one_message_goes_with_its_key_and_its_values_in_their_order(fake: Tencent) -> None:
    fake.templates["1112"] = 2
    channel = to_tencent(fake.url)
    receipt = channel.send(replace(SENT, provider_template="1112", vars=(("2", "乙"), ("1", "甲"))))
    channel.close()
    [taken] = fake.log
    assert receipt == Receipt(taken.id, "accepted")
    assert (taken.key, taken.to, taken.said["TemplateParamSet"]) == ("k1", PHONE, ["乙", "甲"])


def test_what_is_prepared_is_the_known_body_whatever_the_time() -> None:
    channel = to_tencent(sign="示例商城")
    message = replace(SENT, key="sop-evt-0001", to="+8618501234444", text="你好")
    assert channel.prepare(message) == channel.prepare(replace(message, now=NOW + MINUTE)) == BODY
    channel.close()


def test_before_eight_in_china_the_signature_has_the_date_of_yesterday(fake: Tencent) -> None:
    early = datetime(2025, 1, 1, 23, 30, tzinfo=UTC)  # 07:30 on 2 January in Shanghai
    fake.now = early
    channel = to_tencent(fake.url)
    assert channel.send(replace(SENT, now=early)).stage == "accepted"
    channel.close()
    assert "/2025-01-01/sms/" in fake.calls[0].headers["authorization"]


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ({"key_id": "other"}, "AuthFailure.SecretIdNotFound"),
        ({"key_secret": "other"}, "AuthFailure.SignatureFailure"),
        ({"app_id": "1"}, "InvalidParameterValue.SdkAppIdNotExist"),
    ],
)
def test_a_wrong_key_or_application_opens_the_circuit(fake: Tencent, change: dict[str, str], detail: str) -> None:
    error = refusal(fake, **change)
    assert (error.kind, error.reason, error.detail) == ("retry_after", "configuration", detail)


def test_the_status_of_the_number_decides_not_that_of_the_request(fake: Tencent) -> None:
    fake.statuses[PHONE] = "FailedOperation.PhoneNumberInBlacklist"
    error = refusal(fake)
    assert (error.kind, error.reason, fake.log) == ("user_unreachable", "blocked", [])
    assert PHONE not in str(error)


def test_an_unapproved_template_holds_that_template_alone(fake: Tencent) -> None:
    assert refusal(fake, replace(SENT, provider_template="9")).reason == "template"
    assert refusal(fake, replace(SENT, provider_template="")).reason == "template"


def meaning(code: str) -> tuple[str, str, int | None]:
    error = refused(Refusal(TENCENT, code, NOW))
    return error.kind, error.reason, error.retry_after_s


MIDNIGHT = int(timedelta(hours=12, minutes=30).total_seconds())
EIGHT = int(timedelta(hours=20, minutes=30).total_seconds())


@pytest.mark.parametrize(
    ("codes", "kind", "reason", "wait"),
    [
        ("FailedOperation.PhoneNumberInBlacklist", "user_unreachable", "blocked", None),
        ("InvalidParameterValue.IncorrectPhoneNumber FailedOperation.PhoneNumberParseFail", "user_unreachable", "bad_address", None),
        ("LimitExceeded.PhoneNumberThirtySecondLimit", "retry_after", "recipient_throttled", 40),
        ("LimitExceeded.PhoneNumberOneHourLimit LimitExceeded.DeliveryFrequencyLimit", "retry_after", "recipient_throttled", 3600),
        (
            "LimitExceeded.PhoneNumberDailyLimit LimitExceeded.PhoneNumberSameContentDailyLimit",
            "retry_after", "recipient_throttled", MIDNIGHT,
        ),
        (
            "LimitExceeded.AppMainlandChinaDailyLimit LimitExceeded.AppGlobalDailyLimit LimitExceeded.AppDailyLimit "
            "LimitExceeded.DailyLimit",
            "retry_after", "throttled", MIDNIGHT,
        ),
        ("RequestLimitExceeded RequestLimitExceeded.New LimitExceeded.GlobalSmsSendingRateLimit", "retry_after", "throttled", 1),
        ("FailedOperation.MarketingSendTimeConstraint", "retry_after", "recipient_throttled", EIGHT),
        (
            "InternalError InternalError.Timeout InternalError.SendAndRecvFail InternalError.OtherError InternalError.UnknownError "
            "InternalError.ParseBackendResponseFail",
            "unknown", "no_answer", None,
        ),
        (
            "AuthFailure.SignatureExpire AuthFailure.New InternalError.RequestTimeException InternalError.SigVerificationFail "
            "InternalError.SigFieldMissing UnauthorizedOperation.New FailedOperation.InsufficientBalanceInSmsPackage "
            "InvalidParameterValue.SdkAppIdNotExist LimitExceeded.AppCountryOrRegionInBlacklist",
            "retry_after", "configuration", None,
        ),
        (
            "FailedOperation.SignatureIncorrectOrUnapproved FailedOperation.TemplateIncorrectOrUnapproved "
            "FailedOperation.TemplateUnapprovedOrNotExist FailedOperation.TemplateIdNotExist",
            "retry_after", "template", None,
        ),
        (
            "FailedOperation.ContainSensitiveWord InvalidParameterValue.TemplateParameterFormatError InvalidParameter.New "
            "MissingParameter.EmptyPhoneNumberSet MissingParameter LimitExceeded.PhoneNumberCountLimit",
            "permanent", "content", None,
        ),
        ("UnsupportedOperation.UnsupportedRegion", "permanent", "recipient", None),
        ("Something.New LimitExceeded.New InternalError.New", "unknown", "no_answer", None),
    ],
)  # fmt: skip
def test_every_code_has_its_class(codes: str, kind: str, reason: str, wait: int | None) -> None:
    assert {code: meaning(code) for code in codes.split()} == {code: (kind, reason, wait) for code in codes.split()}


def test_every_row_of_the_table_is_asked_by_a_test() -> None:
    asked = " ".join(case[0] for mark in test_every_code_has_its_class.pytestmark for case in mark.args[1])
    stems = [code.split("*")[0] for provider, code in ANSWERS if provider == TENCENT]
    assert [stem for stem in stems if stem not in asked] == []


def test_hours_that_were_wrong_are_said_to_a_person() -> None:
    assert "hours are wrong" in refused(Refusal(TENCENT, "FailedOperation.MarketingSendTimeConstraint", NOW)).detail
    assert refused(Refusal(TENCENT, "A.New", NOW)).detail == "unlisted code A.New, HTTP 200"


@pytest.mark.parametrize("told", [{}, {"Response": {}}, {"Response": {"SendStatusSet": []}}, {"Response": {"SendStatusSet": [{}, {}]}}, []])
def test_an_answer_without_the_status_of_the_number_is_unclear(fake: Tencent, told: object, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.fakes.provider import as_json

    monkeypatch.setattr(fake, "take", lambda _heard: as_json(200, told))
    assert refusal(fake).kind == "unknown"


def test_asking_finds_what_the_carrier_reported_and_absence_proves_nothing(fake: Tencent) -> None:
    channel = to_tencent(fake.url)
    receipt = channel.send(SENT)
    assert channel.ask(handed(fake.now, provider_id=receipt.provider_id)) is None  # not reported yet
    fake.advance(minutes=2)
    assert channel.ask(handed(fake.now, provider_id=receipt.provider_id)) == Receipt(receipt.provider_id, "delivered")
    assert channel.ask(handed(fake.now)) is None  # without SessionContext nobody knows whose it is
    fake.shows_context = True
    assert channel.ask(handed(fake.now)) == Receipt(receipt.provider_id, "delivered")
    assert channel.capability.ask == "positive_only"
    channel.close()


def test_all_pages_are_read(fake: Tencent) -> None:
    channel = to_tencent(fake.url)
    for n in range(101):
        fake.log.append(replace(_taken(fake, channel), key=f"k{n}", id=f"s{n}"))
    fake.advance(minutes=2)
    assert channel.ask(handed(fake.now, provider_id="s100")) is not None
    channel.close()


def _taken(fake: Tencent, channel: object) -> object:
    if not fake.log:
        channel.send(SENT)
    return fake.log[0]


def test_a_message_whose_number_was_erased_cannot_be_asked_for_and_is_not_polled(fake: Tencent) -> None:
    channel, nobody = to_tencent(fake.url), replace(handed(fake.now), to="")
    with pytest.raises(DeliveryError) as caught:
        channel.ask(nobody)
    assert (caught.value.kind, list(channel.poll([nobody])), fake.calls) == ("unknown", [], [])
    channel.close()


@pytest.mark.parametrize("step", ["fail:InternalError.Timeout", "garbage", "html_200", "accept_then_500", "accept_then_cut"])
def test_asking_that_is_not_answered_says_nothing(fake: Tencent, step: str) -> None:
    channel = to_tencent(fake.url)
    fake.play(step)
    with pytest.raises(DeliveryError):
        channel.ask(handed(NOW))
    channel.close()


def request(body: bytes, tail: str = RECEIPTS, method: str = "POST") -> Request:
    return Request(method=method, now=NOW, tail=tail, body=body)


def test_pushed_and_polled_reports_are_the_same_facts_however_often_they_come(fake: Tencent) -> None:
    channel = to_tencent(fake.url)
    serial = channel.send(SENT).provider_id
    fake.reports[PHONE] = "MK:0001"
    fake.advance(minutes=2)
    replies = [channel.parse(request(body)) for body in fake.pushes()]
    assert {(r.status, r.body) for r in replies} == {(200, b'{"result":0,"errmsg":"OK"}')}
    keys = {fact.event_key for reply in replies for fact in reply.facts}
    polled = channel.poll([handed(fake.now, provider_id=serial)])
    calls = len(fake.calls)
    assert list(channel.poll([handed(NOW + timedelta(days=8), provider_id=serial)])) == [] and len(fake.calls) == calls
    channel.close()
    [fact] = replies[0].facts
    assert keys == {f.event_key for f in polled} and len(keys) == 1
    assert (fact.kind, fact.code, fact.provider_id, fact.to, fact.at) == ("soft_bounced", "MK:0001", serial, PHONE, NOW + MINUTE)
    assert [(f.kind, f.key, f.at) for f in polled] == [("soft_bounced", "k1", NOW + MINUTE)]


def test_what_arrived_is_delivered(fake: Tencent) -> None:
    channel = to_tencent(fake.url)
    channel.send(SENT)
    assert [f.kind for f in channel.parse(request(fake.pushes()[0])).facts] == ["delivered"]
    channel.close()


@pytest.mark.parametrize("many", [True, False])
def test_a_reply_is_what_the_person_wrote_from_their_number(many: bool) -> None:
    told = {"extend": "1", "mobile": "13900001234", "nationcode": "86", "sign": "某品牌", "text": "退订", "time": int(NOW.timestamp())}
    channel = to_tencent()
    reply = channel.parse(request(json.dumps([told] if many else told).encode(), f"{RECEIPTS}/reply"))
    channel.close()
    [fact] = reply.facts
    assert (fact.kind, fact.to, fact.text, fact.at) == ("replied", PHONE, "退订", NOW)
    assert "13900001234" not in fact.event_key


@pytest.mark.parametrize("tail", ["", "wrong", f"{RECEIPTS}/up", RECEIPTS.upper(), "reply"])
def test_another_address_is_a_bare_404(tail: str) -> None:
    channel = to_tencent()
    reply = channel.parse(request(b"[]", tail))
    channel.close()
    assert (reply.status, reply.body, list(reply.facts)) == (404, b"", [])


@pytest.mark.parametrize("body", [b"", b"x", b'[{"mobile":"13900001234","report_status":"MAYBE","sid":"1"}]', b'[{"mobile":"1"}]'])
def test_what_cannot_be_read_is_acknowledged_and_an_alarm(body: bytes) -> None:
    channel = to_tencent()
    reply = channel.parse(request(body))
    channel.close()
    assert (reply.status, [f.kind for f in reply.facts]) == (200, ["alarm"])


def test_an_account_without_its_application_is_refused_at_once() -> None:
    with pytest.raises(Refused, match="sdk_app_id"):
        to_tencent(app_id="")
