"""Plays Aliyun's SMS: checks signatures as the original does, counts per number, lists what it took after a delay, and reports."""

import hashlib
import hmac
import json
import random
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote
from zoneinfo import ZoneInfo

from tests.fakes.provider import Heard, Provider, Said, Taken, as_json

SHANGHAI = ZoneInfo("Asia/Shanghai")
ID, SECRET, SIGN = "testAK", "testSK", "某品牌"
NEEDED = "host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version"
WINDOWS = {"分钟": timedelta(minutes=1), "小时": timedelta(hours=1), "天": timedelta(days=1)}


def local(at: datetime) -> str:
    """A time as the provider writes it."""
    return at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")


class Aliyun(Provider):
    """`templates`: the variables of each approved template. `delay`: how long until a message is listed. `codes`: err_code by number."""

    def __init__(self) -> None:
        super().__init__()
        self.throttled = self.failed("Throttling.User")
        self.templates: dict[str, list[str]] = {"SMS_1": ["name"], "SMS_0": []}
        self.limits = {"天": 50}
        self.delay = timedelta(0)
        self.codes: dict[str, str] = {}
        self.submitted: list[tuple[datetime, str, str]] = []
        self._nonces: set[str] = set()

    def failed(self, code: str, text: str = "", status: int = 200) -> Said:
        code, _, number = code.partition("@")  # isv.X@400: with that status
        return as_json(int(number or status), {"Code": code, "Message": text or code, "RequestId": "R"})

    def check(self, heard: Heard) -> Said | None:
        """Signature, date, nonce, version, method of sending."""
        headers, found = heard.headers, re.fullmatch(
            r"ACS3-HMAC-SHA256 Credential=(.*),SignedHeaders=(.*),Signature=([0-9a-f]{64})", heard.headers.get("authorization", "")
        )  # fmt: skip
        if found is None or found[2] != NEEDED or heard.path != "/" or heard.body:
            return self.failed("SignatureDoesNotMatch", status=400)
        if found[1] != ID:
            return self.failed("InvalidAccessKeyId.NotFound", status=404)
        if headers["x-acs-content-sha256"] != hashlib.sha256(heard.body).hexdigest() or found[3] != _signature(heard):
            return self.failed("SignatureDoesNotMatch", status=400)
        moment = _date(heard)
        if abs((self.now or moment) - moment) > timedelta(minutes=15):
            return self.failed("InvalidTimeStamp.Expired", status=400)
        if headers["x-acs-signature-nonce"] in self._nonces:
            return self.failed("SignatureNonceUsed", status=400)
        self._nonces.add(headers["x-acs-signature-nonce"])
        if headers["x-acs-version"] != "2017-05-25":
            return self.failed("InvalidVersion", status=400)
        return None if headers["x-acs-action"] in ("SendSms", "QuerySendDetails") else self.failed("InvalidAction.NotFound", status=404)

    def take(self, heard: Heard) -> Said:
        told, now = dict(parse_qsl(heard.query, keep_blank_values=True)), self.now or _date(heard)
        return self._send(told, now) if heard.headers["x-acs-action"] == "SendSms" else self._list(told, now)

    def _send(self, told: dict[str, str], now: datetime) -> Said:
        wrong = self._wrong(told)
        if wrong:
            return self.failed(f"isv.{wrong}")
        number, kind = told["PhoneNumbers"], f"{told['SignName']}|{told['TemplateCode']}"
        self.submitted.append((now, number, kind))
        for word, most in self.limits.items():
            within = [1 for at, *about in self.submitted if about == [number, kind] and now - at < WINDOWS[word]]
            if len(within) > most:
                return self.failed("isv.BUSINESS_LIMIT_CONTROL", f"触发{word}级流控Permits:{most}")
        one = Taken(now, told.get("OutId", ""), number, f"{9006197469364984 + len(self.log)}^0", told)
        self.log.append(one)
        return as_json(200, {"Code": "OK", "Message": "OK", "BizId": one.id, "RequestId": "R"})

    def _wrong(self, told: dict[str, str]) -> str:
        if not re.fullmatch(r"1[3-9]\d{9}", told.get("PhoneNumbers", "")):
            return "MOBILE_NUMBER_ILLEGAL"
        if told.get("SignName") != SIGN:
            return "SMS_SIGNATURE_ILLEGAL"
        if told.get("TemplateCode") not in self.templates:
            return "SMS_TEMPLATE_ILLEGAL"
        if len(told.get("OutId", "")) > 255:
            return "INVALID_PARAMETERS"
        try:
            values = json.loads(told.get("TemplateParam", "{}"))
        except ValueError:
            return "INVALID_JSON_PARAM"
        if not set(self.templates[told["TemplateCode"]]) <= set(values):
            return "TEMPLATE_MISSING_PARAMETERS"
        if any(len(value) > 35 for value in values.values()):
            return "PARAM_LENGTH_LIMIT"
        return "PARAM_NOT_SUPPORT_URL" if any("://" in value for value in values.values()) else ""

    def _list(self, told: dict[str, str], now: datetime) -> Said:
        size, page = int(told["PageSize"]), int(told["CurrentPage"])
        if size > 50:
            return self.failed("isv.INVALID_PARAMETERS")
        mine = [t for t in self.log if t.to == told["PhoneNumber"] and now - t.at >= self.delay]
        rows = [self._row(t, now) for t in mine if f"{t.at.astimezone(SHANGHAI):%Y%m%d}" == told["SendDate"]]
        shown = {"SmsSendDetailDTO": rows[(page - 1) * size : page * size]}
        return as_json(200, {"Code": "OK", "TotalCount": len(rows), "SmsSendDetailDTOs": shown})

    def _row(self, one: Taken, now: datetime) -> dict[str, object]:
        code, settled = self.codes.get(one.to, "DELIVERED"), now - one.at >= timedelta(minutes=1)
        status = 1 if not settled else 3 if code == "DELIVERED" else 2
        row = {"PhoneNum": one.to, "SendStatus": status, "ErrCode": code if settled else "", "SendDate": local(one.at), "OutId": one.key}
        return {**row, "ReceiveDate": local(one.at + timedelta(minutes=1))} if settled else row

    def report(self, one: Taken) -> dict[str, object]:
        """The report of a message as it is pushed."""
        code = self.codes.get(one.to, "DELIVERED")
        return {
            "phone_number": one.to, "send_time": local(one.at), "report_time": local(one.at + timedelta(minutes=1)),
            "success": code == "DELIVERED", "err_code": code, "err_msg": "", "sms_size": "1", "biz_id": one.id, "out_id": one.key,
        }  # fmt: skip

    def pushes(self, seed: int = 7) -> list[bytes]:
        """Every report three times and out of order, as it comes while nobody acknowledges."""
        thrice = [json.dumps([self.report(one)], ensure_ascii=False).encode() for one in self.log for _ in range(3)]
        random.Random(seed).shuffle(thrice)
        return thrice


def _date(heard: Heard) -> datetime:
    return datetime.strptime(heard.headers["x-acs-date"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def _signature(heard: Heard) -> str:
    pairs = sorted(parse_qsl(heard.query, keep_blank_values=True, strict_parsing=True))
    query = "&".join(f"{quote(k, safe='-_.~')}={quote(v, safe='-_.~')}" for k, v in pairs)
    lines = "".join(f"{name}:{heard.headers[name]}\n" for name in NEEDED.split(";"))
    whole = "\n".join(("POST", "/", query, lines, NEEDED, hashlib.sha256(heard.body).hexdigest()))
    text = "ACS3-HMAC-SHA256\n" + hashlib.sha256(whole.encode()).hexdigest()
    return hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()
