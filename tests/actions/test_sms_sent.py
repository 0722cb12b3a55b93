"""A day-45 SMS through the whole engine to a provider: one entry in its log, whatever dies between its yes and our note of it."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest
from sqlalchemy import Engine

from sop_engine.actions.apply import Options, apply
from sop_engine.actions.beat import advance, beat
from sop_engine.actions.ingest import record_events
from sop_engine.actions.why import why
from sop_engine.app import App, adapter_for
from sop_engine.channels.aliyun_sms import AliyunSms
from sop_engine.console import pages
from sop_engine.core.records import EventRecord, UserRecord
from sop_engine.settings import Settings
from sop_engine.store import attempts, crash_points, grants, touches
from sop_engine.store import users as store_users
from sop_engine.store.columns import table_of
from sop_engine.store.tables import EventRow
from tests.actions.sms_shop import ALIYUN_FILES, BEGUN, DUE, RECEIPTS, TENCENT_FILES, by_aliyun, by_tencent, loaded
from tests.channels.sms import SHORT
from tests.conftest import sqlite_copy
from tests.fakes.aliyun import Aliyun
from tests.fakes.tencent import Tencent
from tests.receiving import Web

pytestmark = pytest.mark.slow
events_table = table_of(EventRow)


class Died(BaseException):
    """The process is gone."""


@pytest.fixture
def fake() -> Iterator[Aliyun]:
    with Aliyun() as provider:
        provider.templates["SMS_45"] = ["name", "least", "off", "code", "until"]
        yield provider


def opened(engine: Engine, given: Settings) -> App:
    return App(engine, given, lambda texts: loaded(tuple(sorted(texts.items()))), adapter_for, lease_clock=None)


def named(app: App, name: str, now: datetime) -> None:
    with app.work(now) as work:
        store_users.add_users(work.tx, work.project, [UserRecord("u1", BEGUN, {"昵称": name, "手机号": "+8613900001234"})], now)


def prepared(engine: Engine, files: dict[str, str]) -> None:
    """A shop where one person was last seen 45 days before DUE, one moment before it."""
    app = opened(engine, Settings.model_construct())
    apply(app, files, app.load(files), BEGUN, Options())
    named(app, "老陈", BEGUN)
    with app.transaction() as tx:
        grants.add_codes(tx, "BACK", ["CODE0001", "CODE0002"])
    record_events(app, [EventRecord("m1", "u1", "visit", BEGUN, {})], BEGUN)
    advance(app, BEGUN, DUE, inclusive=False)


@pytest.fixture(scope="module")
def shops(migrated_sqlite: sqlite3.Connection) -> Iterator[Callable[[dict[str, str]], sqlite3.Connection]]:
    """The databases of shops, each made once."""
    made: dict[str, sqlite3.Connection] = {}

    def find(files: dict[str, str]) -> sqlite3.Connection:
        text = files["playbooks/a.yml"]
        if text not in made:
            made[text] = sqlite3.connect(":memory:")
            with sqlite_copy(migrated_sqlite) as engine:
                prepared(engine, files)
                raw = engine.raw_connection()
                raw.driver_connection.backup(made[text])
                raw.close()
        return made[text]

    yield find
    for one in made.values():
        one.close()


@pytest.fixture
def at_aliyun(shops: Callable[[dict[str, str]], sqlite3.Connection], fake: Aliyun) -> Iterator[App]:
    with sqlite_copy(shops(ALIYUN_FILES)) as engine:
        app = opened(engine, by_aliyun(fake.url))
        yield app
        app.close()


@pytest.fixture
def at_tencent(shops: Callable[[dict[str, str]], sqlite3.Connection]) -> Iterator[tuple[App, Tencent]]:
    with Tencent() as fake, sqlite_copy(shops(TENCENT_FILES)) as engine:
        fake.templates["1145"] = 5
        app = opened(engine, by_tencent(fake.url))
        yield app, fake
        app.close()


def touch(app: App) -> SimpleNamespace:
    with app.transaction() as tx:
        [one] = touches.list_touches(tx)
        tried = [row.outcome for row in tx.execute(attempts.attempts.select().order_by(attempts.attempts.c.id))]
        codes = [row.code for row in tx.execute(grants.grants.select())]
    return SimpleNamespace(state=one.state, reason=one.reason, provider_id=one.provider_id, attempts=tried, codes=codes, id=one.id)


def impatient(app: App) -> None:
    """Give the adapter connections that do not wait ten seconds for a provider that is silent."""
    with app.transaction() as tx:
        adapter = app.adapter(app.live(tx).project.channels["短信"])
    assert isinstance(adapter, AliyunSms)
    adapter._line.client.timeout = SHORT


def look_for(app: App, begin: float, end: float) -> None:
    """Beats whenever something is due, from and to so many minutes after DUE."""
    advance(app, DUE + timedelta(minutes=begin), DUE + timedelta(minutes=end))


def test_a_day_45_message_is_one_entry_in_the_providers_log_with_every_value_where_it_is_wanted(at_aliyun: App, fake: Aliyun) -> None:
    look_for(at_aliyun, 0, 3)
    [taken], known = fake.log, touch(at_aliyun)
    assert (known.state, known.attempts, known.provider_id) == ("sent", ["accepted"], taken.id)
    assert (taken.to, taken.said["TemplateCode"], taken.said["SignName"]) == ("13900001234", "SMS_45", "某品牌")
    values = {"name": "老陈", "least": "199", "off": "50", "code": known.codes[0], "until": "2025年4月29日"}
    assert json.loads(taken.said["TemplateParam"]) == values


def test_its_reports_become_receipts_once_and_an_answer_of_two_characters_ends_all_sms_to_the_number(at_aliyun: App, fake: Aliyun) -> None:
    look_for(at_aliyun, 0, 3)
    web = Web(pages.build(at_aliyun, lambda: DUE + timedelta(minutes=4)))
    answers = [web.ask("POST", f"/v1/receipts/aliyun_sms/{RECEIPTS}", body=body) for body in fake.pushes()]
    assert {(one.status_code, one.content.decode()) for one in answers} == {(200, '{"code":0,"msg":"接收成功"}')}
    said = {"phone_number": "13900001234", "content": " 退订 ", "send_time": "2025-04-15 10:03:00", "dest_code": "1069", "sequence_id": 7}
    for _ in range(2):
        assert web.ask("POST", f"/v1/receipts/aliyun_sms/{RECEIPTS}/up", body=json.dumps([said]).encode()).status_code == 200
    assert web.ask("POST", f"/v1/receipts/aliyun_sms/{'0' * 32}/up", body=b"[]").status_code == 404
    advance(at_aliyun, DUE + timedelta(minutes=5), DUE + timedelta(days=32))
    record_events(at_aliyun, [EventRecord("m2", "u1", "visit", DUE + timedelta(days=32), {})], DUE + timedelta(days=32))
    advance(at_aliyun, DUE + timedelta(days=32), DUE + timedelta(days=78))
    with at_aliyun.work(DUE + timedelta(days=78)) as work:
        told = [touch for run in why(work, "u1", "沉默45天唤醒").runs for touch in run.touches]
        events = [row.kind for row in work.tx.execute(events_table.select().order_by(events_table.c.id))]
    assert sorted((touch.state, touch.reason or "", *touch.receipts) for touch in told) == [
        ("sent", "", "delivered"),
        ("skipped", "opted_out"),
    ]
    assert (len(fake.log), events.count("delivered"), events.count("unsubscribed"), events.count("replied")) == (1, 1, 1, 0)


def test_a_name_that_no_sms_carries_is_written_as_its_fallback(at_aliyun: App, fake: Aliyun) -> None:
    named(at_aliyun, "小红🌸", DUE)
    look_for(at_aliyun, 0, 1)
    assert json.loads(fake.log[0].said["TemplateParam"])["name"] == "老朋友"


@pytest.mark.parametrize("step", ["accept_then_cut", "accept_then_hang", "accept_then_500", "garbage"])
def test_an_answer_that_is_lost_is_asked_for_and_the_message_never_goes_twice(at_aliyun: App, fake: Aliyun, step: str) -> None:
    if step == "accept_then_hang":
        impatient(at_aliyun)
    fake.delay = timedelta(minutes=12)  # it is not listed at once
    fake.play(step)
    beat(at_aliyun, DUE)
    assert touch(at_aliyun).state == "unknown"
    look_for(at_aliyun, 1, 40)
    known = touch(at_aliyun)
    assert (known.state, known.attempts, len(fake.log)) == ("sent", ["accepted"], 1)


def test_a_process_that_dies_between_the_providers_yes_and_its_note_leaves_one_message(
    at_aliyun: App, fake: Aliyun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(point: str) -> None:
        if point == "after_call":
            raise Died

    with monkeypatch.context() as patch, pytest.raises(Died):
        patch.setattr(crash_points, "hook", die)
        beat(at_aliyun, DUE)
    assert (touch(at_aliyun).state, len(fake.log)) == ("sending", 1)
    another = opened(at_aliyun.engine, by_aliyun(fake.url))
    for minute in range(1, 8):
        beat(another, DUE + timedelta(minutes=minute))
    another.close()
    known = touch(another)
    assert (known.state, known.attempts, len(fake.log)) == ("sent", ["accepted"], 1)
    assert "QuerySendDetails" in {call.headers["x-acs-action"] for call in fake.calls}


def test_what_the_provider_never_took_is_sent_again_after_half_an_hour_and_once(at_aliyun: App, fake: Aliyun) -> None:
    fake.play("html_200")  # no answer of the provider, and nothing was taken
    look_for(at_aliyun, 0, 29)
    assert (touch(at_aliyun).state, fake.log) == ("unknown", [])
    look_for(at_aliyun, 29, 40)
    known = touch(at_aliyun)
    assert (known.state, known.attempts, len(fake.log)) == ("sent", ["not_accepted", "accepted"], 1)


def test_an_unapproved_template_waits_and_goes_once_it_is_approved(at_aliyun: App, fake: Aliyun) -> None:
    names = fake.templates.pop("SMS_45")
    look_for(at_aliyun, 0, 20)
    assert (touch(at_aliyun).state, fake.log) == ("planned", [])
    fake.templates["SMS_45"] = names
    look_for(at_aliyun, 20, 40)
    assert (touch(at_aliyun).state, len(fake.log)) == ("sent", 1)


def test_at_tencent_the_same_values_go_in_their_order(at_tencent: tuple[App, Tencent]) -> None:
    app, fake = at_tencent
    look_for(app, 0, 2)
    [taken], known = fake.log, touch(app)
    assert (known.state, known.provider_id, taken.to) == ("sent", taken.id, "+8613900001234")
    assert taken.said["TemplateParamSet"] == ["老陈", "199", "50", known.codes[0], "2025年4月29日"]
    assert taken.said["SessionContext"] == taken.key


def test_at_tencent_a_lost_answer_is_found_once_carriers_report_it(at_tencent: tuple[App, Tencent]) -> None:
    app, fake = at_tencent
    fake.play("accept_then_cut")
    look_for(app, 0, 8)
    assert touch(app).state == "unknown"
    fake.shows_context = True
    look_for(app, 8, 29)
    assert (touch(app).state, len(fake.log)) == ("sent", 1)


def test_at_tencent_absence_proves_nothing_and_never_sends_again(at_tencent: tuple[App, Tencent]) -> None:
    app, fake = at_tencent
    fake.play("accept_then_cut")
    look_for(app, 0, 60)
    assert (touch(app).state, touch(app).reason, len(fake.log)) == ("failed", "outcome_unknown", 1)
