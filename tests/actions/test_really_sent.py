"""With SOP_SENDING=live a due touch really reaches a mail server, once; with anything else it stays in the outbox."""

from decimal import Decimal
from email import message_from_bytes, policy

from sqlalchemy import Engine

from sop_engine.actions.apply import Options, apply
from sop_engine.actions.beat import beat
from sop_engine.actions.ingest import record_events
from sop_engine.app import App, adapter_for
from sop_engine.core.records import EventRecord, UserRecord
from sop_engine.language.load import load
from sop_engine.settings import Settings
from sop_engine.store import outbox, touches
from sop_engine.store import users as store_users
from tests.builders import at
from tests.channels.smtp_server import CUT, SmtpServer

FILES = {
    "playbooks/a.yml": """
project: 信
timezone: Asia/Shanghai
purchase: order.amount
activity: order
content_types: [通知]
---
attributes: {邮箱: email}
---
events:
  order: {order_id: text, amount: number}
---
channels:
  邮件: {via: email, to: 邮箱}
---
playbook: 谢谢
intent: serve
no_benefit: 只是道谢
start: {event: order}
goal: {event: order, within: 30d}
steps:
  道谢: {after: 10m, send: 谢谢_邮件}
""",
    "templates/a.md": """---
template: 谢谢_邮件
channel: 邮件
purpose: service
subject: 谢谢
variables: {event.amount: required}
---
谢谢，{{ event.amount | money }} 已收到。
""",
}


def shop(engine: Engine, settings: Settings) -> App:
    """A shop with one thankful playbook, and one order by 老陈 at noon."""
    app = App(engine, settings, load, adapter_for)
    apply(app, FILES, load(FILES), at("2025-03-01 09:00"), Options())
    with app.work(at("2025-03-01 09:00")) as work:
        store_users.add_users(work.tx, work.project, [UserRecord("老陈", at("2025-01-01 09:00"), {"邮箱": "chen@example.com"})], work.now)
    order = EventRecord("m1", "老陈", "order", at("2025-03-01 12:00"), {"order_id": "o1", "amount": Decimal(88)})
    record_events(app, [order], at("2025-03-01 12:00"))
    return app


def live(server: SmtpServer) -> Settings:
    sender = "信 <a@example.org>"
    return Settings.model_construct(sending="live", smtp_host="127.0.0.1", smtp_port=server.port, smtp_tls="none", smtp_from=sender)


def test_a_due_touch_reaches_the_mail_server_once_and_says_what_the_template_says(engine: Engine) -> None:
    with SmtpServer() as server:
        app = shop(engine, live(server))
        for minute in ("12:09", "12:10", "12:11"):
            beat(app, at(f"2025-03-01 {minute}"))
        app.close()
    [mail] = [message_from_bytes(raw, policy=policy.default) for raw in server.mails]
    body = mail.get_body(("plain",))
    assert body is not None
    assert (mail["subject"], mail["to"], body.get_content().strip()) == ("谢谢", "chen@example.com", "谢谢，¥88 已收到。")


def test_a_server_that_is_away_for_a_minute_gets_the_mail_once_it_is_back(engine: Engine) -> None:
    with SmtpServer({"banner": "421 later"}) as server:
        app = shop(engine, live(server))
        beat(app, at("2025-03-01 12:10"))
        assert (server.mails, states(app)) == ([], ["planned"])
        server.script["banner"] = "220 ready"
        beat(app, at("2025-03-01 12:20"))
        app.close()
    assert (len(server.mails), states(app)) == (1, ["sent"])


def test_no_answer_after_the_text_is_unknown_and_never_sent_again(engine: Engine) -> None:
    with SmtpServer({".": CUT}) as server:
        app = shop(engine, live(server))
        for minute in (10, 20, 59):
            beat(app, at(f"2025-03-01 12:{minute}"))
        app.close()
    assert (len(server.mails), states(app)) == (1, ["unknown"])


def test_before_sending_is_live_the_mail_stays_in_the_outbox(engine: Engine) -> None:
    with SmtpServer() as server:
        app = shop(engine, live(server).model_copy(update={"sending": "off"}))
        beat(app, at("2025-03-01 12:30"))
        with app.transaction() as tx:
            kept = [(m.channel, m.text) for m in outbox.list_outbox(tx)]
    assert (server.mails, kept) == ([], [("邮件", "谢谢，¥88 已收到。")])


def states(app: App) -> list[str]:
    with app.transaction() as tx:
        return [t.state for t in touches.list_touches(tx)]
