"""Natural returns and a plan read from history; cross tables of what was delivered; levels as strata; a message to the held-out is red."""

from datetime import date

import pytest
from sqlalchemy import Engine, update

from sop_engine.actions.compare import compare_playbook, found
from sop_engine.actions.compare_plan import plan
from sop_engine.actions.cross import cross
from sop_engine.actions.ingest import record_events
from sop_engine.core.comparison.cross import Delivered, cross_table
from sop_engine.core.comparison.exported import as_json
from sop_engine.core.records import UserRecord
from sop_engine.store.touches import touches
from tests.shop import Shop, keys

pytestmark = pytest.mark.slow

BACK = """
playbook: back
intent: win_back
start: {enter: quiet >= 30}
goal: {event: order, within: 14d}
holdout: 50%
experiment: {planned_per_arm: 100}
steps:
  hello: {at: day 0 20:00, send: hello_push}
"""


def test_a_plan_counts_from_history_who_came_back_and_how_many_become_silent(engine: Engine) -> None:
    shop = Shop(engine, start="2025-07-01 09:00")
    shop.apply()
    people = [UserRecord(k, shop.at("2024-11-01 08:00"), {}) for k in keys(100)]
    bought = [shop.record(k, "order", "2024-11-01 12:00", {"amount": 5}) for k in keys(100)]
    again = [shop.record(f"u{n}", "order", "2025-02-05 12:00", {"amount": 5}) for n in range(1, 21)]
    lately = [shop.record(f"u{n}", "order", "2025-05-20 12:00", {"amount": 5}) for n in range(1, 15)]
    shop.load_history(people, [*bought, *again, *lately])
    shop.apply(BACK)
    with shop.app.work(shop.now) as work:
        told = plan(work, found(work, "back"), effect=0.05, power=0.8)
    natural = told.natural_return
    assert natural.at == ("2025-05-31", "2025-04-30", "2025-03-31", "2025-02-28", "2025-01-31", "2024-12-31")
    assert (natural.lapsed_days, natural.window_days) == (30, 14)
    # 100 silent at each month's end but 80 in February, and 86 in May; 20 came back on 5 February.
    assert (natural.lapsed, natural.returned) == (86 + 100 + 100 + 80 + 100 + 100, 20)
    assert told.planning.users_a_day == 14 / 28
    assert [r.holdout for r in told.planning.rows] == [0.5, 0.3, 0.2, 0.1, 0.05]
    users = [r.users for r in told.planning.rows]
    assert users == sorted(users) and users[0] > 300


def carts(shop: Shop, many: int) -> None:
    record_events(shop.app, [shop.record(k, "cart", shop.local(), {}) for k in keys(many)], shop.now)


CART = BACK.replace("{enter: quiet >= 30}", "{event: cart}")


def test_a_message_to_one_held_out_user_turns_the_report_red(engine: Engine) -> None:
    shop = Shop(engine, CART, start="2025-03-01 09:00")
    carts(shop, 40)
    shop.until("2025-03-20 09:00")
    assert compare_playbook(shop.app, "back", shop.now).health.status != "red"
    withheld = next(t.id for t in shop.touches() if t.reason == "holdout")
    with shop.app.transaction() as tx:
        tx.execute(update(touches).where(touches.c.id == withheld).values(state="sent", reason=None, channel="push"))
    report = compare_playbook(shop.app, "back", shop.now)
    assert (report.health.status, report.answer.verdict, report.answer.reason) == ("red", "do_not_trust", "holdout_was_sent")
    assert report.answer.sentence["en"] == "Do not use this result: 1 hold-out users received a message."


def test_a_refund_inside_the_window_takes_the_return_back_a_later_one_does_not(engine: Engine) -> None:
    shop = Shop(engine, CART, start="2025-03-01 09:00")
    carts(shop, 40)
    shop.until("2025-03-03 09:00")
    for n in (1, 2, 3):
        shop.event(f"u{n}", "order", order_id=f"o{n}", amount=40)
    shop.event("u1", "refund", order_id="o1", amount=40)
    shop.event("u2", "refund", order_id="o2", amount=15)
    shop.until("2025-03-20 09:00")
    shop.event("u3", "refund", order_id="o3", amount=40)
    shop.until("2025-03-22 09:00")
    report = compare_playbook(shop.app, "back", shop.now)
    assert sum(a.won_back for a in report.arms) == 2
    assert sum(a.value.sum for a in report.arms if a.value) == 65.0
    assert report.source.about is not None and report.source.about["refunded_later"] == 1


def test_without_a_hold_out_variants_are_compared_and_the_missing_is_said(engine: Engine) -> None:
    text = CART.replace("holdout: 50%", "variants: {A: 50%, B: 50%}").replace("send: hello_push", "send: {A: hello_push, B: hello}")
    shop = Shop(engine, text, start="2025-03-01 09:00")
    for key in keys(80):
        shop.user(key)
    carts(shop, 80)
    shop.until("2025-03-25 09:00")
    report = compare_playbook(shop.app, "back", shop.now)
    assert [(c.kind, c.variant, c.control) for c in report.comparisons] == [("between_variants", "B", "A")]
    assert "no_holdout" in report.health.warnings
    assert report.answer.sentence["en"].startswith("No hold-out: nobody can say how many would have come back on their own.")
    assert report.answer.sentence["zh"].startswith("没有对照组")
    assert report.natural_return is not None and report.natural_return.rate is None  # the shop has no history


def test_without_a_hold_out_the_historic_rate_stands_in_the_sentence_and_late_history_changes_no_old_report(engine: Engine) -> None:
    shop = Shop(engine, start="2025-03-01 09:00")
    shop.apply()
    bought = [shop.record(k, "order", "2024-06-01 12:00", {"amount": 5}) for k in keys(80)]
    again = [shop.record(k, "order", "2024-11-05 12:00", {"amount": 5}) for k in keys(20)]
    shop.load_history([UserRecord(k, shop.at("2024-05-01 08:00"), {}) for k in keys(80)], [*bought, *again])
    text = CART.replace("holdout: 50%", "variants: {A: 50%, B: 50%}").replace("send: hello_push", "send: {A: hello_push, B: hello}")
    shop.apply(text)
    carts(shop, 80)
    shop.until("2025-03-25 09:00")
    report = compare_playbook(shop.app, "back", shop.now)
    natural = report.natural_return
    assert natural is not None and (natural.lapsed, natural.returned) == (
        80 * 5 + 60,
        20,
    )  # on the day at the end of November 60 are silent
    said = report.answer.sentence
    assert "In the past 4.3% of such users did within 14 days." in said["en"]
    assert "以往同类用户 14 天内自己回来的有 4.3%。" in said["zh"]
    before = as_json(report)
    shop.until("2025-03-26 09:00")
    record_events(shop.app, [shop.record(k, "order", "2024-12-05 12:00", {"amount": 5}) for k in keys(80)], shop.now)
    assert as_json(compare_playbook(shop.app, "back", shop.at("2025-03-25 09:00"))) == before


def test_a_cross_table_credits_the_last_delivered_message_inside_the_window(engine: Engine) -> None:
    text = (
        CART.replace("steps:", "steps:\n  first: {at: day 0 12:00, send: hello}")
        .replace("holdout: 50%", "holdout: 0%")
        .replace("experiment: {planned_per_arm: 100}\n", "")
    )
    shop = Shop(engine, text, start="2025-03-01 09:00")
    for key in keys(4):
        shop.user(key)
    carts(shop, 4)
    shop.event("u1", "order", at="2025-03-01 15:00", amount=5)
    shop.event("u2", "order", at="2025-03-02 15:00", amount=5)
    shop.event("u3", "order", at="2025-03-30 15:00", amount=5)
    with shop.app.work(shop.now) as work:
        cells = {c.labels: (c.n, c.credited) for c in cross(work, "back", ["step", "channel"])}
    assert cells == {("first", "sms"): (4, 1), ("hello", "push"): (3, 1)}


def test_a_weak_cell_is_one_that_differs_from_the_rest_after_adjusting_for_looking_at_all() -> None:
    woken = {"memories": 40, "coupon": 50, "new": 12}
    rows = [Delivered((name,), n < many) for name, many in woken.items() for n in range(200)]
    assert {c.labels[0]: c.mark for c in cross_table(rows)} == {"memories": "", "coupon": "strong", "new": "weak"}
    same = [Delivered((f"step {i}",), n < 40 + i) for i in range(8) for n in range(200)]
    assert {c.mark for c in cross_table(same)} == {""}
    assert next(c.mark for c in cross_table([*same, *[Delivered(("rare",), False)] * 29])) == "few"


def test_editing_the_shares_standardises_and_editing_a_step_starts_anew(engine: Engine) -> None:
    shop = Shop(engine, CART, start="2025-03-01 09:00")
    carts(shop, 60)
    shop.until("2025-03-02 09:00")
    shop.apply(CART.replace("50%", "20%"))
    record_events(shop.app, [shop.record(f"v{n}", "cart", shop.local(), {}) for n in range(60)], shop.now)
    shop.until("2025-03-20 09:00")
    report = compare_playbook(shop.app, "back", shop.now)
    assert sum(a.assigned for a in report.arms) == 120
    assert "allocation_changed" in report.health.warnings
    assert report.comparisons[0].stratified is not None and report.comparisons[0].stratified.primary
    expected = report.health.sample_ratio.expected
    assert (round(expected["holdout"]), round(expected["back"])) == (42, 78)
    shop.apply(CART.replace("50%", "20%").replace("20:00", "19:00"))
    assert sum(a.assigned for a in compare_playbook(shop.app, "back", shop.at("2025-03-21 09:00")).arms) == 0


def test_an_experiment_nobody_has_entered_is_too_early(engine: Engine) -> None:
    shop = Shop(engine, CART, start="2025-03-01 09:00")
    report = compare_playbook(shop.app, "back", shop.now)
    assert (report.answer.verdict, report.answer.reason) == ("too_early", "no_users")
    assert report.data_through == date(2025, 2, 28).isoformat()
