"""F48, F49: a template that fails for some, an audience mistake that selects everybody, and other floods stop by themselves."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine, insert

from sop_engine.actions import stopping
from sop_engine.actions.intend import intend
from sop_engine.actions.watch import watch
from sop_engine.channels.contract import Receipt
from sop_engine.core.errors import DeliveryError
from sop_engine.store import queue, sends
from tests.shop import Shop, keys
from tests.shop_project import BENEFIT, TEXTS, Scripted, text

FLOW = "playbook: g\nintent: cultivate\nstart: {event: cart}\ngoal: buys\nagain: always\nsteps:\n  hi: {after: 1h, send: hello}\n"
LONG = "x" * 70_000  # longer than any text may be


def history(shop: Shop, per_day: int, days: int, *, hour: int = 11, flow: str = "g") -> None:
    """So many sends on each of the days before, in one hour."""
    begin = shop.at(f"2025-03-20 {hour}:00")
    rows = [{"flow": flow, "step": "hi", "channel": "sms", "slot": begin - timedelta(days=n), "sends": per_day} for n in range(1, days + 1)]
    with shop.app.transaction() as tx:
        tx.execute(insert(sends.counts), rows)


def wave(shop: Shop, users: int, prefix: str = "u", event: str = "cart") -> None:
    """So many users do it at 10:00 and are due at 11:00."""
    shop.jump("2025-03-20 10:00")
    for key in keys(users, prefix):
        shop.user(key)
        shop.event(key, event)
    shop.until("2025-03-20 11:00")


def stopped(shop: Shop) -> list[tuple[str, str]]:
    with shop.app.work(shop.now) as work:
        return [(s.scope, s.by) for s in stopping.list_stops(work)]


def found(shop: Shop) -> list[str]:
    return [f.key for f in watch(shop.app, shop.now)]


def test_f49_an_audience_mistake_is_stopped_at_the_ceiling_and_resuming_raises_it_for_the_day(engine: Engine) -> None:
    shop = Shop(engine, FLOW, start="2025-03-20 09:00")
    history(shop, 4, 14)
    wave(shop, 57)  # at most 56
    done = watch(shop.app, shop.now)
    assert [f.key for f in done] == ["volume:g:hi", "surge:g"]
    assert done[0].why == "'hi' of 'g' was sent 57 times today, and at most 56 were expected (the most on a day of the last 14: 4)"
    assert stopped(shop) == [("playbook:g", "sop")]
    assert found(shop) == []
    with shop.app.work(shop.now) as work:
        stopping.resume(work, "playbook:g", by="wang", why="it is the fair")
    assert found(shop) == []
    shop.jump("2025-03-21 00:01")
    assert found(shop) == []  # a new day begins at nothing


def test_an_ordinary_day_stops_nothing(engine: Engine) -> None:
    shop = Shop(engine, FLOW, start="2025-03-20 09:00")
    history(shop, 40, 14)
    wave(shop, 56)
    assert found(shop) == []


def test_a_step_without_days_before_is_measured_by_the_starts_of_its_flow(engine: Engine) -> None:
    shop = Shop(engine, FLOW, start="2025-03-19 09:00")
    for key in keys(3, "before"):
        shop.user(key)
        shop.event(key, "cart")
    wave(shop, 60)
    assert found(shop) == ["volume:g:hi"]  # 3 a day: at most 54


def test_a_shop_that_opens_today_is_not_stopped_for_having_no_days_before(engine: Engine) -> None:
    shop = Shop(engine, FLOW, start="2025-03-20 09:00")
    wave(shop, 60)
    assert found(shop) == []


def test_an_hour_far_above_the_same_hour_of_other_days_stops(engine: Engine) -> None:
    shop = Shop(engine, FLOW, start="2025-03-20 09:00")
    history(shop, 10, 8)  # yesterday is counted anew
    history(shop, 500, 7, hour=20)
    wave(shop, 55)
    assert found(shop) == ["surge:g"]


def test_f48_a_text_that_cannot_be_written_for_some_is_skipped_and_takes_no_code_and_the_playbook_stops(engine: Engine) -> None:
    gift = (
        "playbook: g\nintent: serve\nstart: {event: cart}\ngoal: joins\nagain: always\nsteps:\n  hi: {after: 1h, give: gift, send: gift}\n"
    )
    texts = {"gift": text("gift", "sms", variables="benefit.code: required, name: Dear", body="{{ name }} {{ benefit.code }}")}
    shop = Shop(engine, f"benefits:\n  gift: {{pool: p, {BENEFIT}}}\n---\n{gift}", start="2025-03-20 09:00", texts=texts)
    shop.jump("2025-03-20 10:00")
    for key in keys(30):
        shop.user(key, name=LONG if key in ("u7", "u8") else "Li")
        shop.event(key, "cart")
    shop.until("2025-03-20 11:00")
    assert shop.skipped() == ["hi:render", "hi:render"]
    assert len([g for g in shop.grants() if g.state != "released"]) == 28
    done = watch(shop.app, shop.now)
    assert [f.why for f in done] == ["2 of 30 messages of 'g' within an hour could not be written, more than 1%"]
    assert stopped(shop) == [("playbook:g", "sop")]


@pytest.mark.parametrize(("kind", "what"), [("unknown", "had an unknown outcome"), ("permanent", "were refused for good")])
def test_too_many_messages_that_fail_stop_their_playbook(engine: Engine, kind: str, what: str) -> None:
    answers: list[Receipt | DeliveryError | Exception] = [DeliveryError(kind, "content")] * 2
    shop = Shop(engine, FLOW, start="2025-03-20 09:00", channels={"sms": Scripted(answers)})
    wave(shop, 40)
    assert found(shop) == [f"{what}:playbook:g"]
    assert stopped(shop) == [("playbook:g", "sop")]


def test_a_channel_that_fails_two_playbooks_is_stopped_itself(engine: Engine) -> None:
    sms = Scripted([DeliveryError("unknown", "no_answer")] * 4)
    other = FLOW.replace("playbook: g", "playbook: h").replace("event: cart", "event: visit")
    shop = Shop(engine, FLOW, other, start="2025-03-20 09:00", channels={"sms": sms})
    for key in keys(24):
        shop.user(key)
        shop.event(key, "cart")
        shop.event(key, "visit")
    shop.until("2025-03-20 10:00")
    assert stopped(shop) == []
    assert [f.scope for f in watch(shop.app, shop.now)] == ["channel:sms"]


def test_a_stock_that_drains_stops_the_playbook(engine: Engine) -> None:
    gift = FLOW.replace("send: hello", "give: gift, send: coupon").replace("intent: cultivate", "intent: serve").replace("buys", "joins")
    shop = Shop(engine, f"benefits:\n  gift: {{pool: p, {BENEFIT}}}\n---\n{gift}", start="2025-03-20 09:00", texts=TEXTS)
    shop.codes("p", *(f"C{n}" for n in range(100)))
    wave(shop, 22)
    assert found(shop) == ["drain:the stock 'p'"]
    shop.until("2025-03-20 11:11")
    assert stopped(shop) == [("playbook:g", "sop")]


ALWAYS = {"hours": "00:00-24:00"}
MANY = "playbook: {0}\nintent: {2}\nstart: {{event: cart}}\ngoal: buys\nagain: always\nsteps:\n  hi: {{after: {1}h, send: {3}}}\n"


def test_nobody_gets_a_sixth_message_on_one_day_and_the_playbook_that_wanted_it_stops(engine: Engine) -> None:
    shop = Shop(engine, *(MANY.format(f"g{n}", n, "cultivate", "hello") for n in range(1, 8)), start="2025-03-20 08:00", project=ALWAYS)
    shop.event(shop.user("u1"), "cart")
    shop.until("2025-03-20 14:05")
    assert len(shop.sent()) == 5
    assert found(shop) == ["people:g6"]
    assert stopped(shop) == [("playbook:g6", "sop")]
    shop.until("2025-03-20 15:05")
    done = watch(shop.app, shop.now)
    assert [f.why for f in done] == ["'g7' would have sent 1 user more than 5 messages on one day, counting those of all playbooks"]
    for name in ("g6", "g7"):
        with shop.app.work(shop.now) as work:
            stopping.resume(work, f"playbook:{name}", by="wang", why="a double event")
    shop.until("2025-03-20 15:30")
    shop.jump("2025-03-20 23:55")
    shop.beat()
    assert found(shop) == []
    assert len(shop.sent()) == 5  # letting it go on changes nothing for whoever has had enough
    shop.jump("2025-03-21 00:01")
    assert found(shop) == []  # what was held yesterday says nothing about today
    shop.until("2025-03-21 00:20")
    assert len(shop.sent()) == 7


def test_the_day_of_the_ceiling_is_the_users_own(engine: Engine) -> None:
    shop = Shop(engine, *(MANY.format(f"g{n}", n, "cultivate", "hello") for n in range(1, 8)), start="2025-03-21 00:00", project=ALWAYS)
    shop.event(shop.user("u1", timezone="Europe/Paris"), "cart")  # 17:00 of the day before
    shop.until("2025-03-21 05:10")
    for local in ("2025-03-21 06:05", "2025-03-21 06:58"):
        shop.jump(local)
        shop.beat()
        assert len(shop.sent()) == 5
    shop.until("2025-03-21 07:10")  # midnight in Paris is at 07:00
    assert len(shop.sent()) == 7


def test_a_cap_below_the_ceiling_stops_nothing_and_service_is_not_counted(engine: Engine) -> None:
    service = [MANY.format(f"s{n}", n, "serve", "receipt") for n in range(1, 8)]
    marketing = [MANY.format(f"g{n}", n, "cultivate", "hello") for n in range(1, 8)]
    shop = Shop(engine, *service, *marketing, start="2025-03-20 08:00", project={"caps": "3 per 1d"})
    shop.event(shop.user("u1"), "cart")
    shop.until("2025-03-20 16:00")
    assert len(shop.sent()) == 7 + 3
    assert found(shop) == []


def test_counts_are_the_same_however_often_they_are_made(engine: Engine) -> None:
    shop = Shop(engine, FLOW, start="2025-03-20 09:00")
    wave(shop, 5)
    for _ in range(3):
        watch(shop.app, shop.now)
    with shop.app.transaction() as tx:
        assert [(r.flow, r.step, r.sends) for r in sends.by_step(tx, shop.at("2025-03-20 00:00"))] == [("g", "hi", 5)]


def test_workers_that_die_in_the_middle_of_calls_stop_no_playbook(engine: Engine) -> None:
    shop = Shop(
        engine,
        "playbook: p\nintent: serve\nstart: {event: cart}\ngoal: buys\nsteps:\n  hi: {after: 1h, send: hello}\n",
        start="2025-03-01 10:00",
    )
    for n in range(30):
        shop.user(f"u{n}")
        shop.event(f"u{n}", "cart")
    shop.jump("2025-03-01 11:00")
    hints = shop.claim()
    with shop.app.work(shop.now) as work:
        intend(work, queue.queued_for_delivery(work.tx, hints[:5]))
    shop.deliver(hints[5:])
    shop.jump("2025-03-01 11:03")
    assert shop.beat().lost == 5
    assert watch(shop.app, shop.now) == []
