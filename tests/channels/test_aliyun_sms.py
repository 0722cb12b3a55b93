"""Holds the SMS of Aliyun to its documents: what is sent, what its answers mean, how it is asked, what its reports say."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sop_engine.channels.codes_sms import ALIYUN, ANSWERS, Refusal, refused
from sop_engine.channels.contract import REASONS, Message, Receipt
from sop_engine.core.errors import DeliveryError, Refused
from tests.channels.sms import MESSAGE, NOW, handed, to_aliyun
from tests.channels.test_sms_signatures import SENT_QUERY
from tests.fakes.aliyun import Aliyun

MINUTE = timedelta(minutes=1)


@pytest.fixture
def fake() -> Iterator[Aliyun]:
    with Aliyun() as provider:
        provider.now = NOW
        yield provider


def refusal(fake: Aliyun, message: Message = MESSAGE, **change: str) -> DeliveryError:
    channel = to_aliyun(fake.url, **change)
    with pytest.raises(DeliveryError) as caught:
        channel.send(message)
    channel.close()
    return caught.value


def test_one_message_goes_with_its_key_its_values_and_an_empty_body(fake: Aliyun) -> None:
    channel = to_aliyun(fake.url)
    receipt = channel.send(MESSAGE)
    channel.close()
    [taken] = fake.log
    assert receipt == Receipt(taken.id, "accepted")
    assert (taken.key, taken.to, json.loads(taken.said["TemplateParam"])) == ("k1", "13900001234", {"name": "张三"})
    assert (taken.said["SignName"], taken.said["TemplateCode"], fake.calls[0].body) == ("某品牌", "SMS_1", b"")
    assert fake.calls[0].headers["accept-encoding"] == "identity"  # a packed answer could not be read


def test_what_is_prepared_is_the_known_query_without_date_and_nonce() -> None:
    message = replace(MESSAGE, key="sop-evt-0001", provider_template="SMS_123456789", text="你好")
    channel = to_aliyun(sign="示例商城")
    later = replace(message, now=NOW + timedelta(hours=5))
    assert channel.prepare(message) == channel.prepare(later) == SENT_QUERY.encode()
    channel.close()


@pytest.mark.parametrize(
    ("change", "kind", "reason"),
    [
        ({"to": "12345"}, "user_unreachable", "bad_address"),
        ({"provider_template": ""}, "retry_after", "template"),
        ({"text": "【别家】你好"}, "retry_after", "template"),
        ({"vars": (("name", "小红🌸"),)}, "permanent", "content"),
        ({"vars": (("name", "看 https://x.cn"),)}, "permanent", "content"),
        ({"vars": (("name", "长" * 36),)}, "permanent", "content"),
    ],
)
def test_what_aliyun_would_refuse_is_never_sent(fake: Aliyun, change: dict[str, object], kind: str, reason: str) -> None:
    error = refusal(fake, replace(MESSAGE, **change))
    assert (error.kind, error.reason, fake.calls) == (kind, reason, [])
    assert "12345" not in str(error)


def test_a_value_never_brings_the_signature_a_second_time(fake: Aliyun) -> None:
    channel = to_aliyun(fake.url)
    channel.send(replace(MESSAGE, vars=(("name", "【某品牌】张三"),)))
    channel.close()
    assert json.loads(fake.log[0].said["TemplateParam"]) == {"name": "张三"}


@pytest.mark.parametrize(
    ("change", "code"),
    [({"key_id": "other"}, "InvalidAccessKeyId.NotFound"), ({"key_secret": "other"}, "SignatureDoesNotMatch")],
)
def test_a_wrong_key_opens_the_circuit_and_shows_no_secret(fake: Aliyun, change: dict[str, str], code: str) -> None:
    error = refusal(fake, **change)
    assert (error.kind, error.reason, error.detail) == ("retry_after", "configuration", code)
    assert fake.log == []


def test_a_clock_that_is_off_opens_the_circuit(fake: Aliyun) -> None:
    assert refusal(fake, replace(MESSAGE, now=NOW + timedelta(hours=1))).detail == "InvalidTimeStamp.Expired"


def test_an_unapproved_template_or_signature_holds_that_template_alone(fake: Aliyun) -> None:
    assert refusal(fake, replace(MESSAGE, provider_template="SMS_9")).reason == "template"
    assert refusal(fake, replace(MESSAGE, text="你好"), sign="别家").reason == "template"


@pytest.mark.parametrize(("word", "seconds"), [("分钟", 70), ("小时", 3600), ("天", int(timedelta(hours=12, minutes=30).total_seconds()))])
def test_the_limit_of_a_number_waits_as_long_as_its_window(fake: Aliyun, word: str, seconds: int) -> None:
    fake.limits = {word: 0}
    error = refusal(fake)
    assert (error.kind, error.reason, error.retry_after_s) == ("retry_after", "recipient_throttled", seconds)


def test_throttling_waits_longer_each_time_until_a_call_goes_through(fake: Aliyun) -> None:
    fake.play("throttle:7", "ok", "throttle:1")
    channel, waits = to_aliyun(fake.url), []
    for n in range(9):
        try:
            channel.send(replace(MESSAGE, key=f"k{n}"))
            waits.append(0)
        except DeliveryError as error:
            waits.append(error.retry_after_s)
    channel.close()
    assert waits == [1, 2, 4, 8, 16, 32, 60, 0, 1]


def meaning(code: str, status: int = 200) -> tuple[str, str]:
    error = refused(Refusal(ALIYUN, code, NOW, status=status))
    return error.kind, error.reason


@pytest.mark.parametrize(
    ("codes", "kind", "reason"),
    [
        ("isv.BUSINESS_LIMIT_CONTROL", "retry_after", "recipient_throttled"),
        ("isv.DAY_LIMIT_CONTROL isv.MONTH_LIMIT_CONTROL Throttling Throttling.User", "retry_after", "throttled"),
        ("isp.SYSTEM_ERROR isp.UNKNOWN_ERROR ServiceUnavailable InternalError", "unknown", "no_answer"),
        (
            "isv.OUT_OF_SERVICE isv.AMOUNT_NOT_ENOUGH isv.ACCOUNT_NOT_EXISTS isv.ACCOUNT_ABNORMAL isv.PRODUCT_UN_SUBSCRIPT "
            "isv.PRODUCT_UNSUBSCRIBE isv.DENY_IP_RANGE isp.RAM_PERMISSION_DENY InvalidAccessKeyId.NotFound SignatureDoesNotMatch "
            "SignatureNonceUsed InvalidTimeStamp.Expired InvalidVersion InvalidAction.NotFound Forbidden.RAM",
            "retry_after",
            "configuration",
        ),
        (
            "isv.SMS_TEMPLATE_ILLEGAL isv.SMS_SIGNATURE_ILLEGAL isv.SMS_SIGN_ILLEGAL isv.SIGN_STATE_ILLEGAL isv.SIGN_SOURCE_ILLEGAL "
            "isv.SMS_SIGNATURE_SCENE_ILLEGAL isv.SMS_CONTENT_MISMATCH_TEMPLATE_TYPE",
            "retry_after",
            "template",
        ),
        (
            "isv.TEMPLATE_MISSING_PARAMETERS isv.INVALID_PARAMETERS isv.INVALID_JSON_PARAM isv.PARAM_LENGTH_LIMIT "
            "isv.PARAM_NOT_SUPPORT_URL isv.TEMPLATE_PARAMS_ILLEGAL isv.BLACK_KEY_CONTROL_LIMIT isv.SMS_CONTENT_ILLEGAL "
            "isv.UNSUPPORTED_CONTENT isv.EXTEND_CODE_ERROR isv.ONE_CODE_MULTIPLE_SIGN isv.CODE_ERROR isv.MOBILE_COUNT_OVER_LIMIT",
            "permanent",
            "content",
        ),
        ("isv.MOBILE_NUMBER_ILLEGAL", "user_unreachable", "bad_address"),
        ("isv.DOMESTIC_NUMBER_NOT_SUPPORTED isv.SMS_TEST_NUMBER_LIMIT", "permanent", "recipient"),
        ("isv.SOMETHING_NEW isp.NEW", "unknown", "no_answer"),
    ],
)
def test_every_code_has_its_class(codes: str, kind: str, reason: str) -> None:
    assert {code: meaning(code) for code in codes.split()} == {code: (kind, reason) for code in codes.split()}


def test_every_row_of_the_table_is_asked_by_a_test() -> None:
    asked = " ".join(case[0] for mark in test_every_code_has_its_class.pytestmark for case in mark.args[1])
    stems = [code.rstrip("*") for provider, code in ANSWERS if provider == ALIYUN]
    assert [stem for stem in stems if stem not in asked] == []
    assert all(row.meaning.reason in REASONS[row.meaning.kind] for row in ANSWERS.values())


def test_a_listed_code_goes_before_the_status_and_an_unlisted_one_after_it() -> None:
    assert meaning("isv.AMOUNT_NOT_ENOUGH", 400) == ("retry_after", "configuration")
    assert [meaning("isv.NEW", status) for status in (400, 403, 429, 500, 503)] == [
        ("permanent", "content"),
        ("retry_after", "configuration"),
        ("retry_after", "throttled"),
        ("unknown", "no_answer"),
        ("retry_after", "throttled"),
    ]
    assert refused(Refusal(ALIYUN, "isv.NEW 13900001234", NOW)).detail == "unlisted code isv.NEW13900001234, HTTP 200"


def test_a_lost_answer_is_found_by_its_key_on_any_page(fake: Aliyun) -> None:
    channel = to_aliyun(fake.url)
    fake.limits = {}
    for n in range(51):
        channel.send(replace(MESSAGE, key=f"k{n}"))
    fake.play("accept_then_cut")
    with pytest.raises(DeliveryError) as caught:
        channel.send(replace(MESSAGE, key="lost"))
    assert caught.value.kind == "unknown"
    assert channel.ask(handed(NOW + 10 * MINUTE, key="lost")) == Receipt("", "accepted")
    assert channel.ask(handed(NOW + 10 * MINUTE, key="never")) is None
    assert [call.headers["x-acs-action"] for call in fake.calls[-2:]] == ["QuerySendDetails"] * 2
    channel.close()


def test_a_message_begun_just_before_midnight_is_looked_for_on_both_days(fake: Aliyun) -> None:
    channel, late = to_aliyun(fake.url), datetime(2025, 1, 1, 15, 58, tzinfo=UTC)  # 23:58 in Shanghai
    fake.now = late + 3 * MINUTE
    channel.send(replace(MESSAGE, now=late))
    assert channel.ask(handed(late + 10 * MINUTE, began_at=late)) is not None
    channel.close()


def test_absence_proves_nothing_before_thirty_minutes(fake: Aliyun) -> None:
    fake.delay = 20 * MINUTE
    channel = to_aliyun(fake.url)
    channel.send(MESSAGE)
    fake.advance(minutes=10)
    assert channel.ask(handed(fake.now)) is None
    fake.advance(minutes=20)
    assert channel.ask(handed(fake.now)) is not None
    assert channel.capability.settles_after == 30 * MINUTE
    channel.close()


def test_a_message_whose_number_was_erased_cannot_be_asked_for_and_is_not_polled(fake: Aliyun) -> None:
    channel, nobody = to_aliyun(fake.url), replace(handed(fake.now), to="")
    with pytest.raises(DeliveryError) as caught:
        channel.ask(nobody)
    assert (caught.value.kind, list(channel.poll([nobody])), fake.calls) == ("unknown", [], [])
    channel.close()


@pytest.mark.parametrize("step", ["fail:isv.ACCOUNT_ABNORMAL", "garbage", "html_200", "accept_then_500", "accept_then_cut"])
def test_asking_that_is_not_answered_says_nothing(fake: Aliyun, step: str) -> None:
    channel = to_aliyun(fake.url)
    fake.play(step)
    fake.advance(minutes=40)
    with pytest.raises(DeliveryError) as caught:
        channel.ask(handed(fake.now))
    assert "Expired" not in str(caught.value)
    channel.close()


def test_a_list_of_another_form_says_nothing_either(fake: Aliyun, monkeypatch: pytest.MonkeyPatch) -> None:
    channel = to_aliyun(fake.url)
    monkeypatch.setattr(fake, "take", lambda _heard: fake.failed("OK"))
    fake.advance(minutes=40)
    with pytest.raises(DeliveryError, match="another form"):
        channel.ask(handed(fake.now))
    channel.close()


@pytest.mark.parametrize("change", [{"key_id": ""}, {"sign": ""}, {"endpoint": "http://example.com"}, {"endpoint": "https://a:b@c.cn"}])
def test_an_account_that_cannot_work_is_refused_at_once(change: dict[str, str]) -> None:
    with pytest.raises(Refused):
        to_aliyun(**change)
