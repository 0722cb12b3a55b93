"""How much one user gets: caps, who goes first, opening hours, silence, refusals, a person who takes over, switches."""

import pytest
from sqlalchemy import Engine

from sop_engine.store import stops
from tests.shop import Shop
from tests.shop_project import CATALOGUE, text

pytestmark = pytest.mark.slow


def flow(name: str, step: str, *more: str, intent: str = "cultivate") -> str:
    """A flow started by a cart, with one step or several lines of them."""
    extra = "\n".join(more)
    return f"playbook: {name}\nintent: {intent}\nstart: {{event: cart}}\ngoal: joins\nagain: always\n{extra}\nsteps:\n{step}\n"


HELLO = "  hi: {at: day 1 10:00, send: hello}"


def begin(engine: Engine, *documents: str, project: dict[str, str] | None = None, catalogue: str = CATALOGUE, **given: object) -> Shop:
    """A user in these flows since 1 March, noon."""
    shop = Shop(engine, start="2025-03-01 12:00", project=project)
    shop.apply(*documents, catalogue=catalogue)
    shop.user("u1", **{"mail": "a@example.com", "mail_ok": True, **given})
    shop.event("u1", "cart")
    return shop


def test_a_cap_holds_over_channels_and_playbooks_and_the_rest_waits_for_the_next_day(engine: Engine) -> None:
    books = [
        flow("a", HELLO),
        flow("b", "  hi: {at: day 1 11:00, send: hello_mail}"),
        flow("c", "  hi: {at: day 1 12:00, send: hello_push}"),
    ]
    shop = begin(engine, *books, project={"caps": "[2 per 1d]"})
    shop.until("2025-03-02 20:00")
    assert shop.sent() == ["hi@03-02 10:00", "hi@03-02 11:00"]
    assert shop.planned() == ["hi@03-03 09:00"]
    shop.until("2025-03-03 09:00")
    assert shop.sent()[-1] == "hi@03-03 09:00"


def test_two_touches_in_one_batch_do_not_pass_the_cap_together(engine: Engine) -> None:
    shop = begin(engine, *(flow(name, HELLO) for name in "abc"), project={"caps": "[1 per 1d]"})
    shop.until("2025-03-02 10:00")
    assert len(shop.outbox()) == 1
    shop.until("2025-03-03 12:00")
    assert shop.states() == ["hi:sent", "hi:sent", "hi:skipped:cap"]  # the third is 24 hours late


def test_a_cap_of_a_week_counts_today_and_the_six_days_before(engine: Engine) -> None:
    steps = "\n".join(f"  s{n}: {{at: day {n} 10:00, send: hello}}" for n in (1, 3, 4, 8, 9))
    shop = begin(engine, flow("a", steps, "late: 2h"), project={"caps": "[2 per 7d]"})
    shop.until("2025-03-12 10:00")
    assert shop.sent() == ["s1@03-02 10:00", "s3@03-04 10:00", "s8@03-09 10:00"]
    assert shop.skipped() == ["s4:cap", "s9:cap"]


def test_a_cap_over_two_months_remembers_two_months(engine: Engine) -> None:
    shop = begin(engine, flow("a", HELLO + "\n  later: {at: day 45 10:00, send: again, late: 1h}"), project={"caps": "[1 per 60d]"})
    shop.until("2025-04-20 12:00")
    assert shop.states() == ["hi:sent", "later:skipped:cap"]


def test_a_cap_in_hours_is_exact(engine: Engine) -> None:
    steps = "  a: {after: 1h, send: hello}\n  b: {after: 4h, send: hello_mail}\n  c: {after: 6h, send: hello_push}"
    shop = begin(engine, flow("a", steps), project={"caps": "[1 per 4h]"})
    shop.until("2025-03-01 20:59")
    assert [s for s in shop.sent()] == ["a@03-01 13:00", "b@03-01 17:00"]


def test_the_cap_of_a_channel_leaves_other_channels_alone(engine: Engine) -> None:
    catalogue = CATALOGUE.replace("sms: {via: outbox, to: phone}", "sms: {via: outbox, to: phone, caps: [1 per 1d]}")
    shop = begin(
        engine,
        flow("a", "  x: {after: 1h, send: hello}\n  y: {after: 2h, send: again}\n  z: {after: 3h, send: hello_mail}"),
        catalogue=catalogue,
    )
    shop.until("2025-03-01 20:00")
    assert shop.sent() == ["x@03-01 13:00", "z@03-01 15:00"]


def test_service_and_internal_messages_know_no_caps_and_count_in_none(engine: Engine) -> None:
    steps = "  x: {after: 1h, send: receipt}\n  y: {after: 2h, send: task}\n  z: {after: 3h, send: hello}\n  w: {after: 4h, send: receipt}"
    shop = begin(engine, flow("a", steps), project={"caps": "[1 per 1d]"}, adviser="ann")
    shop.until("2025-03-01 20:00")
    assert [s[0] for s in shop.sent()] == ["x", "y", "z", "w"]


def test_the_more_important_message_goes_first_and_the_other_the_next_day(engine: Engine) -> None:
    books = [flow("tea", HELLO), flow("back", "  hi: {at: day 1 10:00, send: again}", intent="win_back")]
    shop = begin(engine, *books, project={"caps": "[1 per 1d]"})
    shop.until("2025-03-03 12:00")
    assert [(m.template, f"{m.at.astimezone(shop.zone):%d %H:%M}") for m in shop.outbox()] == [("again", "02 10:00"), ("hello", "03 09:00")]


def test_a_message_gives_way_to_a_more_important_one_later_the_same_day(engine: Engine) -> None:
    books = [flow("tea", HELLO, "late: 3h"), flow("back", "  hi: {at: day 1 18:00, send: again}", intent="win_back")]
    shop = begin(engine, *books, project={"caps": "[1 per 1d]"})
    shop.until("2025-03-03 12:00")
    assert [m.template for m in shop.outbox()] == ["again"]
    assert shop.skipped() == ["hi:priority"]


def test_nobody_gives_way_while_the_cap_has_room_for_both(engine: Engine) -> None:
    books = [flow("tea", HELLO), flow("back", "  hi: {at: day 1 18:00, send: again}", intent="win_back")]
    shop = begin(engine, *books, project={"caps": "[2 per 1d]"})
    shop.until("2025-03-02 18:00")
    assert [m.template for m in shop.outbox()] == ["hello", "again"]


def test_marketing_waits_for_the_opening_hours_of_the_users_own_zone(engine: Engine) -> None:
    shop = Shop(engine, flow("a", "  hi: {after: 10h, send: hello}\n  note: {after: 10h, send: receipt}"), start="2025-03-01 12:00")
    for key, zone in (("home", None), ("paris", "Europe/Paris")):
        shop.user(key, timezone=zone)
        shop.event(key, "cart")
    shop.until("2025-03-02 20:00")
    assert sorted(shop.sent("home")) == ["hi@03-02 09:00", "note@03-01 22:00"]
    assert sorted(shop.sent("paris")) == ["hi@03-01 22:00", "note@03-01 22:00"]  # 15:00 there


def test_the_end_of_the_hours_is_outside_and_their_beginning_inside(engine: Engine) -> None:
    shop = begin(
        engine, flow("a", "  x: {at: day 1 21:00, send: hello}\n  y: {at: day 2 20:59, send: again}\n  z: {at: day 3 09:00, send: third}")
    )
    shop.until("2025-03-05 12:00")
    assert shop.sent() == ["x@03-03 09:00", "y@03-03 20:59", "z@03-04 09:00"]


def test_hours_over_midnight_are_open_at_night(engine: Engine) -> None:
    steps = "  x: {at: day 1 12:00, send: hello}\n  y: {at: day 2 01:00, send: again}\n  z: {at: day 3 02:00, send: third}"
    shop = begin(engine, flow("a", steps), project={"hours": "22:00-02:00"})
    shop.until("2025-03-06 12:00")
    assert shop.sent() == ["x@03-02 22:00", "y@03-03 01:00", "z@03-04 22:00"]


def test_the_hours_of_a_channel_bind_service_messages_too(engine: Engine) -> None:
    catalogue = CATALOGUE.replace("desk: {via: outbox, to: adviser}", "desk: {via: outbox, to: adviser, hours: 09:00-18:00}")
    shop = begin(engine, flow("a", "  x: {after: 7h, send: task}"), catalogue=catalogue, adviser="ann")
    shop.until("2025-03-02 12:00")
    assert shop.sent() == ["x@03-02 09:00"]


def test_what_waited_too_long_for_the_hours_is_skipped_with_that_reason(engine: Engine) -> None:
    shop = begin(engine, flow("a", "  x: {after: 10h, send: hello, late: 3h}"))
    shop.until("2025-03-02 12:00")
    assert shop.states() == ["x:skipped:hours"]


STAGES = "tier: stage\nnote: x\nlevels:\n  silent: quiet >= 7\n  awake: otherwise\nmark: {silent: silent}\n"


def test_a_silent_level_gets_no_promotion_but_win_back_and_service(engine: Engine) -> None:
    books = [
        flow("tea", "  hi: {at: day 8 10:00, send: hello}\n  note: {at: day 8 10:00, send: receipt}"),
        flow("back", "  hi: {at: day 8 10:00, send: again}", intent="win_back"),
    ]
    shop = begin(engine, STAGES, *books, project={"primary_tier": "stage"})
    shop.until("2025-03-09 10:00")
    assert [m.template for m in shop.outbox()] in (["again", "receipt"], ["receipt", "again"])
    assert shop.skipped() == ["hi:suppressed"]


def test_after_so_many_days_without_activity_promotions_are_stale_from_that_very_day(engine: Engine) -> None:
    steps = "  a: {at: day 20 10:00, send: hello}\n  b: {at: day 21 10:00, send: again}"
    shop = begin(engine, flow("tea", steps), project={"stale_after": "21d"}, joined="2024-01-01 00:00")
    shop.event("u1", "visit")
    shop.until("2025-03-22 10:00")
    assert shop.states() == ["a:sent", "b:skipped:stale"]


def test_who_is_not_in_the_projects_only_gets_no_marketing(engine: Engine) -> None:
    shop = begin(
        engine, flow("a", "  x: {after: 1h, send: hello}\n  y: {after: 1h, send: receipt}"), project={"only": "not staff"}, staff=True
    )
    shop.until("2025-03-01 13:00")
    assert sorted(shop.states()) == ["x:skipped:excluded", "y:sent"]


def test_a_refused_channel_is_not_used_and_the_next_template_is(engine: Engine) -> None:
    shop = begin(
        engine, flow("a", "  x: {after: 1h, send: [hello, hello_mail]}\n  y: {after: 1h, send: receipt}\n  z: {after: 1h, send: hello}")
    )
    shop.event("u1", "unsubscribed", channel="sms")
    shop.until("2025-03-01 13:00")
    assert [m.template for m in shop.outbox()] == ["hello_mail"]
    assert shop.skipped() == ["y:opted_out", "z:opted_out"]


def test_who_refuses_all_marketing_leaves_the_flows_and_still_gets_service(engine: Engine) -> None:
    shop = begin(engine, flow("a", "  x: {after: 1h, send: hello}"))
    shop.event("u1", "unsubscribed")
    assert shop.ends("u1") == ["opted_out"]
    shop.apply(flow("b", "  x: {after: 1h, send: hello}\n  y: {after: 1h, send: receipt}"))
    shop.event("u1", "cart")
    shop.until("2025-03-01 13:00")
    assert [m.template for m in shop.outbox()] == ["receipt"]
    assert shop.skipped() == ["x:opted_out"]


def test_a_block_is_a_refusal_of_that_channel(engine: Engine) -> None:
    shop = begin(engine, flow("a", "  x: {after: 1h, send: hello}"))
    shop.event("u1", "blocked", channel="sms", actor="system")
    shop.until("2025-03-01 13:00")
    assert shop.skipped() == ["x:opted_out"]


def test_who_replies_gets_a_person_and_the_flows_wait_until_the_task_is_done(engine: Engine) -> None:
    reply = {"answer": text("answer", "desk", purpose="internal", variables="event.text: required", body="said {{ event.text }}")}
    shop = Shop(
        engine,
        flow("a", "  x: {after: 1h, send: hello}\n  y: {after: 2h, send: receipt}"),
        start="2025-03-01 12:00",
        project={"on_reply": "answer"},
        texts=reply,
    )
    shop.user("u1")
    shop.event("u1", "cart")
    shop.event("u1", "replied", text="hm")
    shop.until("2025-03-01 15:00")
    assert shop.sent() == []
    shop.event("u1", "task_done", at="2025-03-01 15:05", actor="staff")
    shop.until("2025-03-01 15:30")
    assert len(shop.sent()) == 2


@pytest.mark.parametrize("scope", ["all", "playbook:a", "channel:sms"])
def test_a_stopped_scope_waits_and_goes_on_when_it_is_released(engine: Engine, scope: str) -> None:
    shop = begin(engine, flow("a", "  x: {after: 1h, send: hello}\n  y: {after: 2h, send: hello, late: 1h}"))
    with shop.app.transaction() as tx:
        stops.add(tx, scope, stop=True, at=shop.now, by="test", why="")
    shop.until("2025-03-01 16:00")
    assert shop.states() == ["x:planned:paused", "y:skipped:paused"]
    with shop.app.transaction() as tx:
        stops.add(tx, scope, stop=False, at=shop.now, by="test", why="")
    shop.until("2025-03-01 16:30")
    assert shop.states() == ["x:sent", "y:skipped:paused"]


def test_a_broken_text_that_would_say_a_forbidden_word_is_not_sent(engine: Engine) -> None:
    named = {"named": text("named", "sms", variables="name: friend", body="hi {{ name }}")}
    shop = Shop(
        engine,
        flow("a", "  x: {after: 1h, send: [named, hello_push]}"),
        start="2025-03-01 12:00",
        project={"never_say": "[loser]"},
        texts=named,
    )
    shop.user("u1", name="loser")
    shop.event("u1", "cart")
    shop.until("2025-03-01 13:00")
    assert shop.texts_sent() == ["hello_push"]
