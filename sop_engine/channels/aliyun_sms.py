"""Speaks to Aliyun's SMS (dysmsapi): one message a call, our key as OutId, by which the provider can be asked."""

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

import httpx

from sop_engine.channels.calling import Answer, exchange
from sop_engine.channels.cloud_key import Key
from sop_engine.channels.codes import NO_ANSWER, http_meaning
from sop_engine.channels.codes_sms import ALIYUN, SHANGHAI, Refusal, refused
from sop_engine.channels.contract import Capability, Fact, Handed, Message, Receipt, Reply, Request
from sop_engine.channels.sign_aliyun import Call, canonical_query, signed_headers
from sop_engine.channels.sms import (
    MAINLAND,
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
from sop_engine.core.errors import DeliveryError
from sop_engine.core.sms import LONGEST_VARIABLE

VERSION = "2017-05-25"
PAGE = 50
MOST_PAGES = 20  # a number with more messages on one day is none of a customer's
ASKED_BACK = timedelta(days=30)
LATE_AT_MIDNIGHT = timedelta(minutes=5)  # a call begun before midnight may have been taken after it
ACKNOWLEDGED = '{"code":0,"msg":"接收成功"}'.encode()
FAILED, DELIVERED = "2", "3"  # SendStatus; 1 waits for the carrier


class AliyunSms:
    """SMS through Aliyun. `client` replaces the connections in tests."""

    kind: ClassVar[str] = ALIYUN
    # How soon a message is listed is written nowhere: it has to be missing at 10 minutes and still at 30 before it is sent again.
    capability: ClassVar[Capability] = Capability(
        ask="sure", receipts="both", links="static", needs_template=True, settles_after=timedelta(minutes=30)
    )

    def __init__(self, account: Account, *, client: httpx.Client | None = None) -> None:
        self._account, self._line = account, Line(account, client)

    def prepare(self, message: Message) -> bytes:
        """The query of one message, the same in every repeat: without date, nonce and signature. Raises DeliveryError."""
        number, values = checked(message, self._account.sign, longest=LONGEST_VARIABLE)
        told = {
            "OutId": message.key,
            "PhoneNumbers": _plain(number),
            "SignName": self._account.sign,
            "TemplateCode": message.provider_template,
        }
        if values:
            told["TemplateParam"] = json.dumps(dict(values), ensure_ascii=False, separators=(",", ":"))
        return canonical_query(told).encode("ascii")

    def send(self, message: Message) -> Receipt:
        """Hand over one message; raises DeliveryError. Never repeated: the provider does not know a key again."""
        answer = self._call("SendSms", self.prepare(message).decode("ascii"), message.now)
        told = self._told(answer, message.now)
        return Receipt(str(told.get("BizId", ""))[:100], "accepted")

    def ask(self, handed: Handed) -> Receipt | None:
        """Whether a message with this key is listed for its number; None when it is not. Raises DeliveryError when it cannot tell."""
        for day in _days(handed):
            for row in self._listed(handed.to, day, handed.now):
                if str(row.get("OutId", "")) == handed.key:
                    return Receipt("", "delivered" if str(row.get("SendStatus")) == DELIVERED else "accepted")
        return None

    def poll(self, handed: Sequence[Handed]) -> list[Fact]:
        """What has become of these messages, as the pushed reports would say it; raises DeliveryError."""
        asked: dict[tuple[str, str], list[Handed]] = {}
        for one in handed:
            for day in _days(one) if one.to and one.now - one.began_at < ASKED_BACK else ():
                asked.setdefault((one.to, day), []).append(one)
        facts = []
        for (number, day), mine in asked.items():
            by_key = {one.key: one for one in mine}
            for row in self._listed(number, day, mine[0].now):
                whose = by_key.get(str(row.get("OutId", "")))
                if whose is not None and str(row.get("SendStatus")) in (FAILED, DELIVERED):
                    facts += _polled(row, whose)
        return facts

    def parse(self, request: Request) -> Reply:
        """The reports or replies in a request to our own address; a bare 404 for every other one."""
        replies = knows(request, self._account.receipts_secret, "up")
        if replies is None:
            return NOT_FOUND
        return read_items(request, ACKNOWLEDGED, _reply if replies else _report, ALIYUN)

    def close(self) -> None:
        """Close the connections."""
        self._line.client.close()

    def _listed(self, number: str, day: str, now: datetime) -> Iterator[Item]:
        """Every message to a number on a day of Shanghai, page by page."""
        for page in range(1, MOST_PAGES + 1):
            told = {"CurrentPage": str(page), "PageSize": str(PAGE), "PhoneNumber": _plain(asked_number(number)), "SendDate": day}
            found = self._told(self._call("QuerySendDetails", canonical_query(told), now), now)
            try:
                rows = found["SmsSendDetailDTOs"]["SmsSendDetailDTO"]
                yield from rows
                total = int(found["TotalCount"])
            except (KeyError, TypeError, ValueError) as error:
                raise NO_ANSWER.error("a list of another form") from error
            if page * PAGE >= total:
                return
        raise NO_ANSWER.error("more pages than are read")

    def _call(self, action: str, query: str, now: datetime) -> Answer:
        call = Call(self._line.host, action, VERSION, now, secrets.token_hex(16), query)
        headers = signed_headers(Key(self._account.key_id, self._account.key_secret), call)
        url = self._line.url.copy_with(raw_path=b"/?" + query.encode("ascii"))
        return exchange(self._line.client, self._line.client.build_request("POST", url, content=b"", headers=headers))

    def _told(self, answer: Answer, now: datetime) -> Mapping[str, Any]:
        """The answer where it is success; raises the DeliveryError it is otherwise."""
        try:
            told = answer.json()
        except (ValueError, RecursionError):
            told = None
        code = told.get("Code") if isinstance(told, dict) else None
        if not isinstance(told, dict) or not isinstance(code, str):
            raise http_meaning(answer.status).error(f"HTTP {answer.status} without a code")
        if code == "OK" and answer.status < 300:
            self._line.throttled = 0
            return told
        raise self._refused(code, str(told.get("Message", "")), answer.status, now)

    def _refused(self, code: str, text: str, status: int, now: datetime) -> DeliveryError:
        error = refused(Refusal(ALIYUN, code, now, text, status, self._line.throttled))
        self._line.throttled = self._line.throttled + 1 if code.startswith("Throttling") else 0
        return error


def _plain(number: str) -> str:
    """A number as the provider writes it: of the mainland without prefix, of elsewhere without the plus."""
    return number.removeprefix(MAINLAND).removeprefix("+")


def _days(handed: Handed) -> list[str]:
    """The days of Shanghai on which a message may be listed: that of the call, and the next where it was begun just before midnight."""
    moments = (handed.began_at, handed.began_at + LATE_AT_MIDNIGHT)
    return list(dict.fromkeys(f"{moment.astimezone(SHANGHAI):%Y%m%d}" for moment in moments))


def _report(item: Item, now: datetime) -> list[Fact]:
    number, code = number_in(item["phone_number"]), "DELIVERED" if item.get("success") is True else str(item["err_code"])
    about = (shanghai_time(item.get("report_time"), now), str(item.get("out_id") or ""))
    return facts_of_report(ALIYUN, _fact(str(item.get("biz_id") or ""), number, code, about))


def _polled(row: Item, handed: Handed) -> list[Fact]:
    number, code = number_in(handed.to), "DELIVERED" if str(row["SendStatus"]) == DELIVERED else str(row.get("ErrCode") or "UNKNOWN")
    at = shanghai_time(row.get("ReceiveDate") or row.get("SendDate"), handed.now)
    return facts_of_report(ALIYUN, _fact(handed.provider_id, number, code, (at, handed.key)))


def _fact(biz_id: str, number: str, code: str, about: tuple[datetime, str]) -> Fact:
    at, key = about
    known = event_key(ALIYUN, biz_id, number, code)
    return Fact(kind="", event_key=known, at=at, key=key, provider_id=biz_id, to=number, code=code[:80])


def _reply(item: Item, now: datetime) -> list[Fact]:
    number, known = number_in(item["phone_number"]), event_key(ALIYUN, "up", str(item["sequence_id"]))
    at = shanghai_time(item.get("send_time"), now)
    fields = {"dest_code": str(item.get("dest_code") or "")}
    return [Fact(kind="replied", event_key=known, at=at, to=number, text=str(item["content"]), fields=fields)]
