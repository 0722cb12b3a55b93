"""Speaks to Tencent Cloud's SMS: one message a call; what it can be asked is only what carriers have reported."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import httpx

from sop_engine.channels.calling import Answer, exchange
from sop_engine.channels.cloud_key import Key
from sop_engine.channels.codes import NO_ANSWER, http_meaning
from sop_engine.channels.codes_sms import TENCENT, Refusal, refused
from sop_engine.channels.contract import Capability, Fact, Handed, Message, Receipt, Reply, Request
from sop_engine.channels.sign_tencent import Call, authorization
from sop_engine.channels.sms import (
    NOT_FOUND,
    Account,
    Item,
    Line,
    asked_number,
    checked,
    event_key,
    facts_of_report,
    knows,
    number_in,
    read_items,
    shanghai_time,
)
from sop_engine.core.errors import Refused

VERSION = "2021-01-11"
PAGE = 100
MOST_PAGES = 10
ASKED_BACK = timedelta(days=7)
BEFORE = timedelta(minutes=5)  # clocks differ: what is asked for begins a little earlier
ACKNOWLEDGED = b'{"result":0,"errmsg":"OK"}'
THROTTLED_CODES = ("RequestLimitExceeded", "LimitExceeded.GlobalSmsSendingRateLimit")


class TencentSms:
    """SMS through Tencent Cloud. `client` replaces the connections in tests."""

    kind: ClassVar[str] = TENCENT
    capability: ClassVar[Capability] = Capability(ask="positive_only", receipts="both", links="static", needs_template=True)

    def __init__(self, account: Account, *, client: httpx.Client | None = None) -> None:
        if not account.app_id:
            raise Refused("an account for SMS at Tencent needs sdk_app_id.")
        self._account, self._line = account, Line(account, client)

    def prepare(self, message: Message) -> bytes:
        """The body of one message, the same in every repeat. Values go by their order, without names. Raises DeliveryError."""
        number, values = checked(message, self._account.sign)
        return _json(
            {
                "PhoneNumberSet": [number],
                "SmsSdkAppId": self._account.app_id,
                "TemplateId": message.provider_template,
                "SignName": self._account.sign,
                "TemplateParamSet": [value for _, value in values],
                "SessionContext": message.key,
            }
        )

    def send(self, message: Message) -> Receipt:
        """Hand over one message; raises DeliveryError. Never repeated: the provider does not know a key again."""
        told, status = self._told(self._call("SendSms", self.prepare(message), message.now), message.now)
        statuses = told.get("SendStatusSet")
        one = statuses[0] if isinstance(statuses, list) and len(statuses) == 1 else None
        if not isinstance(one, dict) or not isinstance(one.get("Code"), str):
            raise NO_ANSWER.error(f"HTTP {status} without the status of the number")
        if one["Code"] != "Ok":
            raise refused(Refusal(TENCENT, one["Code"], message.now, status=status))
        return Receipt(str(one.get("SerialNo", ""))[:100], "accepted")

    def ask(self, handed: Handed) -> Receipt | None:
        """The receipt of what carriers have reported under this key or id; None says nothing. Raises DeliveryError."""
        for row in self._reports(handed.to, handed.began_at, handed.now):
            serial = str(row.get("SerialNo") or "")
            if str(row.get("SessionContext") or "") == handed.key or (handed.provider_id and serial == handed.provider_id):
                return Receipt(serial[:100], "delivered" if row.get("ReportStatus") == "SUCCESS" else "accepted")
        return None

    def poll(self, handed: Sequence[Handed]) -> list[Fact]:
        """What carriers have reported about these messages, as the pushed reports would say it; raises DeliveryError."""
        by_number: dict[str, list[Handed]] = {}
        for one in handed:
            if one.to and one.now - one.began_at < ASKED_BACK:
                by_number.setdefault(one.to, []).append(one)
        facts = []
        for number, mine in by_number.items():
            begun = min(one.began_at for one in mine)
            for row in self._reports(number, begun, mine[0].now):
                whose = _whose(row, mine)
                if whose is not None:
                    facts += _polled(row, whose)
        return facts

    def parse(self, request: Request) -> Reply:
        """The reports or replies in a request to our own address; a bare 404 for every other one."""
        replies = knows(request, self._account.receipts_secret, "reply")
        if replies is None:
            return NOT_FOUND
        return read_items(request, ACKNOWLEDGED, _reply if replies else _report, TENCENT)

    def close(self) -> None:
        """Close the connections."""
        self._line.client.close()

    def _reports(self, number: str, since: datetime, now: datetime) -> list[Item]:
        """Every report about a number since a moment, page by page."""
        found: list[Item] = []
        begin = max(since - BEFORE, now - ASKED_BACK)
        for page in range(MOST_PAGES):
            told = {
                "BeginTime": int(begin.timestamp()),
                "EndTime": int(now.timestamp()),
                "Offset": page * PAGE,
                "Limit": PAGE,
                "PhoneNumber": asked_number(number),
                "SmsSdkAppId": self._account.app_id,
            }
            answer, _ = self._told(self._call("PullSmsSendStatusByPhoneNumber", _json(told), now), now)
            rows = answer.get("PullSmsSendStatusSet")
            if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
                raise NO_ANSWER.error("a list of another form")
            found += rows
            if len(rows) < PAGE:
                return found
        raise NO_ANSWER.error("more pages than are read")

    def _call(self, action: str, body: bytes, now: datetime) -> Answer:
        call = Call(self._line.host, "sms", now, body)
        headers = {
            "content-type": call.content_type,
            "host": call.host,
            "x-tc-action": action,
            "x-tc-version": VERSION,
            "x-tc-region": self._account.region,
            "x-tc-timestamp": str(call.seconds),
            "authorization": authorization(Key(self._account.key_id, self._account.key_secret), call),
        }
        url = self._line.url.copy_with(raw_path=b"/")
        return exchange(self._line.client, self._line.client.build_request("POST", url, content=body, headers=headers))

    def _told(self, answer: Answer, now: datetime) -> tuple[Mapping[str, Any], int]:
        """What stands in `Response` where it is no error, with the HTTP status; raises the DeliveryError it is otherwise."""
        try:
            whole = answer.json()
        except (ValueError, RecursionError):
            whole = None
        told = whole.get("Response") if isinstance(whole, dict) else None
        error = told.get("Error") if isinstance(told, dict) else None
        code = error.get("Code") if isinstance(error, dict) else None
        if isinstance(code, str):
            found = refused(Refusal(TENCENT, code, now, status=answer.status, times=self._line.throttled))
            self._line.throttled = self._line.throttled + 1 if code.startswith(THROTTLED_CODES) else 0
            raise found
        if not isinstance(told, dict) or answer.status >= 300 or error is not None:
            raise http_meaning(answer.status).error(f"HTTP {answer.status} without a code")
        self._line.throttled = 0
        return told, answer.status


def _json(told: Mapping[str, Any]) -> bytes:
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _whose(row: Item, handed: Sequence[Handed]) -> Handed | None:
    serial, context = str(row.get("SerialNo") or ""), str(row.get("SessionContext") or "")
    return next((one for one in handed if (serial and serial == one.provider_id) or (context and context == one.key)), None)


def _report(item: Item, now: datetime) -> list[Fact]:
    number, at = number_in(item["mobile"], item.get("nationcode")), shanghai_time(item.get("user_receive_time"), now)
    return _told_of((str(item["sid"]), ""), number, at, (str(item["report_status"]), str(item.get("errmsg") or "")))


def _polled(row: Item, handed: Handed) -> list[Fact]:
    at = datetime.fromtimestamp(int(row["UserReceiveTime"]), UTC) if row.get("UserReceiveTime") else handed.now
    words = (str(row.get("ReportStatus")), str(row.get("Description") or ""))
    return _told_of((str(row.get("SerialNo") or ""), handed.key), number_in(handed.to), at, words)


def _told_of(about: tuple[str, str], number: str, at: datetime, words: tuple[str, str]) -> list[Fact]:
    """A report of `about` = (SerialNo, key), with `words` = (status, what the carrier said): its codes are carriers' own."""
    (serial, key), (status, said) = about, words
    known = event_key(TENCENT, serial, status, said)
    if status == "SUCCESS":
        return [Fact(kind="delivered", event_key=known, at=at, key=key, provider_id=serial, to=number, code=said[:80])]
    if status != "FAIL":
        raise ValueError("no status")
    return facts_of_report(TENCENT, Fact(kind="", event_key=known, at=at, key=key, provider_id=serial, to=number, code=said[:80]))


def _reply(item: Item, now: datetime) -> list[Fact]:
    written, time, text = str(item["mobile"]), str(item.get("time") or ""), str(item["text"])
    at = datetime.fromtimestamp(int(time), UTC) if time.isdecimal() else now
    number, fields = number_in(written, item.get("nationcode")), {"extend": str(item.get("extend") or "")}
    return [Fact(kind="replied", event_key=event_key(TENCENT, written, time, text), at=at, to=number, text=text, fields=fields)]
