"""When a step happens: moments, spans, lengths, chains, schedules, time zones; and whether it happens."""

from datetime import date

import pytest
from sqlalchemy import Engine

from tests.shop import Shop, keys
from tests.shop_project import CATALOGUE, text

pytestmark = pytest.mark.slow

HEAD = """
playbook: flow
intent: serve
start: {event: cart}
goal: joins
again: always
steps:
"""


def run(engine: Engine, steps: str, *, start: str = "2025-03-01 12:00", until: str, head: str = HEAD, **given: object) -> Shop:
    """A user starts the flow and time passes."""
    shop = Shop(engine, head + steps, start=start)
    shop.user("u1", **given)
    shop.event("u1", "cart")
    shop.until(until)
    return shop


def test_moments_lengths_and_chains_come_when_they_say(engine: Engine) -> None:
    steps = """
  soon: {at: now, send: receipt}
  ten: {after: 10m, send: receipt}
  same_day: {at: day 0 18:00, send: receipt}
  opening: {at: day 1, send: receipt}
  chained: {at: day 2 18:00, from: same_day, send: receipt}
  shortly: {after: 90m, from: chained, send: receipt}
"""
    shop = run(engine, steps, until="2025-03-10 12:00")
    assert sorted(shop.sent(), key=lambda s: s.split("@")[1]) == [
        "soon@03-01 12:00",
        "ten@03-01 12:10",
        "same_day@03-01 18:00",
        "opening@03-02 09:00",
        "chained@03-03 18:00",
        "shortly@03-03 19:30",
    ]
    assert shop.ends("u1") == ["finished"]


def test_what_waits_for_a_step_that_never_ran_is_never_planned(engine: Engine) -> None:
    steps = """\
  first: {at: day 1 10:00, when: vip, send: receipt}
  second: {at: day 1 10:00, from: first, send: receipt}
  third: {at: day 1 10:00, from: second, send: receipt}
"""
    shop = run(engine, steps, until="2025-03-20 12:00")
    assert shop.states() == ["first:skipped:when"]
    assert shop.ends("u1") == ["finished"]


def test_a_chain_counts_from_when_the_step_ran_not_from_when_it_was_due(engine: Engine) -> None:
    steps = "  first: {at: day 0 22:00, send: hello}\n  second: {at: day 1 10:00, from: first, send: receipt}\n"
    shop = run(engine, steps, until="2025-03-03 23:00")
    assert shop.sent() == ["first@03-02 09:00", "second@03-03 10:00"]


def test_a_span_spreads_users_over_it_the_same_way_every_time(engine: Engine) -> None:
    shop = Shop(engine, HEAD + "  wave: {at: day 1 10:00-12:00, send: receipt}\n", start="2025-03-01 12:00")
    for key in keys(30):
        shop.user(key)
        shop.event(key, "cart", id=f"cart-{key}")
    due = [t.due_at for t in shop.touches()]
    assert all(shop.at("2025-03-02 10:00") <= d < shop.at("2025-03-02 12:00") for d in due)
    assert len(set(due)) > 15


EVERY = [
    ("day 10:00", "2025-03-01 12:00", ["03-02", "03-03", "03-04"]),
    ("workday 10:00", "2025-04-03 12:00", ["04-07", "04-08", "04-09"]),  # a holiday from 4 to 6 April
    ("workday 10:00", "2025-04-25 12:00", ["04-27", "04-28", "04-29"]),  # a make-up workday on a Sunday
    ("weekend 10:00", "2025-04-25 12:00", ["04-26", "05-03", "05-04"]),
    ("tue 10:00", "2025-03-01 12:00", ["03-04", "03-11", "03-18"]),
    ("month day 31 10:00", "2025-01-31 12:00", ["02-28", "03-31", "04-30"]),
    ("14d 10:00", "2025-03-01 12:00", ["03-15", "03-29", "04-12"]),
    ("year on birthday 10:00", "2025-03-01 12:00", ["03-05"]),
    ("year 3d before birthday 10:00", "2025-03-01 12:00", ["03-02"]),
]


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)  # days are reckoned outside of any database
@pytest.mark.parametrize(("schedule", "start", "days"), EVERY)
def test_a_repeated_step_comes_on_its_days(engine: Engine, schedule: str, start: str, days: list[str]) -> None:
    calendar = "calendars:\n  cn: {weekend: [sat, sun], holidays: [2025-04-04 to 2025-04-06], workdays: [2025-04-27], until: 2025-12-31}\n"
    shop = Shop(engine, HEAD + f"  ping: {{every: {schedule}, send: receipt}}\n", calendar, start=start, project={"calendar": "cn"})
    shop.user("u1", birthday=date(1990, 3, 5))
    shop.event("u1", "cart")
    shop.until(f"2025-{days[-1]} 10:00")
    assert shop.sent() == [f"ping@{day} 10:00" for day in days]
    assert len(shop.planned()) == 1


def test_a_repeated_step_goes_on_after_a_refusal_and_stops_with_the_run(engine: Engine) -> None:
    head = HEAD.replace("goal: joins", "goal: {event: order, within: 30d}")
    shop = run(
        engine,
        "  ping: {every: day 10:00, when: weekday_is_even, send: receipt}\n".replace("when: weekday_is_even", "when: visits7 = 0"),
        until="2025-03-02 10:00",
        head=head,
    )
    shop.event("u1", "visit", at="2025-03-02 12:00")
    shop.until("2025-03-10 10:00")
    assert shop.sent() == ["ping@03-02 10:00", "ping@03-09 10:00", "ping@03-10 10:00"]
    assert shop.skipped() == ["ping:when"] * 6
    shop.event("u1", "order", at="2025-03-10 12:00", order_id="o", amount=5)
    shop.until("2025-03-20 10:00")
    assert (shop.ends("u1"), len(shop.sent())) == (["goal"], 3)


def test_missed_days_of_a_repeated_step_are_skipped_and_not_sent_in_a_heap(engine: Engine) -> None:
    shop = run(engine, "  ping: {every: day 10:00, late: 2h, send: receipt}\n", until="2025-03-02 10:00")
    shop.jump("2025-03-06 10:30")
    shop.beat()
    assert shop.sent() == ["ping@03-02 10:00", "ping@03-06 10:30"]
    assert shop.skipped() == ["ping:late"] * 3


def test_a_condition_is_asked_at_the_moment_and_may_read_the_start_and_other_steps(engine: Engine) -> None:
    steps = """
  a: {at: now, when: visits7 = 0, send: receipt}
  b: {at: day 1 10:00, when: spent > start.spent, send: receipt}
  c: {at: day 1 11:00, when: step.b and not step.d, send: receipt}
  d: {at: day 1 12:00, when: step.a.opened or step.a.clicked, send: receipt}
"""
    shop = Shop(engine, HEAD + steps, start="2025-03-01 12:00")
    shop.user("u1")
    shop.event("u1", "cart")
    shop.event("u1", "order", at="2025-03-01 13:00", order_id="o", amount=5)
    shop.event("u1", "opened", at="2025-03-02 11:30", playbook="flow", step="a")
    shop.until("2025-03-02 12:00")
    assert [s.split("@")[0] for s in shop.sent()] == ["a", "b", "c", "d"]
    shop.user("u2")
    shop.event("u2", "cart")
    shop.until("2025-03-05 12:00")
    assert shop.skipped("u2") == ["b:when", "c:when", "d:when"]


def test_done_and_used_are_known_of_a_step(engine: Engine) -> None:
    steps = """
  ask: {at: now, send: task}
  gift: {at: now, give: g, send: coupon}
  a: {after: 1h, when: step.ask.done, send: receipt}
  b: {after: 1h, when: step.gift.used, send: receipt}
"""
    shop = Shop(
        engine,
        HEAD + steps,
        "benefits:\n  g: {pool: G, worth: 5, valid: 7d, limit: 9 per 1d, budget: 1000 per 30d}\n",
        start="2025-03-01 12:00",
    )
    for key in ("u1", "u2"):
        shop.user(key, adviser="ann")
        shop.event(key, "cart")
    shop.event("u1", "task_done", playbook="flow", step="ask")
    shop.event("u1", "benefit_used", code=shop.grants("u1")[0].code)
    shop.until("2025-03-01 13:00")
    assert shop.skipped("u1") == []
    assert shop.skipped("u2") == ["a:when", "b:when"]
    assert [g.state for g in shop.grants()] == ["redeemed", "issued"]


def test_a_user_is_reached_at_ten_of_the_users_own_clock(engine: Engine) -> None:
    shop = Shop(engine, HEAD + "  ping: {at: day 1 10:00, send: hello}\n", start="2025-03-28 12:00")
    for key, zone in (("paris", "Europe/Paris"), ("lima", "America/Lima"), ("bad", "No/Where"), ("home", None)):
        shop.user(key, timezone=zone)
        shop.event(key, "cart")
    shop.until("2025-04-02 12:00")
    # Noon in Shanghai is 05:00 in Paris on the 28th, and 23:00 in Lima on the 27th.
    assert shop.sent("paris") == ["ping@03-29 17:00"]
    assert shop.sent("lima") == ["ping@03-28 23:00"]
    assert shop.sent("bad") == shop.sent("home") == ["ping@03-29 10:00"]


CHANGES = [
    ("2025-03-28 12:00", ["03-29 02:30", "03-30 03:30", "03-31 02:30"]),  # 02:30 is missing on the 30th: as long after the gap
    ("2025-10-24 12:00", ["10-25 02:30", "10-26 02:30", "10-27 02:30"]),  # 02:30 comes twice on the 26th
]


@pytest.mark.parametrize(("start", "times"), CHANGES)
def test_the_clock_change_loses_and_doubles_nothing(engine: Engine, start: str, times: list[str]) -> None:
    shop = Shop(engine, HEAD + "  ping: {every: day 02:30, send: receipt}\n", start=start, project={"timezone": "Europe/Paris"})
    shop.user("u1")
    shop.event("u1", "cart")
    shop.until(f"2025-{times[-1]}")
    assert shop.sent() == [f"ping@{time}" for time in times]
    assert {t.due_at.hour for t in shop.touches() if t.state == "sent"} <= {0, 1}  # of two the first


def test_a_step_sets_tags_and_attributes_and_they_move_levels_at_once(engine: Engine) -> None:
    book = """\
tier: rank
note: x
levels:
  best: vip
  rest: otherwise
---
playbook: ranks
tier: rank
goal: joins
levels:
  rest: {none: x}
  best: {intent: serve, no_benefit: y, steps: {hi: {at: now, send: receipt}}}
"""
    shop = Shop(engine, HEAD + "  mark: {after: 1h, set: {vip: true, city: Paris}}\n", book, start="2025-03-01 12:00")
    shop.user("u1")
    shop.event("u1", "cart")
    shop.until("2025-03-01 13:00")
    assert shop.facts("u1", "vip", "city", "rank") == [True, "Paris", "best"]
    assert shop.sent() == ["mark@03-01 13:00", "hi@03-01 13:00"]


def test_a_choice_by_attribute_takes_the_word_or_otherwise_or_does_nothing(engine: Engine) -> None:
    steps = """
  a: {at: now, by: city, send: {Paris: receipt, otherwise: task}}
  b: {at: now, by: city, send: {Paris: receipt, Beijing: task}}
  c: {at: now, by: city, give: {Paris: g}, send: receipt}
"""
    shop = Shop(
        engine,
        HEAD + steps,
        "benefits:\n  g: {pool: G, worth: 5, valid: 7d, limit: 9 per 1d, budget: 1000 per 30d}\n",
        start="2025-03-01 12:00",
    )
    for key, given in (("paris", {"city": "Paris"}), ("home", {"city": "Shanghai"}), ("none", {})):
        shop.user(key, adviser="ann", **given)
        shop.event(key, "cart")
    assert [m.template for m in shop.outbox("paris")] == ["receipt", "receipt", "receipt"]
    assert [m.template for m in shop.outbox("home")] == ["task", "receipt"]
    assert [m.template for m in shop.outbox("none")] == ["task", "receipt"]
    assert shop.skipped("home") == shop.skipped("none") == ["b:no_choice"]
    assert [t.choice for t in shop.touches("paris")][:2] == ["Paris", "Paris"]
    assert len(shop.grants()) == 1


def test_the_next_template_is_tried_and_every_answer_is_written_down(engine: Engine) -> None:
    listed = {
        "named": text("named", "sms", variables="name: required", body="hi {{ name }}"),
        "with_name": text("with_name", "sms", variables="name: friend", body="hi {{ name }}"),
    }
    shop = Shop(
        engine,
        HEAD
        + "  a: {at: now, send: [hello_mail, named, task]}\n  b: {at: now, send: [hello_mail, named]}\n  c: {at: now, send: with_name}\n",
        start="2025-03-01 12:00",
        texts=listed,
    )
    shop.user("u1", mail="a@example.com", adviser="ann")
    shop.event("u1", "cart")
    assert [(m.template, m.text) for m in shop.outbox()] == [("task", "task"), ("with_name", "hi friend")]
    (skipped,) = (t for t in shop.touches() if t.state == "skipped")
    assert skipped.reason == "unknown"
    assert "hello_mail: needs" in skipped.detail
    assert "named: unknown ('name' is unknown)" in skipped.detail
    shop.user("u2", phone="")
    shop.event("u2", "cart")
    assert shop.skipped("u2") == ["a:no_channel", "b:no_channel", "c:no_channel"]


def test_a_text_that_is_too_long_gives_way_to_the_next_template(engine: Engine) -> None:
    catalogue = CATALOGUE.replace("sms: {via: outbox, to: phone}", "sms: {via: outbox, to: phone, max_length: 20}")
    listed = {"long": text("long", "sms", purpose="service", variables="name: friend", body="hi {{ name }}")}
    shop = Shop(engine, start="2025-03-01 12:00", texts=listed)
    shop.apply(HEAD + "  a: {at: now, send: [long, task]}\n  b: {at: now, send: long}\n", catalogue=catalogue)
    shop.user("u1", name="x" * 30, adviser="ann")
    shop.user("u2", name="x" * 17, adviser="ann")
    for key in ("u1", "u2"):
        shop.event(key, "cart")
    assert [m.template for m in shop.outbox("u1")] == ["task"]
    assert shop.skipped("u1") == ["b:too_long"]
    assert [m.template for m in shop.outbox("u2")] == ["long", "long"]
