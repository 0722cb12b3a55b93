"""Alerts at work on both databases: asked at the midnight that closes their period, once, and colleagues are told once."""

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from sop_engine.actions.alerting import said
from sop_engine.actions.closing import close_periods
from sop_engine.actions.measure_asked import Asked, Given
from sop_engine.actions.watched import FIGURES, figure_of
from sop_engine.app import Rehearsal
from sop_engine.channels.contract import Receipt
from sop_engine.core.catalog import Alert
from sop_engine.core.errors import DeliveryError
from sop_engine.core.forms import Length
from sop_engine.language.vocabulary import WATCHES
from sop_engine.store import alert_periods, notices, outbox
from sop_engine.store.bulk import add_rows
from sop_engine.store.levels import move_rows
from tests.builders import at
from tests.shop import Shop
from tests.shop_project import CATALOGUE, Scripted, text

pytestmark = pytest.mark.slow

TIER = "tier: worth\nlevels: {high: vip, low: otherwise}\n"
VARIABLES = "alert.name: required, alert.value: required, alert.before: required"
TEXTS = {
    "rang": text("rang", "desk", purpose="internal", variables=VARIABLES, body="{{ alert.name }} {{ alert.value }} {{ alert.before }}")
}
CHURN = "alerts:\n  churn: {watch: leave_rate, of: worth = high, per: 7d, above: usual, send: rang}\n"
MONDAY = date(2025, 6, 30)
WEEKS = (20, 21, 19, 20, 22, 18, 20, 20)  # of 1,000


def shop_of(engine: Engine, alerts: str = CHURN, *, start: str = "2025-06-29 12:00", channel: Scripted | None = None) -> Shop:
    return Shop(engine, TIER, alerts, start=start, texts=TEXTS, channels={"desk": channel} if channel else None)


def lose(shop: Shop, weeks: tuple[int, ...]) -> None:
    """A thousand users in the best level; so many leave on the Tuesday of each week before MONDAY, and are back on Sunday."""
    first = MONDAY - timedelta(days=7 * len(weeks))
    rows = [_move(user, None, "high", first - timedelta(days=1)) for user in range(1, 1001)]
    for number, leaving in enumerate(weeks):
        tuesday = first + timedelta(days=7 * number + 1)
        for user in range(1, leaving + 1):
            rows += [_move(user, "high", "low", tuesday), _move(user, "low", "high", tuesday + timedelta(days=5))]
    with shop.app.transaction() as tx:
        add_rows(tx, move_rows, rows)


def _move(user: int, old: str | None, new: str, day: date) -> dict[str, Any]:
    up = None if old is None else new == "high"
    when = at(f"{day} 10:00")
    return {"user_id": user, "model": "worth", "old": old, "new": new, "up": up, "at": when, "day": day.toordinal(), "cause": "event"}


def asked(shop: Shop) -> list[alert_periods.AlertPeriod]:
    with shop.app.transaction() as tx:
        return alert_periods.list_periods(tx)


@pytest.mark.parametrize(("last_week", "told"), [(50, ["churn 5.0% 2.0%"]), (22, [])])
def test_s1_75_the_weekly_churn_of_the_best_level_rings_at_5_percent_and_not_at_2_2(
    engine: Engine, last_week: int, told: list[str]
) -> None:
    shop = shop_of(engine)
    lose(shop, (*WEEKS, last_week))
    shop.until("2025-06-29 23:59")
    assert asked(shop) == []
    shop.until("2025-06-30 00:00")
    [one] = asked(shop)
    assert (date.fromordinal(one.first_day), date.fromordinal(one.last_day)) == (date(2025, 6, 23), date(2025, 6, 29))
    assert (one.value, one.counted, one.rang) == (last_week / 1000, last_week, bool(told))
    shop.until("2025-07-03 12:00")
    assert [m.text for m in shop.outbox()] == told and len(asked(shop)) == 1


def test_a_missed_alert_is_asked_once_after_the_engine_was_down(engine: Engine) -> None:
    shop = shop_of(engine, start="2025-06-15 12:00")
    lose(shop, (*WEEKS, 50))
    shop.jump("2025-07-02 09:00")
    for _ in range(3):
        shop.beat()
    assert [date.fromordinal(one.last_day).isoformat() for one in asked(shop)] == ["2025-06-29", "2025-06-22", "2025-06-15"]
    assert [m.text for m in shop.outbox()] == ["churn 5.0% 2.0%"]


def test_an_alert_that_is_new_is_not_asked_about_what_was_before_it(memory: Engine) -> None:
    shop = shop_of(memory, start="2025-07-01 12:00")
    lose(shop, (*WEEKS, 50))
    shop.until("2025-07-05 12:00")
    assert asked(shop) == [] and shop.outbox() == []


def test_stories_and_backtests_ask_no_alert_and_tell_nobody(memory: Engine) -> None:
    shop = shop_of(memory)
    lose(shop, (*WEEKS, 50))
    shop.app.rehearsal = Rehearsal()
    shop.until("2025-06-30 12:00")
    assert asked(shop) == [] and shop.outbox() == []


def test_what_the_channel_did_not_take_is_tried_again_and_told_once(memory: Engine) -> None:
    channel = Scripted([DeliveryError("retry_after", "not_accepted", "later")])
    shop = shop_of(memory, channel=channel)
    lose(shop, (*WEEKS, 50))
    shop.until("2025-06-30 00:00")
    assert len(channel.handed) == 1
    shop.until("2025-06-30 12:00")
    shop.beat()
    assert [m.text for m in channel.handed] == ["churn 5.0% 2.0%"] * 2 and len({m.key for m in channel.handed}) == 1
    for _ in range(3):
        shop.beat()
    assert len(channel.handed) == 2


def test_what_may_have_arrived_is_not_sent_again(memory: Engine) -> None:
    channel = Scripted([DeliveryError("unknown", "no_answer", "")])
    shop = shop_of(memory, channel=channel)
    lose(shop, (*WEEKS, 50))
    shop.until("2025-07-01 12:00")
    shop.beat()
    assert len(channel.handed) == 1
    with shop.app.transaction() as tx:
        assert notices.states(tx, "alert") == {("churn", MONDAY.toordinal() - 1): "unknown"}


def test_a_message_whose_process_died_is_unknown_and_not_sent_again(memory: Engine) -> None:
    class Dies(Exception):
        pass

    def die(_message: object) -> None:
        raise Dies

    channel = Scripted([Receipt("x", "accepted")])
    shop = shop_of(memory, channel=channel)
    lose(shop, (*WEEKS, 50))
    shop.app.adapter = lambda _channel: (_ for _ in ()).throw(Dies)
    shop.app.capability = lambda _channel: channel.capability
    with pytest.raises(Dies):
        shop.until("2025-06-30 00:00")
    del shop.app.adapter
    shop.now = shop.at("2025-06-30 12:00")
    shop.beat()
    assert channel.handed == []
    with shop.app.transaction() as tx:
        assert list(notices.states(tx, "alert").values()) == ["unknown"]


def test_where_the_channel_is_a_task_colleagues_get_one_task_with_its_deadline(memory: Engine) -> None:
    shop = Shop(memory, start="2025-06-29 12:00", texts=TEXTS)
    tasks = CATALOGUE.replace("desk: {via: outbox, to: adviser}", "desk: {via: staff_task, due: 24h}")
    shop.apply(TIER, CHURN, catalogue=tasks)
    shop.app.settings = shop.app.settings.model_copy(update={"sending": "live"})
    lose(shop, (*WEEKS, 50))
    shop.until("2025-07-01 12:00")
    with shop.app.transaction() as tx:
        found = outbox.list_tasks(tx)
    assert [(task.assignee, task.text, task.due_at) for task in found] == [("", "churn 5.0% 2.0%", shop.at("2025-07-01 00:00"))]


EVERY = """
benefits:
  gift: {pool: G, worth: 20, valid: 7d, limit: 1 per 365d, budget: 100 per 30d, cost: 20}
---
playbook: thanks
intent: serve
no_benefit: nothing
start: {event: order}
goal: {event: visit, within: 3d}
steps:
  thank: {after: 10m, send: hello}
"""


def test_every_watch_has_a_figure_and_what_there_is_nothing_of_is_not_known(engine: Engine) -> None:
    assert set(FIGURES) == set(WATCHES)
    shop = Shop(engine, TIER, EVERY, start="2025-06-23 09:00", texts=TEXTS, project={"primary_tier": "worth"})
    with shop.app.work(shop.now) as work:
        asked_now = Asked(work, date(2025, 6, 16), date(2025, 6, 22), date(2025, 6, 22).toordinal(), Given())
        found = {watch: figure_of(asked_now, Alert("a", watch, "rang")).value for watch in WATCHES}
    assert {watch: value for watch, value in found.items() if value is not None} == {"overdue_tasks": 0.0}


def test_figures_of_messages_goals_and_levels_are_counted_in_their_period(engine: Engine) -> None:
    shop = Shop(engine, TIER, EVERY, start="2025-06-23 09:00", texts=TEXTS, project={"primary_tier": "worth"})
    for key in ("a", "b", "c", "d"):
        shop.user(key)
    shop.set("a", vip=True)
    for key in ("a", "b", "c"):
        shop.event(key, "order", at="2025-06-24 10:00", order_id=key, amount=10)
    shop.until("2025-06-24 11:00")
    shop.event("a", "visit", page="x")
    shop.until("2025-06-30 09:00")
    told = {
        "share": "worth = high", "goal_rate": "thanks", "click_rate": "sms", "fail_rate": "sms", "block_rate": "sms",
        "open_rate": "sms", "unscored_share": "worth",
    }  # fmt: skip
    with shop.app.work(shop.now) as work:
        asked_now = Asked(work, date(2025, 6, 23), date(2025, 6, 29), date(2025, 6, 29).toordinal(), Given())
        found = {watch: figure_of(asked_now, Alert("a", watch, "rang", of)).value for watch, of in told.items()}
    assert found == {
        "share": 0.25, "goal_rate": pytest.approx(1 / 3), "click_rate": 0.0, "fail_rate": 0.0, "block_rate": 0.0, "unscored_share": 0.0,
        "open_rate": None,
    }  # fmt: skip


def test_a_figure_is_told_in_percent_a_count_as_it_is_and_what_is_not_known_as_a_dash() -> None:
    rate, count, k = (Alert("a", watch, "rang", per=Length(days=7)) for watch in ("leave_rate", "overdue_tasks", "k_factor"))
    assert [said(rate, 0.05), said(count, 3.0), said(count, 2.5), said(k, 0.8), said(rate, None)] == ["5.0%", "3", "2.5", "0.80", "—"]


def test_without_alerts_and_reports_a_beat_closes_nothing(memory: Engine) -> None:
    shop = Shop(memory, TIER)
    assert close_periods(shop.app, shop.now) == 0 and asked(shop) == []
