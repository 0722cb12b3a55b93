"""Holds that each of twenty known defects is excluded by a test that exists; and some of these tests."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from sop_engine.actions.composing import key_of
from sop_engine.language import forms
from tests.channels.defects import DEFECTS
from tests.shop import Shop, keys
from tests.test_house import ROOT, tree_of

TIER = """
tier: worth
levels:
  rich: spent >= 100
  poor: everyone
---
playbook: care
tier: worth
intent: serve
goal: {{enter: orders >= 99, within: 14d}}
levels:
  rich:
    no_benefit: not needed
    steps:
      one: {{at: day 1 10:00, send: {text}}}
      bye: {{at: end, send: {text}}}
  poor: {{none: nothing to say}}
"""


def functions(file: str) -> Iterator[str]:
    """The names of the tests of a file below tests/."""
    path = ROOT / "tests" / file
    return (getattr(node, "name", "") for node in tree_of(path).body) if path.exists() else iter(())


def test_every_test_that_excludes_a_defect_exists() -> None:
    named = [(d.number, *one.split("::")) for d in DEFECTS for one in d.tests]
    assert [(number, file, name) for number, file, name in named if name not in set(functions(file))] == []


def test_every_defect_is_excluded_by_a_test() -> None:
    assert [d.number for d in DEFECTS if d.tests] == list(range(1, 21))


@pytest.mark.parametrize(
    ("spent", "visits", "ended"), [(100, 2, True), (100, 1, False), (99, 3, False)], ids=["both", "the first alone", "the second alone"]
)
def test_an_exit_on_several_conditions_fires_exactly_when_all_hold(memory: Engine, spent: int, visits: int, ended: bool) -> None:
    flow = """
playbook: p
intent: serve
start: {event: register}
goal: {enter: orders >= 99, within: 14d}
exit: {enough: spent >= 100 and visits7 >= 2}
steps: {s: {at: day 3 10:00, send: receipt}}
"""
    shop = Shop(memory, flow)
    shop.event("u", "register", at="2025-03-01 10:00")
    for n in range(visits):
        shop.event("u", "visit", at=f"2025-03-01 1{n}:10")
    shop.event("u", "order", at="2025-03-01 14:00", amount=spent, order_id="1")
    assert shop.ends("u") == (["enough"] if ended else [None])


@pytest.mark.parametrize("text", ["receipt", "hello_push", "hello_mail", "task"])
def test_leaving_does_the_same_whatever_channel_the_flow_speaks_through(memory: Engine, text: str) -> None:
    shop = Shop(memory, TIER.format(text=text))
    shop.user("u", mail="u@example.com", mail_ok=True, adviser="a")
    for number in ("1", "2"):
        shop.event("u", "order", at=f"2025-03-01 1{number}:00", amount=60, order_id=number)
    shop.event("u", "refund", at="2025-03-01 13:00", order_id="1", amount=60)
    assert shop.ends("u") == ["left"]
    assert shop.states("u") == ["one:cancelled:ended", "bye:sent"]


def test_half_past_two_of_the_afternoon_of_day_0_is_it(memory: Engine) -> None:
    moment = forms.MOMENT.parse("day 0 14:30")
    assert (moment.day, moment.minute) == (0, 14 * 60 + 30)
    flow = "playbook: p\nintent: serve\nstart: {event: visit}\ngoal: buys\nsteps:\n  s: {at: day 0 14:30, send: receipt}\n"
    shop = Shop(memory, flow)
    shop.user("u")
    shop.event("u", "visit", at="2025-03-01 09:30")
    assert shop.planned("u") == ["s@03-01 14:30"]
    shop.until("2025-03-01 15:00")
    assert shop.sent("u") == ["s@03-01 14:30"]


def test_the_key_of_a_call_is_the_same_whenever_it_is_made() -> None:
    assert key_of("i", 7, "sms", 0) == key_of("i", 7, "sms", 0)
    assert len({key_of("i", 7, "sms", 0), key_of("i", 7, "sms", 1), key_of("i", 8, "sms", 0), key_of("i", 7, "mail", 0)}) == 4


def test_all_who_fit_are_reached_and_nobody_else_also_after_a_change(memory: Engine) -> None:
    flow = "playbook: p\nintent: serve\nstart: {event: visit}\nonly: city = Shanghai\ngoal: buys\nsteps:\n  s: {at: now, send: receipt}\n"
    shop = Shop(memory, flow)
    for n, user in enumerate(keys(6)):
        shop.user(user, city="Shanghai" if n % 2 else "Paris")
        shop.event(user, "visit")
    assert sorted({m.user_id for m in shop.outbox()}) == sorted(t.user_id for t in shop.touches() if t.state == "sent")
    assert len(shop.outbox()) == 3
    shop.set("u1", city="Shanghai")
    shop.now += timedelta(minutes=1)
    shop.event("u1", "visit")
    assert len(shop.outbox("u1")) == 1
