"""Says that a flow is read back in sentences with its anchor, days, channels, texts, benefits and ends."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from sop_engine.core.catalog import Benefit, Goal
from sop_engine.core.conditions import And, Compare, Condition, Constant, Ref, Truth
from sop_engine.core.forms import Again, Instant, Length, Limit, Moment, Schedule, Valid
from sop_engine.core.playbook import Choice, Flow, Start, Step
from sop_engine.core.project import Project, Settings
from sop_engine.core.say import say
from sop_engine.core.template import Template
from tests.builders import example_project

ORDERS = Ref("metric", "累计订单数", "number")
SILENT: Condition = Compare("=", Ref("tier", "生命周期", "level"), Constant("流失期"))
BOUGHT: Condition = Compare(">", ORDERS, Constant(Decimal(0)))
COMPLAINS: Condition = Truth(Ref("tag", "投诉中", "flag"))
CHANNELS = {"唤醒怀旧_短信": "短信", "唤醒怀旧_企微": "企微", "唤醒发券_短信": "短信", "感谢_顾问": "顾问任务"}
WAKE = Goal("唤醒", Length(days=7), ("visit",))
RETURN = Goal("召回", Length(days=14), ("order",))
BACK = Benefit("回归券", "POOL", Valid("length", Length(days=7)), Limit(Decimal(1), Length(days=30)), Limit(Decimal(1), Length(days=30)))


def project() -> Project:
    """A project with the templates and benefits of the flows below."""
    templates = {n: {"zh-CN": Template(n, c, "marketing", n, locale="zh-CN")} for n, c in CHANNELS.items()}
    goals = {goal.name: goal for goal in (WAKE, RETURN)}
    return Project(Settings("演示", "Asia/Shanghai"), goals=goals, templates=templates, benefits={"回归券": BACK})


def choice(*names: str) -> Choice:
    """The same for everybody."""
    return Choice((("", names),))


def flow(*steps: Step, start: Start, **more: object) -> Flow:
    """A flow with these steps."""
    return Flow("演示", "演示", "win_back", start, steps, **more)


def test_day_45_names_its_anchor_arms_channels_benefit_and_ends() -> None:
    wake = Step(
        "第45天唤醒",
        at=Moment("day", 45, 600),
        send=Choice((("怀旧", ("唤醒怀旧_短信", "唤醒怀旧_企微")), ("直接券", ("唤醒发券_短信",))), "variant"),
        give=Choice((("直接券", ("回归券",)),), "variant"),
    )
    told = say(
        flow(
            wake,
            start=Start("enter", condition=SILENT),
            only=BOUGHT,
            anchor="最近活动",
            holdout=Decimal("0.1"),
            variants=(("怀旧", Decimal("0.5")), ("直接券", Decimal("0.5"))),
            goal=WAKE,
            counts=(RETURN,),
            exits=(("投诉", COMPLAINS),),
            existing=True,
            existing_per_day=500,
        ),
        project(),
    )
    assert told.splitlines() == [
        "用户进入「生命周期 = 流失期」且累计订单数 > 0 时开始，最近活动那天是第 0 天。10% 不触达，其余怀旧、直接券各半。",
        "第 45 天 10:00（第45天唤醒）：怀旧 → 短信「唤醒怀旧_短信」，发不到则企微「唤醒怀旧_企微」；"
        "直接券 → 短信「唤醒发券_短信」，附「回归券」。",
        "达成目标「唤醒」（触达后 7 天内 visit）即止。另计「召回」（触达后 14 天内 order）。条件不再成立即止。投诉（投诉中）即止。"
        "开始 30 天后可以再次参加。发布当天已符合的人也参加，每天最多 500 人。",
    ]


def test_the_same_flow_can_be_read_in_english() -> None:
    told = say(
        flow(
            Step("thanks", after=timedelta(minutes=10), when=BOUGHT, send=choice("感谢_顾问"), give=choice("回归券")),
            start=Start("event", events=("order",), where=Compare(">=", Ref("field", "amount", "number"), Constant(Decimal(500)))),
            goal=Goal("goal", Length(days=90), ("order",)),
            again=Again("always"),
            keep_going=frozenset({"goal"}),
        ),
        project(),
        locale="en",
    )
    assert told.splitlines() == [
        "Starts at order of a user (amount >= 500); the day of the start is day 0.",
        "10 minutes later (thanks): if 累计订单数 > 0: '感谢_顾问' through 顾问任务, with '回归券'.",
        "Reaching the goal (order within 90 days of a touch) is counted and does not end it. It starts again every time.",
    ]


def test_every_way_to_start_is_said() -> None:
    starts = {
        "用户进入「三层 = 新客层」时开始，": Start("level", "三层", "新客层"),
        "用户在「三层」里没有层级时开始，": Start("level", "三层", None),
        "用户离开「生命周期 = 流失期」时开始，": Start("leave", condition=SILENT),
        "用户发生 order、visit时开始，": Start("event", events=("order", "visit")),
        "每月 28 日 10:00时开始，": Start("every", schedule=Schedule("month_day", 600, 28)),
        "2025-03-18 10:00（一次）时开始，": Start("date", instant=Instant(datetime(2025, 3, 18, 10))),
    }
    for beginning, start in starts.items():
        assert say(flow(start=start), project()).startswith(beginning)


def test_who_a_schedule_is_for_and_the_day_of_joining_are_said() -> None:
    told = say(flow(start=Start("every", schedule=Schedule("weekday", 600, 6)), only=BOUGHT), project())
    assert told.startswith("每周六 10:00对「累计订单数 > 0」的用户开始，开始那天是第 0 天。")
    assert "加入那天是第 0 天" in say(flow(start=Start("level", "三层", "新客层"), anchor="joined"), project())


def test_every_moment_and_act_of_a_step_is_said() -> None:
    steps = {
        "立即（标记）：设 预警沉默 = true。": Step("标记", at=Moment("now"), sets=(("预警沉默", True),)),
        "第 0 天 19:00–21:00（问）：短信「唤醒怀旧_短信」。": Step("问", at=Moment("day", 0, 1140, 1260), send=choice("唤醒怀旧_短信")),
        "第 3 天 发送时段一开始（问）：短信「唤醒怀旧_短信」。": Step("问", at=Moment("day", 3), send=choice("唤醒怀旧_短信")),
        "「发券」之后第 7 天 10:00（加码）：作废「回归券」。": Step("加码", at=Moment("day", 7, 600), source="发券", void="回归券"),
        "目标达成时（回流）：短信「唤醒怀旧_短信」。": Step("回流", at=Moment("goal"), send=choice("唤醒怀旧_短信")),
        "结束时（取消）：设 预警沉默 = false。": Step("取消", at=Moment("end"), sets=(("预警沉默", False),)),
        "每个工作日 14:00（茶）：若 累计订单数 > 0，短信「唤醒怀旧_短信」。": Step(
            "茶", every=Schedule("workday", 840), when=BOUGHT, send=choice("唤醒怀旧_短信")
        ),
        "每年生日前 7 天 10:00（生日）：短信「唤醒怀旧_短信」。": Step(
            "生日", every=Schedule("year", 600, 7, "生日"), send=choice("唤醒怀旧_短信")
        ),
        "48 小时后（选）：按最弱维度选：时近 → 短信「唤醒怀旧_短信」；其他 → 企微「唤醒怀旧_企微」。": Step(
            "选",
            after=timedelta(hours=48),
            by=Ref("metric", "最弱维度", "words"),
            send=Choice((("时近", ("唤醒怀旧_短信",)), ("otherwise", ("唤醒怀旧_企微",))), "最弱维度"),
        ),
    }
    for sentence, step in steps.items():
        assert sentence in say(flow(step, start=Start("level", "三层", "新客层")), project()).splitlines()


def test_promises_limits_and_approvals_are_said() -> None:
    told = say(
        flow(
            start=Start("enter", condition=And((SILENT, BOUGHT))),
            rollout=Decimal("0.2"),
            variants=(("甲", Decimal("0.6")), ("乙", Decimal("0.4"))),
            budget=Limit(Decimal(40000), Length(days=30)),
            approve_by="会员负责人",
            no_benefit="只问候",
            again=Again("never"),
            keep_going=frozenset({"left"}),
        ),
        project(),
    )
    for sentence in ("分组：甲 60%、乙 40%。", "先放量 20%。", "权益预算 30 天内 40000。", "发布须经会员负责人批准。"):
        assert sentence in told
    for sentence in ("不给权益：只问候。", "每人只参加一次。", "条件不再成立也照常走完。"):
        assert sentence in told


def test_what_stands_in_for_a_benefit_that_is_used_up_is_said() -> None:
    bigger = Benefit("加码券", "P", BACK.valid, BACK.limit, BACK.budget, if_empty="回归券")
    shop = Project(Settings("演示", "Asia/Shanghai"), benefits={"回归券": BACK, "加码券": bigger})
    step = Step("加码", at=Moment("now"), give=choice("加码券"))
    assert "附「加码券」，领完则「回归券」" in say(flow(step, start=Start("level", "三层", "新客层")), shop)


def test_a_group_of_events_is_said_by_its_name() -> None:
    shop = Project(Settings("演示", "Asia/Shanghai"), groups={"活跃": ("visit", "order")})
    start = Start("event", events=("order", "visit"))
    assert say(flow(start=start), shop).startswith("用户发生 活跃时开始")


@pytest.mark.parametrize("locale", ["zh-CN", "en"])
def test_every_flow_of_the_example_names_all_its_steps_texts_benefits_and_its_anchor(locale: str) -> None:
    project = example_project()
    for flow in project.flows.values():
        told = say(flow, project, locale=locale)
        assert len(told.splitlines()) == len(flow.steps) + 2
        for step in flow.steps:
            named = [step.name, *(step.send.names() if step.send else ()), *(step.give.names() if step.give else ())]
            assert [name for name in named if name not in told] == []
        assert flow.anchor in (None, "joined") or str(flow.anchor) in told
