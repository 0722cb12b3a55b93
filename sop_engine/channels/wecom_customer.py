"""Makes mass messages of WeCom: tasks that a colleague confirms by hand, asked after for every customer."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from sop_engine.channels._wxcrypt import Cipher
from sop_engine.channels.calling import checked_endpoint, open_client
from sop_engine.channels.codes import NO_ANSWER, NO_RELATION
from sop_engine.channels.contract import Capability, Fact, Handed, Message, Receipt, Reply, Request, TokenBox
from sop_engine.channels.wechat_call import Api, Identity, encoded, refused_content, text_of
from sop_engine.channels.wecom_content import content_of
from sop_engine.channels.wecom_events import read_wecom
from sop_engine.core.errors import DeliveryError
from sop_engine.core.wecom import WecomPair

MOST_TOGETHER = 10_000  # customers in one task
NEAR = timedelta(minutes=5)  # a task made so near to a call nobody answered may be that call's
SETTLES = timedelta(minutes=30)
STATUSES: Mapping[int, str] = {1: "delivered", 2: "not_friend", 3: "capped"}
"""What became of one customer's message; 0 waits for the colleague."""

_ROOM = "/cgi-bin/externalcontact/"


@dataclass(frozen=True, slots=True)
class Corp:
    """The account of one corporation's app. `callback`: what verifies the events it pushes."""

    id: str
    secret: str = field(repr=False)
    endpoint: str = "https://qyapi.weixin.qq.com"
    agent_id: int = 0
    callback: Cipher | None = field(default=None, repr=False)
    loopback: bool = False


def wecom_api(corp: Corp, tokens: TokenBox | None) -> tuple[Any, Api]:
    """The connections of an account, and its calls."""
    client = open_client()
    return client, Api(client, checked_endpoint(corp.endpoint, loopback=corp.loopback), Identity("wecom", corp.id, corp.secret), tokens)


class WecomCustomer:
    """The channel `wecom_customer`."""

    kind: ClassVar[str] = "wecom_customer"
    capability: ClassVar[Capability] = Capability(
        ask="sure", settles_after=SETTLES, receipts="poll", batch=MOST_TOGETHER, links="static", staff_confirmed=True
    )

    def __init__(self, corp: Corp, tokens: TokenBox | None) -> None:
        self._corp = corp
        self._client, self._api = wecom_api(corp, tokens)

    def prepare(self, message: Message) -> bytes:
        """The bytes of a task for this customer alone, the same in every repeat; raises DeliveryError."""
        pair = WecomPair.read(message.to)
        return encoded(task_body(message, [pair.customer], pair.staff))

    def send(self, message: Message) -> Receipt:
        """Make a task for one customer; raises DeliveryError."""
        (outcome,) = self.send_many([message])
        if isinstance(outcome, DeliveryError):
            raise outcome
        return outcome

    def send_many(self, messages: Sequence[Message]) -> list[Receipt | DeliveryError]:
        """One task for each step, text and colleague, to the customers of these messages alone; the outcome of each, in order."""
        groups: dict[tuple[Any, ...], list[int]] = {}
        for at, message in enumerate(messages):
            staff = WecomPair.read(message.to).staff
            said = (message.text, message.subject, message.attachments)
            groups.setdefault((message.playbook, message.version, message.step, said, staff), []).append(at)
        outcomes: dict[int, Receipt | DeliveryError] = {}
        for listed in groups.values():
            outcomes.update(zip(listed, self._task([messages[at] for at in listed]), strict=True))
        return [outcomes[at] for at in range(len(messages))]

    def _task(self, group: Sequence[Message]) -> list[Receipt | DeliveryError]:
        try:
            pairs = [WecomPair.read(m.to) for m in group]
            body = task_body(group[0], [p.customer for p in pairs], pairs[0].staff)
            answer = self._api.call(f"{_ROOM}add_msg_template", body, creates=True)
        except DeliveryError as error:
            return [error] * len(group)
        failed, call_id = set(answer.get("fail_list") or ()), text_of(answer.get("msgid"))
        return [_outcome(pair, call_id, failed=pair.customer in failed) for pair in pairs]

    def ask(self, handed: Handed) -> Receipt | None:
        """The receipt of the task that holds this customer and says this text; None when there is none. Raises DeliveryError."""
        pair = WecomPair.read(handed.to)
        times = {"start_time": int((handed.began_at - NEAR).timestamp()), "end_time": int((handed.began_at + NEAR).timestamp())}
        for task in self._pages("get_groupmsg_list_v2", {"chat_type": "single", **times, "filter_type": 0, "limit": 100}, "group_msg_list"):
            said = task.get("text")
            same = isinstance(said, dict) and said.get("content") == handed.text and task.get("creator") in (None, "", pair.staff)
            call_id = text_of(task.get("msgid"))
            if same and call_id and any(row.get("external_userid") == pair.customer for row in self._results(call_id, pair.staff)):
                return _accepted(pair, call_id)
        return None

    def poll(self, handed: Sequence[Handed]) -> Sequence[Fact]:
        """What became of these messages: all pages of every task, each customer by itself. Raises DeliveryError where nothing is known."""
        calls: dict[tuple[str, str], list[tuple[WecomPair, Handed]]] = {}
        for one in handed:
            call_id, pair = read_provider_id(one.provider_id)
            if call_id and pair.staff:
                calls.setdefault((call_id, pair.staff), []).append((pair, one))
        facts: list[Fact] = []
        failed: DeliveryError | None = None
        for (call_id, staff), listed in calls.items():
            try:
                if self._confirmed(call_id, staff):
                    facts += _facts(call_id, listed, self._results(call_id, staff))
            except DeliveryError as error:
                failed = error
        if failed is not None and not facts:
            raise failed
        return facts

    def remind(self, call_id: str) -> None:
        """Have the provider remind whoever has not confirmed the task; raises DeliveryError."""
        self._api.call(f"{_ROOM}remind_groupmsg_send", {"msgid": call_id})

    def cancel(self, call_id: str) -> None:
        """Stop what nobody has confirmed of the task, for all its customers; raises DeliveryError."""
        self._api.call(f"{_ROOM}cancel_groupmsg_send", {"msgid": call_id})

    def tell_staff(self, staff: Sequence[str], text: str) -> None:
        """Send colleagues a note by the app; raises DeliveryError, also when the account names no app."""
        if not self._corp.agent_id:
            raise refused_content("the account has no agent_id")
        body = {"touser": "|".join(staff), "msgtype": "text", "agentid": self._corp.agent_id, "text": {"content": text}}
        self._api.call("/cgi-bin/message/send", {**body, "enable_duplicate_check": 1, "duplicate_check_interval": 1800}, creates=True)

    def parse(self, request: Request) -> Reply:
        """The facts in a verified event; a bare 401 for another request, 404 when the account takes none."""
        return read_wecom(self._corp.callback, request)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _confirmed(self, call_id: str, staff: str) -> bool:
        """Whether this colleague has confirmed the task; a colleague who is not named in it has not."""
        tasks = self._pages("get_groupmsg_task", {"msgid": call_id, "limit": 1000}, "task_list")
        return any(task.get("userid") == staff and task.get("status") not in (0, None) for task in tasks)

    def _results(self, call_id: str, staff: str) -> Iterator[dict[str, Any]]:
        return self._pages("get_groupmsg_send_result", {"msgid": call_id, "userid": staff, "limit": 1000}, "send_list")

    def _pages(self, name: str, body: Mapping[str, Any], listed: str) -> Iterator[dict[str, Any]]:
        cursor = ""
        while True:
            answer = self._api.call(_ROOM + name, {**body, "cursor": cursor})
            yield from (row for row in answer.get(listed) or () if isinstance(row, dict))
            following = text_of(answer.get("next_cursor"))
            if not following or following == cursor:
                return
            cursor = following


def task_body(message: Message, customers: Sequence[str], staff: str) -> dict[str, Any]:
    """The body of a task. Raises DeliveryError without customers or colleague: then it would go to all customers, or from anybody."""
    if not staff or not customers or not all(customers):
        raise refused_content("a mass message needs the customers and the colleague; without them it would go to everybody")
    return {"chat_type": "single", "external_userid": list(dict.fromkeys(customers)), "sender": staff, **content_of(message)}


def read_provider_id(text: str) -> tuple[str, WecomPair]:
    """The task and the pair in a provider's id `task|customer|staff`."""
    call_id, _, rest = text.partition("|")
    customer, _, staff = rest.partition("|")
    return call_id, WecomPair(customer, staff)


def _accepted(pair: WecomPair, call_id: str) -> Receipt:
    return Receipt(f"{call_id}|{pair.customer}|{pair.staff}", "awaiting_staff")


def _outcome(pair: WecomPair, call_id: str, *, failed: bool) -> Receipt | DeliveryError:
    if failed:
        return NO_RELATION.error("the provider left this customer out of the task")
    return _accepted(pair, call_id) if call_id else NO_ANSWER.error("the answer names no task")


def _facts(call_id: str, listed: Sequence[tuple[WecomPair, Handed]], rows: Iterator[dict[str, Any]]) -> Iterator[Fact]:
    by_customer = {row.get("external_userid"): row for row in rows}
    for pair, one in listed:
        row = by_customer.get(pair.customer, {})
        kind = STATUSES.get(row["status"]) if isinstance(row.get("status"), int) else None
        if kind is not None:
            sent_at = row.get("send_time")
            at = datetime.fromtimestamp(sent_at, UTC) if isinstance(sent_at, int) and sent_at > 0 else one.now
            event_key = f"{call_id}|{pair.customer}|{pair.staff}|{kind}"
            yield Fact(kind=kind, event_key=event_key, at=at, key=one.key, provider_id=one.provider_id, touch_id=one.touch_id, to=str(pair))
