"""What differs between two versions of a flow is said key by key, in words of the language."""

from dataclasses import replace
from itertools import permutations

from sop_engine.core.differences import Difference, differences
from sop_engine.core.forms import Moment
from tests.builders import example_project

PROJECT = example_project()
FLOW = PROJECT.flows["沉默45天唤醒"]


def test_equal_flows_do_not_differ() -> None:
    for flow in PROJECT.flows.values():
        assert differences((flow, PROJECT), (replace(flow, place="elsewhere:1", order=99), PROJECT)) == ()


def test_a_step_is_compared_by_its_name() -> None:
    first, *others = FLOW.steps
    moved = replace(first, at=Moment("day", 46, 600))
    new = replace(FLOW, steps=(*others, moved, replace(first, name="再来一次")))
    found = differences((FLOW, PROJECT), (new, PROJECT))
    assert Difference(f"steps.{first.name}.at", "day 45 10:00", "day 46 10:00") in found
    assert [d.path for d in found if d.sign == "+"] == ["steps.再来一次"]
    assert {d.path for d in found} == {f"steps.{first.name}.at", "steps.再来一次"}


def test_a_text_or_a_benefit_that_changed_is_part_of_the_flow() -> None:
    name = FLOW.steps[0].send.names()[0] if FLOW.steps[0].send else ""
    changed = {locale: replace(t, body="别的话") for locale, t in PROJECT.templates[name].items()}
    project = replace(PROJECT, templates={**PROJECT.templates, name: changed})
    found = differences((FLOW, PROJECT), (FLOW, project))
    assert [(d.path.split(".")[:2], d.path.split(".")[-1], d.new) for d in found] == [(["templates", name], "body", "别的话")]


def test_whatever_two_flows_differ_in_can_be_written() -> None:
    flows = list(PROJECT.flows.values())
    for old, new in permutations(flows, 2):
        for one in differences((old, PROJECT), (new, PROJECT)):
            assert one.old != one.new
            assert "(" not in one.path
            assert "object at" not in one.old + one.new
