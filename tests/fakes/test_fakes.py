"""Holds the fakes of providers to what they are for: they refuse what the original refuses, and their logs only grow."""

from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest

from sop_engine.channels.cloud_key import Key
from sop_engine.channels.sign_tencent import Call, authorization
from tests.channels.sms import MESSAGE, NOW, to_aliyun
from tests.fakes import tencent
from tests.fakes.aliyun import Aliyun
from tests.fakes.tencent import Tencent


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(verify=False, trust_env=False) as one:
        yield one


def code_of(fake: Tencent, client: httpx.Client, **change: str) -> str:
    """What Tencent says to a well-signed request with these headers changed."""
    call = Call(fake.url.removeprefix("http://"), "sms", NOW, b"{}")
    headers = {
        "content-type": "application/json", "x-tc-action": "SendSms", "x-tc-version": "2021-01-11", "x-tc-region": "ap-guangzhou",
        "x-tc-timestamp": str(call.seconds), "authorization": authorization(Key(tencent.ID, tencent.KEY), call),
    }  # fmt: skip
    told = client.post(fake.url + "/", content=b"{}", headers={**headers, **{k.replace("_", "-"): v for k, v in change.items()}}).json()
    return str(told["Response"]["Error"]["Code"])


def test_tencent_refuses_another_content_type_a_foreign_date_an_old_request_and_another_version(client: httpx.Client) -> None:
    with Tencent() as fake:
        assert code_of(fake, client, content_type="application/json; charset=utf-8") == "AuthFailure.SignatureFailure"
        assert code_of(fake, client, x_tc_timestamp=str(int(NOW.timestamp()) + 86400)) == "AuthFailure.SignatureFailure"
        assert code_of(fake, client, x_tc_version="2019-07-11") == "InvalidParameterValue.Version"
        fake.now = NOW + timedelta(minutes=6)
        assert code_of(fake, client) == "AuthFailure.SignatureExpire"
        assert fake.log == []


def test_aliyun_refuses_a_request_that_comes_a_second_time(client: httpx.Client) -> None:
    with Aliyun() as fake:
        channel = to_aliyun(fake.url)
        channel.send(MESSAGE)
        channel.close()
        [heard] = fake.calls
        again = client.post(f"{fake.url}/?{heard.query}", headers=heard.headers).json()
        changed = client.post(f"{fake.url}/?{heard.query.replace('13900001234', '13900009999')}", headers=heard.headers).json()
    assert (again["Code"], changed["Code"], len(fake.log)) == ("SignatureNonceUsed", "SignatureDoesNotMatch", 1)


def test_a_script_a_clock_and_the_log_go_over_http_and_nothing_forgets_the_log(client: httpx.Client) -> None:
    with Aliyun() as fake:
        client.post(f"{fake.url}/__fake/clock", json=NOW.isoformat())
        client.post(f"{fake.url}/__fake/script", json=["ok", "fail:isv.X"])
        channel = to_aliyun(fake.url)
        channel.send(MESSAGE)
        channel.close()
        client.post(f"{fake.url}/__fake/reset")
        [one] = client.post(f"{fake.url}/__fake/log").json()
        assert (one["key"], one["at"], fake.script, fake.now) == ("k1", NOW.isoformat(), [], NOW)
        assert client.post(f"{fake.url}/__fake/other").status_code == 404


def test_a_number_gets_no_more_than_fifty_a_day() -> None:
    with Aliyun() as fake:
        codes = [fake._send({"PhoneNumbers": "13900001234", "SignName": "某品牌", "TemplateCode": "SMS_0"}, NOW).body for _ in range(51)]
        tomorrow = fake._send({"PhoneNumbers": "13900001234", "SignName": "某品牌", "TemplateCode": "SMS_0"}, NOW + timedelta(days=1)).body
    assert ["触发天级流控Permits:50" in body.decode() for body in codes] == [False] * 50 + [True]
    assert b'"OK"' in tomorrow
