"""The plan of a run: what is wanted and missing is added, what is planned and unwanted goes, and nothing else is ever touched."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sop_engine.core.catalog import Calendar, Goal
from sop_engine.core.forms import Hours, Length, Moment, Schedule
from sop_engine.core.playbook import Flow, Start, Step
from sop_engine.core.schedule import (
    Existing,
    Plan,
    Progress,
    RunTimes,
    Timing,
    Wanted,
    all_late,
    closes_at,
    reconcile,
    wanted,
    wanted_after,
)

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW = datetime(2025, 3, 1, 4, tzinfo=UTC)  # noon in Shanghai
TIMING = Timing(SHANGHAI, Calendar(""), Hours(9 * 60, 21 * 60))
ALLOWANCE = Length(exact=timedelta(hours=24))
RUN = RunTimes(NOW, date(2025, 3, 1), "u1:e1")

names = st.sampled_from(["a", "b", "c", "d"])
moments = st.integers(0, 5).map(lambda h: NOW + timedelta(hours=h))
wants = st.builds(lambda s, o, d: Wanted(s, o, d, d + timedelta(hours=24)), names, st.sampled_from(["0", "2025-03-01"]), moments)
states = st.sampled_from(["planned", "queued", "sending", "sent", "skipped", "failed", "cancelled", "unknown"])


@st.composite
def touches(draw: st.DrawFn) -> list[Existing]:
    """What is there: each step and occurrence once."""
    keys = draw(st.lists(st.tuples(names, st.sampled_from(["0", "2025-03-01"])), unique=True, max_size=6))
    return [Existing(i, step, occurrence, draw(states), draw(moments)) for i, (step, occurrence) in enumerate(keys)]


def carried_out(plan: Plan, there: list[Existing]) -> list[Existing]:
    """What is there after the plan was written."""
    gone = {i for i, _ in plan.cancel}
    moved = {i: w.due_at for i, w in plan.shift}
    kept = [replace(e, state="cancelled" if e.id in gone else e.state, due_at=moved.get(e.id, e.due_at)) for e in there]
    return [*kept, *(Existing(100 + i, w.step, w.occurrence, "planned", w.due_at) for i, w in enumerate(plan.add))]


@given(st.lists(wants, max_size=8), touches())
def test_carrying_out_a_plan_leaves_nothing_more_to_do(wanted_touches: list[Wanted], there: list[Existing]) -> None:
    plan = reconcile(wanted_touches, there)
    assert reconcile(wanted_touches, carried_out(plan, there)).empty


@given(st.lists(wants, max_size=8), touches())
def test_only_planned_touches_ever_change_and_nothing_is_there_twice(wanted_touches: list[Wanted], there: list[Existing]) -> None:
    plan = reconcile(wanted_touches, there)
    planned = {e.id for e in there if e.state == "planned"}
    assert {i for i, _ in plan.cancel} | {i for i, _ in plan.shift} <= planned
    assert not {i for i, _ in plan.cancel} & {i for i, _ in plan.shift}
    after = [(e.step, e.occurrence) for e in carried_out(plan, there)]
    assert len(after) == len(set(after))


@given(st.lists(wants, max_size=8), touches())
def test_whatever_is_wanted_is_there_afterwards(wanted_touches: list[Wanted], there: list[Existing]) -> None:
    after = {(e.step, e.occurrence) for e in carried_out(reconcile(wanted_touches, there), there)}
    assert {(w.step, w.occurrence) for w in wanted_touches} <= after


STEPS = [
    (Step("s", at=Moment("now")), "03-01 12:00"),
    (Step("s", after=timedelta(minutes=10)), "03-01 12:10"),
    (Step("s", at=Moment("day", 0, 18 * 60)), "03-01 18:00"),
    (Step("s", at=Moment("day", 0, 8 * 60)), "03-01 08:00"),  # past already: it is planned, and skipped if it is too late
    (Step("s", at=Moment("day", 3)), "03-04 09:00"),
    (Step("s", at=Moment("day", -2, 8 * 60)), "02-27 08:00"),
    (Step("s", at=Moment("day", 45, 10 * 60)), "04-15 10:00"),
    (Step("s", every=Schedule("day", 10 * 60)), "03-02 10:00"),
    (Step("s", at=Moment("goal")), None),
    (Step("s", at=Moment("end")), None),
    (Step("s", at=Moment("day", 3, 600), source="earlier"), None),
    (Step("s", every=Schedule("year", 600, 0, "birthday")), None),  # unknown birthday
]


@pytest.mark.parametrize(("step", "due"), STEPS)
def test_the_start_plans_every_step_that_waits_for_nothing_but_time(step: Step, due: str | None) -> None:
    found = [f"{w.due_at.astimezone(SHANGHAI):%m-%d %H:%M}" for w in wanted(flow(step), RUN, TIMING)]
    assert found == ([due] if due else [])


def flow(*steps: Step, late: Length = ALLOWANCE, goal: Goal | None = None) -> Flow:
    """A flow with these steps."""
    return Flow("f", "f", "serve", Start("event"), steps, late=late, goal=goal)


def test_steps_after_another_count_from_when_it_ran() -> None:
    chain = flow(
        Step("a"), Step("b", at=Moment("day", 1, 600), source="a"), Step("c", after=timedelta(hours=2), source="a"), Step("d", source="b")
    )
    ran_at = datetime(2025, 3, 5, 15, 30, tzinfo=UTC)  # 23:30 on the 5th in Shanghai
    found = {w.step: f"{w.due_at.astimezone(SHANGHAI):%m-%d %H:%M}" for w in wanted_after(chain, "a", RUN, ran_at, TIMING)}
    assert found == {"b": "03-06 10:00", "c": "03-06 01:30"}


def test_an_allowance_in_days_ends_just_before_midnight_and_one_in_hours_exactly() -> None:
    step = Step("s", at=Moment("day", 0, 600))
    (by_hours,) = wanted(flow(step), RUN, TIMING)
    (by_days,) = wanted(flow(step, late=Length(days=7)), RUN, TIMING)
    (own,) = wanted(flow(replace(step, late=Length(exact=timedelta(hours=2)))), RUN, TIMING)
    midnight = datetime(2025, 3, 9, tzinfo=SHANGHAI).astimezone(UTC)
    assert (by_hours.late_at - by_hours.due_at, own.late_at - own.due_at) == (timedelta(hours=24), timedelta(hours=2))
    assert midnight - timedelta(seconds=1) < by_days.late_at < midnight


def test_a_run_whose_every_touch_is_too_late_does_not_start() -> None:
    early = Wanted("a", "0", NOW - timedelta(days=3), NOW - timedelta(days=2))
    later = Wanted("b", "0", NOW, NOW + timedelta(days=1))
    assert all_late([early, early], NOW)
    assert not all_late([early, later], NOW)
    assert not all_late([replace(early, late_at=NOW)], NOW)
    assert not all_late([], NOW)


GOAL = Goal("g", Length(days=3), events=("order",))
TOUCHED = datetime(2025, 3, 1, 4, tzinfo=UTC)
WINDOW_ENDS = datetime(2025, 3, 5, tzinfo=SHANGHAI).astimezone(UTC)
DAILY = Step("d", every=Schedule("day", 600))
CLOSING = [
    (flow(Step("a"), goal=GOAL), Progress(True, frozenset(), None, False), None),
    (flow(Step("a"), goal=GOAL), Progress(False, frozenset({"a"}), TOUCHED, False), WINDOW_ENDS),
    (flow(Step("a"), goal=GOAL), Progress(False, frozenset({"a"}), TOUCHED, True), NOW),
    (flow(Step("a"), goal=GOAL), Progress(False, frozenset(), None, False), NOW),
    (flow(Step("a"), DAILY, goal=GOAL), Progress(False, frozenset({"a"}), TOUCHED, False), None),
    (flow(Step("a"), replace(DAILY, source="a"), goal=GOAL), Progress(False, frozenset(), None, False), NOW),
]


@pytest.mark.parametrize(("one", "progress", "closes"), CLOSING)
def test_a_run_is_finished_when_no_step_is_to_come_and_the_window_is_over(one: Flow, progress: Progress, closes: datetime | None) -> None:
    assert closes_at(one, progress, NOW, SHANGHAI) == closes
