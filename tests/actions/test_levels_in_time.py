"""Levels: what time alone does, missed midnights, what keeps a user, hands, population cuts, and what is unscored."""

from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import Engine, select

from sop_engine.core.records import UserRecord
from sop_engine.store.levels import move_rows
from tests.shop import Shop, keys
from tests.shop_project import CATALOGUE

pytestmark = pytest.mark.slow

STAGES = """
tier: stage
note: how long silent
levels:
  lost: quiet >= 5
  fading: quiet >= 3
  awake: otherwise
ladder: [awake, fading, lost]
"""

BACK = """
playbook: back
tier: stage
goal: joins
levels:
  lost: {intent: win_back, no_benefit: x, again: after 30d, steps: {wake: {at: now, send: hello_push}}}
  fading: {none: x}
  awake: {none: x}
"""


def test_x_10_missed_midnights_are_caught_up_each_once_with_its_true_date(engine: Engine) -> None:
    shop = Shop(engine, STAGES, BACK, start="2025-03-01 09:00")
    shop.user("u1")
    shop.until("2025-03-03 12:00")
    shop.jump("2025-03-07 12:00")
    beat = shop.beat()
    assert beat.swept == 4
    assert shop.moves("u1", "stage") == [
        (None, "awake", "03-01 09:00"),
        ("awake", "fading", "03-04 00:00"),
        ("fading", "lost", "03-06 00:00"),
    ]
    (run,) = shop.runs("u1")
    assert run.started_at == shop.at("2025-03-06 00:00")
    assert shop.states() == ["wake:skipped:late"]
    assert shop.beat().swept == 0
    assert len(shop.moves("u1", "stage")) == 3


def test_catching_up_gives_what_working_every_day_would_have_given(engine: Engine) -> None:
    shop = Shop(engine, STAGES, start="2025-03-01 09:00")
    for n, key in enumerate(keys(12)):
        shop.user(key)
        shop.event(key, "visit", at=f"2025-03-{1 + n // 4:02d} 10:{n:02d}")
    shop.jump("2025-03-12 12:00")
    shop.beat()
    moves = {key: shop.moves(key, "stage") for key in keys(12)}
    for n, key in enumerate(keys(12)):
        last = shop.at(f"2025-03-{1 + n // 4:02d} 00:00")
        assert [m[2] for m in moves[key][1:]] == [f"{(last + timedelta(days=d)).astimezone(shop.zone):%m-%d %H:%M}" for d in (3, 5)]


def test_x_11_flicker_starts_the_flow_once_in_thirty_days(engine: Engine) -> None:
    shop = Shop(engine, STAGES, BACK, start="2025-03-01 09:00")
    shop.user("u1")
    for day in (7, 14, 21):
        shop.event("u1", "visit", at=f"2025-03-{day:02d} 12:00")
    shop.until("2025-03-31 12:00")
    assert len(shop.runs("u1")) == 1
    assert shop.refused("u1") == ["again", "again", "again"]


def test_a_fall_waits_for_min_stay_and_a_rise_does_not(engine: Engine) -> None:
    shop = Shop(engine, STAGES + "min_stay: 10d\n", start="2025-03-01 09:00")
    shop.user("u1")
    shop.until("2025-03-10 23:00")
    assert shop.facts("u1", "stage", "stage.days") == ["awake", 9]
    shop.until("2025-03-11 00:00")
    assert shop.facts("u1", "stage", "stage.before") == ["lost", "awake"]
    shop.event("u1", "visit", at="2025-03-11 12:00")
    assert shop.facts("u1", "stage", "stage.before", "stage.days") == ["awake", "lost", 0]
    shop.event("u1", "visit", at="2025-03-12 12:00")
    shop.until("2025-03-20 12:00")
    assert shop.facts("u1", "stage") == ["awake"]
    shop.until("2025-03-21 00:00")
    assert shop.facts("u1", "stage") == ["lost"]


def test_keep_holds_those_who_are_in_and_lets_nobody_else_in(engine: Engine) -> None:
    book = "tier: fan\nnote: x\nlevels:\n  fan: visits7 >= 3\n  other: otherwise\nkeep:\n  fan: visits7 >= 2\n"
    shop = Shop(engine, book, start="2025-03-01 09:00")
    for key in ("was", "never"):
        shop.user(key)
    for day in (1, 2, 3):
        shop.event("was", "visit", at=f"2025-03-{day:02d} 10:00")
    for day in (2, 3):
        shop.event("never", "visit", at=f"2025-03-{day:02d} 11:00")
    shop.until("2025-03-08 00:00")  # of the seven days to 8 March: 2 and 3 March
    assert shop.facts("was", "fan") == ["fan"]
    assert shop.facts("never", "fan") == ["other"]
    shop.until("2025-03-09 00:00")
    assert shop.facts("was", "fan") == ["other"]


def test_a_level_says_where_a_user_came_from_and_a_flow_may_ask_that(engine: Engine) -> None:
    book = BACK.replace(
        "lost: {intent: win_back, no_benefit: x, again: after 30d, steps: {wake: {at: now, send: hello_push}}}", "lost: {none: x}"
    ).replace(
        "awake: {none: x}",
        "awake: {intent: serve, no_benefit: x, only: stage.before = lost, again: always, steps: {hi: {at: now, send: receipt}}}",
    )
    shop = Shop(engine, STAGES, book, start="2025-03-01 09:00")
    shop.user("u1")
    shop.event("u1", "visit", at="2025-03-04 12:00")  # from fading
    assert shop.refused("u1") == ["only", "only"]
    shop.event("u1", "visit", at="2025-03-10 12:00")  # from lost
    assert shop.sent() == ["hi@03-10 12:00"]


def test_a_move_says_whether_it_went_up_and_what_caused_it(engine: Engine) -> None:
    shop = Shop(engine, STAGES, start="2025-03-01 09:00")
    shop.user("u1")
    shop.event("u1", "visit", at="2025-03-05 12:00")
    shop.level_by_hand("u1", "stage", "lost", until="2025-03-05")
    shop.until("2025-03-06 00:00")
    with shop.app.transaction() as tx:
        told = [(m.old, m.new, m.up, m.cause) for m in tx.execute(select(move_rows).order_by(move_rows.c.id))]
    assert told == [
        (None, "awake", None, "event"),
        ("awake", "fading", False, "sweep"),
        ("fading", "awake", True, "event"),
        ("awake", "lost", False, "hand"),
        ("lost", "awake", True, "sweep"),
    ]


def test_a_level_set_by_hand_holds_until_its_day_is_over(engine: Engine) -> None:
    shop = Shop(engine, STAGES, BACK, start="2025-03-01 09:00")
    shop.user("u1")
    shop.level_by_hand("u1", "stage", "lost", until="2025-03-02")
    assert shop.facts("u1", "stage") == ["lost"]
    assert [t.step for t in shop.touches()] == ["wake"]
    shop.event("u1", "visit", at="2025-03-02 12:00")
    assert shop.facts("u1", "stage") == ["lost"]
    shop.until("2025-03-03 00:00")
    assert shop.facts("u1", "stage") == ["awake"]


def test_a_metric_set_by_hand_moves_levels(engine: Engine) -> None:
    shop = Shop(engine, STAGES, start="2025-03-01 09:00")
    shop.user("u1")
    shop.level_by_hand("u1", "quiet", "4", until="2025-03-01")
    assert shop.facts("u1", "stage") == ["fading"]
    shop.until("2025-03-02 00:00")
    assert shop.facts("u1", "stage") == ["awake"]


RANKED = CATALOGUE.replace(
    "tags:\n  vip", "metrics:\n  grade: {grade: spent, cuts: median, names: [low, high], only: orders > 0}\n---\ntags:\n  vip"
)
TWO = "tier: value\nnote: x\nonly: orders > 0\nlevels:\n  best: grade = high\n  rest: otherwise\n"


def shoppers(engine: Engine, *documents: str) -> Shop:
    """Four users who spent 10, 20, 30 and 40, then the grades are fitted."""
    shop = Shop(engine, "tags:\n  unused: {}\n", start="2025-03-01 09:00")
    people = [UserRecord(key, shop.at("2025-02-01 09:00"), {"phone": f"1380000000{n}"}) for n, key in enumerate(keys(4))]
    orders = [shop.record(key, "order", "2025-02-10 09:00", {"order_id": key, "amount": 10 * (n + 1)}) for n, key in enumerate(keys(4))]
    shop.load_history(people, orders)
    shop.apply(TWO, *documents, catalogue=RANKED)
    return shop


def test_x_09_cut_points_of_a_population_are_frozen_until_the_next_refresh(engine: Engine) -> None:
    shop = shoppers(engine)
    levels = [shop.facts(key, "value")[0] for key in keys(4)]
    assert levels == ["rest", "rest", "best", "best"]
    for key in ("u1", "u2"):
        shop.event(key, "order", at="2025-03-02 09:00", order_id=f"{key}b", amount=1000)
    assert [shop.facts(key, "value")[0] for key in keys(4)] == ["best"] * 4  # against the old cut points
    shop.until("2025-04-01 02:59")
    assert [shop.facts(key, "value")[0] for key in keys(4)] == ["best"] * 4
    shop.jump("2025-04-01 03:00")
    assert shop.beat().refreshed == ("grade",)
    assert [shop.facts(key, "value")[0] for key in keys(4)] == ["best", "best", "rest", "rest"]


def test_sends_wait_while_the_fit_their_level_rests_on_is_older_than_its_period_and_five_days(engine: Engine) -> None:
    book = """\
playbook: v
tier: value
goal: joins
intent: serve
late: 60d
levels:
  best: {no_benefit: x, steps: {welcome: {at: day 40 10:00, send: receipt}}}
  rest: {none: x}
"""
    shop = shoppers(engine, book)
    shop.event("u1", "order", at="2025-03-02 09:00", order_id="u1b", amount=1000)  # enters best
    shop.jump("2025-04-11 11:00")
    shop.deliver(shop.claim())  # no refresh came on 1 April
    assert [(t.state, t.reason) for t in shop.touches("u1")] == [("planned", "expired")]
    shop.jump("2025-04-11 13:00")
    shop.beat()  # the refresh is caught up first
    assert [t.state for t in shop.touches("u1")] == ["sent"]


def test_an_order_moves_a_user_at_once_and_the_old_levels_touches_are_cancelled(engine: Engine) -> None:
    book = """\
playbook: v
tier: value
goal: joins
intent: cultivate
levels:
  rest: {no_benefit: x, again: always, steps: {try: {at: day 1 10:00, send: hello}}}
  best: {no_benefit: x, steps: {welcome: {at: day 0 18:00, send: receipt}}}
"""
    shop = shoppers(engine, book)
    shop.user("u9")
    shop.event("u9", "order", at="2025-03-02 09:00", order_id="a", amount=5)
    shop.event("u9", "order", at="2025-03-02 10:00", order_id="b", amount=50)
    assert shop.states("u9") == ["try:cancelled:ended", "welcome:planned"]


def test_who_is_in_no_level_is_unscored_and_a_refund_may_lead_there_at_once(engine: Engine) -> None:
    shop = shoppers(engine)
    shop.user("u9")
    assert shop.facts("u9", "value", "grade") == [None, None]
    shop.event("u9", "order", at="2025-03-02 09:00", order_id="x", amount=35)
    assert shop.facts("u9", "value") == ["best"]
    shop.event("u9", "refund", at="2025-03-02 10:00", order_id="x", amount=35)
    assert shop.facts("u9", "value", "value.before", "value.days") == [None, "best", None]
    assert shop.moves("u9", "value")[-1] == ("best", None, "03-02 10:00")


UNSCORED = """\
playbook: v
tier: value
goal: joins
intent: serve
levels:
  rest: {none: x}
  best: {none: x}
  unscored: {no_benefit: x, again: never, steps: {ask: {at: now, send: receipt}}}
"""


def test_a_flow_for_the_unscored_starts_for_who_becomes_unscored_and_ends_when_a_level_is_found(engine: Engine) -> None:
    shop = shoppers(engine, UNSCORED)
    shop.event("u4", "refund", at="2025-03-02 10:00", order_id="u4", amount=40)
    assert shop.sent("u4") == ["ask@03-02 10:00"]
    shop.event("u4", "order", at="2025-03-02 10:01", order_id="x", amount=35)
    assert shop.ends("u4") == ["left"]


def test_keyword_tags_are_set_by_words_and_move_levels_and_go_after_their_days(engine: Engine) -> None:
    catalogue = CATALOGUE.replace("in: say.text}", "in: say.text, for: 10d}")
    book = "tier: mood\nnote: x\nlevels:\n  saver: wants_discount\n  other: otherwise\n"
    shop = Shop(engine, start="2025-03-01 09:00")
    shop.apply(book, catalogue=catalogue)
    shop.user("u1")
    shop.event("u1", "say", text="No discount please")
    assert shop.facts("u1", "mood") == ["other"]
    shop.event("u1", "say", text="any DISCOUNT?", actor="staff")
    assert shop.facts("u1", "mood") == ["other"]
    shop.event("u1", "say", text="any DISCOUNT?")
    assert shop.facts("u1", "mood", "wants_discount") == ["saver", True]
    shop.until("2025-03-11 12:00")
    assert shop.facts("u1", "mood") == ["saver"]
    shop.until("2025-03-12 00:00")
    assert shop.facts("u1", "mood", "wants_discount") == ["other", False]


def test_the_order_in_which_events_arrive_changes_nothing(engine: Engine) -> None:
    told = [
        ("order", "2025-03-01 10:00", {"order_id": "a", "amount": 50}),
        ("refund", "2025-03-01 11:00", {"order_id": "a", "amount": 20}),
        ("visit", "2025-03-01 12:00", {}),
        ("order", "2025-03-01 13:00", {"order_id": "a", "amount": 50}),
        ("order", "2025-03-01 14:00", {"order_id": "b", "amount": 7}),
        ("refund", "2025-03-01 15:00", {"order_id": "b", "amount": 7}),
    ]
    shop = Shop(engine, STAGES, start="2025-03-02 09:00")
    orders = [[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], [3, 5, 0, 4, 2, 1], [1, 0, 5, 3, 4, 2]]
    for n, order in enumerate(orders):
        shop.user(f"p{n}", joined="2025-01-01 00:00")
        for i in order:
            kind, local, fields = told[i]
            shop.event(f"p{n}", kind, at=local, **{**fields, **({"order_id": f"{fields['order_id']}{n}"} if fields else {})})
    found = [shop.facts(f"p{n}", "orders", "spent", "last_active", "last_order", "stage") for n in range(4)]
    assert found == [found[0]] * 4
    assert found[0][:2] == [1, Decimal(30)]
