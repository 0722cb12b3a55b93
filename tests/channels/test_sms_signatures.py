"""Holds the signatures of Aliyun and Tencent to known requests: the canonical form and what is made of it."""

import hashlib
from datetime import UTC, datetime

import pytest

from sop_engine.channels import sign_aliyun, sign_tencent

ZEROS = "0" * 31
SENT = {
    "PhoneNumbers": "13900001234",
    "SignName": "示例商城",
    "TemplateCode": "SMS_123456789",
    "TemplateParam": '{"name":"张三"}',
    "OutId": "sop-evt-0001",
}
SENT_QUERY = (
    "OutId=sop-evt-0001&PhoneNumbers=13900001234&SignName=%E7%A4%BA%E4%BE%8B%E5%95%86%E5%9F%8E&TemplateCode=SMS_123456789"
    "&TemplateParam=%7B%22name%22%3A%22%E5%BC%A0%E4%B8%89%22%7D"
)
BODY = (
    '{"PhoneNumberSet":["+8618501234444"],"SmsSdkAppId":"1400006666","TemplateId":"1110","SignName":"示例商城",'
    '"TemplateParamSet":["张三"],"SessionContext":"sop-evt-0001"}'
).encode()
AT_ALIYUN = datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)
PUBLISHED = {"ImageId": "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd", "RegionId": "cn-shanghai"}
LISTED = {"CurrentPage": "1", "PageSize": "10", "PhoneNumber": "13900001234", "SendDate": "20250102"}

ALIYUN = [
    (
        sign_aliyun.Key("YourAccessKeyId", "YourAccessKeySecret"),
        ("ecs.cn-shanghai.aliyuncs.com", "RunInstances", "2014-05-26", datetime(2023, 10, 26, 10, 22, 32, tzinfo=UTC)),
        "3156853299f313e23d1673dc12e1703d",
        PUBLISHED,
        "7ea06492da5221eba5297e897ce16e55f964061054b7695beedaac1145b1e259",
        "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0",
    ),
    (
        sign_aliyun.Key("testAK", "testSK"),
        ("dysmsapi.aliyuncs.com", "SendSms", "2017-05-25", AT_ALIYUN),
        ZEROS + "1",
        SENT,
        "c0d346ac2a4cfbd69a6c0cd2b4d6912259fd8a6628c00a7b3853bb19b1d860f7",
        "e5b020ec0e60334c70b64310a81366263d46240ef1d213c6fa6eb63d24947e2e",
    ),
    (
        sign_aliyun.Key("testAK", "testSK"),
        ("dysmsapi.aliyuncs.com", "QuerySendDetails", "2017-05-25", AT_ALIYUN),
        ZEROS + "2",
        LISTED,
        "d824c31d7ada995301bb8fadb43fcd7114c97e60c1a046c519d7c76ece4039cb",
        "1e8a336c216e272ad1166793d8603cabeb4cc8fc4bd2e88e1f3a5d5832b67841",
    ),
]


@pytest.mark.parametrize(("key", "call", "nonce", "parameters", "hashed", "signature"), ALIYUN, ids=["published", "send", "list"])
def test_a_request_to_aliyun_is_signed_as_known(
    key: sign_aliyun.Key,
    call: tuple[str, str, str, datetime],
    nonce: str,
    parameters: dict[str, str],
    hashed: str,
    signature: str,
) -> None:
    query = sign_aliyun.canonical_query(parameters)
    headers = sign_aliyun.signed_headers(key, sign_aliyun.Call(*call, nonce, query))
    authorization = headers.pop("authorization")
    canonical = sign_aliyun.canonical_request(headers, query)
    assert hashlib.sha256(canonical.encode()).hexdigest() == hashed
    names = "host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version"
    assert authorization == f"ACS3-HMAC-SHA256 Credential={key.id},SignedHeaders={names},Signature={signature}"


def test_the_query_to_aliyun_is_sorted_and_escaped_in_one_way() -> None:
    assert sign_aliyun.canonical_query(SENT) == SENT_QUERY
    assert sign_aliyun.canonical_query({"b": "a b*~/+", "a": ""}) == "a=&b=a%20b%2A~%2F%2B"


PUBLISHED_BODY = rb'{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}'
TENCENT = [
    (
        sign_tencent.Key("AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE", "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE"),
        ("cvm.tencentcloudapi.com", "cvm", 1551113065, "2019-02-25", PUBLISHED_BODY, "application/json; charset=utf-8"),
        "35e9c5b0e3ae67532d3c9f17ead6c90222632e5b1ff7f6e89887f1398934f064",
        "5ffe6a04c0664d6b969fab9a13bdab201d63ee709638e2749d62a09ca18d7031",
        "72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168",
    ),
    (
        sign_tencent.Key("testSecretId", "testSecretKey"),
        ("sms.tencentcloudapi.com", "sms", 1735787045, "2025-01-02", BODY, "application/json"),
        "76a173ef60c965d44a2d37d64a3280dde2b526d252b398457cc06bf5c272fca4",
        "5c61add4f02e4afd6c4388e9fe5bcecb87f55de7e935dc29b9b2220eb5ad6f3d",
        "5aa47da632d38de969a717efbdd2838f04543bd074e727e02c8a1c3e438b273c",
    ),
    (  # half past seven in China: the date in the signature is still the day before
        sign_tencent.Key("testSecretId", "testSecretKey"),
        ("sms.tencentcloudapi.com", "sms", 1735774200, "2025-01-01", BODY, "application/json"),
        "76a173ef60c965d44a2d37d64a3280dde2b526d252b398457cc06bf5c272fca4",
        "5c61add4f02e4afd6c4388e9fe5bcecb87f55de7e935dc29b9b2220eb5ad6f3d",
        "00c0bbf2bc5f2112314cbab1e1cfc640d20bf53f675a6f32cbc6aaa700363eb0",
    ),
]


@pytest.mark.parametrize(("key", "said", "body_hash", "hashed", "signature"), TENCENT, ids=["published", "send", "before_eight"])
def test_a_request_to_tencent_is_signed_as_known(
    key: sign_tencent.Key, said: tuple[str, str, int, str, bytes, str], body_hash: str, hashed: str, signature: str
) -> None:
    host, service, seconds, date, body, content_type = said
    call = sign_tencent.Call(host, service, datetime.fromtimestamp(seconds, UTC), body, content_type)
    assert hashlib.sha256(body).hexdigest() == body_hash
    assert hashlib.sha256(sign_tencent.canonical_request(call).encode()).hexdigest() == hashed
    scope = f"{date}/{service}/tc3_request"
    assert sign_tencent.authorization(key, call) == (
        f"TC3-HMAC-SHA256 Credential={key.id}/{scope}, SignedHeaders=content-type;host, Signature={signature}"
    )


def test_neither_keys_nor_numbers_stand_in_what_is_shown() -> None:
    shown = repr((sign_aliyun.Key("testAK", "testSK"), sign_tencent.Key("testSecretId", "testSecretKey")))
    shown += repr(sign_aliyun.Call("h", "a", "v", AT_ALIYUN, "n", SENT_QUERY)) + repr(sign_tencent.Call("h", "s", AT_ALIYUN, BODY))
    assert not any(secret in shown for secret in ("testAK", "testSK", "testSecret", "13900001234", "18501234444"))
