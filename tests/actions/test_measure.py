"""A small shop through the engine on both databases; every figure of its measures is one that was counted by hand."""

from datetime import date, datetime
from typing import Any

import pytest
from sqlalchemy import Engine

from sop_engine.actions.measure import COMPUTED, Given, measure
from sop_engine.core.errors import BadInput, NotFound
from sop_engine.core.measures.listed import MEASURES
from sop_engine.core.measures.values import Found
from sop_engine.core.records import UserRecord
from sop_engine.store import measuring, measuring_effort
from sop_engine.store.columns import table_of
from sop_engine.store.counting import Span
from sop_engine.store.run_tables import TaskRow
from tests.shop import Shop
from tests.shop_project import CATALOGUE, text

NAMES = """
---
events:
  invite: {to: text}
  consult: {}
  post: {}
  互动: [post, consult]
---
metrics:
  spent90: {sum: order.amount, within: 90d}
---
tags:
  钻石会员: {when: spent90 >= 500}
  转介种子: {when: orders >= 2}
---
benefits:
  gift: {pool: G, worth: 20, valid: 7d, limit: 1 per 365d, budget: 100000 per 30d, cost: 5}
---
tier: 三层
levels:
  新客层: orders = 0
  活跃层: quiet < 20
  沉默层: otherwise
ladder: [活跃层, 新客层, 沉默层]
"""
LAYERS = """
playbook: layers
tier: 三层
levels:
  新客层:
    intent: cultivate
    no_benefit: a welcome is enough
    goal: {event: order, within: 14d}
    steps:
      hi: {at: day 0 20:00, send: hello_push}
  活跃层:
    none: nothing to say
  沉默层:
    intent: win_back
    goal: {event: order, within: 14d}
    steps:
      back: {at: day 0 10:00, give: gift, send: gift_push}
"""
THANKS = """
playbook: thanks
intent: serve
start: {event: order}
goal: {event: visit, within: 3d}
steps:
  thank: {after: 10m, send: hello_push}
"""
CANVAS = """
playbook: canvas
intent: cultivate
start: {event: cart}
goal: {event: post, within: 7d}
holdout: 50%
steps:
  nudge: {after: 10m, send: hello_push}
"""
GIFT = {"gift_push": text("gift_push", "push", variables="benefit.code: required", body="{{ benefit.code }}")}
OLD, NEW = [f"a{n}" for n in range(10)], [f"b{n}" for n in range(5)]
FIRST, LAST = date(2025, 3, 1), date(2025, 4, 19)


def catalogue() -> str:
    told = CATALOGUE.replace("push: {via: outbox, to: id}", "push: {via: outbox, to: id, cost: 0.1}")
    return told.replace("register: {}", "register: {inviter: text}") + NAMES


def joined(shop: Shop, keys: list[str]) -> None:
    shop.users([UserRecord(key, shop.now, {}) for key in keys])


def lived(engine: Engine) -> Shop:
    """Ten newcomers of 1 March, an old buyer who was imported, five newcomers of 17 April; it is 09:00 on 20 April."""
    shop = Shop(engine, project={"primary_tier": "三层"}, texts=GIFT)
    shop.apply(LAYERS, THANKS, CANVAS, catalogue=catalogue())
    joined(shop, OLD)
    shop.history(("c0", "order", "2025-02-20 12:00", {"order_id": "c", "amount": 200}))
    for user in OLD[:4]:
        shop.event(user, "visit", at="2025-03-02 12:00")
    shop.event("a0", "opened", step="hi", playbook="layers")
    for user in OLD[2:]:
        shop.event(user, "cart", at="2025-03-05 12:00")
    treated = [u for u in OLD[2:] if not next(r for r in shop.runs(u) if r.flow == "canvas").held_out]
    shop.event(treated[0], "post", at="2025-03-06 12:00")
    for user in OLD[:3]:
        shop.event(user, "visit", at="2025-03-08 12:00")
    shop.event("a0", "order", at="2025-03-10 12:00", order_id="1", amount=500)
    shop.event("a1", "order", order_id="2", amount=300)
    shop.event("a1", "visit", at="2025-03-11 12:00")
    shop.event("a0", "visit", at="2025-04-03 12:00")
    shop.event("a0", "order", at="2025-04-05 12:00", order_id="3", amount=100)
    for user, whom in (("a0", "x"), ("a0", "x"), ("a0", "a0"), ("a0", "y"), ("a5", "z")):
        shop.event(user, "invite", at="2025-04-10 12:00", to=whom)
    shop.until("2025-04-17 12:00")
    joined(shop, NEW)
    for user, inviter in (("b0", "a0"), ("b1", "b1")):
        shop.event(user, "register", inviter=inviter)
    shop.until("2025-04-20 09:00")
    return shop


def found(shop: Shop, name: str, since: date = FIRST, given: Given | None = None) -> dict[str, Found]:
    (told,) = measure(shop.app, shop.now, since=since, until=LAST, names=[name], given=given)
    return {f.label: f for f in told.found}


def brief(shop: Shop, name: str, **asked: Any) -> dict[str, Any]:
    """(numerator, denominator, left out) by label, or the word that says why there is none."""
    every = found(shop, name, **asked)
    return {label: f.why if f.numerator is None else (f.numerator, f.denominator, f.left_out) for label, f in every.items()}


@pytest.mark.slow
def test_q_01_02_03_05_06_07_08_13_24_s2_19_21_s1_05_every_figure_of_a_lived_shop_is_the_one_counted_by_hand(engine: Engine) -> None:
    shop = lived(engine)
    held = sum(next(r for r in shop.runs(u) if r.flow == "canvas").held_out for u in OLD[2:])
    treated = 8 - held
    told = {t.measure.key: t for t in measure(shop.app, shop.now)}
    assert list(told) == list(MEASURES)
    assert (told["pareto"].since, told["pareto"].until) == ("2025-01-20", "2025-04-19")

    # reach: 10 + 5 newcomers, 3 silent ones, 2 thanks, the treated of the canvas
    assert brief(shop, "open_rate") == {"push": (1, 20 + treated, 0)}
    assert sum(f.denominator or 0 for f in found(shop, "open_rate_by_level").values()) == 20 + treated
    assert brief(shop, "block_rate") == {"push": (0, 16, 0)}
    assert brief(shop, "wake_up") == {"layers/沉默层": (1, 3, 0)} == brief(shop, "silent_wake_up")
    assert brief(shop, "win_back") == {"layers/沉默层": (1, 3, 0)}
    plain = found(shop, "reach_efficiency")[""]
    assert (plain.numerator, plain.denominator) == (3, 13)
    assert plain.base == pytest.approx(2 / (2 + treated))
    with shop.app.work(shop.now) as work:
        span = Span.of_days(FIRST, LAST, shop.zone)
        assert measuring.answers_by_recency(work.tx, span, "order", 14, LAST.toordinal(), None)["recent"][:2] == (5, 1)
        arms = measuring.arms(work.tx, "canvas", "canvas", span, ["post"], 7)
        assert (arms[False], arms.get(True, (0, 0))) == ((treated, 1), (held, 0))

    # conversion and retention
    assert brief(shop, "new_layer_conversion") == {"": (2, 10, 5)}
    seeds = found(shop, "referrer_share", since=date(2025, 4, 6))[""]
    assert (seeds.numerator, seeds.denominator, seeds.base) == (1, 1, pytest.approx(1 / 10))
    assert brief(shop, "retention_d1") == {"": (4, 15, 0), "2025-03-01": (4, 10, 0), "2025-04-17": (0, 5, 0)}
    assert brief(shop, "retention_d7") == {"": (3, 10, 5), "2025-03-01": (3, 10, 0), "2025-04-17": "young"}
    assert brief(shop, "repurchase_change", since=date(2025, 3, 10)) == {"": (1, 2, 0)}

    # money
    pareto = found(shop, "pareto")[""]
    assert (pareto.numerator, pareto.denominator) == (600, 900)
    assert dict(pareto.notes) == {"buyers": 2, "top_buyers": 1, "give_80": 1}
    assert brief(shop, "diamond_share") == {"": (1, 16, 0)}
    assert found(shop, "diamond_revenue")[""].value == pytest.approx(2)
    value = found(shop, "active_layer_aov")[""]
    assert (value.numerator, value.denominator, value.base, value.value) == (900, 3, 200, pytest.approx(0.5))

    # effort, referral, structure
    heads = {label: f.numerator and round(f.numerator, 2) for label, f in found(shop, "cost_per_head").items()}
    sends = round(0.1 * (15 + 2 + treated), 2)
    assert heads["沉默层"] == 15.3
    assert round((heads["新客层"] or 0) + (heads["活跃层"] or 0), 2) == sends
    assert {label: f.denominator for label, f in found(shop, "cost_per_head").items()} == {"活跃层": 1, "新客层": 13, "沉默层": 2}
    assert found(shop, "cost_share")["沉默层"].value == pytest.approx(15.3 / (15.3 + sends))
    assert dict(found(shop, "under_rewarded")["活跃层"].notes).keys() >= {"under_rewarded"}
    planned = found(shop, "cost_plan", given=Given({"沉默层": 0.8}))["沉默层"]
    assert planned.value == pytest.approx(20)
    k = found(shop, "k_factor")[""]
    assert (k.value, dict(k.notes)["invites_a_user"]) == (pytest.approx(1 / 16), pytest.approx(3 / 16))
    assert "never" not in dict(found(shop, "unused_share")[""].notes)["names"]


def test_a_name_the_project_lacks_is_said_and_nothing_fails(engine: Engine) -> None:
    shop = Shop(engine, THANKS)
    told = {t.measure.key: t.found[0] for t in measure(shop.app, shop.now)}
    assert set(told) == set(COMPUTED) == set(MEASURES)
    lacks = {key: (f.why, f.about) for key, f in told.items() if f.why.startswith("no_")}
    assert lacks["diamond_share"] == ("no_tag", "钻石会员")
    assert lacks["new_layer_conversion"] == ("no_tier", "三层")
    assert lacks["retail_wake_up"] == ("no_flow", "零售流失召回")
    assert lacks["ugc_change"] == ("no_event", "post")
    assert lacks["cost_plan"][0] == lacks["cost_per_head"][0] == "no_primary"
    assert {told[k].why for k in ("pareto", "retention_d1", "open_rate")} == {"nobody"}


def test_a_wrong_question_is_refused(engine: Engine) -> None:
    shop = Shop(engine, THANKS)
    with pytest.raises(NotFound, match=r"no measure 'paretto'.* 'pareto'"):
        measure(shop.app, shop.now, names=["paretto"])
    with pytest.raises(BadInput, match="still to come"):
        measure(shop.app, shop.now, until=date(2025, 3, 2))
    with pytest.raises(BadInput, match="after its end"):
        measure(shop.app, shop.now, since=date(2025, 2, 2), until=date(2025, 2, 1))
    assert [t.measure.key for t in measure(shop.app, shop.now, names=["q-21"])] == ["repurchase_change", "cost_per_order"]


def test_q_18_staff_hours_are_the_clock_hours_in_which_a_colleague_finished_something(engine: Engine) -> None:
    shop = Shop(engine, THANKS)
    done = [("ann", "10:05"), ("ann", "10:55"), ("ann", "11:00"), ("bob", "10:30")]
    rows = [
        {
            "key": str(i),
            "user_id": 1,
            "assignee": who,
            "text": "",
            "state": "done",
            "created_at": shop.now,
            "done_at": shop.at(f"2025-02-01 {at}"),
        }
        for i, (who, at) in enumerate(done)
    ]
    with shop.app.transaction() as tx:
        tx.execute(table_of(TaskRow).insert(), [*rows, {**rows[0], "key": "open", "state": "open", "done_at": None}])
        day: tuple[datetime, datetime] = (shop.at("2025-02-01 00:00"), shop.at("2025-02-02 00:00"))
        assert measuring_effort.staff_hours(tx, *day) == (4, 3)
