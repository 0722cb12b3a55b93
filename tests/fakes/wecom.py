"""WeCom as far as the engine speaks to it: tokens, tasks that colleagues confirm, welcome codes, and encrypted callbacks."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sop_engine.channels._wxcrypt import Cipher
from sop_engine.channels.contract import Request
from tests.fakes.wechat_server import Call, Json, WechatServer

TOKEN, AES_KEY = "testtoken", "4Ma3YBrSBbX2aez8MJpXGBne5LSDwgGqHbhM9WPYIws"
ROOM = "/cgi-bin/externalcontact/"


@dataclass
class Task:
    """A mass message as WeCom keeps it; `statuses` by customer."""

    staff: str
    text: str
    made_at: int
    statuses: dict[str, int] = field(default_factory=dict)
    sent_at: int = 0
    cancelled: bool = False


class FakeWecom(WechatServer):
    """`now` is its clock; `strangers`: customers nobody is connected to; `cap`: mass messages a customer may get in all."""

    def __init__(self, now: datetime) -> None:
        super().__init__()
        self.now, self.cap, self.page = now, 1_000_000, 1000
        self.strangers: set[str] = set()
        self.tasks: dict[str, Task] = {}
        self.reached: Counter[str] = Counter()
        self.busy_reads: list[int] = []  # codes the next reads are refused with
        self.codes: dict[str, datetime] = {}  # welcome codes: when they were given
        self.greeted: list[str] = []

    def respond(self, call: Call) -> Any:
        """The answer to one call."""
        if call.path == "/cgi-bin/gettoken":
            known = (call.method, call.query.get("corpid")) == ("GET", self.id)
            return self.new_token(call.query["corpsecret"]) if known else {"errcode": 40013, "errmsg": "invalid corpid"}
        refused = self.refused(call, 42001)
        if refused:
            return refused
        return getattr(self, f"on_{call.path.rpartition('/')[2]}")(call.body)

    # what the calls do

    def on_add_msg_template(self, body: Json) -> Any:
        """Make a task for the customers named. Without `sender` or customers the real one reaches everybody: this one refuses."""
        customers, staff = body.get("external_userid"), body.get("sender")
        if not customers or not staff or body.get("chat_type") != "single" or len(customers) > 10_000:
            return {"errcode": 40063, "errmsg": "some parameters are empty"}
        if len(body.get("text", {}).get("content", "").encode()) > 4000:
            return {"errcode": 41065, "errmsg": "too long"}
        return self.scripted(lambda: self._made(customers, staff, body))

    def _made(self, customers: list[str], staff: str, body: Json) -> Json:
        name = f"msg{len(self.tasks) + 1}"
        failed = [c for c in customers if c in self.strangers]
        task = Task(staff, body.get("text", {}).get("content", ""), int(self.now.timestamp()), {c: 0 for c in customers if c not in failed})
        self.tasks[name] = task
        return {"errcode": 0, "errmsg": "ok", "fail_list": failed, "msgid": name}

    def on_get_groupmsg_task(self, body: Json) -> Any:
        """Who has confirmed a task."""
        if self.busy_reads:
            return {"errcode": self.busy_reads.pop(0), "errmsg": "being dispatched"}
        task = self.tasks[body["msgid"]]
        return self._paged("task_list", [{"userid": task.staff, "status": 2 if task.sent_at else 0}], body)

    def on_get_groupmsg_send_result(self, body: Json) -> Any:
        """What became of every customer."""
        task = self.tasks[body["msgid"]]
        at = {"send_time": task.sent_at} if task.sent_at else {}
        rows = [{"external_userid": c, "userid": task.staff, "status": s, **at} for c, s in task.statuses.items()]
        return self._paged("send_list", rows if body["userid"] == task.staff else [], body)

    def on_get_groupmsg_list_v2(self, body: Json) -> Any:
        """Tasks made between two times."""
        made = {n: t for n, t in self.tasks.items() if body["start_time"] <= t.made_at <= body["end_time"]}
        rows = [{"msgid": n, "creator": t.staff, "create_time": t.made_at, "text": {"content": t.text}} for n, t in made.items()]
        return self._paged("group_msg_list", rows, body)

    def on_remind_groupmsg_send(self, _body: Json) -> Json:
        """Remind whoever has not confirmed."""
        return {"errcode": 0, "errmsg": "ok"}

    def on_cancel_groupmsg_send(self, body: Json) -> Any:
        """Stop what is not confirmed."""
        return self.scripted(lambda: self._cancelled(self.tasks[body["msgid"]]))

    def _cancelled(self, task: Task) -> Json:
        task.cancelled = True
        return {"errcode": 0, "errmsg": "ok"}

    def on_send_welcome_msg(self, body: Json) -> Any:
        """Greet a new customer, once, within 20 s."""
        given = self.codes.get(body["welcome_code"])
        if given is None or (self.now - given).total_seconds() > 20:
            return {"errcode": 41050, "errmsg": "expired"}
        if body["welcome_code"] in self.greeted:
            return {"errcode": 41051, "errmsg": "greeted already"}
        return self.scripted(lambda: self._greeted(body["welcome_code"]))

    def _greeted(self, code: str) -> Json:
        self.greeted.append(code)
        return {"errcode": 0, "errmsg": "ok"}

    def on_send(self, _body: Json) -> Json:
        """A note to colleagues."""
        return {"errcode": 0, "errmsg": "ok", "msgid": "note1"}

    def _paged(self, listed: str, rows: list[Json], body: Json) -> Json:
        first, size = int(body.get("cursor") or 0), min(self.page, body["limit"])
        more = {"next_cursor": str(first + size)} if first + size < len(rows) else {"next_cursor": ""}
        return {"errcode": 0, "errmsg": "ok", listed: rows[first : first + size], **more}

    # what people do

    def confirm(self, call_id: str) -> None:
        """The colleague confirms a task: whoever may still get a message gets it."""
        task = self.tasks[call_id]
        if task.cancelled:
            return
        task.sent_at = int(self.now.timestamp())
        for customer in task.statuses:
            self.reached[customer] += 1
            task.statuses[customer] = 2 if customer in self.strangers else 3 if self.reached[customer] > self.cap else 1


def pushed(cipher: Cipher, now: datetime, message: str, *, times: tuple[str, str] = ("1735787045", "nonce1")) -> Request:
    """An event as it is pushed, encrypted and signed."""
    sealed = cipher.encrypt(message.encode(), b"0123456789abcdef")
    query = {"msg_signature": cipher.signature(*times, sealed), "timestamp": times[0], "nonce": times[1]}
    body = f"<xml><ToUserName><![CDATA[x]]></ToUserName><AgentID>1</AgentID><Encrypt><![CDATA[{sealed}]]></Encrypt></xml>"
    return Request(method="POST", now=now, query=query, body=body.encode())


def change(kind: str, customer: str, staff: str, at: datetime, **more: str) -> str:
    """The text of a change of an external contact."""
    rest = "".join(f"<{k}><![CDATA[{v}]]></{k}>" for k, v in more.items())
    return (
        "<xml><ToUserName><![CDATA[ww]]></ToUserName><FromUserName><![CDATA[sys]]></FromUserName>"
        f"<CreateTime>{int(at.timestamp())}</CreateTime><MsgType><![CDATA[event]]></MsgType><Event><![CDATA[change_external_contact]]></Event>"
        f"<ChangeType><![CDATA[{kind}]]></ChangeType><UserID><![CDATA[{staff}]]></UserID>"
        f"<ExternalUserID><![CDATA[{customer}]]></ExternalUserID>{rest}</xml>"
    )
