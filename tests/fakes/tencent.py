"""Plays Tencent Cloud's SMS: checks signature, date and content type, answers per number, and lists only what it has reported."""

import hashlib
import hmac
import json
import random
import re
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.fakes.provider import Heard, Provider, Said, Taken, as_json, utc_of

SHANGHAI = ZoneInfo("Asia/Shanghai")
ID, KEY, SIGN, APP = "testSecretId", "testSecretKey", "某品牌", "1400006666"


class Tencent(Provider):
    """`templates`: how many values each takes. `statuses`: the code a number gets. `reports_after`: how long carriers are silent."""

    def __init__(self) -> None:
        super().__init__()
        self.throttled = self.failed("RequestLimitExceeded")
        self.templates = {"1110": 1, "1111": 0}
        self.statuses: dict[str, str] = {}
        self.reports: dict[str, str] = {}  # by number, what the carrier says instead of DELIVRD
        self.reports_after = timedelta(minutes=1)
        self.shows_context = False

    def failed(self, code: str) -> Said:
        return as_json(200, {"Response": {"Error": {"Code": code, "Message": code}, "RequestId": "R"}})

    def check(self, heard: Heard) -> Said | None:
        """Signature, with the date of UTC, content type, version, region."""
        headers = heard.headers
        found = re.fullmatch(
            r"TC3-HMAC-SHA256 Credential=(.*)/(\d{4}-\d\d-\d\d)/sms/tc3_request, SignedHeaders=content-type;host, Signature=([0-9a-f]{64})",
            headers.get("authorization", ""),
        )
        if found is None or headers.get("content-type") != "application/json" or heard.path != "/" or heard.query:
            return self.failed("AuthFailure.SignatureFailure")
        if found[1] != ID:
            return self.failed("AuthFailure.SecretIdNotFound")
        moment = utc_of(headers["x-tc-timestamp"])
        if found[2] != f"{moment:%Y-%m-%d}" or found[3] != _signature(heard, found[2]):
            return self.failed("AuthFailure.SignatureFailure")
        if abs((self.now or moment) - moment) > timedelta(minutes=5):
            return self.failed("AuthFailure.SignatureExpire")
        good = headers.get("x-tc-version") == "2021-01-11" and headers.get("x-tc-region") == "ap-guangzhou"
        return None if good else self.failed("InvalidParameterValue.Version")

    def take(self, heard: Heard) -> Said:
        told, now = json.loads(heard.body), self.now or utc_of(heard.headers["x-tc-timestamp"])
        if told["SmsSdkAppId"] != APP:
            return self.failed("InvalidParameterValue.SdkAppIdNotExist")
        return self._send(told, now) if heard.headers["x-tc-action"] == "SendSms" else self._pull(told, now)

    def _send(self, told: dict[str, Any], now: datetime) -> Said:
        if len(told["PhoneNumberSet"]) > 200:
            return self.failed("LimitExceeded.PhoneNumberCountLimit")
        number = told["PhoneNumberSet"][0]
        code = self.statuses.get(number) or self._wrong(told, number)
        serial = "" if code != "Ok" else f"5000:{10457106 + len(self.log)}"
        if code == "Ok":
            self.log.append(Taken(now, told["SessionContext"], number, serial, told))
        one = {"SerialNo": serial, "PhoneNumber": number, "Fee": int(code == "Ok"), "SessionContext": told["SessionContext"], "Code": code}
        return as_json(200, {"Response": {"SendStatusSet": [{**one, "Message": code, "IsoCode": "CN"}], "RequestId": "R"}})

    def _wrong(self, told: dict[str, Any], number: str) -> str:
        if not re.fullmatch(r"\+[1-9]\d{6,14}", number):
            return "InvalidParameterValue.IncorrectPhoneNumber"
        if told["SignName"] != SIGN:
            return "FailedOperation.SignatureIncorrectOrUnapproved"
        if told["TemplateId"] not in self.templates:
            return "FailedOperation.TemplateIncorrectOrUnapproved"
        if len(told["TemplateParamSet"]) != self.templates[told["TemplateId"]] or len(told["SessionContext"]) > 511:
            return "InvalidParameterValue.TemplateParameterFormatError"
        return "Ok"

    def _pull(self, told: dict[str, Any], now: datetime) -> Said:
        if told["Limit"] > 100 or told["EndTime"] < told["BeginTime"]:
            return self.failed("InvalidParameterValue.TimeIllegal")
        between = [t for t in self.log if t.to == told["PhoneNumber"] and told["BeginTime"] <= t.at.timestamp() <= told["EndTime"]]
        rows = [self._row(t) for t in between if now - t.at >= self.reports_after]
        return as_json(200, {"Response": {"PullSmsSendStatusSet": rows[told["Offset"] :][: told["Limit"]], "RequestId": "R"}})

    def _row(self, one: Taken) -> dict[str, object]:
        said = self.reports.get(one.to, "DELIVRD")
        status = "SUCCESS" if said == "DELIVRD" else "FAIL"
        at, context = int((one.at + self.reports_after).timestamp()), one.key if self.shows_context else ""
        row = {"UserReceiveTime": at, "CountryCode": "86", "SubscriberNumber": one.to[3:], "PhoneNumber": one.to}
        return {**row, "SerialNo": one.id, "ReportStatus": status, "Description": said, "SessionContext": context}

    def report(self, one: Taken) -> dict[str, object]:
        """The report of a message as it is pushed."""
        said, at = self.reports.get(one.to, "DELIVRD"), one.at + self.reports_after
        status = "SUCCESS" if said == "DELIVRD" else "FAIL"
        told = {"user_receive_time": f"{at.astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}", "nationcode": "86", "mobile": one.to[3:]}
        return {**told, "report_status": status, "errmsg": said, "description": "", "sid": one.id}

    def pushes(self, seed: int = 7) -> list[bytes]:
        """Every report three times and out of order."""
        thrice = [json.dumps([self.report(one)], ensure_ascii=False).encode() for one in self.log for _ in range(3)]
        random.Random(seed).shuffle(thrice)
        return thrice


def _signature(heard: Heard, date: str) -> str:
    headers = f"content-type:{heard.headers['content-type']}\nhost:{heard.headers['host']}\n"
    whole = "\n".join(("POST", "/", "", headers, "content-type;host", hashlib.sha256(heard.body).hexdigest()))
    scope = f"{date}/sms/tc3_request"
    text = f"TC3-HMAC-SHA256\n{heard.headers['x-tc-timestamp']}\n{scope}\n{hashlib.sha256(whole.encode()).hexdigest()}"
    key = hmac.new(f"TC3{KEY}".encode(), date.encode(), hashlib.sha256).digest()
    key = hmac.new(key, b"sms", hashlib.sha256).digest()
    key = hmac.new(key, b"tc3_request", hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
