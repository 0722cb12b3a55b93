"""Who may start, what ends a run, and which goal counts, as tables."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from sop_engine.core.catalog import Goal
from sop_engine.core.conditions import Always, Ref, Truth
from sop_engine.core.enrolment import Past, Refused, anchor_of, ending_exit, goal_counts, may_again, refuse_start
from sop_engine.core.forms import Again, Length
from sop_engine.core.playbook import Flow, Start

ZONE = ZoneInfo("Asia/Shanghai")
FLOW = Flow("f", "f", "serve", Start("event"), ())


def local(text: str) -> datetime:
    """The instant of a local time in March 2025."""
    return datetime.fromisoformat(f"2025-03-{text}").replace(tzinfo=ZONE).astimezone(UTC)


LAST = local("01 23:50")
DAYS, HOURS = Again("after", Length(days=10)), Again("after", Length(exact=timedelta(hours=48)))
AGAIN = [
    (Again("never"), Past(), "02 10:00", True),
    (Again("never"), Past(LAST), "02 10:00", False),
    (Again("always"), Past(LAST, True), "02 10:00", True),
    (DAYS, Past(LAST), "10 23:59", False),
    (DAYS, Past(LAST), "11 00:00", True),  # the tenth local day after, whatever the hour
    (DAYS, Past(LAST, True), "20 00:00", False),
    (HOURS, Past(LAST), "03 23:49", False),
    (HOURS, Past(LAST), "03 23:50", True),
]


@pytest.mark.parametrize(("again", "past", "now", "may"), AGAIN)
def test_again_counts_from_the_last_start_and_waits_for_an_open_run(again: Again, past: Past, now: str, may: bool) -> None:
    assert may_again(again, past, local(now), ZONE) is may


def test_a_start_is_refused_by_again_then_rollout_then_only() -> None:
    flow = replace(FLOW, again=Again("never"), only=Always(value=False))

    def reason(past: Past, inside: bool) -> str:
        found = refuse_start(flow, {}, past, LAST, ZONE, inside_rollout=inside)
        return found.reason if isinstance(found, Refused) else ""

    assert [reason(Past(LAST), False), reason(Past(), False), reason(Past(), True)] == ["again", "rollout", "only"]
    assert refuse_start(replace(flow, only=None), {}, Past(), LAST, ZONE, inside_rollout=True) is None


def test_day_0_is_the_start_or_the_value_of_the_anchor() -> None:
    started, born = date(2025, 3, 1), date(1990, 5, 6)
    anchored = replace(FLOW, anchor="birthday")
    assert anchor_of(FLOW, {}, started) == started
    assert anchor_of(anchored, {"birthday": born}, started) == born
    assert anchor_of(anchored, {"birthday": None}, started) is None
    assert anchor_of(anchored, {}, started) is None


def test_the_first_exit_that_holds_gives_its_name() -> None:
    tag = Truth(Ref("tag", "angry", "flag"))
    flow = replace(FLOW, exits=(("unhappy", tag), ("any", Always()), ("more", Always())))
    assert (ending_exit(flow, {"angry": True}), ending_exit(flow, {}), ending_exit(FLOW, {})) == ("unhappy", "any", None)


GOAL = Goal("g", Length(days=3), events=("order",))
EXACT = Goal("g", Length(exact=timedelta(hours=2)), events=("order",))
FIRST, SECOND = local("05 10:00"), local("20 10:00")
COUNTS = [
    (GOAL, "04 10:00", [], True),  # on their own
    (GOAL, "05 10:00", [FIRST], True),
    (GOAL, "08 23:59", [FIRST], True),
    (GOAL, "09 00:00", [FIRST], False),
    (GOAL, "12 10:00", [FIRST, SECOND], False),  # between two windows
    (GOAL, "21 10:00", [FIRST, SECOND], True),
    (GOAL, "04 10:00", [FIRST, SECOND], True),  # it happened before the first touch and arrived after it: on their own
    (EXACT, "05 11:59", [FIRST], True),
    (EXACT, "05 12:00", [FIRST], False),
]


@pytest.mark.parametrize(("goal", "at", "touched", "counts"), COUNTS)
def test_a_goal_counts_before_any_touch_and_inside_the_window_of_one(goal: Goal, at: str, touched: list[datetime], counts: bool) -> None:
    assert goal_counts(goal, local(at), touched, ZONE) is counts
