"""Holds the mass messages of WeCom to its rules, against a server that keeps them as WeCom does."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sop_engine.channels.codes_wechat import CODES, wechat_meaning
from sop_engine.channels.contract import Handed, Message, Receipt, call
from sop_engine.channels.wecom_customer import Corp, WecomCustomer, task_body
from sop_engine.core.errors import DeliveryError, Refused
from tests.fakes.wechat_server import Box
from tests.fakes.wecom import FakeWecom

NOW = datetime(2025, 3, 1, 2, 0, tzinfo=UTC)
MESSAGE = Message(key="k1", now=NOW, to="wm1@zhangsan", text="老朋友，回来看看", playbook="唤醒", version="1", step="群发")


@pytest.fixture(scope="module")
def server() -> Iterator[FakeWecom]:
    with FakeWecom(NOW) as running:
        yield running


@pytest.fixture
def fake(server: FakeWecom) -> FakeWecom:
    server.log, server.script, server.tokens, server.fetched = [], [], {}, 0
    server.now, server.cap, server.page, server.strangers, server.tasks, server.busy_reads = NOW, 10**6, 1000, set(), {}, []
    server.reached.clear()
    return server


def corp(fake: FakeWecom, **change: Any) -> Corp:
    return replace(Corp(fake.id, fake.secret, fake.url, loopback=True), **change)


@pytest.fixture(scope="module")
def opened(server: FakeWecom) -> Iterator[tuple[WecomCustomer, Box]]:
    """Opened once: reading the trusted certificates takes longer than a test."""
    box = Box()
    channel = WecomCustomer(corp(server), box)
    yield channel, box
    channel.close()


@pytest.fixture
def channel(fake: FakeWecom, opened: tuple[WecomCustomer, Box]) -> WecomCustomer:
    opened[1].kept.clear()
    return opened[0]


def to(customer: str, staff: str = "zhangsan", **change: Any) -> Message:
    return replace(MESSAGE, key=f"k-{customer}-{staff}", to=f"{customer}@{staff}", **change)


def handed(*receipts: Receipt | DeliveryError) -> list[Handed]:
    found = [r.provider_id for r in receipts if isinstance(r, Receipt)]
    return [Handed(key=f"k{n}", began_at=NOW, now=NOW, provider_id=one, touch_id=n) for n, one in enumerate(found, 1)]


def outcome(answer: Receipt | DeliveryError) -> str:
    return answer.provider_id if isinstance(answer, Receipt) else f"{answer.kind}:{answer.reason}"


def test_a_task_names_its_customers_and_its_colleague_and_waits_for_the_colleague(fake: FakeWecom, channel: WecomCustomer) -> None:
    assert channel.send(MESSAGE) == Receipt("msg1|wm1|zhangsan", "awaiting_staff")
    assert fake.bodies("add_msg_template") == [
        {"chat_type": "single", "external_userid": ["wm1"], "sender": "zhangsan", "text": {"content": "老朋友，回来看看"}}
    ]


@pytest.mark.parametrize(("customers", "staff"), [([], "zhangsan"), (["wm1"], ""), ([""], "zhangsan"), (["wm1", ""], "zhangsan")])
def test_without_customers_or_colleague_no_task_is_made(customers: list[str], staff: str) -> None:
    with pytest.raises(DeliveryError) as caught:
        task_body(MESSAGE, customers, staff)
    assert (caught.value.kind, caught.value.reason) == ("permanent", "content")


def test_defect_3_one_call_for_each_step_text_and_colleague_to_those_who_are_due_for_it(fake: FakeWecom, channel: WecomCustomer) -> None:
    messages = [
        to("wm1"),
        to("wm2", text="另一段"),
        to("wm3"),
        to("wm4", staff="lisi"),
        to("wm5", step="再发"),
        to("wm6", text="另一段"),
        to("wm7", playbook="别的"),
    ]
    answers = [outcome(a) for a in call(channel, messages)]
    made = {(t.text, t.staff, tuple(t.statuses)) for t in fake.tasks.values()}
    assert made == {
        (MESSAGE.text, "zhangsan", ("wm1", "wm3")),
        ("另一段", "zhangsan", ("wm2", "wm6")),
        (MESSAGE.text, "lisi", ("wm4",)),
        (MESSAGE.text, "zhangsan", ("wm5",)),
        (MESSAGE.text, "zhangsan", ("wm7",)),
    }
    assert [a.split("|", 1)[1] for a in answers] == [m.to.replace("@", "|") for m in messages]


def test_customers_the_provider_leaves_out_are_no_relation_and_the_others_are_accepted(fake: FakeWecom, channel: WecomCustomer) -> None:
    fake.strangers = {"wm2"}
    answers = call(channel, [to("wm1"), to("wm2"), to("wm3")])
    assert [outcome(a) for a in answers] == ["msg1|wm1|zhangsan", "user_unreachable:no_relation", "msg1|wm3|zhangsan"]


def test_defect_4_every_customer_has_a_status_of_their_own_on_all_pages(fake: FakeWecom, channel: WecomCustomer) -> None:
    fake.page, fake.cap = 2, 1
    first = handed(*call(channel, [to("wm4")]))
    fake.confirm("msg1")
    answers = call(channel, [to(f"wm{n}", text="第二条") for n in range(1, 8)])
    waiting = handed(*answers)
    fake.page = 2
    assert list(channel.poll(waiting)) == []  # nobody has confirmed
    fake.strangers = {"wm6"}
    fake.confirm("msg2")
    fake.tasks["msg2"].statuses["wm7"] = 0  # still being delivered
    facts = {f.to: f.kind for f in channel.poll(waiting)}
    assert facts == {
        "wm1@zhangsan": "delivered",
        "wm2@zhangsan": "delivered",
        "wm3@zhangsan": "delivered",
        "wm4@zhangsan": "capped",
        "wm5@zhangsan": "delivered",
        "wm6@zhangsan": "not_friend",
    }
    assert [f.kind for f in channel.poll(first)] == ["delivered"]
    results = [b for b in fake.bodies("get_groupmsg_send_result") if b["msgid"] == "msg2"]
    assert [b["cursor"] for b in results] == ["", "2", "4", "6"]


def test_the_same_facts_have_the_same_key_however_often_they_are_fetched(fake: FakeWecom, channel: WecomCustomer) -> None:
    waiting = handed(*call(channel, [to("wm1"), to("wm2")]))
    fake.confirm("msg1")
    first, second = channel.poll(waiting), channel.poll(waiting)
    assert [f.event_key for f in first] == [f.event_key for f in second]
    assert len({f.event_key for f in first}) == 2
    assert [(f.key, f.touch_id, f.at) for f in first] == [("k1", 1, NOW), ("k2", 2, NOW)]


def test_a_task_that_is_being_dispatched_is_asked_for_later(fake: FakeWecom, channel: WecomCustomer) -> None:
    waiting = handed(*call(channel, [to("wm1")]))
    fake.confirm("msg1")
    fake.busy_reads = [41063]
    with pytest.raises(DeliveryError) as caught:
        channel.poll(waiting)
    assert (caught.value.kind, caught.value.retry_after_s) == ("retry_after", 5)
    assert [f.kind for f in channel.poll(waiting)] == ["delivered"]


def test_one_task_that_cannot_be_read_does_not_hide_the_others(fake: FakeWecom, channel: WecomCustomer) -> None:
    waiting = handed(*call(channel, [to("wm1"), to("wm2", text="另一段")]))
    fake.confirm("msg1")
    fake.confirm("msg2")
    fake.busy_reads = [45009]
    assert [f.to for f in channel.poll(waiting)] == ["wm2@zhangsan"]


def test_a_task_whose_answer_was_lost_is_found_by_text_time_and_customer(fake: FakeWecom, channel: WecomCustomer) -> None:
    fake.script = ["accept_then_cut"]
    with pytest.raises(DeliveryError) as caught:
        channel.send(MESSAGE)
    assert caught.value.kind == "unknown"
    lost = Handed(key="k1", began_at=NOW, now=NOW + timedelta(minutes=6), to=MESSAGE.to, text=MESSAGE.text)
    assert channel.ask(lost) == Receipt("msg1|wm1|zhangsan", "awaiting_staff")
    assert channel.ask(replace(lost, text="别的")) is None
    assert channel.ask(replace(lost, to="wm2@zhangsan")) is None  # the same text went to others
    assert channel.ask(replace(lost, to="wm1@lisi")) is None
    assert channel.ask(replace(lost, began_at=NOW - timedelta(minutes=11))) is None


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("accept_then_cut", "unknown:no_answer"),
        ("cut_before", "unknown:no_answer"),
        ("accept_then_500", "unknown:no_answer"),
        ("garbage", "unknown:no_answer"),
        ("html_200", "unknown:no_answer"),
        (-1, "unknown:no_answer"),
        (6000, "unknown:no_answer"),
        (99999, "unknown:no_answer"),
        (45009, "retry_after:throttled"),
        (60020, "retry_after:configuration"),
        (41065, "permanent:content"),
        (40096, "user_unreachable:bad_address"),
        (84061, "user_unreachable:no_relation"),
        (84084, "user_unreachable:no_relation"),
    ],
)
def test_every_misbehaviour_has_its_class_and_is_called_once(
    fake: FakeWecom, channel: WecomCustomer, entry: str | int, expected: str
) -> None:
    fake.script = [entry]
    assert [outcome(a) for a in call(channel, [to("wm1"), to("wm2")])] == [expected] * 2
    assert len(fake.bodies("add_msg_template")) == 1


def test_defect_17_codes_are_numbers_in_typed_tables_so_a_dead_token_is_replaced(fake: FakeWecom, channel: WecomCustomer) -> None:
    assert all(isinstance(code, int) for _, code in CODES)
    channel.send(MESSAGE)
    fake.kill_tokens()
    assert channel.send(to("wm2")).provider_id == "msg2|wm2|zhangsan"
    assert fake.fetched == 2


def test_defect_18_a_token_that_is_refused_again_is_fetched_once_and_no_more(fake: FakeWecom, channel: WecomCustomer) -> None:
    fake.script = [42001] * 9
    with pytest.raises(DeliveryError) as caught:
        channel.send(MESSAGE)
    assert (caught.value.kind, caught.value.reason) == ("retry_after", "configuration")
    assert len(fake.bodies("add_msg_template")) == 2
    assert fake.fetched == 2


def test_defect_19_two_apps_of_one_corporation_have_two_tokens(fake: FakeWecom) -> None:
    box = Box()
    one, other = WecomCustomer(corp(fake), box), WecomCustomer(corp(fake, secret="another"), box)
    one.send(MESSAGE)
    other.send(to("wm2"))
    one.send(to("wm3"))
    assert (fake.fetched, len(box.kept)) == (2, 2)
    assert not any(fake.secret in name for name in box.kept)
    one.close()
    other.close()


def test_neither_secret_nor_token_nor_customer_stands_in_an_error(fake: FakeWecom, channel: WecomCustomer) -> None:
    for entry in ("accept_then_cut", "html_200", 41065, 42001):
        fake.script = [entry] * 2
        with pytest.raises(DeliveryError) as caught:
            channel.send(MESSAGE)
        chain: BaseException | None = caught.value
        while chain is not None:
            assert not any(word in str(chain) for word in (fake.secret, "TOKEN", "wm1")), chain
            chain = chain.__cause__


def test_a_wrong_secret_is_a_configuration_for_a_person(fake: FakeWecom) -> None:
    channel = WecomCustomer(corp(fake, id="ww-other"), Box())
    assert [outcome(a) for a in call(channel, [MESSAGE])] == ["retry_after:configuration"]
    channel.close()


def test_a_text_beyond_the_limit_never_leaves(fake: FakeWecom, channel: WecomCustomer) -> None:
    answers = call(channel, [to("wm1", text="字" * 1334), to("wm2", text="字" * 1333)])
    assert [outcome(a) for a in answers] == ["permanent:content", "msg1|wm2|zhangsan"]


def test_images_and_links_go_with_the_text(fake: FakeWecom, channel: WecomCustomer) -> None:
    channel.send(replace(MESSAGE, text="", subject="新品", attachments=(("image", "https://x/1.png"), ("link", "https://x/2"))))
    [body] = fake.bodies("add_msg_template")
    assert "text" not in body
    assert body["attachments"] == [
        {"msgtype": "image", "image": {"pic_url": "https://x/1.png"}},
        {"msgtype": "link", "link": {"title": "新品", "url": "https://x/2"}},
    ]


def test_colleagues_are_told_by_the_app_if_the_account_has_one(fake: FakeWecom, channel: WecomCustomer) -> None:
    with pytest.raises(DeliveryError, match="agent_id"):
        channel.tell_staff(["zhangsan"], "x")
    app = WecomCustomer(corp(fake, agent_id=7), Box())
    app.tell_staff(["zhangsan", "lisi"], "有 3 条群发待确认")
    app.close()
    [body] = fake.bodies("/message/send")
    assert (body["touser"], body["agentid"], body["enable_duplicate_check"]) == ("zhangsan|lisi", 7, 1)


def test_a_number_means_something_else_to_each_provider() -> None:
    assert wechat_meaning("wecom", 48002, creates=True).reason == "configuration"
    assert wechat_meaning("oa", 48002, creates=True).reason == "blocked"
    assert wechat_meaning("wecom_welcome", 60020, creates=True).reason == "configuration"


@pytest.mark.parametrize("endpoint", ["http://qyapi.weixin.qq.com", "ftp://x", "https://u:p@x"])
def test_an_endpoint_that_is_not_https_is_refused(endpoint: str) -> None:
    with pytest.raises(Refused):
        WecomCustomer(Corp("ww", "s", endpoint), Box())
