"""Changing playbooks while users are inside: who keeps the old version, who is moved, what ends, what gets new words."""

import pytest
from sqlalchemy import Engine

from sop_engine.actions.apply import Change, Options, preview
from sop_engine.core.errors import Refused
from tests.shop import Shop
from tests.shop_project import BENEFIT, CATALOGUE, text

pytestmark = pytest.mark.slow

FLOW = """
playbook: cart
intent: cultivate
start: {event: cart}
goal: buys
again: always
EXTRA
steps:
  first: {at: day 1 10:00, send: hello}
  second: {at: day DAY 10:00, send: again}
MORE"""


def flow(day: int = 3, extra: str = "", more: str = "") -> str:
    """Two messages, the second on this day."""
    return FLOW.replace("DAY", str(day)).replace("EXTRA", extra).replace("MORE", more)


def begin(engine: Engine, *documents: str) -> Shop:
    """A user inside since 1 March, noon, who has the first message."""
    shop = Shop(engine, *(documents or (flow(),)), start="2025-03-01 12:00")
    shop.user("u1")
    shop.event("u1", "cart")
    shop.until("2025-03-02 12:00")
    return shop


def test_c_11_those_inside_keep_day_3_and_new_ones_get_day_4(engine: Engine) -> None:
    shop = begin(engine)
    assert shop.apply(flow(4)) == [Change("cart", "changed", 1, 2, 1)]
    shop.user("u2")
    shop.event("u2", "cart")
    shop.until("2025-03-10 12:00")
    assert shop.sent("u1") == ["first@03-02 10:00", "second@03-04 10:00"]
    assert shop.sent("u2") == ["first@03-03 10:00", "second@03-06 10:00"]
    assert [r.version for r in (*shop.runs("u1"), *shop.runs("u2"))] == [1, 2]


def test_applying_the_same_again_changes_nothing(engine: Engine) -> None:
    shop = begin(engine)
    before = shop.touches()
    assert shop.apply(flow()) == [Change("cart", "same", 1, 1, 0)]
    shop.apply(flow(), options=Options(move=True))
    assert shop.touches() == before


def test_a_preview_writes_nothing(engine: Engine) -> None:
    shop = begin(engine)
    files = shop.files(flow(4))
    assert preview(shop.app, shop.app.load(files)) == [Change("cart", "changed", 1, 2, 1)]
    shop.until("2025-03-04 10:00")
    assert len(shop.sent()) == 2


def test_c_11_moving_carries_them_over_by_step_names(engine: Engine) -> None:
    shop = begin(engine, flow(more="  gone: {at: day 5 10:00, send: third}\n  past: {at: day 6 10:00, send: third}\n"))
    more = "  past: {at: day 0 10:00, send: third}\n  new: {at: day 7 10:00, send: receipt}\n"
    shop.apply(flow(4, more=more), options=Options(move=True))
    shop.until("2025-03-10 12:00")
    assert sorted(shop.states()) == ["first:sent", "gone:cancelled:removed", "new:sent", "past:skipped:late", "second:sent"]
    assert "second@03-05 10:00" in shop.sent()


def test_moving_leaves_chained_goal_and_end_steps_alone_and_cancels_those_that_are_gone(engine: Engine) -> None:
    more = """\
  chained: {at: day 2 10:00, from: first, send: third}
  gone: {at: day 3 10:00, from: first, send: third}
  won: {at: goal, send: receipt}
  daily: {every: day 11:00, send: receipt}
"""
    shop = begin(engine, flow(more=more, extra="keep_going: goal"))
    kept = more.replace("  gone: {at: day 3 10:00, from: first, send: third}\n", "")
    shop.apply(flow(4, more=kept, extra="keep_going: goal"), options=Options(move=True))
    assert sorted(s for s in shop.states() if "planned" not in s) == ["daily:sent", "first:sent", "gone:cancelled:removed"]
    waiting = {s.split("@")[0] for s in shop.planned()}
    assert waiting == {"second", "chained", "daily"}
    shop.until("2025-03-04 10:00")
    assert "chained@03-04 10:00" in shop.sent()


def test_moving_plans_a_new_step_that_waits_for_one_that_ran_already_and_keeps_a_waiting_goal_step(engine: Engine) -> None:
    more = "  won: {at: goal, send: hello_push}\n"
    shop = begin(engine, flow(more=more, extra="keep_going: goal"))
    shop.event("u1", "order", at="2025-03-02 22:00", order_id="o", amount=5)
    assert "won@03-03 09:00" in shop.planned()
    more += "  chained: {at: day 2 10:00, from: first, send: receipt}\n"
    shop.apply(flow(more=more, extra="keep_going: goal"), options=Options(move=True))
    shop.until("2025-03-05 10:00")
    assert sorted(shop.sent()) == ["chained@03-04 10:00", "first@03-02 10:00", "second@03-04 10:00", "won@03-03 09:00"]


def test_corrected_texts_reach_those_who_still_wait_and_change_no_times(engine: Engine) -> None:
    shop = begin(engine)
    shop.texts["again"] = text("again", "sms", body="corrected")
    shop.apply(flow(4), options=Options(texts=True))
    shop.until("2025-03-04 10:00")
    assert shop.texts_sent() == ["hello", "corrected"]


def test_without_that_the_words_stay_those_of_the_start(engine: Engine) -> None:
    shop = begin(engine)
    shop.texts["again"] = text("again", "sms", body="corrected")
    shop.apply(flow())
    shop.user("u2")
    shop.event("u2", "cart")
    shop.until("2025-03-05 10:00")
    assert [m.text for m in shop.outbox("u1")] == ["hello", "again"]
    assert [m.text for m in shop.outbox("u2")] == ["hello", "corrected"]


def test_runs_of_a_removed_flow_go_on_to_their_end_unless_they_are_stopped(engine: Engine) -> None:
    other = flow().replace("playbook: cart", "playbook: other")
    shop = begin(engine)
    shop.apply(other)
    shop.until("2025-03-04 10:00")
    assert shop.sent() == ["first@03-02 10:00", "second@03-04 10:00"]
    shop.user("u2")
    shop.apply(flow(), other)
    shop.event("u2", "cart")
    changes = shop.apply(other, options=Options(stop=True))
    assert [c.kind for c in changes] == ["same", "removed"]
    assert sorted(zip((r.flow for r in shop.runs("u2")), shop.ends("u2"), strict=True)) == [("cart", "stopped"), ("other", None)]


def test_a_flow_that_comes_back_as_it_was_is_the_same_version(engine: Engine) -> None:
    shop = begin(engine)
    shop.apply(flow(4))
    assert shop.apply(flow())[0] == Change("cart", "changed", 2, 3, 1)


def test_what_the_old_version_reads_may_be_gone_from_the_live_project(engine: Engine) -> None:
    """A metric, a tag, a channel and a benefit of the old version are removed: unknown, and nobody else is held up."""
    more = """\
  gone: {at: day 3 10:00, when: visits7 >= 0, send: hello_push}
  set_it: {at: day 3 10:00, set: {vip: true}}
  gift: {at: day 3 10:00, give: g, send: coupon}
"""
    gift = f"benefits:\n  g: {{pool: G, {BENEFIT}}}\n"
    more += "  pushed: {at: day 3 10:00, send: hello_push}\n"
    shop = begin(engine, flow(more=more), gift)
    del shop.texts["hello_push"]
    catalogue = (
        CATALOGUE.replace("  visits7: {count: visit, within: 7d}\n", "")
        .replace("  push: {via: outbox, to: id}\n", "")
        .replace("  vip: {}\n", "")
    )
    shop.apply(flow(), catalogue=catalogue)
    shop.until("2025-03-04 10:00")
    assert sorted(shop.states())[-1] == "set_it:sent"
    assert {"gift:sent", "pushed:sent"} <= set(shop.states())
    assert "gone:skipped:when" in shop.states()


def test_a_change_that_needs_an_approval_is_refused_without_one(engine: Engine) -> None:
    shop = begin(engine)
    with pytest.raises(Refused, match="approval"):
        shop.apply(flow(4, extra="approve_by: boss"))
    assert shop.runs("u1")[0].version == 1
    shop.apply(flow(4, extra="approve_by: boss"), options=Options(approved_by="Ann"))
    shop.apply(flow(4, extra="approve_by: boss"))


def test_a_changed_rule_moves_users_at_once_and_ends_what_no_longer_holds_but_starts_nobody(engine: Engine) -> None:
    book = """\
tier: stage
note: x
levels:
  good: visits7 >= MANY
  rest: otherwise
---
playbook: p
tier: stage
goal: joins
intent: serve
levels:
  good: {no_benefit: x, steps: {a: {at: day 5 10:00, send: hello}}}
  rest: {no_benefit: x, steps: {b: {at: day 5 10:00, send: again}}}
"""
    shop = Shop(engine, book.replace("MANY", "1"), start="2025-03-01 12:00")
    shop.user("u1")
    shop.event("u1", "visit")
    shop.apply(book.replace("MANY", "2"))
    assert shop.facts("u1", "stage") == ["rest"]
    assert [(r.flow, r.end_reason) for r in shop.runs("u1")] == [("p/rest", "left"), ("p/good", "left")]
