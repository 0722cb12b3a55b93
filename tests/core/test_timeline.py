"""The timeline puts each step on its day: after another step, at the start of an anchored flow, repeated, at the goal and the end."""

from datetime import timedelta
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from sop_engine.core.forms import Moment, Schedule
from sop_engine.core.pages.drawing import draw
from sop_engine.core.pages.markdown import block, code, plain, table
from sop_engine.core.pages.timeline import Column, Lane, Mark, Timeline, timeline_of
from sop_engine.core.playbook import Flow, Playbook, Start, Step
from sop_engine.core.project import Project, Settings


def timeline(*steps: Step, anchor: str | None = None, none: tuple[tuple[str, str], ...] = (), locale: str = "zh-CN") -> Timeline:
    flow = Flow("甲", "甲", "cultivate", Start("enter"), steps, anchor=anchor)
    project = Project(Settings("店", "Asia/Shanghai"), playbooks={}, flows={"甲": flow})
    return timeline_of(Playbook("甲", ("甲",), none=none), project, locale=locale)


def day(number: int, minute: int | None = 600, kind: str = "day") -> Moment:
    return Moment(kind, number, minute)


def columns(shown: Timeline) -> dict[str, str]:
    """The label of the column of each step."""
    return {mark.step: shown.columns[mark.column].label for lane in shown.lanes for mark in lane.marks}


def test_a_step_from_another_stands_on_the_day_of_both_together() -> None:
    shown = timeline(Step("a", at=day(3)), Step("b", at=day(7), source="a"), Step("c", after=timedelta(hours=30), source="b"))
    assert columns(shown) == {"a": "第 3 天", "b": "第 10 天", "c": "第 11 天"}
    assert [mark.when for mark in shown.lanes[0].marks] == ["10:00", "「a」之后第 7 天 10:00", "「b」之后30 小时后"]


def test_minutes_after_the_start_stand_on_the_day_they_fall_on() -> None:
    steps = (Step("a", at=Moment("now")), Step("b", after=timedelta(minutes=10)), Step("c", after=timedelta(hours=48)))
    assert columns(timeline(*steps)) == {"a": "第 0 天", "b": "第 0 天", "c": "第 2 天"}


def test_the_start_of_an_anchored_flow_is_no_day_of_the_anchor() -> None:
    shown = timeline(Step("a", at=Moment("now")), Step("b", at=day(45)), Step("c", at=day(-2)), anchor="生日")
    assert columns(shown) == {"a": "开始", "c": "第 -2 天", "b": "第 45 天"}
    assert [column.label for column in shown.columns] == ["开始", "第 -2 天", "第 45 天"]


def test_what_is_repeated_comes_after_the_days_and_the_goal_and_the_end_last() -> None:
    steps = (
        Step("结束", at=Moment("end")), Step("达成", at=Moment("goal")), Step("每月", every=Schedule("month_day", 600, 8)),
        Step("第1天", at=day(1)), Step("回访", at=day(3), source="达成"),
    )  # fmt: skip
    shown = timeline(*steps)
    assert [column.label for column in shown.columns] == ["第 1 天", "反复", "目标达成时", "目标达成时＋3 天", "结束时"]
    assert [mark.when for mark in shown.lanes[0].marks] == ["10:00", "每月 8 日 10:00", "", "「达成」之后第 3 天 10:00", ""]


def test_the_axis_is_broken_where_days_are_left_out() -> None:
    shown = timeline(Step("a", at=day(0)), Step("b", at=day(1)), Step("c", at=day(9)))
    assert shown.columns == (Column("第 0 天", False), Column("第 1 天", False), Column("第 9 天", True))


def test_steps_of_one_day_stand_in_the_order_of_their_times() -> None:
    shown = timeline(Step("晚", at=day(0, 1080)), Step("早", at=day(0, 540)))
    assert [mark.step for mark in shown.lanes[0].marks] == ["早", "晚"]


def test_a_level_that_is_left_alone_is_a_lane_with_its_reason() -> None:
    shown = timeline(Step("a", at=day(0)), none=(("常客", "先不打扰"),))
    assert shown.lanes[-1] == Lane("常客", "", none="先不打扰")
    assert "先不打扰" in draw(shown)


def test_it_is_said_in_english_too() -> None:
    shown = timeline(Step("a", at=Moment("now")), Step("b", at=day(2)), locale="en")
    assert ([c.label for c in shown.columns], shown.lanes[0].intent) == (["day 0", "day 2"], "cultivate")
    assert ">under a condition<" in draw(shown, locale="en")


def drawn(*marks: Mark, name: str = "甲") -> ElementTree.Element:
    shown = Timeline(
        "甲", tuple(Column(f"第 {n} 天", False) for n in range(1 + max(m.column for m in marks))), (Lane(name, "培养", marks),)
    )
    return ElementTree.fromstring(draw(shown))


def texts(svg: ElementTree.Element) -> list[tuple[float, float, str]]:
    found = svg.iter("{http://www.w3.org/2000/svg}text")
    return [(float(t.attrib["x"]), float(t.attrib["y"]), t.text or "") for t in found]


def test_no_text_of_a_drawing_runs_into_the_next_column_or_out_of_the_picture() -> None:
    long = "一个名字特别特别长的步骤要换行才写得下"
    marks = [Mark(n, long, "10:00", ("短信", "企微"), ("满199减50的回归券给老朋友",), "message", False) for n in range(4)]
    svg = drawn(*marks)
    first = {x for x, _, text in texts(svg) if text == "10:00"}
    lines = [line for line in svg.iter("{http://www.w3.org/2000/svg}line") if line.get("class") == "rule"]
    rules = sorted(float(line.attrib["x1"]) for line in lines)
    edges = [*rules[1:], float(svg.attrib["width"])]
    for x, edge in zip(sorted(first), edges, strict=True):
        assert max(x + 12 * len(text) for at, _, text in texts(svg) if at == x and not text.isascii()) <= edge


def test_marks_of_one_day_stand_below_each_other_inside_their_lane() -> None:
    svg = drawn(*(Mark(0, f"第{n}步", "10:00", ("短信",), (), "message", False) for n in range(3)))
    heights = [y for _, y, text in texts(svg) if text.startswith("第") and text.endswith("步")]
    assert heights == sorted(set(heights))
    assert min(b - a for a, b in pairwise(heights)) >= 48
    assert max(y for _, y, _ in texts(svg)) <= float(svg.attrib["height"])


def test_names_are_escaped_and_clock_times_never_broken() -> None:
    svg = drawn(Mark(0, "<步&骤>", "「一个名字很长的步骤」之后第 7 天 10:00", (), (), "quiet", True))
    assert "<步&骤>" in [text for _, _, text in texts(svg)]
    assert any(text.endswith("10:00") for _, _, text in texts(svg))


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (plain("a|b `c` *d* <e>\n[f]"), r"a\|b \`c\` \*d\* \<e> \[f\]"),
        (plain("> 3"), r"\> 3"),
        (code("x < 3 and 城市 = \"a|b\""), '`x < 3 and 城市 = "a\\|b"`'),
        (code(""), ""),
        (block("a ``` b"), "````text\na ``` b\n````"),
        (table(["a", "空", "b"], [["1", "", "2"]]), "| a | b |\n| --- | --- |\n| 1 | 2 |"),
    ],
)  # fmt: skip
def test_markdown_means_what_the_text_said(written: str, text: str) -> None:
    assert written == text
