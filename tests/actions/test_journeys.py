"""Whole journeys of one user: who is reached when, what ends it, and what was sent stays sent."""

import pytest
from sqlalchemy import Engine

from tests.shop import Shop
from tests.shop_project import BENEFIT

pytestmark = pytest.mark.slow

WELCOME = f"""
benefits:
  first20: {{pool: FIRST, {BENEFIT}}}
---
playbook: welcome
intent: cultivate
start: {{enter: orders = 0}}
anchor: joined
goal: buys
again: never
steps:
  coupon: {{at: day 3 10:00, give: first20, send: coupon}}
  remind: {{at: day 8 10:00, send: again}}
"""

STAGES = """
tier: stage
note: who is silent
levels:
  silent: quiet >= 31
  new: orders = 0
  active: otherwise
mark: {silent: silent}
ladder: [active, new, silent]
"""

WIN_BACK = f"""{STAGES}
---
playbook: back
intent: win_back
start: {{enter: stage = silent}}
only: orders > 0
anchor: last_active
late: 7d
goal: wakes
counts: [buys]
again: after 30d
steps:
  wake: {{at: day 45 10:00, send: hello}}
  last: {{at: day 60 10:00, when: spent >= 500, send: again}}
"""


@pytest.mark.parametrize("joined", ["2025-03-01 00:00", "2025-03-01 15:20", "2025-03-01 23:59"])
def test_the_coupon_of_day_3_comes_at_exactly_ten_local_time_whenever_on_day_0_the_user_joined(engine: Engine, joined: str) -> None:
    shop = Shop(engine, WELCOME, start=joined)
    shop.user("u1")
    shop.until("2025-03-04 09:59")
    assert shop.sent() == []
    shop.until("2025-03-04 10:00")
    assert shop.sent() == ["coupon@03-04 10:00"]
    shop.until("2025-03-05 10:00")
    assert len(shop.outbox()) == 1
    assert shop.texts_sent()[0].startswith("20 ")


def test_an_order_the_minute_before_day_3_ends_the_run_as_goal_and_nothing_is_sent(engine: Engine) -> None:
    shop = Shop(engine, WELCOME)
    shop.user("u1")
    shop.event("u1", "order", at="2025-03-04 09:59", order_id="o1", amount=88)
    shop.until("2025-03-30 10:00")
    assert shop.ends("u1") == ["goal"]
    assert shop.outbox() == []
    assert shop.states("u1") == ["coupon:cancelled:ended", "remind:cancelled:ended"]
    assert shop.grants() == []


def test_an_order_at_the_very_minute_of_a_touch_wins_if_it_is_recorded_first(engine: Engine) -> None:
    shop = Shop(engine, WELCOME)
    shop.user("u1")
    shop.event("u1", "order", at="2025-03-04 10:00", order_id="o1", amount=88)
    shop.until("2025-03-04 10:00")
    assert shop.outbox() == []


def test_a_trial_of_one_cent_is_no_order_and_the_coupon_still_comes(engine: Engine) -> None:
    shop = Shop(engine, WELCOME)
    shop.user("u1")
    shop.event("u1", "order", at="2025-03-02 12:00", order_id="o1", amount=0.01)
    shop.until("2025-03-04 10:00")
    assert shop.facts("u1", "orders") == [0]
    assert shop.sent() == ["coupon@03-04 10:00"]


def test_a_user_whose_first_event_is_a_trial_stays_in_the_flow_after_the_next_event(engine: Engine) -> None:
    shop = Shop(engine, WELCOME)
    shop.event("u1", "order", at="2025-03-01 12:00", order_id="o1", amount=0.01)
    shop.set("u1", phone="13800000001")
    shop.event("u1", "visit", at="2025-03-02 12:00")
    shop.until("2025-03-04 10:00")
    assert shop.ends("u1") == [None]
    assert shop.sent() == ["coupon@03-04 10:00"]


def test_the_win_back_message_comes_on_day_45_of_silence(engine: Engine) -> None:
    shop = Shop(engine, WIN_BACK, start="2025-02-01 09:00")
    shop.user("u1")
    shop.event("u1", "order", order_id="o1", amount=300)
    shop.event("u1", "visit", at="2025-03-01 20:00")
    shop.until("2025-03-31 23:59")
    assert shop.facts("u1", "stage") == ["active"]
    shop.until("2025-04-01 00:00")
    assert shop.facts("u1", "stage") == ["silent"]
    shop.until("2025-04-15 09:59")
    assert shop.outbox() == []
    shop.until("2025-04-15 10:00")
    assert shop.sent() == ["wake@04-15 10:00"]
    shop.until("2025-04-30 10:00")
    assert shop.skipped() == ["last:when"]
    assert shop.ends("u1") == ["finished"]


def test_activity_the_evening_before_day_45_stops_it_and_the_count_begins_anew(engine: Engine) -> None:
    shop = Shop(engine, WIN_BACK, start="2025-02-01 09:00")
    shop.user("u1")
    shop.event("u1", "order", order_id="o1", amount=300)
    shop.event("u1", "visit", at="2025-03-01 20:00")
    shop.event("u1", "visit", at="2025-04-14 23:00")
    assert shop.ends("u1") == ["goal"]
    shop.until("2025-05-29 09:59")
    assert shop.outbox() == []
    shop.until("2025-05-29 10:00")  # 45 days after 14 April
    assert shop.sent() == ["wake@05-29 10:00"]


FAREWELL = f"""{STAGES}
---
playbook: members
tier: stage
again: after 30d
goal: joins
levels:
  silent: {{none: not here}}
  new:
    intent: cultivate
    no_benefit: only words
    steps:
      hi: {{at: now, send: hello}}
      day2: {{at: day 2 10:00, send: again}}
      day9: {{at: day 9 10:00, send: third}}
  active:
    intent: maintain
    no_benefit: only words
    again: always
    steps:
      thanks: {{at: now, send: hello_push}}
"""


def test_x_16_leaving_a_level_cancels_what_is_planned_and_leaves_what_was_sent(engine: Engine) -> None:
    shop = Shop(engine, FAREWELL)
    shop.user("u1")
    shop.beat()
    shop.until("2025-03-03 10:00")
    shop.event("u1", "order", at="2025-03-05 12:00", order_id="o1", amount=50)
    assert shop.states("u1") == ["hi:sent", "day2:sent", "day9:cancelled:ended", "thanks:sent"]
    assert shop.ends("u1") == ["left", None]


def test_the_first_order_ends_the_newcomers_flow_and_starts_the_next_exactly_once(engine: Engine) -> None:
    shop = Shop(engine, FAREWELL)
    shop.user("u1")
    for _ in range(2):
        shop.event("u1", "order", at="2025-03-05 12:00", id="e1", order_id="o1", amount=50)
    assert [r.flow for r in shop.runs("u1")] == ["members/new", "members/active"]
    assert shop.moves("u1", "stage") == [(None, "new", "03-01 09:00"), ("new", "active", "03-05 12:00")]


def test_time_alone_moves_a_user_and_ends_the_flow_of_the_level_that_is_left(engine: Engine) -> None:
    shop = Shop(engine, FAREWELL)
    shop.user("u1")
    shop.until("2025-04-01 00:00")
    assert shop.moves("u1", "stage") == [(None, "new", "03-01 09:00"), ("new", "silent", "04-01 00:00")]


EXITS = """
playbook: sorry
intent: serve
start: {event: cart}
again: always
exit:
  unhappy: angry
  clicked_it: step.first.clicked
goal: buys
steps:
  first: {at: now, send: hello}
  second: {after: 48h, send: again}
---
playbook: complaints
intent: serve
start: {event: say}
goal: joins
again: always
steps:
  mark: {at: now, set: {angry: true}}
"""


def test_an_exit_ends_the_run_with_its_own_name_as_soon_as_it_is_true(engine: Engine) -> None:
    shop = Shop(engine, EXITS, start="2025-03-01 10:00")
    shop.user("u1")
    shop.event("u1", "cart")
    shop.event("u1", "say", at="2025-03-01 12:00", text="bad")
    assert shop.ends("u1") == ["unhappy", None]
    assert shop.states("u1") == ["first:sent", "second:cancelled:ended", "mark:sent"]


def test_an_exit_may_ask_what_a_step_brought_about(engine: Engine) -> None:
    shop = Shop(engine, EXITS, start="2025-03-01 10:00")
    shop.user("u1")
    shop.event("u1", "cart")
    shop.event("u1", "clicked", at="2025-03-01 12:00", playbook="sorry", step="first")
    assert shop.ends("u1") == ["clicked_it"]


def test_all_exits_are_asked_again_when_only_the_date_changed(engine: Engine) -> None:
    shop = Shop(engine, EXITS.replace("unhappy: angry", "too_old: quiet >= 1"), start="2025-03-01 10:00")
    shop.user("u1")
    shop.event("u1", "visit")
    shop.event("u1", "cart")
    shop.until("2025-03-02 00:00")
    assert shop.ends("u1") == ["too_old"]


def test_two_runs_of_always_stand_beside_each_other_and_an_exit_ends_both(engine: Engine) -> None:
    shop = Shop(engine, EXITS, start="2025-03-01 10:00")
    shop.user("u1")
    shop.event("u1", "cart")
    shop.event("u1", "cart", at="2025-03-01 11:00")
    shop.event("u1", "order", at="2025-03-01 12:00", order_id="o", amount=5)
    assert shop.ends("u1") == ["goal", "goal"]
    assert [s for s in shop.states("u1") if "planned" in s] == []


LONG_SILENCE = f"""{STAGES}
---
playbook: visits
intent: maintain
start: {{leave: visits7 >= 2}}
goal: joins
steps:
  miss: {{at: day 0 10:00, send: hello_push}}
  more: {{at: day 5 10:00, send: again}}
"""


def test_a_flow_may_start_when_a_condition_stops_being_true_and_ends_when_it_is_true_again(engine: Engine) -> None:
    shop = Shop(engine, LONG_SILENCE)
    shop.user("u1")
    shop.event("u1", "visit", at="2025-03-02 12:00")
    shop.event("u1", "visit", at="2025-03-03 12:00")
    shop.until("2025-03-08 23:59")
    assert shop.runs("u1") == []
    shop.until("2025-03-09 10:00")  # 2 March left the seven days at midnight
    assert shop.sent() == ["miss@03-09 10:00"]
    shop.event("u1", "visit", at="2025-03-09 12:00")  # 3 and 9 March: two again
    assert shop.ends("u1") == ["left"]
    assert shop.planned() == []
